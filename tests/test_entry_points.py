"""Engines of other packages: found by their entry points, loaded when they are asked for."""

import subprocess
import sys

import pytest

import neuroloom as nl
from neuroloom import engines
from neuroloom.engines import dispatch
from neuroloom.errors import EngineError, UnknownNameError

OTHER = '''
from neuroloom.engines.numpy import NumpyEngine


class OtherEngine(NumpyEngine):
    """NumPy's, and how often it was asked for a layer."""

    name = "other"
    calls = 0

    def affine(self, x, kernel, bias):
        OtherEngine.calls += 1
        return super().affine(x, kernel, bias)
'''

TRAINS = """
import sys
import numpy as np
import neuroloom as nl
from neuroloom import engines
assert not any(name.startswith("other_engine") or name in ("jax", "torch") for name in sys.modules)

x = np.random.default_rng(3).normal(size=(20, 3)).astype("float32")
y = (x.sum(axis=1) > 0).astype("float32")

def losses(engine):
    nl.utils.set_random_seed(4)
    model = nl.Sequential([nl.layers.Dense(4, "tanh", input_shape=(3,)), nl.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model.fit(x, y, epochs=3, verbose=0, engine=engine).history["loss"]

nl.use("other")
from other_engine import OtherEngine
mine = losses(None)
assert OtherEngine.calls > 0 and engines.current().name == "other" == engines.of(x).name
calls = OtherEngine.calls
assert losses("numpy") == mine and OtherEngine.calls == calls
assert engines.of(x).name == "other" and type(nl.ops.exp(x)) is np.ndarray
assert [row.name for row in nl.engines() if row.in_use] == ["other"]
assert nl.engines()[-1].install == "pip install other-engine"
assert [row.name for row in nl.engines()] == ["numpy", "jax", "torch", "other"]
nl.testing.check_engine("other")
print("trained")
"""


def install(folder, entry, source="", package="other-engine", name="other"):
    """A distribution with one engine, as an installer leaves it behind."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[neuroloom.engines]\n{name} = {entry}\n")
    (folder / f"{entry.partition(':')[0]}.py").write_text(source)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of packages; what they brought is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(dispatch, "_loaded", dict(dispatch._loaded))
    dispatch.sources.cache_clear()
    dispatch.installed.cache_clear()
    yield tmp_path
    dispatch.sources.cache_clear()
    dispatch.installed.cache_clear()
    for name in [name for name in sys.modules if name.endswith("_engine") and name.startswith("a_")]:
        del sys.modules[name]


def test_an_engine_of_another_package_is_used_and_trains(tmp_path):
    install(tmp_path, "other_engine:OtherEngine", OTHER)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{TRAINS}"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert run.stdout == "trained\n", run.stderr


def test_an_unknown_name_suggests_one_of_another_package(folder):
    install(folder, "a_fine_engine:OtherEngine", OTHER)
    with pytest.raises(UnknownNameError, match=r"Unknown engine 'othr'\. Did you mean 'other'\?"):
        nl.use("othr")
    assert engines.load("other").name == "other"  # a class; an object of it does as well
    assert engines.load("other") is engines.load("other")


WRONG = {
    "raises": (
        "a_bad_engine:ENGINE",
        "import a_library_that_is_not_there",
        r"The engine 'other' of the package 'other-engine' did not load from 'a_bad_engine:ENGINE'\. "
        r"ModuleNotFoundError: No module named 'a_library_that_is_not_there'",
    ),
    "no such object": ("a_bad_engine:ENGINE", "", r"did not load .* AttributeError: .*'ENGINE'"),
    "not an engine": (
        "a_bad_engine:ENGINE",
        "ENGINE = 5",
        r"expected 'a_bad_engine:ENGINE' to be a neuroloom\.engines\.Engine or a class of such, received 5\.",
    ),
    "lacks methods": (
        "a_bad_engine:OtherEngine",
        OTHER.replace("numpy import NumpyEngine", "eager import Eager as NumpyEngine"),
        r"The engine 'other' of the package 'other-engine' lacks abstract, add_at, asarray, .*, pad, .*, xp, which",
    ),
    "lacks one method": (
        "a_bad_engine:OtherEngine",
        OTHER + "OtherEngine.__abstractmethods__ = frozenset({'erf'})",
        r"lacks erf, which neuroloom\.engines\.protocol asks of every engine\.",
    ),
    "has another name": (
        "a_bad_engine:OtherEngine",
        OTHER.replace('"other"', '"mine"'),
        r"calls itself 'mine'\. Give the entry point and the engine one name\.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_package_is_named(case, folder):
    entry, source, message = WRONG[case]
    install(folder, entry, source)
    with pytest.raises(EngineError, match=message) as caught:
        nl.use("other")
    if case == "raises":
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    row = nl.engines()[-1]  # the others are still listed
    assert row.name == "other" and row.problem == str(caught.value) and not row.version and not row.in_use


def test_two_packages_with_one_name(folder):
    install(folder, "a_fine_engine:OtherEngine", OTHER)
    install(folder, "a_second_engine:OtherEngine", OTHER, package="second-engine")
    install(folder, "a_third_engine:OtherEngine", OTHER, package="third-engine", name="jax")
    with pytest.raises(EngineError, match="Two packages have an engine named 'other': other-engine and second-engine"):
        nl.use("other")
    dispatch._loaded.pop("jax", None)
    with pytest.raises(EngineError, match=r"named 'jax': neuroloom and third-engine\. Uninstall one of them\."):
        nl.use("jax")
