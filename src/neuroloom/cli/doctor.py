"""`neuroloom doctor`: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

import click

from neuroloom import __version__
from neuroloom.cli.sources import TARGETS
from neuroloom.cli.terminal import show_fact, show_table
from neuroloom.datasets._fetch import FOLDER_VARIABLE, cache_folder
from neuroloom.datasets._sources import SOURCES
from neuroloom.engines import dispatch

PACKAGES = ("numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "narwhals", "pooch", "rich", "click")
OPTIONAL = {"pandas": "pip install pandas", "polars": "pip install polars"}


@click.command()
def doctor() -> None:
    """Show engines, devices, data sets and what is missing, with the command that installs it."""
    show_fact("neuroloom", __version__)
    show_fact("Python", f"{platform.python_version()} at {sys.executable}")
    show_fact("System", f"{platform.platform()}, {os.cpu_count()} cores")
    show_fact("Packages", ", ".join(f"{name} {version(name) or 'missing'}" for name in PACKAGES))
    click.echo()
    engines = [engine_row(name) for name in dispatch.INSTALL]
    show_table(["Engine", "Version", "Devices", "Remark"], [row for row, _ in engines], left=4)
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
    advice = f"engine {name}: {dispatch.INSTALL[name]}"
    if not dispatch.installed(name):
        return (name, "-", "-", "not installed"), advice
    try:
        engine = dispatch.load(name)
        devices = ", ".join(engine.devices())
    except Exception as error:  # whatever a broken installation raises, the doctor goes on
        return (name, "?", "-", f"does not load: {' '.join(str(error).split())[:60]}"), advice
    remark = "" if engine.trains else "forward only"
    if name == default_engine():
        remark = "in use by default"
    return (name, engine.version, devices, remark), None


def default_engine() -> str:
    """The engine that is used where none is named."""
    return os.environ.get("NEUROLOOM_ENGINE") or "jax"


def show_data_sets() -> None:
    """Print where the files of each data set are."""
    folder = os.environ.get(FOLDER_VARIABLE)
    missing = " (no such folder)" if folder and not Path(folder).is_dir() else ""
    show_fact("Data", f"{FOLDER_VARIABLE}={folder}{missing}" if folder else f"{FOLDER_VARIABLE} is not set")
    show_fact("Cache", str(cache_folder("")))
    built_in = ["digits", *TARGETS]
    rows = [(name, "built in") for name in built_in] + [(name, whereabouts(name)) for name in SOURCES]
    click.echo()
    show_table(["Data set", "Where"], [(name.replace("-", "_"), where) for name, where in rows], left=2)


def whereabouts(dataset: str) -> str:
    """Where files of a data set lie, in words."""
    folder = os.environ.get(FOLDER_VARIABLE)
    kept = sorted(path.name for path in cache_folder(dataset).glob("*") if path.is_file())
    own = [name for name in SOURCES[dataset] if folder and Path(folder, dataset, name).is_file()]
    found = [f"{FOLDER_VARIABLE}: {', '.join(own)}"] if own else []
    found += [f"cache: {', '.join(kept)}"] if kept else []
    return "; ".join(found) or "downloaded at the first use"


def show_missing(advice: list[str]) -> None:
    """Print what is not here and the command that installs it."""
    lacking = [f"{name} (data frames): {how}" for name, how in OPTIONAL.items() if not dispatch.installed(name)]
    if shutil.which("nvidia-smi") and dispatch.installed("jax") and not gpu_in_use():
        lacking.append("jax on the NVIDIA GPU: pip install 'neuroloom[gpu]'")
    for i, line in enumerate([*advice, *lacking]):
        show_fact("" if i else "Missing", line)
    if not advice and not lacking:
        show_fact("Missing", "nothing")


def gpu_in_use() -> bool:
    """Whether jax computes on a GPU."""
    return any("cuda" in device.lower() or "gpu" in device.lower() for device in dispatch.load("jax").devices())
