"""Writes docs/uses.md: the seven classical uses of neural networks, what each example prints, and its pictures.

    NEUROLOOM_DATA=... python examples/uses/page.py [name ...]

Each file beside this one has a function `main()` that works an example on real data, prints its results, and returns
them with a list of figures. Names are those of files; without names every example is run.
"""

import contextlib
import importlib
import io
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
PAGE = DOCS / "uses.md"
USES = ("classification", "clustering", "approximation", "forecasting", "optimisation", "memory", "control")
HEAD = """# Seven classical uses

Each is a program in `examples/uses/`, which prints what stands here. Made by `python examples/uses/page.py`.
"""


def load(name):
    """The module of an example."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(name)


def section(name):
    """Run an example, save its pictures, and return its part of the page."""
    module, printed = load(name), io.StringIO()
    with contextlib.redirect_stdout(printed):
        _, figures = module.main()
    pictures = [f"use_{name}{i or ''}.png" for i in range(len(figures))]
    for figure, picture in zip(figures, pictures, strict=True):
        figure.savefig(DOCS / "pictures" / picture, metadata={"Software": None})
    return text(module, printed.getvalue(), pictures)


def text(module, printed, pictures):
    """The module's docstring, what it printed, and its pictures."""
    title, _, rest = module.__doc__.strip().partition("\n\n")
    shown = "\n\n".join(f"![{title}](pictures/{picture})" for picture in pictures)
    return (
        f"## {title.rstrip('.')}\n\n{rest}\n\n```text\n{printed}```\n\n{shown}\n\n"
        f"[examples/uses/{module.__name__}.py](../examples/uses/{module.__name__}.py)\n"
    )


def sections():
    """What the page has now: name -> section."""
    parts = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:] if PAGE.exists() else []
    return {re.search(r"uses/(\w+)\.py", part)[1]: part.strip() + "\n" for part in parts}


def main(names):
    found = sections()
    for name in names or USES:
        found[name] = section(name)
        print(name)
    PAGE.write_text("\n".join([HEAD, *(found[name] for name in USES if name in found)]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
