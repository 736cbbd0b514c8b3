"""`neuroloom train`: from a data set or a CSV file to a tested model and a report."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from neuroloom import config, engines
from neuroloom.callbacks import Callback, EarlyStopping
from neuroloom.cli.document import Outcome, document
from neuroloom.cli.recipes import Recipe, make_network, recipe_for
from neuroloom.cli.scores import judge, usual_target
from neuroloom.cli.sources import NAMES, Source, open_source
from neuroloom.cli.terminal import count, digits, file_size, listed, note, show_fact, show_table
from neuroloom.cli.trained import Trained
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, EngineError
from neuroloom.learning import History
from neuroloom.learning.history import format_logs
from neuroloom.models import Model

ENDING = ".safetensors"
LOGGED_EPOCHS = 10  # lines that a training writes into a pipe


@click.command(
    short_help="Train a network on a data set or a CSV file.",
    epilog=f"""Data sets: {", ".join(NAMES)}.

\b
Examples:
  neuroloom train digits
  neuroloom train flowers.csv --target species
  neuroloom train houses.csv --target price --epochs 50 --out models/houses.safetensors
""",
)
@click.argument("data")
@click.option("--target", metavar="COLUMN", help="The column of the CSV file to predict.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="What the target column holds; by default its cells decide.",
)
@click.option("--engine", metavar="NAME", help="What computes: jax (the default) or torch.")
@click.option("--epochs", metavar="N", type=click.IntRange(min=1), help="Train for at most so many epochs.")
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="The same seed gives the same split, weights and result.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to write the model; the report goes beside it. By default NAME.safetensors in this folder.",
)
def train(
    data: str,
    target: str | None,
    task: str | None,
    engine: str | None,
    epochs: int | None,
    seed: int,
    out: Path | None,
) -> None:
    """Train a network on DATA, a data set's name or a CSV file.

    Part of the rows is held out to test the network. Writes the model and a report in HTML.
    """
    path = _check_out(out or Path(f"{Path(data.removesuffix('.gz')).stem or 'model'}{ENDING}"))
    chosen = _training_engine(engine)
    source = open_source(data, target, task, seed)
    with engines.engine(chosen.name):
        outcome = _train(source, chosen, epochs, seed)
    _show_result(outcome)
    _write(path, outcome)


def _train(source: Source, engine: Engine, epochs: int | None, seed: int) -> Outcome:
    config.set_random_seed(seed)
    parts = Parts.of(source)
    classes = len(source.preparation.classes)
    recipe = recipe_for(source.name, len(parts.x))
    model = make_network(recipe, parts.x, classes)
    last = epochs or recipe.epochs
    _show_plan(source, parts, model, recipe, last, engine)
    history = _fit(model, parts, recipe, last)
    usual = usual_target(parts.y, source.preparation)
    scores = judge(model.predict(parts.x_test), parts.y_test, source.preparation, usual)
    training = {
        "data": source.name,
        "rows": parts.counts(),
        "seed": seed,
        "engine": f"{engine.name} {engine.version}",
        "batch_size": recipe.batch_size,
        "epochs": len(history.epoch),
        "test": scores.numbers(),
    }
    return Outcome(source, model, history, scores, Trained(source.preparation, usual, training))


@dataclass(frozen=True, eq=False)
class Parts:
    """The prepared examples: x, y for training, and the same for validation and test."""

    x: np.ndarray
    y: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    x_test: np.ndarray
    y_test: np.ndarray

    @classmethod
    def of(cls, source: Source) -> Parts:
        """Prepares the three parts of a source."""
        how = source.preparation
        train, validation, test = (
            (how.features(part), how.target(part)) for part in (source.train, source.validation, source.test)
        )
        return cls(*train, validation, *test)

    def counts(self) -> dict[str, int]:
        """Rows of each part."""
        return {"training": len(self.x), "validation": len(self.validation[0]), "test": len(self.x_test)}


def _fit(model: Model, parts: Parts, recipe: Recipe, epochs: int) -> History:
    best = EarlyStopping("val_loss", patience=recipe.patience, restore_best_weights=True)
    live = sys.stdout.isatty()
    began = time.perf_counter()
    history = model.fit(
        parts.x,
        parts.y,
        batch_size=recipe.batch_size,
        epochs=epochs,
        validation_data=parts.validation,
        verbose=1 if live else 0,
        callbacks=[best] if live else [best, Log(epochs)],
    )
    seconds = time.perf_counter() - began
    early = ", as the validation loss no longer fell" if len(history.epoch) < epochs else ""
    show_fact(
        "Trained",
        f"{count(len(history.epoch), 'epoch')} in {seconds:.1f} s{early}; "
        f"kept the weights of epoch {best.best_epoch + 1}.",
    )
    click.echo()
    return history


class Log(Callback):
    """Prints some epochs, evenly chosen and always the first, on one line each: for pipes and log files."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.every = epochs, math.ceil(epochs / LOGGED_EPOCHS)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == 0 or (epoch + 1) % self.every == 0:
            number = str(epoch + 1).rjust(len(str(self.epochs)))
            click.echo(f"Epoch {number}/{self.epochs}  {format_logs(logs or {})}")


def _training_engine(name: str | None) -> Engine:
    chosen = engines.resolve(name)
    if not chosen.trains:
        raise EngineError(f"The engine {chosen.name!r} cannot train. Use --engine jax or --engine torch.")
    return chosen


# --------------------------------------------------------------------------------------------------- showing


def _show_plan(source: Source, parts: Parts, model: Model, recipe: Recipe, epochs: int, engine: Engine) -> None:
    show_fact("Data", source.about)
    show_fact("", ", ".join(f"{n:,} {part}" for part, n in parts.counts().items()) + " rows")
    classes = source.preparation.classes
    if classes:
        show_fact("Target", f"{len(classes)} classes: {listed([str(label) for label in classes])}")
    else:
        mean, above = source.preparation.values(np.array([0.0, 1.0]))  # one standard deviation above the mean
        spread = above - mean
        show_fact("Target", f"a number, {digits(mean, spread)} ± {spread:.4g} (mean ± standard deviation)")
    show_fact("Learning", f"Adam, batches of {recipe.batch_size}, at most {count(epochs, 'epoch')}, {engine.name}")
    for remark in source.notes:
        note(remark)
    click.echo()
    model.summary()
    click.echo()


def _show_result(outcome: Outcome) -> None:
    show_table(outcome.scores.head, outcome.scores.cells)
    outcome.scores.show_errors()


# --------------------------------------------------------------------------------------------------- writing


def _check_out(path: Path) -> Path:
    """Refuses, before any work, a place that cannot be written to."""
    if path.suffix != ENDING:
        raise ConfigurationError(f"--out expected a file name that ends in {ENDING}, received {str(path)!r}.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--out: there is no folder {str(path.parent)!r}. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigurationError(f"--out: the folder {str(path.parent)!r} cannot be written to.")
    for one in (path, path.with_suffix(".html")):
        if one.is_dir():
            raise ConfigurationError(f"--out: {str(one)!r} is a folder.")
    return path


def _write(path: Path, outcome: Outcome) -> None:
    """Model and report, both or none: written beside their places, then moved there."""
    report = path.with_suffix(".html")
    with tempfile.TemporaryDirectory(prefix=".neuroloom-", dir=path.parent) as folder:
        outcome.model.save(Path(folder, path.name), extra=outcome.trained.to_config())
        Path(folder, report.name).write_text(document(outcome, path.name), encoding="utf-8")
        for one in (path, report):
            os.replace(Path(folder, one.name), one)
    show_fact("Model", f"{path} ({file_size(path.stat().st_size)})")
    show_fact("Report", f"{report} ({file_size(report.stat().st_size)})")
