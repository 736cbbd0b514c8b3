"""The report of a training: what was learnt, how well, and how to use it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from neuroloom import __version__, plots
from neuroloom.cli.arrays import Arrays
from neuroloom.cli.preparation import ImagePreparation
from neuroloom.cli.report import Section, code, html_report, table
from neuroloom.cli.scores import ClassScores, Scores
from neuroloom.cli.sources import Source
from neuroloom.cli.trained import Trained
from neuroloom.learning import History
from neuroloom.models import Model
from neuroloom.summary import Summary

SHOWN_IMAGES = 24


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that a training gave."""

    source: Source
    model: Model
    history: History
    scores: Scores
    trained: Trained


def document(outcome: Outcome, file: str) -> str:
    """The report as one HTML page.

    Args:
        outcome: of the training.
        file: the name of the model's file, without its folder.
    """
    return html_report(f"{outcome.source.name}: a trained network", list(_sections(outcome, file)))


def _sections(outcome: Outcome, file: str) -> Iterator[Section]:
    scores, training = outcome.scores, outcome.trained.training
    yield Section("Result", table(scores.head, scores.cells), outcome.source.about)
    yield Section(scores.figure_title, plots.svg(scores.figure()), "On the test rows, which training never saw.")
    yield from _mistakes(outcome)
    epochs = [epoch + 1 for epoch in outcome.history.epoch]
    curves = plots.svg(plots.curves(outcome.history.history, epochs))
    units = "" if outcome.trained.preparation.classes else " Loss and error are those of the standardised target."
    yield Section("Learning curves", curves, f"The weights with the lowest validation loss were kept.{units}")
    summary = Summary(outcome.model.network, "")
    yield Section("Network", table(summary.head, summary.cells, left=3), f"{summary.foot}.")
    yield _data(outcome)
    facts = [(name.replace("_", " "), _in_words(value)) for name, value in training.items() if name != "test"]
    yield Section("Training", table(["", ""], [*facts, ("neuroloom", __version__)], left=2))
    yield Section("How to use it", code(_commands(outcome, file)))


def _mistakes(outcome: Outcome) -> Iterator[Section]:
    """The first test images that were taken for another class."""
    scores, how, raw = outcome.scores, outcome.trained.preparation, outcome.source.test
    if not (isinstance(scores, ClassScores) and isinstance(how, ImagePreparation) and isinstance(raw, Arrays)):
        return
    wrong = (scores.true != scores.predicted).nonzero()[0][:SHOWN_IMAGES]
    if len(wrong):
        names = [f"{how.classes[scores.true[i]]} → {how.classes[scores.predicted[i]]}" for i in wrong]
        figure = plots.images(raw.x[wrong] / how.largest, names, columns=min(8, len(wrong)))
        yield Section("Mistakes", plots.svg(figure), "True class → predicted class, of the first wrong test images.")


def _data(outcome: Outcome) -> Section:
    notes = " ".join(outcome.source.notes)
    return Section("Data", table(["Prepared", "How"], outcome.trained.preparation.facts(), left=2), notes)


def _in_words(value: object) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in value.items()) if isinstance(value, dict) else str(value)


def _commands(outcome: Outcome, file: str) -> str:
    ending = "npy" if isinstance(outcome.trained.preparation, ImagePreparation) else "csv"
    return (
        f"neuroloom predict {shlex.quote(file)} new.{ending} -o out.csv\n"
        f"neuroloom inspect {shlex.quote(file)}\n\n"
        f"import neuroloom as nl\n"
        f"model = nl.load_model({file!r})"
    )
