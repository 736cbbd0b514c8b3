"""Files that record a training line by line.

What they must satisfy: numbers are written so that reading them gives back the same bits; every line is on disk
before training goes on; a resumed training cuts the file back to where its checkpoint was made, so that no epoch
stands in it twice.
"""

from __future__ import annotations

import csv
import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from neuroloom.config import Check, Flag
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.learning.callbacks.base import Callback, Logs, State, check_place, expect, expect_path


class _OneCharacter(Check):
    expects = "one character, neither a quote nor a line's end"

    def __call__(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
            raise self.refuse()
        return value


class _LogFile(Callback):
    """A text file that is opened when the first epoch begins and closed when training is over."""

    def __init__(self, filename: str | os.PathLike[str], append: bool) -> None:
        self.filename = expect_path(self, "filename", filename)
        self.append: bool = expect(self, "append", Flag(), append)
        self._file: IO[str] | None = None
        self._keep: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.close()
        check_place(self, self.filename)
        self._keep = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._file is None:  # not before: a resume says first how much of the file to keep
            Path(self.filename).parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
            self.opened(epoch)

    def _open(self) -> IO[str]:
        resumed = self._keep is not None
        file = open(self.filename, "a+" if self.append or resumed else "w+", encoding="utf-8", newline="")  # noqa: SIM115
        if resumed:
            file.truncate(min(self._keep or 0, file.seek(0, os.SEEK_END)))
        file.seek(0, os.SEEK_END)
        return file

    def opened(self, epoch: int) -> None:
        """The file is open and stands at its end."""

    def write(self, line: str) -> None:
        """Put a line into the file, now."""
        assert self._file is not None
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def get_state(self) -> State:
        return {"length": self._file.tell() if self._file else self._keep or 0}

    def set_state(self, state: State) -> None:
        self._keep = state["length"]


class CSVLogger(_LogFile):
    """Write one row for each epoch into a CSV file: the epoch (from 0), then the logs, in full precision.

    Args:
        filename: the file; missing folders are made.
        separator: what stands between two values.
        append: keep what the file holds already; its columns must be those of this training.

    Raises:
        ConfigurationError: a value that the columns in the file do not have. (A missing value is written as NA.)
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__(filename, append)
        self.separator: str = expect(self, "separator", _OneCharacter(), separator)
        self.columns: list[str] = []

    def opened(self, epoch: int) -> None:
        assert self._file is not None
        self._file.seek(0)
        self.columns = next(csv.reader(self._file, delimiter=self.separator), [])
        self._file.seek(0, os.SEEK_END)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        row = {"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}}
        if not self.columns:
            self.columns = list(row)
            self._row(self.columns)
        unknown = next((name for name in row if name not in self.columns), None)
        if unknown is not None:
            raise ConfigurationError(
                f"CSVLogger expected the columns of {self.filename}, received {unknown!r} in epoch {epoch + 1}. "
                f"{nearest(unknown, self.columns)} Log it from the first epoch on, or write to another file."
            )
        self._row([row.get(name, "NA") for name in self.columns])

    def _row(self, cells: list[Any]) -> None:
        assert self._file is not None
        csv.writer(self._file, delimiter=self.separator, lineterminator="\n").writerow(cells)
        self._file.flush()


class JSONLogger(_LogFile):
    """Write events into a file of JSON lines: what happened, in which epoch, when, and the logs.

    Every line is an object with "type" ("train_begin", "train_resume", "epoch_end", "train_end"), "epoch" (from 0),
    "time" (ISO 8601, UTC) and "logs". The file is strict JSON: NaN and infinity are written as null.

    Args:
        filename: the file; missing folders are made.
        append: keep what the file holds already.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool = False) -> None:
        super().__init__(filename, append)
        self.epoch = 0

    def opened(self, epoch: int) -> None:
        self._event("train_begin" if self._keep is None else "train_resume", epoch, None)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch
        self._event("epoch_end", epoch, logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:  # else no epoch was left to train
            self._event("train_end", self.epoch, logs)

    def _event(self, kind: str, epoch: int, logs: Logs | None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        event = {
            "type": kind,
            "epoch": epoch,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "logs": {name: value if math.isfinite(value) else None for name, value in numbers.items()},
        }
        self.write(json.dumps(event, allow_nan=False) + "\n")
