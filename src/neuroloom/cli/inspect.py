"""`neuroloom inspect`: what a model file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neuroloom import engines, files
from neuroloom.cli.terminal import file_size, show_fact, show_table
from neuroloom.cli.trained import Trained, read_trained
from neuroloom.files import Header
from neuroloom.models import load_model


@click.command(short_help="Show what a model file holds.", epilog="Example: neuroloom inspect digits.safetensors")
@click.argument("model", type=click.Path(path_type=Path))
def inspect(model: Path) -> None:
    """Show what MODEL holds: network, weights, how it was compiled and how data are prepared for it.

    The file is checked as a whole; nothing in it is executed, and no engine is needed.
    """
    header = files.read_header(model)
    show_fact("File", f"{model} ({file_size(model.stat().st_size)}), format version {header.version}")
    if "model" not in header.record:
        show_fact("Holds", "weights without a model, as Model.save_weights writes")
        click.echo()
        _show_weights(header)
        return
    with engines.engine(engines.dispatch.HOST):
        network = load_model(model)
        click.echo()
        network.summary()
        click.echo()
    _show_weights(header)
    _show_compiled(header.record.get("compile"))
    if header.record.get("extra"):
        _show_trained(read_trained(model))


def _show_weights(header: Header) -> None:
    rows = [(path, dtype, " × ".join(map(str, shape)) or "1") for path, (dtype, shape) in header.weights.items()]
    show_table(["Weight", "Type", "Shape"], rows, left=2)


def _show_compiled(compiled: Any) -> None:
    if not compiled:
        show_fact("Compiled", "no; call compile before training or evaluating")
        return
    for name, value in compiled.items():
        if value is not None:
            show_fact(name.replace("_", " ").capitalize(), in_words(value))


def in_words(value: Any) -> str:
    """A part of a configuration as one would write it in Python.

    >>> in_words({"class": "Adam", "config": {"learning_rate": 0.01}, "kind": "optimizer"}), in_words(["accuracy"])
    ('Adam(learning_rate=0.01)', 'accuracy')
    """
    if isinstance(value, dict) and {"class", "config"} <= set(value):
        fields = ", ".join(f"{name}={in_words(v)}" for name, v in value["config"].items())
        return f"{value['class']}({fields})"
    return ", ".join(map(in_words, value)) if isinstance(value, list) else str(value)


def _show_trained(trained: Trained) -> None:
    click.echo()
    show_table(["Prepared", "How"], trained.preparation.facts(), left=2)
    told = trained.training
    for name in sorted(told):
        show_fact(name.replace("_", " ").capitalize(), told_in_words(told[name]))


def told_in_words(value: Any) -> str:
    """A JSON value for people to read: numbers to four digits, an object as its names and values.

    >>> told_in_words({"accuracy": 0.97222, "baseline_accuracy": 0.3})
    'accuracy 0.9722, baseline accuracy 0.3'
    """
    if isinstance(value, dict):
        return ", ".join(f"{str(name).replace('_', ' ')} {told_in_words(value[name])}" for name in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
