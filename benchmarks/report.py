"""The results as text: what was measured, and first of all what is not met."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from benchmarks.peers import PEERS


def markdown(results: dict[str, Any], plot: str) -> str:
    """The report; `plot` is the picture's file name."""
    parts = [
        "# Seconds per epoch, side by side",
        setting(results),
        verdicts(results["targets"]),
        f"![milliseconds per step]({plot})",
        *(row_section(name, row) for name, row in results["rows"].items()),
        METHOD,
    ]
    return "\n\n".join(parts) + "\n"


METHOD = """## How

Every peer runs in a process of its own, with the same data, the same first weights, the same number of threads and
float32. All processes of a row are alive at once and are asked in turns, so that what slows the machine slows all of
them. A measurement is one call that trains the epochs given above; the table has seconds per epoch. The first
epoch, which holds compilation, and a second one are not among the measurements. Shuffling is on, and loss and
accuracy are computed, in every peer. A ratio is of medians: time of the other over time of neuroloom, so that
more is better."""


def setting(results: dict[str, Any]) -> str:
    """Machine, versions and settings."""
    m = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        f"{m['cpu']}, {m['cores']} cores, {m['system']}, Python {m['python']}; {results['threads']} threads.",
        f"{versions}.",
        f"{m['date']}; load average at the start {m['load_average']}; {results['repeats']} measurements each.",
    ]
    return "  \n".join(lines)


def verdicts(targets: list[dict[str, Any]]) -> str:
    """What is not met, in words, and all ratios."""
    missed = [t for t in targets if not t["met"]]
    heading = f"## Not met: {len(missed)} of {len(targets)}"
    lines = [
        f"* {t['row']}: {t['subject']} is {t['ratio']:.2f} times as fast as {t['against']}, wanted {t['least']:.2f}."
        for t in missed
    ]
    head = ("row", "of", "against", "times as fast", "wanted at least", "")
    body = (
        (
            t["row"],
            t["subject"],
            t["against"],
            f"{t['ratio']:.2f}",
            f"{t['least']:.2f}",
            "met" if t["met"] else "**not met**",
        )
        for t in targets
    )
    return "\n\n".join([heading, "\n".join(lines) or "Everything that was measured is met.", table(head, body)])


def row_section(name: str, row: dict[str, Any]) -> str:
    """One row's table."""
    facts = f"{row['data']}. Steps in an epoch: {row['steps']}; epochs in a measured call: {row['epochs_per_call']}."
    head = ("", "ms / step", "median s", "least s", "quartiles s", "first epoch s")
    body = (line(peer, result) for peer, result in row["peers"].items())
    return "\n\n".join([f"## {name}", facts, table(head, body)])


def line(peer: str, result: dict[str, Any]) -> tuple[str, ...]:
    title = PEERS[peer].title
    if "error" in result:
        return (title, "failed: " + result["error"].strip().splitlines()[-1], "", "", "", "")
    low, high = result["quartiles"]
    times = (result["ms_per_step"], result["median"], result["min"])
    return (title, *map(digits, times), f"{digits(low)} - {digits(high)}", f"{result['first_epoch_s']:.2f}")


def digits(value: float) -> str:
    """Four significant digits, never in powers of ten.

    >>> digits(0.00012345), digits(12.3456), digits(12345.6)
    ('0.0001234', '12.35', '12346')
    """
    return f"{Decimal(f'{value:.4g}'):f}" if value < 1000 else f"{value:.0f}"


def table(head: tuple[str, ...], body: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) + ("---:",) * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
