"""The display of a training: on a terminal, in a notebook, in a log file; cheap, clean, with the history's numbers."""

import csv
import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import types

import pytest
from rich.console import Console

from neuroloom.callbacks import CSVLogger
from neuroloom.errors import ConfigurationError
from neuroloom.learning import progress
from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.history import History, format_logs
from neuroloom.learning.progress import Moment, Progress

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STEPS = 5


def epochs(n):
    """Logs of n epochs."""
    return [{"loss": 1 / (3 + i), "val_loss": 0.0004 / (1 + i)} for i in range(n)]


def train(callbacks, n, pause=lambda: None, steps=STEPS):
    with CallbackList(callbacks, object(), {"epochs": n, "steps": steps, "verbose": 1}) as every:
        every.on_train_begin()
        for epoch, logs in enumerate(epochs(n)):
            every.on_epoch_begin(epoch)
            for step in range(1, STEPS + 1):
                pause()
                every.on_chunk_end(step, {"loss": 0.5 + step})
            every.on_epoch_end(epoch, logs)
        every.on_train_end(logs)


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    hand = Clock()
    monkeypatch.setattr(progress.time, "perf_counter", hand)
    return hand


def console(width=120):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)


def shown(terminal):
    """What stands on the screen in the end: a line that was erased or drawn over is gone."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", terminal):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif re.fullmatch(r"\x1b\[\d*A", part):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line for line in lines if line]


# -------------------------------------------------------------------------------------------------- which numbers


@pytest.mark.parametrize("where", ["terminal", "lines"])
def test_history_progress_and_csv_show_the_same_numbers(where, tmp_path, capsys, clock):
    history, screen = History(), console() if where == "terminal" else None
    train([CSVLogger(tmp_path / "a.csv"), Progress(1, screen), history], 4, lambda: clock.wait(1.0))
    lines = shown(screen.file.getvalue()) if screen else capsys.readouterr().out.splitlines()
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for epoch, line in enumerate(lines):
        logs = {name: values[epoch] for name, values in history.history.items()}
        assert line.rstrip().endswith("  " + format_logs(logs))
        assert {name: float(rows[epoch][name]) for name in logs} == logs
    assert len(lines) == 4
    assert lines[0].startswith("Epoch 1/4  5.0 s  1 s/step  loss 0.3333  val_loss 4.0000e-04")


# ---------------------------------------------------------------------------------------------------- a terminal


def test_the_bar_while_an_epoch_runs(clock):
    screen = console()
    callback = Progress(1, screen)
    callback.set_params({"epochs": 10, "steps": 400, "verbose": 1})
    callback.on_train_begin()
    callback.on_epoch_begin(2)
    clock.wait(30)
    callback.on_chunk_end(100, {"loss": 0.25})
    text = ESCAPES.sub("", screen.file.getvalue())
    assert "Epoch  3/10" in text and "100/400  1:30 left  300 ms/step" in text and "loss 0.2500" in text
    assert text.count("━") == progress.BAR_WIDTH / 4  # in colours the other three quarters are dark
    callback.close()
    assert shown(screen.file.getvalue()) == []  # an epoch that was broken off leaves nothing


def test_the_bar_is_gone_when_its_epoch_has_ended(clock):
    screen = console()
    callback = Progress(1, screen)
    callback.set_params({"epochs": 9, "steps": 5, "verbose": 1})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    clock.wait(1)
    callback.on_chunk_end(5, {"loss": 3.0})
    callback.on_epoch_end(0, {"loss": 0.25})
    assert shown(screen.file.getvalue()) == ["Epoch 1/9  1.0 s  200 ms/step  loss 0.2500"]
    callback.close()


def test_a_narrow_terminal_gets_a_second_row(clock):
    screen = console(width=70)
    train(Progress(1, screen), 1, lambda: clock.wait(2.0))
    drawn = ESCAPES.sub("", screen.file.getvalue())
    assert re.search(r"2/5 +6\.0 s left +2 s/step *\r?\n  loss 2\.5000", drawn)
    assert shown(screen.file.getvalue())[0].startswith("Epoch 1/1")


def test_steps_unknown(clock):
    screen = console()
    train(Progress(1, screen), 1, lambda: clock.wait(1.0), steps=None)
    text = ESCAPES.sub("", screen.file.getvalue())
    assert "3  1 s/step" in text and "left" not in text


def test_at_most_ten_drawings_a_second(clock):
    screen = console()
    calls = []
    callback = Progress(1, screen)
    callback.set_params({"epochs": 1, "steps": 1000, "verbose": 1})
    callback.on_train_begin()
    callback.screen.running = lambda now: calls.append(now.step)
    callback.on_epoch_begin(0)
    for step in range(1, 1001):
        clock.wait(0.003)
        callback.on_chunk_end(step, {})
    callback.close()
    assert 25 <= len(calls) <= 30  # three seconds


def test_short_epochs_share_lines_and_the_last_one_is_always_there(clock):
    screen = console()
    train(Progress(1, screen), 1000, lambda: clock.wait(0.0002))  # 1 ms an epoch
    lines = shown(screen.file.getvalue())
    assert len(lines) <= 12 and lines[-1].startswith("Epoch 1000/1000")


def test_a_step_costs_less_than_five_microseconds():
    callback = Progress(1, console())
    callback.set_params({"epochs": 1, "steps": 10**6, "verbose": 1})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for step in range(1000):
            callback.on_chunk_end(step, {})
        runs.append((time.perf_counter() - start) / 1000)
    callback.close()
    assert min(runs) < 5e-6


def test_no_thread_is_left_and_none_runs():
    before = set(threading.enumerate())
    during = []
    train(Progress(1, console()), 2, lambda: during.append(set(threading.enumerate())))
    assert set(threading.enumerate()) == before and all(threads == before for threads in during)


def test_text_of_markup_is_shown_as_it_is(clock):
    screen = console()
    callback = Progress(1, screen)
    callback.set_params({"epochs": 1, "steps": 1, "verbose": 1})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    clock.wait(1)
    callback.on_epoch_end(0, {"[red]loss[/red]": 1.0})
    callback.close()
    assert "[red]loss[/red] 1.0000" in shown(screen.file.getvalue())[0]


PROGRAM = """
import sys, time
from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.progress import Progress

with CallbackList(Progress("auto"), object(), {"epochs": 3, "steps": 8, "verbose": "auto"}) as every:
    every.on_train_begin()
    for epoch in range(3):
        every.on_epoch_begin(epoch)
        for step in range(1, 9):
            time.sleep(0.03)
            every.on_chunk_end(step, {"loss": 1.0 / step})
            if epoch == 1 and step == 5:
                print("READY", flush=True)
                ENDING
        every.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    every.on_train_end({})
"""


def in_a_terminal(ending, act=lambda process: None):
    """What the program writes to a terminal, and its exit status."""
    main, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    command = [sys.executable, "-c", PROGRAM.replace("ENDING", ending)]
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=subprocess.PIPE, env=environment)
    os.close(child)
    text, acted = b"", False
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
        if b"READY" in text and not acted:
            acted = True
            time.sleep(0.5)  # by then the program sleeps: it is not in the midst of a line
            act(process)
    os.close(main)
    process.stderr.close()
    return text.decode(), process.wait(timeout=60)


def cursor_is_visible(text):
    return text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_a_training_in_a_terminal():
    text, status = in_a_terminal("pass")
    assert status == 0 and cursor_is_visible(text)
    assert "━" in text
    lines = shown(text)
    assert [line[:9] for line in lines] == ["Epoch 1/3", "READY", "Epoch 2/3", "Epoch 3/3"]
    assert all(line.endswith("loss 0.5000  val_loss 0.2500") for line in lines if line != "READY")
    assert text.endswith("\n") or shown(text.rpartition("\n")[2]) == []  # the prompt gets a line of its own


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    "ending, act, expected",
    [
        ("time.sleep(60)", lambda process: process.send_signal(signal.SIGINT), -signal.SIGINT),
        ("raise ValueError", lambda process: None, 1),
        ("time.sleep(60)", lambda process: process.kill(), -signal.SIGKILL),
    ],
    ids=["ctrl-c", "error", "kill"],
)
def test_the_terminal_is_clean_however_training_ends(ending, act, expected):
    text, status = in_a_terminal(ending, act)
    assert status == expected and cursor_is_visible(text)
    if expected != -signal.SIGKILL:  # then nothing can be wiped away
        assert [line[:9] for line in shown(text)] == ["Epoch 1/3", "READY"]


# ----------------------------------------------------------------------------------------- log files and silence


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_a_log_file_gets_a_line_per_epoch_and_no_escapes(verbose, capsys):
    train(Progress(verbose), 300)
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 300 and "\x1b" not in out and "\r" not in out


def test_silence(capsys):
    train(Progress(0), 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verbose", [3, -1, "loud", None, 1.0])
def test_wrong_verbosity(verbose):
    with pytest.raises(ConfigurationError, match="expected verbose to be 'auto', 0, 1 or 2, received"):
        Progress(verbose)


# ---------------------------------------------------------------------------------------------------- a notebook


@pytest.fixture
def cell(monkeypatch):
    """A stand-in for IPython inside a kernel; the list of what its one output cell showed."""
    pages = []
    handle = types.SimpleNamespace(update=lambda bundle, raw: pages.append(bundle))

    def display(bundle, raw, display_id):
        assert raw and display_id and not pages
        pages.append(bundle)
        return handle

    module = types.ModuleType("IPython")
    module.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module.display = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)
    return pages


def test_a_notebook_shows_a_bar_and_then_the_epochs(cell, clock, capsys):
    history = History()
    train([Progress("auto"), history], 3, lambda: clock.wait(1.0))
    assert '<progress value="3" max="5"' in cell[2]["text/html"] and "loss 3.5000" in cell[2]["text/html"]
    last = cell[-1]["text/plain"].splitlines()
    assert "<progress" not in cell[-1]["text/html"] and len(last) == 3
    for epoch, line in enumerate(last):
        assert line.endswith(format_logs({name: values[epoch] for name, values in history.history.items()}))
    assert capsys.readouterr().out == ""


def test_a_notebook_keeps_ten_epochs_and_is_drawn_ten_times_a_second(cell, clock):
    train(Progress(1), 500, lambda: clock.wait(0.002))  # 10 ms an epoch
    assert len(cell) <= 52 + 1
    last = cell[-1]["text/plain"].splitlines()
    assert len(last) == 10 and last[-1].startswith("Epoch 500/500")


def test_an_interactive_shell_is_no_notebook(cell, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace())
    train(Progress(1), 1)
    assert cell == [] and len(capsys.readouterr().out.splitlines()) == 1


# ------------------------------------------------------------------------------------------------- times and paces


@pytest.mark.parametrize(
    "seconds, step, pace", [(3.0, 2, "1.5 s/step"), (0.25, 200, "1.25 ms/step"), (0.001, 8, "125 µs/step")]
)
def test_pace(seconds, step, pace):
    assert Moment(0, 1, 500, step, seconds).pace == pace


def test_time_left_is_that_of_the_epoch():
    assert Moment(0, 1, 500, 100, 60.0).left == "4:00 left"
    assert Moment(0, 1, 500, 0, 1.0).left == "" and Moment(0, 1, None, 5, 1.0).left == ""
