"""A real TensorBoard reads the event files: its HTTP endpoints answer with what was written."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest

from neuroloom import callbacks, layers, models
from neuroloom.datasets import digits
from neuroloom.files.events import EventWriter
from neuroloom.plots import Box

pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install tensorboard")
pytest.importorskip("tensorboardX", reason="tensorboardX is not installed: pip install tensorboardX")

BOXES = [
    Box("x", "input", "placeholder", (), (None, 784)),
    Box("hidden/weights/W", "variable", "Variable", (), (784, 256)),
    Box("hidden/weights/b", "variable", "Variable", (), (256,)),
    Box("hidden/matmul", "operation", "matmul", ("x", "hidden/weights/W"), (None, 256)),
    Box("hidden/add", "operation", "add", ("hidden/matmul", "hidden/weights/b"), (None, 256)),
    Box("loss", "operation", "reduce_mean", ("hidden/add",), (), "float32", {"axis": "None"}),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Event files of a training on the digits, and of a graph, images and vectors; (folder, history)."""
    folder = tmp_path_factory.mktemp("logs")
    (x, y), _ = digits.load_data()
    x = x[:600] / 16
    encoder = models.Sequential(
        [layers.Flatten(input_shape=(8, 8)), layers.Dense(16, activation="relu")], name="encoder"
    )
    model = models.Sequential([encoder, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    board = callbacks.TensorBoard(
        folder,
        histogram_freq=1,
        write_images=True,
        update_freq="batch",
        embeddings={"dense": [f"unit {i}" for i in range(16)]},
    )
    history = model.fit(x, y[:600], epochs=3, validation_split=0.2, verbose=0, callbacks=board).history
    with EventWriter(folder / "by hand") as writer:
        writer.graph(BOXES)
        writer.scalar("not a number", float("nan"), 0)
        writer.histogram("empty", [], 0)
        writer.embeddings("digits", x[:50].reshape(50, -1), labels=y[:50], images=x[:50])
    return folder, history


@pytest.fixture(scope="module")
def ask(logs):
    """ask(path, **query) -> the server's answer."""
    folder, _ = logs
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "PYTHONPATH")}
    with open(folder / "server.txt", "w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        address = _address(server, folder / "server.txt")

        def get(path, **query):
            url = f"{address}data/plugin/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read()

        _wait(lambda: "validation" in json.loads(get("scalars/tags")) and "by hand" in json.loads(get("graphs/info")))
        yield get
    finally:
        server.terminate()
        server.wait(20)


def _address(server, output):
    """Where the server listens: it says so when it is ready."""

    def line():
        assert server.poll() is None, output.read_text()
        return next((word for word in output.read_text().split() if word.startswith("http://127.0.0.1:")), None)

    return _wait(line)


def _wait(ready, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            if found := ready():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < end, "TensorBoard did not get ready"
        time.sleep(0.2)


def test_scalars(ask, logs):
    history = logs[1]
    tags = json.loads(ask("scalars/tags"))
    assert set(tags["train"]) == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate", "batch_loss", "batch_accuracy"}
    assert set(tags["validation"]) == {
        "epoch_loss", "epoch_accuracy", "evaluation_loss_vs_iterations", "evaluation_accuracy_vs_iterations",
    }  # fmt: skip
    for run, tag, name in (("train", "epoch_loss", "loss"), ("validation", "epoch_accuracy", "val_accuracy")):
        rows = json.loads(ask("scalars/scalars", run=run, tag=tag))
        assert [step for _, step, _ in rows] == [0, 1, 2]
        assert [value for *_, value in rows] == np.float32(history[name]).tolist()
    assert len(json.loads(ask("scalars/scalars", run="train", tag="batch_loss"))) == 3 * 15
    assert json.loads(ask("scalars/scalars", run="by hand", tag="not a number"))[0][2] == "NaN"


def test_histograms(ask):
    tags = json.loads(ask("histograms/tags"))
    assert set(tags["train"]) == {
        f"{path}/histogram" for path in ("encoder/dense/kernel", "encoder/dense/bias", "dense/kernel", "dense/bias")
    }
    rows = json.loads(ask("histograms/histograms", run="train", tag="encoder/dense/kernel/histogram"))
    assert [step for _, step, _ in rows] == [0, 1, 2]
    for _, _, bins in rows:
        assert sum(count for _, _, count in bins) == pytest.approx(64 * 16)
        assert all(left <= right for left, right, _ in bins)
    assert [bins for *_, bins in json.loads(ask("histograms/histograms", run="by hand", tag="empty"))] == [[]]


def test_images(ask):
    assert json.loads(ask("images/tags"))["train"]["dense/kernel/image"]["samples"] == 1
    rows = json.loads(ask("images/images", run="train", tag="dense/kernel/image"))
    assert [row["step"] for row in rows] == [0, 1, 2]
    picture = ask("images/individualImage", **dict(urllib.parse.parse_qsl(rows[0]["query"])))
    assert picture.startswith(b"\x89PNG") and picture[16:24] == bytes([0, 0, 0, 10, 0, 0, 0, 16])  # width, height


def graph(ask, run):
    """name -> node, as the graph page gets them."""
    from google.protobuf import text_format
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    return {n.name: n for n in text_format.Parse(ask("graphs/graph", run=run).decode(), GraphDef()).node}


def test_graphs(ask):
    assert json.loads(ask("graphs/info"))["by hand"]["run_graph"]
    nodes = graph(ask, "by hand")
    assert {name: tuple(node.input) for name, node in nodes.items()} == {box.name: box.inputs for box in BOXES}
    sizes = [d.size for d in nodes["hidden/matmul"].attr["_output_shapes"].list.shape[0].dim]
    assert sizes == [-1, 256] and nodes["loss"].attr["axis"].s == b"None"
    model = graph(ask, "train")
    assert {name: list(node.input) for name, node in model.items()} == {
        "input": [], "encoder/flatten": ["input"], "encoder/dense": ["encoder/flatten"], "dense": ["encoder/dense"],
    }  # fmt: skip


def test_projector(ask):
    assert set(json.loads(ask("projector/runs"))) == {"train", "by hand"}
    (entry,) = json.loads(ask("projector/info", run="by hand"))["embeddings"]
    assert entry["tensorName"] == "digits_00000" and entry["tensorShape"] == [50, 64]
    assert entry["sprite"]["singleImageDim"] == [8, 8]
    (x, y), _ = digits.load_data()
    numbers = np.frombuffer(ask("projector/tensor", run="by hand", name="digits_00000"), np.float32)
    assert np.array_equal(numbers.reshape(50, 64), (x[:50] / 16).reshape(50, 64))
    assert ask("projector/metadata", run="by hand", name="digits_00000").split() == [b"%d" % label for label in y[:50]]
    assert ask("projector/sprite_image", run="by hand", name="digits_00000").startswith(b"\x89PNG")
    (entry,) = json.loads(ask("projector/info", run="train"))["embeddings"]
    assert entry["tensorShape"] == [16, 10]
    labels = ask("projector/metadata", run="train", name=entry["tensorName"]).decode().splitlines()
    assert labels == [f"unit {i}" for i in range(16)]
