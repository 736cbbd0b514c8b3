"""`neuroloom evaluate`: how good a trained model is on data with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neuroloom import engines
from neuroloom.cli.preparation import Preparation
from neuroloom.cli.scores import judge
from neuroloom.cli.sources import NAMES, TARGETS, test_part
from neuroloom.cli.terminal import note, show_table
from neuroloom.cli.trained import open_model, outputs_for
from neuroloom.errors import DataError, nearest


@click.command(
    short_help="Test a model on data with known answers.",
    epilog="""\b
Examples:
  neuroloom evaluate digits.safetensors digits
  neuroloom evaluate flowers.safetensors more-flowers.csv
""",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--engine", metavar="NAME", help="What computes: jax (the default), torch or numpy.")
def evaluate(model: Path, data: str, engine: str | None) -> None:
    """Test MODEL on DATA: a CSV file with the target column, or a data set's name (its test part).

    Models of images take an .npz file with the arrays x and y.
    """
    engines.resolve(engine)
    network, trained = open_model(model)
    raw = known_data(data, trained.preparation)
    for remark in trained.preparation.remarks(raw):
        note(remark)
    target = trained.preparation.target(raw)
    outputs = outputs_for(network, trained.preparation, raw, engine)
    scores = judge(outputs, target, trained.preparation, trained.usual)
    show_table(scores.head, scores.cells)
    scores.show_errors()


def known_data(data: str, preparation: Preparation) -> Any:
    """Raw data with answers, by the name of a data set or of a file.

    Raises:
        DataError: neither, or a data set of another kind than the model was trained on.
    """
    if data not in NAMES:
        if not Path(data).exists():
            raise DataError(f"{data!r} is neither a data set nor a file. {nearest(data, NAMES)}")
        return preparation.read(Path(data))
    raw = test_part(data)
    kind = "table" if data in TARGETS else "reviews" if data == "imdb" else "images"
    expected = preparation.to_config()["kind"]
    if kind != expected:
        raise DataError(f"The model was trained on {expected}; the data set {data!r} holds {kind}.")
    return raw
