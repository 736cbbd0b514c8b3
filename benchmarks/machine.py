"""What a result must say about where it was measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, GPU, C++ compiler (torch.compile needs one), Python."""
    return {
        "cores": cores(),
        "cpu": cpu_model(),
        "gpu": gpu(),
        "compiler": next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None) is not None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def moment() -> dict[str, Any]:
    """Date and load average."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def kind() -> str:
    """The name of this kind of machine without its GPU, for files.

    >>> kind().startswith("cpu-")
    True
    """
    return f"cpu-{cores()}-cores"


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "unknown"


def gpu() -> str | None:
    """The first NVIDIA GPU's name."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return names[0].strip() if names else None
