"""The command line: `neuroloom train digits`, `neuroloom predict model.safetensors new.csv`, ...

What it must satisfy: what a user can get wrong ends in one line on standard error and exit code 2, with nothing
written; Ctrl-C ends with exit code 130.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click

from neuroloom import __version__
from neuroloom.cli.doctor import doctor
from neuroloom.cli.evaluate import evaluate
from neuroloom.cli.inspect import inspect
from neuroloom.cli.predict import predict
from neuroloom.cli.train import train
from neuroloom.errors import NeuroloomError

__all__ = ["main"]

INTERRUPTED = 130  # 128 + SIGINT, what shells expect


class Refused(click.ClickException):
    """An error that the user can mend, told in one line."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"neuroloom: error: {' '.join(self.message.split())}", err=True)


@contextlib.contextmanager
def no_interrupt_lost() -> Iterator[None]:
    """While it lasts, a Ctrl-C that arrives where Python ignores exceptions comes again, a moment later.

    Such places are finalisers and what is called at garbage collections; engines put work there.
    """
    before = sys.unraisablehook

    def hook(ignored: Any) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(0.01, _thread.interrupt_main).start()  # here it would be ignored once more
        else:
            before(ignored)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


class Commands(click.Group):
    """A group of commands that turns errors into lines and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which they are used, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with no_interrupt_lost():
                return super().invoke(ctx)
        except NeuroloomError as error:
            raise Refused(str(error)) from error
        except BrokenPipeError:
            raise  # the reader of our output has closed it; click knows what to do
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise Refused(f"{where}{error.strerror or error}.") from error
        except KeyboardInterrupt:
            click.echo("neuroloom: interrupted; nothing was written.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="neuroloom", message="%(prog)s %(version)s")
def main() -> None:
    """Train neural networks on tables and images, and use them.

    \b
    Examples:
      neuroloom train digits
      neuroloom train flowers.csv --target species
      neuroloom predict flowers.safetensors new.csv -o out.csv
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter shows '?' and goes on


for _command in (train, evaluate, predict, inspect, doctor):
    main.add_command(_command)
