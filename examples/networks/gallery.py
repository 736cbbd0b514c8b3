"""Writes docs/networks/: a page per network and the gallery of all.

    python examples/networks/gallery.py [Name ...]

Each family's example file has a function per network, named as the class in snake case: it works an example on real
data, prints its result, and returns a figure, or (diagram, figure). A page is the class's docstring, these pictures,
the function's source and what it printed. Without names every page is made.
"""

import contextlib
import importlib.util
import inspect
import io
import re
import sys
import textwrap
from pathlib import Path

import neuroloom as nl
from neuroloom.config import snake

HERE = Path(__file__).resolve().parent
PAGES = HERE.parents[1] / "docs" / "networks"


def networks():
    """The public networks, by name."""
    found = {name: getattr(nl.networks, name) for name in nl.networks.__all__}
    return {n: c for n, c in found.items() if inspect.isclass(c) and c is not nl.networks.Network}


def examples():
    """Snake-case name -> function, from every file beside this one."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.name == "gallery.py":
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        functions = inspect.getmembers(module, inspect.isfunction)
        found.update({name: f for name, f in functions if f.__module__ == path.stem and not name.startswith("_")})
    return found


def page(name, cls, example):
    """Write a network's page and pictures; the docstring's first sentence and the picture's file name."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        made = example()
    *diagram, figure = made if isinstance(made, tuple) else (made,)
    figure.savefig(PAGES / f"{snake(name)}.png", metadata={"Software": None})
    pictures = ""
    if diagram:
        diagram[0].savefig(PAGES / f"{snake(name)}_diagram.png", metadata={"Software": None})
        pictures = f"![The connections of {name}]({snake(name)}_diagram.png)\n\n"
    source = textwrap.dedent(inspect.getsource(example))
    first, body = markdown(inspect.getdoc(cls))
    (PAGES / f"{snake(name)}.md").write_text(
        f"# {name}\n\n{first}\n\n{pictures}{body}\n\n## Example\n\n{inspect.getdoc(example)}\n\n"
        f"```python\n{source}```\n\n```text\n{printed.getvalue()}```\n\n"
        f"![What the example draws]({snake(name)}.png)\n",
        encoding="utf-8",
    )


def markdown(text):
    """A docstring's first sentence, and the rest as Markdown: lists of arguments, examples in fences."""
    first, _, rest = text.partition("\n\n")
    blocks = []
    for block in rest.split("\n\n"):
        if block.startswith(">>>"):
            blocks.append(f"```pycon\n{block}\n```")
        elif re.match(r"(Args|Attributes):\n", block):
            title, items = block.split("\n", 1)
            items = re.sub(r"\n\s{4,}", " ", textwrap.dedent(items))
            blocks.append(f"**{title}**\n\n" + re.sub(r"^([\w, ]+):", r"* `\1`:", items, flags=re.M))
        elif block.startswith("    "):
            blocks.append(f"```text\n{textwrap.dedent(block)}\n```")
        else:
            blocks.append(block)
    return first.replace("\n", " "), "\n\n".join(blocks)


def gallery(classes):
    """The page of all pictures, as far as they are made."""
    parts = ["# The networks\n\nMade by `python examples/networks/gallery.py`.\n"]
    for name, cls in classes.items():
        if (PAGES / f"{snake(name)}.png").exists():
            first = inspect.getdoc(cls).partition("\n\n")[0].replace("\n", " ")
            parts.append(f"## [{name}]({snake(name)}.md)\n\n{first}\n\n![{name}]({snake(name)}.png)\n")
    (PAGES / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


def main(names):
    PAGES.mkdir(exist_ok=True)
    classes, functions = networks(), examples()
    for name in names or classes:
        if snake(name) in functions:
            page(name, classes[name], functions[snake(name)])
            print(name)
        else:
            print(f"{name} has no example", file=sys.stderr)
    gallery(classes)


if __name__ == "__main__":
    main(sys.argv[1:])
