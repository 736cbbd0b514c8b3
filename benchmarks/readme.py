"""The table in the README, from measured results: `python -m benchmarks.readme`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.report import digits, table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "cpu-2-cores.json"
BLOCK = re.compile(r"(<!-- benchmark: [^>]*-->\n).*?(<!-- end of benchmark -->)", re.S)
COLUMNS = {
    "neuroloom-jax": "neuroloom (JAX)",
    "keras-jax": "Keras 3 (JAX)",
    "torch": "PyTorch by hand",
    "scan": "JAX by hand",
    "neuroloom-torch": "neuroloom (PyTorch)",
}


def block(results: dict[str, Any]) -> str:
    """Milliseconds per step of each peer, and how many times as fast neuroloom is as the faster of the first two."""
    machine, rows = results["machine"], results["rows"]
    head = ("milliseconds per step", *COLUMNS.values(), "faster than the faster of Keras and PyTorch by")
    body = []
    for name, row in rows.items():
        times = {peer: row["peers"][peer]["ms_per_step"] for peer in COLUMNS}
        ratio = min(times["keras-jax"], times["torch"]) / times["neuroloom-jax"]
        body.append((name, *map(digits, times.values()), f"{ratio:.2f}"))
    text = (
        f"Whole-epoch training, side by side in one run on {machine['cores']} CPU cores ({machine['cpu']}), medians of "
        f"{results['repeats']}:"
    )
    path = "benchmarks/results/cpu-2-cores.md"
    more = f"[{path}]({path}) has the method, the spread, and what is not met."
    return "\n\n".join([text, table(head, body), more])


def updated(readme: str, results: dict[str, Any]) -> str:
    """The README with its block written anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{block(results)}\n\n{found[2]}", readme)


def main() -> None:
    """Write the block into README.md."""
    path = ROOT / "README.md"
    path.write_text(updated(path.read_text("utf-8"), json.loads(RESULTS.read_text())), "utf-8")


if __name__ == "__main__":
    main()
