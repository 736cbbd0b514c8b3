"""`neuroloom predict`: what a trained model says about new data, as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click
import numpy as np

from neuroloom import engines
from neuroloom.cli.preparation import Preparation
from neuroloom.cli.terminal import note
from neuroloom.cli.trained import open_model, outputs_for
from neuroloom.errors import ConfigurationError
from neuroloom.files.writer import replace_file


@click.command(
    short_help="Predict the target of new data, as CSV.",
    epilog="""\b
Examples:
  neuroloom predict flowers.safetensors new.csv -o out.csv
  neuroloom predict digits.safetensors images.npy
""",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="PATH", help="Write here, not to the screen.")
@click.option("--engine", metavar="NAME", help="What computes: jax (the default), torch or numpy.")
def predict(model: Path, new: Path, out: Path | None, engine: str | None) -> None:
    """Predict the target of every row of NEW, a CSV file (for images an .npy or .npz file).

    The result is CSV: a line for every row, in the same order, with the prediction and, for classes, the
    probability of each. Numbers are written in full precision, classes as they stood in the training data.
    """
    engines.resolve(engine)
    _check_out(out, model, new)
    network, trained = open_model(model)
    raw = trained.preparation.read(new)
    for remark in trained.preparation.remarks(raw):
        note(remark)
    text = as_csv(outputs_for(network, trained.preparation, raw, engine), trained.preparation)
    if out is None:
        click.echo(text, nl=False)
    else:
        replace_file(out, text.encode())


def as_csv(outputs: np.ndarray, preparation: Preparation) -> str:
    """Predictions, and the probabilities of classes, with a line of names above.

    Args:
        outputs: (rows, classes) probabilities, or (rows, 1) standardised values.
        preparation: knows the classes, or the units.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["prediction", *(f"p_{label}" for label in preparation.classes)])
    if preparation.classes:
        labels = preparation.values(outputs.argmax(1))
        writer.writerows([label, *map(str, row)] for label, row in zip(labels, outputs, strict=True))
    else:
        writer.writerows([repr(value)] for value in preparation.values(outputs[:, 0]).tolist())
    return text.getvalue()


def _check_out(out: Path | None, model: Path, new: Path) -> None:
    if out is None:
        return
    if out.is_dir() or not out.parent.is_dir():
        fault = "is a folder" if out.is_dir() else f"is to go into {str(out.parent)!r}, which does not exist"
        raise ConfigurationError(f"--out expected a file to write to; {str(out)!r} {fault}.")
    if out.resolve() in (model.resolve(), new.resolve()):
        raise ConfigurationError(f"--out {str(out)!r} would overwrite what is read; choose another name.")
