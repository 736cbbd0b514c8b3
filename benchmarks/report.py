"""The results as text: what was measured, and first of all what is not met."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.roofline import roofline
from benchmarks.rows import EVERY
from benchmarks.targets import Verdict, judge, sentence, wanted


def markdown(results: dict[str, Any], plot: str) -> str:
    """The report; `plot` is the picture's file name."""
    rows = results["rows"]
    verdicts = judge(rows)
    parts = [
        "# Times, side by side",
        setting(results),
        judgement(verdicts),
        rooflines(rows, verdicts),
        missing(rows),
        f"![times as multiples of neuroloom's]({plot})",
        *(row_section(name, row) for name, row in rows.items()),
        METHOD,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


METHOD = """## How

Every peer runs in a process of its own, with the same data, the same first weights, the same number of threads and
float32 unless the row says otherwise. All processes of a row are alive at once and are asked in turns, A B C A B C, so
that what slows the machine slows all of them. A process imports its library once and forks for each row, so rows share
no memory and no compiled program; what libraries keep on disk goes to a folder that starts empty. After two
measurements all processes of the row are replaced by new ones, since the same program can take a third longer in one
process than in another.

Rows of training: the first epoch, which holds compilation, and some more are not among the measurements; a measurement
is one call that trains as many epochs as the peer can in about 0.6 s beside what each call takes, at least one;
shuffling is on, and loss and accuracy are computed, in every peer but scikit-learn (no accuracy, Adam instead of
RMSprop). Two peers get ready at a time, so "first call" is an upper bound; the row `start` has one process alone. Peak
memory is the most that the peer's process held in the row, with its share of the data.

Tuned Keras: `steps_per_execution=32` on JAX and TensorFlow, `jit_compile=True` (TensorFlow and PyTorch) or False ("no
XLA"), batches of 4096 in `predict`, `predict_on_batch` for one sample. A run with `--quick` measures once, and
leaves out what the machine reaches, and all peers but neuroloom on JAX, Keras on JAX, PyTorch and JAX by hand. Peer by
peer: `benchmarks/peers/`."""


def setting(results: dict[str, Any]) -> str:
    """Machine, versions and settings."""
    m, all_versions = results["machine"], {}
    for row in results["rows"].values():
        for result in row["peers"].values():
            all_versions |= result.get("versions", {})
    lines = [
        f"{m['cpu']}, {m['cores']} cores, {m['gpu'] or 'no GPU'}, {m['system']}, Python {m['python']}; "
        f"{results['threads']} threads; {'with' if m['compiler'] else 'without'} a C++ compiler for torch.compile.",
        ", ".join(f"{name} {version}" for name, version in sorted(all_versions.items())) + ".",
    ]
    if not m["gpu"]:
        lines.append("No NVIDIA GPU was found: the rows for one were not run, and nothing is claimed about them.")
    return "  \n".join(lines)


def judgement(verdicts: list[Verdict]) -> str:
    """What is not met, in words, and all targets."""
    missed = [v for v in verdicts if not v["met"]]
    lines = [f"* {sentence(v)}" for v in missed]
    head = ("row", "of", "measured", "", "wanted", "")
    body = (
        (v["row"], v["subject"], f"{v['value']:.2f}", v["what"], wanted(v), "met" if v["met"] else "**not met**")
        for v in verdicts
    )
    heading = f"## Not met: {len(missed)} of {len(verdicts)}"
    return "\n\n".join([heading, "\n".join(lines) or "Everything that was measured is met.", table(head, body)])


ROOFLINE = """## How far from the machine's limits

Rows with a target that is not met. Arithmetic and bytes of a step are counted from the network's description
(`benchmarks/work.py` has the formulas); the rates were measured in the same run: products of the row's own shapes,
copies of the row's own size (caches included). The least time is the longer of arithmetic, one product after another,
and moving; that at the rates of a large square product and of a copy of 256 MB stands beside it. No library reaches the
least time where steps are so small that the work between the products counts most."""


def rooflines(rows: dict[str, Any], verdicts: list[Verdict]) -> str:
    """For each row with a missed target: its roofline, and how far the best of neuroloom is from it."""
    head = (
        *("row", "MFLOP", "MB", "GFLOP/s, own shapes", "large square", "GB/s, own size", "least ms"),
        *("at large rates ms", "neuroloom ms", "times the least", "fastest of all", "times the least"),
    )
    body = []
    for name in dict.fromkeys(v["row"] for v in verdicts if not v["met"]):
        found = roofline(name, rows[name])
        if found is None:
            continue
        medians = {peer: r["median"] for peer, r in rows[name]["peers"].items() if "median" in r}
        ours = min(time for peer, time in medians.items() if peer.startswith("neuroloom"))
        fastest = min(medians, key=medians.__getitem__)
        numbers = (found.mflop, found.mbytes, found.gflops, rows[name]["rates"]["square"], found.copy, found.least_ms,
                   found.ideal_ms, ours, ours / found.least_ms)  # fmt: skip
        body.append((name, *map(digits, numbers), fastest, digits(medians[fastest] / found.least_ms)))
    return f"{ROOFLINE}\n\n{table(head, body)}" if body else ""


def counted(repeats: int) -> str:
    return "1 measurement" if repeats == 1 else f"{repeats} measurements"


def missing(rows: dict[str, Any]) -> str:
    """Peers without numbers, and why."""
    reasons: dict[str, list[str]] = {}
    for name, row in rows.items():
        for peer, result in row["peers"].items():
            if "median" not in result:
                text = result.get("absent") or "failed: " + result["error"].strip().splitlines()[-1]
                reasons.setdefault(f"{PEERS[peer].title}: {text}", []).append(name)
    lines = [f"* {reason} ({', '.join(names)})" for reason, names in reasons.items()]
    return "## Without numbers\n\n" + "\n".join(lines) if lines else ""


def row_section(name: str, row: dict[str, Any]) -> str:
    """One row's table."""
    dates = sorted({result["date"] for result in row["peers"].values() if "date" in result})
    facts = (
        f"{EVERY[name].title}. {row['data']}; steps in an epoch: {row['steps']}; {counted(row['repeats'])} each, "
        f"{' and '.join(dates)}; load average before {row['load_average']}."
    )
    results = {peer: row["peers"][peer] for peer in PEERS if "median" in row["peers"].get(peer, {})}
    extra = [(title, key) for title, key in EXTRA if any(key in result for result in results.values())]
    fastest = min((result["median"] for result in results.values()), default=0.0)
    head = (
        "",
        row["unit"],
        "times the fastest",
        "least",
        "quartiles",
        "first call s",
        *(t for t, _ in extra),
        "peak MB",
    )
    body = (line(peer, result, fastest, [key for _, key in extra]) for peer, result in results.items())
    return "\n\n".join([f"## {name}", facts, table(head, body)])


EXTRA = (("one network alone", "one"), ("second process", "second"), ("import s", "import_s"))


def line(peer: str, result: dict[str, Any], fastest: float, extra: list[str]) -> tuple[str, ...]:
    low, high = result["quartiles"]
    times = (digits(result["median"]), f"{result['median'] / fastest:.2f}", digits(result["min"]))
    more = (digits(result[key]) if key in result else "" for key in extra)
    peak = f"{result['peak_mb']:.0f}" if result["peak_mb"] else ""
    return (PEERS[peer].title, *times, f"{digits(low)} - {digits(high)}", f"{result['first_s']:.2f}", *more, peak)


def digits(value: float) -> str:
    """Four significant digits, never in powers of ten.

    >>> digits(0.00012345), digits(12.3456), digits(12345.6)
    ('0.0001234', '12.35', '12346')
    """
    return f"{Decimal(f'{value:.4g}'):f}" if value < 1000 else f"{value:.0f}"


def table(head: tuple[str, ...], body: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) + ("---:",) * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
