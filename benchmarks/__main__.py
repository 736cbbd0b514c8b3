"""The command: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import data, machine, plot, report
from benchmarks.measure import measure
from benchmarks.peers import PEERS
from benchmarks.rows import ROWS
from benchmarks.targets import judge
from benchmarks.worker import versions

RESULTS = Path(__file__).parent / "results"


def chosen(table: dict[str, Any]) -> Any:
    """A parser of names with commas between them."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in table:
                raise argparse.ArgumentTypeError(f"expected some of {', '.join(table)}, received {name!r}")
        return names

    return parse


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Seconds per epoch, side by side.")
    parser.add_argument("--rows", type=chosen(ROWS), default=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--peers", type=chosen(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--repeats", type=int, help="measurements per peer: 7, or 3 with --quick")
    parser.add_argument("--threads", type=int, default=2, help="threads of each peer: %(default)s")
    parser.add_argument("--quick", action="store_true", help="all of it in under five minutes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to: %(default)s")
    options = parser.parse_args(given)
    options.repeats = options.repeats or (3 if options.quick else 7)
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what was asked for."""
    data.find_folder()
    results = {
        "machine": machine.machine(),
        "versions": versions(options.peers),
        "threads": options.threads,
        "repeats": options.repeats,
        "rows": {},
    }
    for name in options.rows:
        row = ROWS[name]
        epochs = row.quick_epochs if options.quick else row.epochs
        results["rows"][name] = measure(row, options.peers, options.repeats, epochs, options.threads, note)
    return results | {"targets": judge(results["rows"])}


def note(text: str, started: float = time.perf_counter()) -> None:
    print(f"{time.perf_counter() - started:6.0f} s  {text}", file=sys.stderr, flush=True)


def write(results: dict[str, Any], folder: Path, name: str) -> str:
    """Results, report and plot, as name.json, name.md and name.png; gives the report."""
    folder.mkdir(parents=True, exist_ok=True)
    text = report.markdown(results, f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text)
    plot.figure(results).savefig(folder / f"{name}.png")
    return text


def main() -> None:
    options = arguments()
    whole = not options.quick and options.rows == list(ROWS) and options.peers == list(PEERS)
    print(write(run(options), options.out, machine.kind() + ("" if whole else "-partial")))


if __name__ == "__main__":
    main()
