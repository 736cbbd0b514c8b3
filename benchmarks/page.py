"""docs/fast.md, from measured results: `python -m benchmarks.page`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.compare import medians, ours, ratio, rival
from benchmarks.peers import PEERS
from benchmarks.readme import RESULTS, ROOT
from benchmarks.report import digits, table
from benchmarks.roofline import roofline
from benchmarks.rows import EVERY
from benchmarks.targets import judge, sentence

PAGE = ROOT / "docs" / "fast.md"


class Reason(NamedTuple):
    """Why some rows are as fast as they are."""

    title: str
    rows: tuple[str, ...]
    text: str


REASONS = (
    Reason(
        "Small networks: no waiting between steps",
        ("tiny", "deep", "mlp-batch-1", "mlp-batch-32"),
        """A step of a small network is a few microseconds of arithmetic. Libraries that come back to Python for each
step, or even for each operation, spend a hundred times that on the way there and back. `fit` compiles a
chunk of many steps into one program, which loops over data that already lies on the device; Python is asked
a few times a second. Weights and what the optimizer remembers are updated in place. Where the steps are so small
that the way from one piece of compiled code to the next takes longer than the arithmetic, the whole loop is one
piece; and where an epoch takes less time than Python needs around it, the next one is started before this one has
been looked at.""",
    ),
    Reason(
        "Middle-sized networks: the matrix product",
        ("mlp", "mlp-batch-1024", "autoencoder", "imdb"),
        """Here nearly all of a step is matrix products, and every library calls a good one: nobody can be much faster
than the product itself. What is left to win is around it: inputs that no weight lies before need no
gradient, softmax and cross-entropy are one stable expression, the update is one pass over the weights, the
next batch is gathered inside the program. Where a row is near the time of its products alone, no setting will
help; a smaller network or another machine would.""",
    ),
    Reason(
        "Convolutions",
        ("cnn",),
        """Inside a compiled loop on a CPU only some forms of convolution are fast. Convolutions are therefore written
so that each of their three products is such a form or a plain matrix product, gradients included. The
PyTorch engine is held up by something else: on Linux the C library hands large freed tensors back to the
system, and half of a step went into getting the memory again. The engine therefore lets it keep up to 256 MB,
unless a variable such as `MALLOC_TRIM_THRESHOLD_` says what you want.""",
    ),
    Reason(
        "Recurrent networks",
        ("lstm", "imdb-lstm"),
        """A recurrent step needs the one before it, so there are many small products in a row. The inputs' products
are one large product over all moments; only the recurrent one stays in the loop. PyTorch has a hand-written
LSTM for this case; with `engine="auto"` neuroloom uses it where it is known to be faster.""",
    ),
    Reason(
        "Predicting",
        ("predict-1", "predict-100000"),
        """For one sample nearly everything is the way into the library and back. For many, batches of some thousands
are large enough for the processor and small enough for its caches; `predict` chooses them when `batch_size`
is not given.""",
    ),
    Reason(
        "Starting",
        ("start",),
        """From the start of Python to the end of the first epoch, importing and compiling included. `import neuroloom`
loads no engine; each part is loaded at its first use. Compiled programs are kept on disk for the next
process.""",
    ),
    Reason(
        "Many networks at once",
        ("many-tiny", "many-digits"),
        """Networks of equal structure train as one program: what is too small to fill the processor alone fills it
together, and what a step costs beside its arithmetic is paid once for all.""",
    ),
)

ADVICE = """## What you can do

* **`engine="auto"`** takes the installed engine that is known to be the fastest for such a network: to train it, or to
  predict so many samples. The default stays JAX, so that results do not depend on what is installed.
  `neuroloom doctor` shows the table of speeds.
* **A larger batch** gives larger products, which are faster a sample (compare the rows `mlp-batch-...`), up to
  some hundred samples; beyond that, steps get fewer and learning often slower. It is worth a try, not a rule.
* **Arrays rather than generators.** An array that fits in memory is put on the device once and shuffled there;
  a generator's batches must be fetched, checked and sent while training runs.
* **Few callbacks on batches.** Chunks of steps stay one program with callbacks, and callbacks hear each step's
  exact numbers after its chunk, but Python code for each of a million steps takes its time.
* **Several networks? Train them together:** `nl.fit_many`, `nl.population`, `nl.cross_validate`,
  `nl.grid_search`.
* **The same structure again compiles nothing**: another seed, another learning rate, another data set of the
  same kind use the program that is there. Keep `batch_size` the same.
* **Leave the compile cache on.** It lies in the folder that `NEUROLOOM_CACHE` names, else in your cache
  directory; a second process finds the programs of the first.
* **`predict` on everything at once**, rather than sample by sample in a loop of your own.
"""


def page(results: dict[str, Any]) -> str:
    """The page; `results` as `records` writes them."""
    rows = results["rows"]
    reasons = [reason_section(reason, rows) for reason in REASONS]
    parts = [
        HEAD,
        machine(results),
        overview(rows),
        PICTURE,
        *filter(None, reasons),
        ADVICE.rstrip(),
        misses(rows),
        END,
    ]
    return "\n\n".join(parts) + "\n"


HEAD = """# What is fast and why

<!-- written by `python -m benchmarks.page` from benchmarks/results/cpu-2-cores.json; edit benchmarks/page.py -->

Every number on this page was measured by `python -m benchmarks`, which runs neuroloom beside what you would use
instead, with the same data, batches, precision and threads, in turns. neuroloom's are those of `engine="auto"` where a
row has them, else of its fastest engine. *Its products alone* is what a row's matrix products take on the same machine,
one after another, each as fast as one of its shape is made there; where reading and writing what the row touches takes
longer, *its bytes alone* stands instead. What makes the products of several networks at once can take less."""
PICTURE = "![times as multiples of neuroloom's](../benchmarks/results/cpu-2-cores.png)"
END = """## Measure it yourself

    pip install -r benchmarks/requirements.txt
    python -m benchmarks --quick

[The whole record](../benchmarks/results/cpu-2-cores.md) has every row and peer, the spread, versions and method."""


def machine(results: dict[str, Any]) -> str:
    m = results["machine"]
    gpu = "" if m["gpu"] else " No GPU was at hand: this page claims nothing about GPUs."
    return f"The machine: {m['cpu']}, {m['cores']} cores, {results['threads']} threads for each library.{gpu}"


def overview(rows: dict[str, Any]) -> str:
    """Each row: neuroloom, the fastest library, the hand-written loop."""
    head = ("row", "", "unit", "neuroloom", "fastest library", "its time", "neuroloom is times as fast", "JAX by hand")
    shown = {name: row for name, row in rows.items() if ours(row)}
    return table(head, [line(name, row) for name, row in shown.items()])


def line(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    mine, other, scan, times = ours(row), rival(row), medians(row).get("scan"), ratio(row)
    return (
        name,
        EVERY[name].title,
        row["unit"],
        digits(mine[1]) if mine else "",
        PEERS[other[0]].title if other else "",
        digits(other[1]) if other else "",
        f"{times:.2f}" if times else "",
        digits(scan) if scan else "",
    )


def reason_section(reason: Reason, rows: dict[str, Any]) -> str:
    """The reason with its rows' figures; empty where none of them was measured."""
    lines = [f"* `{name}`: {figures(name, rows[name])}" for name in reason.rows if name in rows and ours(rows[name])]
    return "\n\n".join([f"## {reason.title}", reason.text, "\n".join(lines)]) if lines else ""


def figures(name: str, row: dict[str, Any]) -> str:
    """A row in words."""
    mine, other, found = ours(row), rival(row), roofline(name, row)
    assert mine
    result, text = row["peers"][mine[0]], [f"neuroloom {digits(mine[1])} {row['unit']}"]
    text += [f"{title} {digits(result[key])} {unit}" for title, key, unit in MORE if key in result]
    if other:
        text.append(f"{PEERS[other[0]].title} {digits(other[1])}")
    if found:
        products = f"its products alone ({digits(found.mflop)} MFLOP)"
        moved = f"its bytes alone ({digits(found.mbytes)} MB)"
        longer = products if found.arithmetic_ms > found.moving_ms else moved
        text.append(f"{longer} {digits(found.least_ms)}")
    return ", ".join(text) + "."


MORE = (("one network alone", "one", "ms / step"), ("a second process", "second", "s"), ("the import", "import_s", "s"))


def misses(rows: dict[str, Any]) -> str:
    """The targets that are not met."""
    missed = [f"* {sentence(v)}" for v in judge(rows) if not v["met"]]
    if not missed:
        return "## What is not met\n\nEverything that was wanted and measured is met."
    text = "Wanted, and not there. The record shows how far each of these rows is from the machine's limits."
    return "\n\n".join(["## What is not met", text, "\n".join(missed)])


def main() -> None:
    """Write docs/fast.md."""
    PAGE.write_text(page(json.loads(Path(RESULTS).read_text())), "utf-8")


if __name__ == "__main__":
    main()
