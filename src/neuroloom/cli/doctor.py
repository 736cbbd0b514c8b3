"""`neuroloom doctor`: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

import click

from neuroloom import __version__
from neuroloom.cli.sources import TARGETS
from neuroloom.cli.terminal import note, show_fact, show_table
from neuroloom.datasets._fetch import FOLDER_VARIABLE
from neuroloom.datasets._sources import SOURCES
from neuroloom.engines import dispatch
from neuroloom.folders import cache_folder
from neuroloom.learning.speeds import Row, choice, measured_path, table
from neuroloom.models.references import measure

PACKAGES = ("numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "narwhals", "pooch", "rich", "click")
FRAMES = ("pandas", "polars")
LOADERS = {"fashion-mnist": "fashion_mnist", "tinyshakespeare": "shakespeare"}
"""Folder of a data set -> its name in neuroloom.datasets, where they differ."""

WHOLE = {"cifar10": ("cifar-10-binary.tar.gz",), "imdb": ("imdb.npz", "imdb_word_index.json")}
"""Folder of a data set -> the files that are enough for load_data(), where not all are needed."""


@click.command(short_help="Show what is installed, what is missing and how to get it.")
@click.option("--measure", "again", is_flag=True, help="Measure the speed of the engines on this machine first.")
def doctor(again: bool) -> None:
    """Show engines, devices, speeds, data sets and what is missing, with the command that installs it."""
    if again:
        measure_speeds()
    show_fact("neuroloom", __version__)
    show_fact("Python", f"{platform.python_version()} at {sys.executable}")
    show_fact("System", f"{platform.platform()}, {os.cpu_count()} cores")
    show_fact("Packages", ", ".join(f"{name} {version(name) or 'missing'}" for name in PACKAGES))
    click.echo()
    engines = [engine_row(name) for name in dispatch.names()]
    show_table(["Engine", "Version", "Devices", "Remark"], [row for row, _ in engines], left=4)
    show_speeds()
    show_data_sets()
    show_missing([advice for _, advice in engines if advice])


def version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def engine_row(name: str) -> tuple[tuple[str, str, str, str], str | None]:
    """An engine's line, and what to do about it if it is missing or broken."""
    advice = f"engine {name}: {dispatch.install(name)}"
    if not dispatch.installed(name):
        return (name, "-", "-", "not installed"), advice
    try:
        engine = dispatch.load(name)
        devices = ", ".join(engine.devices())
    except Exception as error:  # whatever a broken installation raises, the doctor goes on
        return (name, "?", "-", f"does not load: {' '.join(str(error).split())[:60]}"), advice
    remark = "" if engine.trains else "forward only"
    if name == dispatch.usual():
        remark = "in use by default"
    return (name, engine.version, devices, remark), None


def measure_speeds() -> None:
    """Measure the reference networks on each engine and keep the table, which engine='auto' uses from then on."""
    note("measuring; leave the machine alone for about three minutes")
    measure(tell_speed).save(measured_path())
    table.cache_clear()


def tell_speed(row: Row) -> None:
    """Say what was measured last."""
    note(f"{row.name}, {row.task} {row.samples}: " + ", ".join(f"{name} {ms:.3g} ms" for name, ms in row.ms.items()))


def show_speeds() -> None:
    """Print the table that engine='auto' uses."""
    found = table()
    engines = sorted({name for row in found.rows for name in row.ms})
    head = ["Network", "Kind", "Task", *(f"{name} ms" for name in engines), "auto"]
    rows = [
        (
            row.name,
            row.kind,
            f"{row.task} {row.samples}",
            *(f"{row.ms[name]:.3g}" if name in row.ms else "-" for name in engines),
            choice(row, dispatch.usual()),
        )
        for row in sorted(found.rows, key=lambda row: row.task != "train")
    ]
    show_table(head, rows, left=3)
    source = "here" if measured_path().is_file() else "elsewhere; `neuroloom doctor --measure` measures this machine"
    show_fact("Speeds", f"measured {source} ({found.device}: {found.machine})")


def show_data_sets() -> None:
    """Print where each data set is."""
    folder = os.environ.get(FOLDER_VARIABLE)
    missing = " (there is no such folder)" if folder and not Path(folder).is_dir() else ""
    show_fact("Data", f"{FOLDER_VARIABLE}={folder}{missing}" if folder else f"{FOLDER_VARIABLE} is not set")
    show_fact("Cache", str(cache_folder()))
    show_programs()
    click.echo()
    rows = [(name, "built in") for name in ("digits", *TARGETS)]
    show_table(["Data set", "Where"], rows + [(LOADERS.get(name, name), whereabouts(name)) for name in SOURCES], left=2)


def show_programs() -> None:
    """Print where JAX keeps compiled programs for the next process, and how much that is."""
    try:
        folder = dispatch.load("jax").programs_folder()
    except Exception:  # the engine's line says why it does not load
        return
    sizes = [path.stat().st_size for path in folder.iterdir()] if folder and folder.is_dir() else []
    held = f"{folder} ({len(sizes)} files, {sum(sizes) / 2**20:.1f} MB)" if folder else "not kept on disk"
    show_fact("Programs", held)


def whereabouts(dataset: str) -> str:
    """Where the files of a data set lie, in words."""
    folder = os.environ.get(FOLDER_VARIABLE)
    needed = WHOLE.get(dataset, tuple(SOURCES[dataset]))
    if folder and all(Path(folder, dataset, name).is_file() for name in needed):
        return f"in {FOLDER_VARIABLE}"
    return "in the cache" if any(cache_folder(dataset).glob("*")) else "downloaded at the first use"


def show_missing(broken: list[str]) -> None:
    """Print what is not here and the command that installs it."""
    lacking = [*broken, *(f"{name}: pip install {name}" for name in PACKAGES if version(name) is None)]
    if not any(map(importlib.util.find_spec, FRAMES)):
        lacking.append(f"data frames: pip install {FRAMES[0]}")
    if shutil.which("nvidia-smi") and dispatch.installed("jax") and not gpu_in_use():
        lacking.append("jax on the NVIDIA GPU: pip install 'neuroloom[gpu]'")
    for i, line in enumerate(lacking or ["nothing"]):
        show_fact("" if i else "Missing", line)


def gpu_in_use() -> bool:
    """Whether jax computes on a GPU."""
    return any("cuda" in device.lower() or "gpu" in device.lower() for device in dispatch.load("jax").devices())
