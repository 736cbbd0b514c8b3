"""The rows of the package: imports go only downward; the package itself loads no engine."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import neuroloom

ROOT = Path(neuroloom.__file__).parent
MODULES = {
    ".".join(["neuroloom", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

ROWS = {
    0: {"errors", "typing"},
    1: {"calls"},
    2: {"tree", "config", "folders"},
    3: {"engines", "serializable"},
    4: {"ops"},
    5: {"activations", "initializers", "regularizers", "losses", "metrics", "data", "datasets", "plots"},
    6: {"layers", "optimizers"},
    7: {"learning", "files", "summary", "diagram"},
    8: {"models", "session", "callbacks", "saving", "utils"},
    9: {"networks", "populations", "testing"},
    10: {"cli"},
    11: {"__main__"},
}
ROW_OF = {name: row for row, names in ROWS.items() for name in names}

TENSOR_LIBRARIES = {"jax", "jaxlib", "torch", "tensorflow", "array_api_compat"}
HEAVY = TENSOR_LIBRARIES | {"sklearn", "matplotlib", "pandas", "polars", "rich", "IPython", "safetensors", "pooch"}

every_module = pytest.mark.parametrize("name", MODULES)


def part(name):
    """The part of the package (folder or file) that a module belongs to; '' for the package itself."""
    return [*name.split("."), ""][1]


def imports(name):
    """(module, is inside a function, is for types only) for each import of a module, wherever it stands."""
    source = ast.parse(MODULES[name].read_text())
    found = []

    def visit(node, inside, typing_only):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside, typing_only) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.extend((target, inside, typing_only) for target in targets(name, child))
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            visit(child, inside or function, typing_only or types)

    visit(source, False, False)
    return found


def targets(name, statement):
    """What `from a import b, c` loads: a.b and a.c where they are modules, else a."""
    assert statement.level == 0, f"{name} imports relatively"
    base = statement.module
    return [f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in statement.names]


def own(name):
    """The modules of the package that a module loads."""
    return [(target, inside, types) for target, inside, types in imports(name) if target.split(".")[0] == "neuroloom"]


@every_module
def test_every_module_has_a_row(name):
    assert name == "neuroloom" or part(name) in ROW_OF


def test_every_row_has_its_modules():
    missing = set(ROW_OF) - {part(name) for name in MODULES}
    assert missing <= {"cli", "__main__"}


@every_module
def test_imports_go_downward(name):
    if name == "neuroloom":  # the lazy front of the package
        assert all(types for _, _, types in own(name))
        return
    for target, _, _ in own(name):
        lower = part(target) and ROW_OF[part(target)] < ROW_OF[part(name)]
        front = target == "neuroloom" and ROW_OF[part(name)] >= 10
        assert lower or part(target) == part(name) or front, f"{name} imports {target}, which is not in a lower row"


@every_module
def test_the_package_is_imported_at_the_top_only(name):
    assert [target for target, inside, _ in own(name) if inside] == []


@every_module
def test_only_engines_load_tensor_libraries(name):
    loaded = {target.split(".")[0] for target, _, _ in imports(name)} & TENSOR_LIBRARIES
    assert not loaded or part(name) == "engines"


@every_module
def test_heavy_libraries_load_where_they_are_used(name):
    """Inside functions; `files`, the fetching of data sets and the networks may be loaded lazily as a whole instead."""
    if part(name) == "engines" or name.startswith("neuroloom.engines."):
        return
    top = {target.split(".")[0] for target, inside, types in imports(name) if not inside and not types}
    allowed = {"files": {"safetensors"}, "datasets": {"pooch"}, "networks": {"sklearn"}}.get(part(name), set())
    assert top & HEAVY <= allowed


@every_module
def test_no_engine_is_asked_by_its_name(name):
    """What an engine is like is said by its capabilities; the doctor reports on packages by their names."""
    if part(name) == "engines" or name == "neuroloom.cli.doctor":
        return
    asked = []
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Compare | ast.MatchValue):
            words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            asked += [f"{ast.unparse(node)} in line {node.lineno}"] * bool(words & {"numpy", "jax", "torch"})
        if isinstance(node, ast.Attribute) and node.attr == "compiles":
            asked.append(f"{ast.unparse(node)} in line {node.lineno}")
    assert asked == []


def test_imports_have_no_circles():
    """Depth first over the imports that run when a module loads."""
    edges = {name: [t for t, inside, types in own(name) if not inside and not types] for name in MODULES}
    done, path = set(), []

    def walk(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for target in edges[name]:
            if target != name and not name.startswith(f"{target}."):  # a module may load its own folder's front
                walk(target)
        path.pop()
        done.add(name)

    for name in MODULES:
        walk(name)


# ------------------------------------------------------------------------------------------- what a process loads


def loaded_by(statement):
    """The third-party packages that a fresh process has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


LIGHT = {
    "import neuroloom": TENSOR_LIBRARIES | {"sklearn", "matplotlib", "pandas", "polars", "rich", "scipy"},
    "import neuroloom as nl; nl.layers, nl.losses, nl.metrics, nl.optimizers": TENSOR_LIBRARIES
    | {"sklearn", "matplotlib", "pandas", "polars"},
    "import neuroloom as nl; nl.Model, nl.callbacks, nl.datasets, nl.data": {
        "jax", "torch", "sklearn", "matplotlib", "pandas", "polars",
    },
    "import neuroloom as nl; dir(nl.networks)": {"jax", "torch", "sklearn", "matplotlib", "pandas", "polars"},
    "import neuroloom as nl; nl.networks.Perceptron": {"jax", "torch", "matplotlib", "polars"},
    "import neuroloom as nl; nl.use('numpy'); nl.layers.Dense(2)([[1.0, 2.0]])": {"jax", "torch", "sklearn"},
    "import neuroloom as nl; nl.use('torch'); nl.layers.Dense(2)([[1.0, 2.0]])": {"jax", "sklearn"},
}  # fmt: skip


@pytest.mark.parametrize("statement", LIGHT)
def test_a_process_loads_only_what_it_uses(statement):
    assert loaded_by(statement) & LIGHT[statement] == set()


def test_import_takes_at_most_300_milliseconds():
    code = "import time; start = time.perf_counter(); import neuroloom; print(time.perf_counter() - start)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    assert min(float(run.stdout) for run in runs) <= 0.3


def test_every_public_name_can_be_reached():
    code = "import neuroloom as nl; assert dir(nl) == sorted(nl.__all__); [getattr(nl, name) for name in nl.__all__]"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    with pytest.raises(AttributeError, match="module 'neuroloom' has no attribute 'layer'"):
        neuroloom.layer
