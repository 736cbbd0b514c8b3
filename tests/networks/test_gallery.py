"""The pages in docs/networks: every network has one, and it says what the code says."""

import importlib.util
import inspect
from pathlib import Path

import pytest

from neuroloom.config import snake

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "networks"


def _module():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "examples" / "networks" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = _module()
CLASSES, EXAMPLES = GALLERY.networks(), GALLERY.examples()


@pytest.mark.parametrize("name", CLASSES)
def test_page(name):
    assert snake(name) in EXAMPLES, f"examples/networks has no function {snake(name)}"
    text = (PAGES / f"{snake(name)}.md").read_text(encoding="utf-8")
    first, body = GALLERY.markdown(inspect.getdoc(CLASSES[name]))
    stale = f"docs/networks/{snake(name)}.md is old: run python examples/networks/gallery.py {name}"
    assert first in text and body in text and inspect.getsource(EXAMPLES[snake(name)]) in text, stale
    assert (PAGES / f"{snake(name)}.png").stat().st_size > 2000
    assert f"]({snake(name)}.md)" in (PAGES / "gallery.md").read_text(encoding="utf-8")
    assert "Source:" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_examples_print_what_the_page_says(name, capsys):
    EXAMPLES[snake(name)]()
    text = (PAGES / f"{snake(name)}.md").read_text(encoding="utf-8")
    assert f"```text\n{capsys.readouterr().out}```" in text
