"""The command: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import data, machine
from benchmarks.measure import Workers, measure
from benchmarks.peers import PEERS
from benchmarks.rates import rates
from benchmarks.records import Record
from benchmarks.rows import EVERY, GPU_ROWS, ROWS, Row
from benchmarks.work import work

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
    parser = argparse.ArgumentParser("python -m benchmarks", description="Times of neuroloom and others, side by side.")
    parser.add_argument("--rows", type=chosen(EVERY), default=list(EVERY), help=", ".join(EVERY))
    parser.add_argument("--peers", type=chosen(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--repeats", type=int, help="measurements per peer: 6, or 1 with --quick")
    parser.add_argument("--threads", type=int, default=2, help="threads of each peer: %(default)s")
    parser.add_argument(
        "--quick", action="store_true", help="fewer peers, measured once, in under five minutes; files named ...-quick"
    )
    parser.add_argument("--resume", action="store_true", help="measure only what the results folder lacks")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to: %(default)s")
    options = parser.parse_args(given)
    options.repeats = options.repeats or (1 if options.quick else 6)
    return options


def peers_of(row: Row, options: argparse.Namespace) -> list[str]:
    """The peers that are asked for and meant for this row."""
    found = [name for name in options.peers if name in (row.peers or options.peers)]
    found = [name for name in found if row.name in (PEERS[name].only or [row.name])]
    return [name for name in found if PEERS[name].quick or not options.quick]


def run(rows: list[Row], options: argparse.Namespace, name: str, gpu: bool) -> str:
    """Measure these rows into one record; gives its report."""
    head = {"machine": machine.machine(), "threads": options.threads}
    record = Record(options.out, name + ("-quick" if options.quick else ""), head, note)
    wanted = [row for row in rows if not (options.resume and record.has(row, peers_of(row, options)))]
    with Workers(options.threads, gpu) as workers:
        for row in wanted:
            moment = machine.moment()
            entry = measure(row, peers_of(row, options), options.repeats, workers, note)
            for result in entry["peers"].values():
                result["date"] = moment["date"]
            record.put(row, entry | {"load_average": moment["load_average"]})
    if not options.quick:
        note("rates of the machine")
        add_rates(record, rows, options.threads, gpu)
    return record.write()


def add_rates(record: Record, rows: list[Row], threads: int, gpu: bool) -> None:
    """Give the rows that were measured, or whose run was interrupted, the rates for their rooflines."""
    entries = record.results["rows"]
    lacking = [row for row in rows if "rates" not in entries[row.name]]
    works = {row.name: found for row in lacking if (found := work(row, tuple(entries[row.name]["shape"])))}
    for name, found in rates(works, threads, gpu).items() if works else ():
        entries[name]["rates"] = found


def note(text: str, started: float = time.perf_counter()) -> None:
    print(f"{time.perf_counter() - started:6.0f} s  {text}", file=sys.stderr, flush=True)


def main() -> None:
    options = arguments()
    data.find_folder()
    names, card = options.rows, machine.gpu()
    if rows := [ROWS[name] for name in names if name in ROWS]:
        print(run(rows, options, machine.kind(), gpu=False))
    if card and (rows := [GPU_ROWS[name] for name in names if name in GPU_ROWS]):
        print(run(rows, options, re.sub(r"\W+", "-", card.lower()), gpu=True))
    elif not card:
        note(f"no NVIDIA GPU here; not run: {', '.join(name for name in names if name in GPU_ROWS)}")


if __name__ == "__main__":
    main()
