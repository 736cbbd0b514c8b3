"""The table in the README, from measured results: `python -m benchmarks.readme`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.compare import medians, ratio
from benchmarks.report import digits, table
from benchmarks.rows import ROWS
from benchmarks.tasks import Train

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "cpu-2-cores.json"
BLOCK = re.compile(r"(<!-- benchmark: [^>]*-->\n).*?(<!-- end of benchmark -->)", re.S)
COLUMNS = {
    "neuroloom": ("neuroloom-auto",),
    "Keras 3 (best of its three)": ("keras-",),
    "PyTorch by hand (best of two)": ("torch",),
    "scikit-learn": ("sklearn",),
    "JAX by hand": ("scan",),
}
"""Heading -> how the names of its peers begin; the fastest of them is shown."""


def block(results: dict[str, Any]) -> str:
    """Milliseconds per step, and how many times as fast neuroloom is as the fastest library."""
    machine, rows = results["machine"], results["rows"]
    head = ("milliseconds per step", *COLUMNS, "times as fast as the fastest of Keras, PyTorch, scikit-learn")
    body = []
    for name in [name for name, row in rows.items() if name in ROWS and isinstance(ROWS[name].task, Train)]:
        times = medians(rows[name])
        cells = [fastest(times, beginnings) for beginnings in COLUMNS.values()]
        found = ratio(rows[name])
        body.append((name, *cells, f"{found:.2f}" if found else "–"))
    text = (
        f"Whole-epoch training, side by side in one run on {machine['cores']} CPU cores ({machine['cpu']}), medians; "
        f'neuroloom with `engine="auto"`:'
    )
    path = "benchmarks/results/cpu-2-cores.md"
    more = (
        f"[docs/fast.md](docs/fast.md) says why, and what you can do; [{path}]({path}) has all rows and peers, the "
        f"method, the spread, and what is not met."
    )
    return "\n\n".join([text, table(head, body), more])


def fastest(times: dict[str, float], beginnings: tuple[str, ...]) -> str:
    found = [time for peer, time in times.items() if peer.startswith(beginnings)]
    return digits(min(found)) if found else "–"


def updated(readme: str, results: dict[str, Any]) -> str:
    """The README with its block written anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{block(results)}\n\n{found[2]}", readme)


def main() -> None:
    """Write the block into README.md."""
    path = ROOT / "README.md"
    path.write_text(updated(path.read_text("utf-8"), json.loads(RESULTS.read_text())), "utf-8")


if __name__ == "__main__":
    main()
