"""What the documents say is run: the README's Python blocks, every docstring's examples, the commands they name."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import neuroloom

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(m.name for m in pkgutil.walk_packages(neuroloom.__path__, "neuroloom.") if "__main__" not in m.name)


def blocks(path, language):
    """The fenced blocks of a language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)


def test_readme_python_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / "README.md", "python")
    names = {}
    for block in found:
        exec(compile(block, "README.md", "exec"), names)
    assert len(found) >= 5
    assert (tmp_path / "digits.safetensors").exists()


def test_readme_has_the_two_shell_blocks_that_ci_runs():
    first, second = blocks(ROOT / "README.md", "sh")
    assert first == "python -m pip install .\nneuroloom train digits\n"
    assert second == "python -m pip install '.[test]'\npython -m pytest -n auto\n"
    script = (ROOT / ".ci" / "run").read_text()
    assert "block 1" in script and "block 2" in script


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples in {name} failed"


def test_documents_link_to_files_that_exist():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_dependency_is_justified():
    text = (ROOT / "docs" / "dependencies.md").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    core = re.search(r"^dependencies = \[(.*?)^\]", project, re.M | re.S)[1]
    for name in re.findall(r'"([a-z0-9-]+)', core):
        assert f"| {name} |" in text, f"{name} has no line in docs/dependencies.md"
