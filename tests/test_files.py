"""Model files: everything comes back bit for bit, and whatever is not such a file is refused with its own message."""

# ruff: noqa: E501  (tables, one case a line)

import ast
import getpass
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import neuroloom as nl
from catalogue import CASES, random_weights
from nets import binary, data, net, same, small
from neuroloom import config, files, layers
from neuroloom.errors import ConfigurationError, ModelFileError
from neuroloom.files import format as file_format

SOURCE = Path(files.__file__).parent


# ------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("case", CASES)
def test_every_layer_round_trips_with_its_predictions(case, tmp_path):
    entry = CASES[case]
    x = entry.symbolic()
    y = entry.layer()(x)
    model = nl.Model(x, list(y) if isinstance(y, tuple) else y)
    drawn = random_weights(model.network)
    if drawn:
        model.network.assign(drawn)
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    assert again.network.signature() == model.network.signature()
    assert again.weights.keys() == model.weights.keys() and same(again, model)
    inputs = entry.inputs()
    one, two = model.predict(inputs), again.predict(inputs)
    for a, b in zip(one if isinstance(one, list) else [one], two if isinstance(two, list) else [two], strict=True):
        assert np.array_equal(a, b)


OPTIMIZERS = [
    nl.optimizers.SGD(0.1, momentum=0.5, nesterov=True),
    nl.optimizers.Adam(nl.optimizers.schedules.CosineDecay(0.1, 50), clipnorm=2.0),
    nl.optimizers.RMSprop(centered=True),
    nl.optimizers.AdamW(weight_decay=0.1),
    nl.optimizers.Adagrad(),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_a_loaded_model_trains_like_the_saved_one(optimizer, tmp_path):
    x, y = binary(n=24)
    model = small(
        optimizer, nl.losses.BinaryCrossentropy(label_smoothing=0.1), metrics=["acc", nl.metrics.AUC(num_thresholds=9)]
    )
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    assert config.signature(again.optimizer) == config.signature(optimizer)
    assert again.metrics_names == ["loss", "acc", "auc"]
    given = {"shuffle": False, "verbose": 0, "epochs": 2}
    assert again.fit(x, y, **given).history == model.fit(x, y, **given).history
    assert same(model, again)


def test_settings_of_several_outputs_are_kept(tmp_path):
    a = nl.Input((2,), name="a")
    model = nl.Model({"a": a}, {"p": layers.Dense(1)(a), "q": layers.Dense(3, activation="softmax")(a)}, name="two")
    losses = {"p": "mse", "q": "sparse_categorical_crossentropy"}
    model.compile("adam", losses, metrics={"q": ["acc"]}, loss_weights={"p": 0.25})
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    x, y = {"a": np.ones((4, 2))}, {"p": np.ones(4), "q": [0, 1, 2, 1]}
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
    assert again.name == "two" and type(again) is nl.Model


def test_nested_and_shared_models_round_trip(tmp_path):
    branch = nl.Sequential([layers.Dense(3, activation="tanh", input_shape=(4,)), layers.Dropout(0.5)], name="branch")
    a, b = nl.Input((4,)), nl.Input((4,))
    model = nl.Model([a, b], branch(a)[:, 1:] * 2 - branch(b)[..., 1:])
    model.save(tmp_path / "m.nl")
    again = nl.load_model(str(tmp_path / "m.nl"))
    x = [np.random.default_rng(i).normal(size=(3, 4)) for i in (1, 2)]
    assert np.array_equal(model.predict(x), again.predict(x))
    assert again.weights.keys() == ["branch/dense/kernel", "branch/dense/bias"]


def test_a_loaded_sequential_is_one(tmp_path):
    model = net("dense")
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    assert type(again) is nl.Sequential
    again.add(layers.Dense(2))
    assert again.output_shape == (None, 2) and again.pop().units == 2


def test_what_the_caller_adds_is_kept_and_must_be_json(tmp_path):
    model = small()
    extra = {"labels": ["no", "yes"], "limits": [0.5, None], "nested": {"n": 3}}
    model.save(tmp_path / "m.nl", extra=extra)
    assert files.read_record(tmp_path / "m.nl")["extra"] == extra
    before = (tmp_path / "m.nl").read_bytes()
    for bad in ({"a": np.ones(2)}, {"a": float("nan")}, {"a": object()}):
        with pytest.raises(ConfigurationError, match="holds JSON values only"):
            model.save(tmp_path / "m.nl", extra=bad)
    assert (tmp_path / "m.nl").read_bytes() == before


def test_plain_functions_are_left_out_of_the_settings(tmp_path):
    model = small(loss=lambda y_true, y_pred: nl.ops.mean((y_pred - y_true) ** 2, axis=-1))
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    assert same(model, again)
    with pytest.raises(ConfigurationError, match="Call compile"):
        again.evaluate([[1.0, 2.0]], [1.0])


def test_an_own_layer_comes_back_by_its_class(tmp_path):
    class Doubled(layers.Layer):
        factor: config.Real = 2.0

        def call(self, w, x, ctx):
            return self.factor * x

    try:
        model = nl.Sequential([Doubled(3.5, input_shape=(2,))])
        model.save(tmp_path / "m.nl")
        assert nl.load_model(tmp_path / "m.nl").predict([[1.0, 2.0]]).tolist() == [[3.5, 7.0]]
    finally:
        del config.REGISTRIES["layer"]["doubled"]
    with pytest.raises(ModelFileError, match="Unknown layer 'Doubled'"):
        nl.load_model(tmp_path / "m.nl")


def test_weights_alone(tmp_path):
    model, other = net("dense"), net("dense")
    model.save_weights(tmp_path / "w.nl")
    other.load_weights(tmp_path / "w.nl")
    assert same(model, other)
    with pytest.raises(ModelFileError, match=r"holds weights but no model.*load_weights"):
        nl.load_model(tmp_path / "w.nl")
    model.save(tmp_path / "m.nl")
    net("dense").load_weights(tmp_path / "m.nl")


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = net("dense")
    contents = set()
    for name in "abcd":
        model.save(tmp_path / name, extra={"b": 1, "a": 2})
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_a_file_holds_no_path_and_no_name_of_a_user(tmp_path):
    model = net("dense")
    model.fit(*data("dense"), verbose=0)
    model.save(tmp_path / "m.nl")
    raw = (tmp_path / "m.nl").read_bytes()
    for secret in (str(tmp_path), str(Path(__file__).parents[1]), getpass.getuser() + "@", str(Path.home()) + "/"):
        assert secret.encode() not in raw
    assert len(raw) < 5000


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_begins_like_a_pickle_loads(tmp_path, length):
    """b'\\x80\\x04' starts a pickle of protocol 4, and the length 1152."""
    arrays = {"w": np.ones(2, "float32")}
    files.write(tmp_path / "m.nl", arrays, {"extra": ""})
    missing = length - int.from_bytes((tmp_path / "m.nl").read_bytes()[:8], "little")
    for n in range(max(0, missing - 8), missing + 8):
        files.write(tmp_path / "m.nl", arrays, {"extra": "x" * n})
        if (tmp_path / "m.nl").read_bytes()[:8] == struct.pack("<Q", length):
            break
    else:
        pytest.fail("no header of this length")
    assert files.read_record(tmp_path / "m.nl") == {"extra": "x" * n}


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a good file, and of its header with the length before it."""
    path = tmp_path_factory.mktemp("good") / "m.nl"
    small(metrics=["acc"]).save(path)
    raw = path.read_bytes()
    return raw, 8 + int.from_bytes(raw[:8], "little")


def loads_identically(path, raw):
    """Whether a changed file is refused (False), or loads as what the good file holds (True)."""
    try:
        model = nl.load_model(path)
    except ModelFileError:
        return False
    beside = path.with_suffix(".good")
    beside.write_bytes(raw)
    assert same(model, nl.load_model(beside))
    return True


def test_truncated_files_are_refused(good, tmp_path):
    raw, start = good
    path = tmp_path / "m.nl"
    offsets = {0, 1, 7, 8, 9, start - 1, start, start + 1, len(raw) - 1}
    offsets |= {int(n) for n in np.random.default_rng(1).integers(0, len(raw), 60)}
    for n in sorted(offsets):
        path.write_bytes(raw[:n])
        with pytest.raises(ModelFileError):
            nl.load_model(path)
    path.write_bytes(raw + b"\0")
    with pytest.raises(ModelFileError, match=r"weights need 52 bytes, 53 are there"):
        nl.load_model(path)


def test_flipped_bits_are_refused_or_do_not_matter(good, tmp_path):
    """Every byte of the header, one random bit each, and 200 random bits of the whole file."""
    raw, start = good
    rng = np.random.default_rng(2)
    places = [(i, int(rng.integers(8))) for i in range(start)]
    places += [(int(rng.integers(len(raw))), int(rng.integers(8))) for _ in range(200)]
    path, loaded = tmp_path / "m.nl", 0
    for i, bit in places:
        changed = bytearray(raw)
        changed[i] ^= 1 << bit
        path.write_bytes(changed)
        loaded += loads_identically(path, raw)
    assert loaded < 3


def rebuilt(raw, change=lambda entries: None, record=lambda record: None, sign=True):
    """A file whose header or record was changed by someone who knows the format, digests included."""
    start = 8 + int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8:start])
    metadata = entries["__metadata__"]
    content = json.loads(metadata["record"])
    content = record(content) or content
    metadata["record"] = json.dumps(content, sort_keys=True) if not isinstance(content, str) else content
    if sign:
        metadata["record_sha256"] = file_format.record_digest(metadata["record"])
    entries = change(entries) or entries
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + raw[start:]


def first_layer(record):
    return record["model"]["config"]["network"]["layers"][0]


def put(*path_and_value):
    """A function that sets one place of a nested structure."""
    *path, last, value = path_and_value

    def change(tree):
        for key in path:
            tree = tree[key]
        tree[last] = value

    return change


LAYER = ("model", "config", "network", "layers", 0)
NODES = ("model", "config", "network", "nodes")
RECORDS = {
    "unknown layer": (put(*LAYER, "class", "Dens"), r"Unknown layer 'Dens'. Did you mean 'dense'"),
    "dotted layer": (put(*LAYER, "class", "os.system"), r"Unknown layer 'os.system'"),
    "dunder": (put(*LAYER, "class", "__class__"), r"Unknown layer '__class__'"),
    "other kind": (put(*LAYER, "class", "Adam"), r"Unknown layer 'Adam'"),
    "unknown model": (put("model", "class", "Evil"), r"configuration cannot be used: The class 'Evil' of the model is not known"),
    "unknown field": (put(*LAYER, "config", "unitz", 3), r"no argument 'unitz'. Did you mean 'units'"),
    "huge": (put(*LAYER, "config", "units", 2_000_000_000), r"does not fit the model.*'dense/kernel' has shape \(2, 3\)"),
    "negative": (put(*LAYER, "config", "units", -1), r"units to be a positive whole number, received -1"),
    "zero": (put(*LAYER, "config", "units", 0), r"positive whole number, received 0"),
    "fraction": (put(*LAYER, "config", "units", 2.5), r"positive whole number, received 2.5"),
    "truth": (put(*LAYER, "config", "units", True), r"positive whole number, received True"),
    "text": (put(*LAYER, "config", "units", "3"), r"positive whole number, received '3'"),
    "code": (put(*LAYER, "config", "activation", "lambda x: x"), r"(?i)unknown activation 'lambda x: x'"),
    "path in a name": (put(*LAYER, "name", "../x"), r"does not fit the model"),
    "config is a list": (put(*LAYER, "config", [1]), r"configuration cannot be used"),
    "layers are a number": (put("model", "config", "network", "layers", 5), r"configuration cannot be used"),
    "model is a list": (put("model", [1, 2]), r"configuration cannot be used"),
    "nodes are text": (put("model", "config", "network", "nodes", "abc"), r"configuration cannot be used"),
    "cycle": (put(*NODES, 1, "args", [{"node": 2}]), r"configuration cannot be used"),
    "index": (put(*NODES, 1, "layer", 77), r"configuration cannot be used"),
    "unknown operation": (put(*NODES, 1, {"op": "eval", "args": ["1"], "kwargs": {}}), r"Unknown operation 'eval'"),
    "empty argument": (put(*NODES, 1, "args", [{}]), r"configuration cannot be used"),
    "unknown loss": (put("compile", "loss", "class", "Nope"), r"Unknown loss 'Nope'"),
    "unknown kind": (put("compile", "loss", "kind", "module"), r"Unknown kind 'module'"),
    "unknown setting": (put("compile", "callbacks", 1), r"configuration cannot be used.*callbacks"),
    "no model": (lambda record: {"extra": {}}, r"holds weights but no model"),
    "a list": (lambda record: "[1]", r"not a JSON object"),
    "deep": (lambda record: '{"a":' + "[" * 20000 + "]" * 20000 + "}", r"not JSON"),
    "twice": (lambda record: '{"model": 1, "model": 2}', r"not JSON"),
    "nan": (lambda record: '{"model": NaN}', r"not JSON"),
    "many digits": (lambda record: '{"model": ' + "9" * 10**6 + "}", r"not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
def test_records_that_cannot_be_are_refused(case, good, tmp_path):
    change, text = RECORDS[case]
    path = tmp_path / "m.nl"
    path.write_bytes(rebuilt(good[0], record=change))
    with pytest.raises(ModelFileError, match=text):
        nl.load_model(path)


def renamed(entries):
    entries["dense/kernle"] = entries.pop("dense/kernel")


def dropped(entries):
    del entries["dense_1/bias"]


KERNEL = ("dense/kernel",)
HEADERS = {
    "renamed weight": (renamed, r"'dense/kernel' is missing; 'dense/kernle' is not known \(Did you mean 'dense/kernel'\?\)"),
    "missing weight": (dropped, r"weights need 48 bytes, 52 are there"),
    "transposed": (put(*KERNEL, "shape", [3, 2]), r"'dense/kernel' has shape \(3, 2\) of F32, expected \(2, 3\)"),
    "other dtype": (put(*KERNEL, "dtype", "I32"), r"of I32, expected \(2, 3\) of F32"),
    "unknown dtype": (put(*KERNEL, "dtype", "F99"), r"no usable shape or dtype"),
    "negative shape": (put(*KERNEL, "shape", [-2, -3]), r"no usable shape or dtype"),
    "shape of text": (put(*KERNEL, "shape", "ab"), r"no usable shape or dtype"),
    "entry is a number": (put("dense/kernel", 7), r"no usable shape or dtype"),
    "overlapping": (put(*KERNEL, "data_offsets", [0, 24]), r"is damaged"),
    "offsets of text": (put(*KERNEL, "data_offsets", "ab"), r"is damaged"),
    "other format": (put("__metadata__", "format", "pt"), r"no model of neuroloom"),
    "no metadata": (lambda entries: {k: v for k, v in entries.items() if k != "__metadata__"}, r"no model of neuroloom"),
    "metadata is text": (put("__metadata__", "x"), r"no model of neuroloom"),
    "newer": (put("__metadata__", "version", "99"), r"format version '99'; this library reads 1. Update"),
    "record is a number": (put("__metadata__", "record", 5), r"is damaged"),
    "digest of weights": (put("__metadata__", "weights_sha256", "0" * 64), r"weights do not match their digest"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_do_not_fit_are_refused(case, good, tmp_path):
    change, text = HEADERS[case]
    path = tmp_path / "m.nl"
    path.write_bytes(rebuilt(good[0], change=change))
    with pytest.raises(ModelFileError, match=text):
        nl.load_model(path)


def test_a_record_changed_without_its_digest_is_refused(good, tmp_path):
    path = tmp_path / "m.nl"
    path.write_bytes(rebuilt(good[0], record=put(*LAYER, "config", "units", 4), sign=False))
    with pytest.raises(ModelFileError, match="record does not match its digest"):
        nl.load_model(path)


LOOK_ALIKES = {
    "empty": (b"", "cut off"),
    "text": (b"hello, this is no model file at all", "impossible"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
    "zip": (b"PK\x03\x04" + bytes(50), "a zip archive"),
    "pickle": (b"\x80\x04\x95" + bytes(50), "a pickle, which neuroloom never reads"),
    "old pickle": (b"\x80\x02}q\x00" + bytes(50), "a pickle"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "a gzip file"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(50), "a NumPy array file"),
    "HTML": (b"<!DOCTYPE html><html></html>" + bytes(50), "an HTML page"),
    "html": (b"<html><body>404</body></html>" + bytes(50), "an HTML page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git-LFS pointer"),
    "header too long": (struct.pack("<Q", 1 << 40) + b"{" + bytes(50), "impossible"),
    "header cut": (struct.pack("<Q", 500) + b"{" + bytes(50), "impossible"),
    "not JSON": (struct.pack("<Q", 20) + b"{" + bytes(50), "not JSON"),
    "not UTF-8": (struct.pack("<Q", 20) + b'{"\xff\xfe": 1}' + b" " * 20, "not JSON"),
    "foreign safetensors": (struct.pack("<Q", 2) + b"{}", "no model of neuroloom"),
}


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_other_files_are_named(case, tmp_path):
    content, text = LOOK_ALIKES[case]
    path = tmp_path / "model.nl"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=text):
        nl.load_model(path)


def test_real_npz_and_torch_files_are_named(tmp_path):
    import torch

    np.savez(tmp_path / "a.npz", w=np.ones(2))
    torch.save({"w": torch.ones(2)}, tmp_path / "b.pt")
    for name in ("a.npz", "b.pt"):
        with pytest.raises(ModelFileError, match="a zip archive"):
            nl.load_model(tmp_path / name)


def test_folders_missing_files_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, text in ((tmp_path, "not a regular file"), (tmp_path / "none.nl", "No such file"), (tmp_path / "pipe", "not a regular file")):  # fmt: skip
        with pytest.raises(ModelFileError, match=text):
            nl.load_model(path)


def test_a_refused_file_changes_nothing(good, tmp_path):
    model = small()
    before = model.get_weights()
    raw = bytearray(good[0])
    raw[-1] ^= 1
    (tmp_path / "m.nl").write_bytes(raw)
    with pytest.raises(ModelFileError, match="weights do not match"):
        model.load_weights(tmp_path / "m.nl")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    (tmp_path / "m.nl").write_bytes(good[0])
    other = net("dense")
    with pytest.raises(
        ModelFileError, match=r"'dense/kernel' has shape \(2, 3\) of F32, expected \(5, 7\).*'dense_1/bias'"
    ):
        other.load_weights(tmp_path / "m.nl")


# ----------------------------------------------------------------------------------------------------- writing


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    model = small()
    with pytest.raises(ModelFileError, match=r"cannot be written: No such file.*Choose a folder that exists"):
        model.save(tmp_path / "none" / "m.nl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match="cannot be written"):
        model.save(tmp_path / "folder")
    model.save(tmp_path / "m.nl")
    before = (tmp_path / "m.nl").read_bytes()

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(ModelFileError, match="cannot be written: Permission denied"):
        model.save(tmp_path / "m.nl")
    assert (tmp_path / "m.nl").read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ModelFileError, match="cannot be written: Permission denied"):
            small().save(tmp_path / "m.nl")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("where", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, where, error):
    small().save(tmp_path / "m.nl")
    before = (tmp_path / "m.nl").read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, where, fail)
    with pytest.raises(ModelFileError if isinstance(error, OSError) else KeyboardInterrupt):
        small().save(tmp_path / "m.nl")
    assert (tmp_path / "m.nl").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.nl"]


KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from neuroloom import files
path, rounds = Path(sys.argv[1]), int(sys.argv[2])
arrays = [{"w": np.full((300, 700), i, "float32")} for i in (1, 2)]
shapes = {"w": ("float32", (300, 700))}
files.write(path, arrays[0], {"which": 1})
random.seed(5)
seen = set()
for _ in range(rounds):
    child = os.fork()
    if child == 0:
        for i in range(100000):
            files.write(path, arrays[i % 2], {"which": 1 + i % 2})
        os._exit(0)
    time.sleep(random.uniform(0.001, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    which = files.read_record(path)["which"]
    assert (files.read_arrays(path, shapes)["w"] == which).all()
    seen.add(which)
print(sorted(seen))
"""


def kill_while_saving(tmp_path, rounds):
    command = [sys.executable, "-c", KILLER, str(tmp_path / "m.nl"), str(rounds)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[1, 2]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_saving_the_old_or_the_new_file_loads(tmp_path):
    kill_while_saving(tmp_path, 20)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_200_times_while_saving(tmp_path):
    kill_while_saving(tmp_path, 200)


# ------------------------------------------------------------------------------------------------ what is read


def test_nothing_here_can_execute_a_file():
    """No pickle, no import by name, no eval in the reader, the writer and the loader of models."""
    banned = {"pickle", "marshal", "shelve", "dill", "joblib", "importlib", "runpy", "subprocess", "builtins"}
    calls = {"eval", "exec", "compile", "__import__", "getattr"}
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & banned, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in calls, path
    assert not re.search(r"allow_pickle\s*=\s*True", "".join(p.read_text() for p in SOURCE.glob("*.py")))
