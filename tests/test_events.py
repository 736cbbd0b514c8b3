"""Event files, read back by TensorBoard's own reader: what is in them, and what the callback writes when."""

import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

from nets import data, net, small
from neuroloom import callbacks, engines
from neuroloom.errors import ConfigurationError, DataError, NeuroloomError, ShapeError
from neuroloom.files.events import EventWriter
from neuroloom.plots import Box

pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install tensorboard")
pytest.importorskip("tensorboardX", reason="tensorboardX is not installed: pip install tensorboardX")


def events(folder):
    """The events of a folder's files, as TensorBoard's package reads them."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return [event for file in sorted(folder.glob("*tfevents*")) for event in LegacyEventFileLoader(str(file)).Load()]


def values(folder):
    """(tag, step) -> value of the summaries in a folder."""
    return {(v.tag, e.step): v for e in events(folder) for v in e.summary.value}


def scalars(folder, tag):
    """step -> number."""
    return {step: v.simple_value for (name, step), v in values(folder).items() if name == tag}


def pixels(value):
    from PIL import Image

    with Image.open(io.BytesIO(value.image.encoded_image_string)) as image:
        return np.array(image)


# ---------------------------------------------------------------------------------------------------------- the writer


def test_scalars(tmp_path):
    with EventWriter(tmp_path / "new" / "run") as writer:
        for step, number in ((0, 1), (7, np.float32(0.1)), (2**40, np.array([2.5])), (8, float("nan")), (9, -np.inf)):
            writer.scalar("a b/c", number, step)
    found = scalars(tmp_path / "new" / "run", "a b/c")
    assert found == {0: 1, 7: np.float32(0.1), 2**40: 2.5, 8: pytest.approx(np.nan, nan_ok=True), 9: -np.inf}
    assert next(e.file_version for e in events(tmp_path / "new" / "run")) == "brain.Event:2"


def test_values_of_every_engine(tmp_path, engine):
    with EventWriter(tmp_path) as writer:
        writer.scalar("loss", engine.asarray(0.25), 0)
        writer.histogram("w", engine.asarray(np.array([1.0, 2.0, 4.0])), 0)
    assert scalars(tmp_path, "loss") == {0: 0.25} and values(tmp_path)["w", 0].histo.sum == 7
    assert engines.of(engine.asarray(0.25)) is engine


def test_histograms(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 20))
    with EventWriter(tmp_path) as writer:
        writer.histogram("w", x, 3)
        writer.histogram("constant", np.full(5, -2.0), 0)
        writer.histogram("large and constant", np.full(5, 1e20), 0)
        writer.histogram("one", 3, 0)
        writer.histogram("flags", [True, False, True], 0)
        writer.histogram("empty", [], 0)
    found = values(tmp_path)
    w = found["w", 3].histo
    assert (w.num, w.min, w.max) == (1000, x.min(), x.max())
    assert (w.sum, w.sum_squares) == pytest.approx((x.sum(), (x**2).sum()))
    limits, counts = np.array(w.bucket_limit), np.array(w.bucket)
    below = [np.sum(x <= limit) for limit in limits[:-1]]  # by hand: how many lie below each limit
    assert np.abs(np.cumsum(counts)[:-1] - below).max() <= 1 and counts.sum() == 1000 and len(counts) == 31
    assert np.allclose(np.diff(limits), (x.max() - x.min()) / 30)
    for tag, n, total in (("constant", 5, -10), ("large and constant", 5, 5e20), ("one", 1, 3), ("flags", 3, 2)):
        histo = found[tag, 0].histo
        assert (histo.num, sum(histo.bucket)) == (n, n) and histo.sum == pytest.approx(total)
    assert found["empty", 0].histo.num == 0


def test_images(tmp_path):
    rng = np.random.default_rng(1)
    grey, rgba, batch = rng.integers(0, 256, (4, 6), np.uint8), rng.random((4, 6, 4)), rng.random((3, 4, 6, 3))
    with EventWriter(tmp_path) as writer:
        writer.image("grey", grey, 0)
        writer.image("flags", grey[..., None] > 99, 0)
        writer.image("rgba", rgba, 0)
        writer.image("batch", batch, 2)
        writer.image("beyond", np.array([[-1.0, 3.0, 1.0]]), 0)
    found = values(tmp_path)
    assert np.array_equal(pixels(found["grey", 0]), grey)
    assert np.array_equal(pixels(found["flags", 0]), (grey > 99) * 255)
    assert np.array_equal(pixels(found["rgba", 0]), np.round(rgba * 255))
    assert np.array_equal(pixels(found["batch/1", 2]), np.round(batch[1] * 255)) and ("batch/2", 2) in found
    assert pixels(found["beyond", 0]).tolist() == [[0, 255, 128]]
    image = found["rgba", 0].image
    assert (image.height, image.width, image.colorspace) == (4, 6, 4)


def test_values_that_are_not_finite_are_counted_and_left_out(tmp_path):
    with EventWriter(tmp_path) as writer:
        with pytest.warns(RuntimeWarning, match="histogram 'w' at step 4, 2 of 4 values are NaN or infinite"):
            writer.histogram("w", [1.0, np.nan, np.inf, 3.0], 4)
        with pytest.warns(RuntimeWarning, match="2 of 2 values"):
            writer.histogram("none", [np.nan, np.inf], 0)
        with pytest.warns(RuntimeWarning, match="image 'i' at step 0, 1 of 3 values"):
            writer.image("i", np.array([[0.5, np.nan, 1.0]]), 0)
    found = values(tmp_path)
    assert (found["w", 4].histo.num, found["w", 4].histo.max, found["none", 0].histo.num) == (2, 3, 0)
    assert pixels(found["i", 0]).tolist() == [[128, 128, 255]]


def graph_of(folder):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    (record,) = [e.graph_def for e in events(folder) if e.graph_def]
    return {node.name: node for node in GraphDef.FromString(record).node}


def test_graphs(tmp_path):
    boxes = [
        Box("x", "input", "Input", (), (None, 3)),
        Box("scope one/a+b", "layer", "Dense", ("x",), (None, 2, 5), details={"units": "5"}),
        Box("scope one/a-b", "operation", "add", ("scope one/a+b", "x")),
        Box("scope one/a*b", "variable", "Variable", (), ()),
        Box("_c", "constant", "constant", (), (2,), "int32"),
    ]
    with EventWriter(tmp_path) as writer:
        writer.graph(boxes)
    nodes = graph_of(tmp_path)
    assert {name: list(node.input) for name, node in nodes.items()} == {
        "x": [], "scope_one/a_b": ["x"], "scope_one/a-b": ["scope_one/a_b", "x"], "scope_one/a_b_1": [], "c": [],
    }  # fmt: skip
    assert [node.op for node in nodes.values()] == ["Placeholder", "Dense", "add", "VariableV2", "Const"]

    def shape(name):
        return [d.size for d in nodes[name].attr["_output_shapes"].list.shape[0].dim]

    assert shape("scope_one/a_b") == [-1, 2, 5] and shape("scope_one/a_b_1") == []
    assert "_output_shapes" not in nodes["scope_one/a-b"].attr
    assert nodes["scope_one/a_b"].attr["units"].s == b"5" and nodes["c"].attr["dtype"].s == b"int32"


def test_embeddings(tmp_path):
    vectors, pictures = np.arange(15.0).reshape(5, 3) / 7, np.arange(40).reshape(5, 2, 4)
    with EventWriter(tmp_path) as writer:
        writer.embeddings('a/"b"', vectors, ["zero", "tab\there", "line\nend", 3, None], pictures, step=2)
        writer.embeddings("plain", vectors)
        writer.embeddings("plain", vectors[:2])
    index = (tmp_path / "projector_config.pbtxt").read_text()
    assert index.count("embeddings {") == 2 and index.count('tensor_name: "plain_00000"') == 1
    folder = tmp_path / "projector" / "a_b__00002"
    assert np.allclose(np.loadtxt(folder / "vectors.tsv"), vectors, rtol=1e-6)
    assert (folder / "labels.tsv").read_text().split("\n") == ["zero", "tab here", "line end", "3", "None", ""]
    assert np.loadtxt(tmp_path / "projector" / "plain_00000" / "vectors.tsv").shape == (2, 3)
    from PIL import Image

    with Image.open(folder / "images.png") as image:
        sheet = np.array(image)
    assert sheet.shape == (6, 12)
    assert np.array_equal(sheet[:2, 4:8], pictures[1]) and np.array_equal(sheet[2:4, :4], pictures[3])
    assert np.array_equal(sheet[2:4, 4:8], pictures[4]) and not sheet[4:].any()


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda w: w.scalar("a", [1, 2], 0), ShapeError, "expected one number, received shape (2,)"),
        (lambda w: w.scalar("a", "high", 0), DataError, "expected numbers, received <U4 values such as 'high'"),
        (lambda w: w.histogram("a", [1j], 0), DataError, "expected numbers, received complex128"),
        (lambda w: w.image("a", np.zeros((2, 3, 3, 2)), 0), ShapeError, "received (2, 3, 3, 2)"),
        (lambda w: w.image("a", np.zeros((5, 8, 8)), 0), ShapeError, "x[..., None] for a batch"),
        (lambda w: w.image("a", np.zeros((0, 8)), 0), ShapeError, "received (0, 8)"),
        (lambda w: w.embeddings("a", np.zeros(3)), ShapeError, "shape (n, d), received (3,)"),
        (lambda w: w.embeddings("a", np.full((2, 2), np.nan)), DataError, "finite vectors"),
        (lambda w: w.embeddings("a", np.zeros((3, 2)), "ab"), ShapeError, "expected 3 labels"),
        (lambda w: w.embeddings("a", np.zeros((3, 2)), images=np.zeros((2, 4, 4))), ShapeError, "expected 3 images"),
        (lambda w: w.embeddings("a", np.zeros((9, 2)), images=np.zeros((9, 4, 3000))), ShapeError, "fewer or smaller"),
    ],
)
def test_wrong_values(call, error, text, tmp_path):
    import re

    with EventWriter(tmp_path) as writer, pytest.raises(error, match=re.escape(text)):
        call(writer)


def test_a_closed_writer_refuses(tmp_path):
    writer = EventWriter(tmp_path)
    writer.close()
    writer.close()
    writer.flush()
    with pytest.raises(NeuroloomError, match=r"tfevents\S+ is closed"):
        writer.scalar("a", 1, 0)


def test_writers_of_one_moment_have_files_of_their_own(tmp_path, monkeypatch):
    clock = iter([7 * 10**9, 7 * 10**9, 7 * 10**9 + 1])  # two are made within one tick
    monkeypatch.setattr("time.time_ns", lambda: next(clock))
    with EventWriter(tmp_path) as one, EventWriter(tmp_path) as other:
        one.scalar("a", 1, 0)
        other.scalar("b", 2, 0)
    assert len(list(tmp_path.iterdir())) == 2 and len(values(tmp_path)) == 2


def test_what_is_flushed_can_be_read(tmp_path):
    writer = EventWriter(tmp_path)
    writer.scalar("a", 1, 0)
    writer.flush()
    assert scalars(tmp_path, "a") == {0: 1}
    writer.close()


def test_a_missing_package_is_an_error_that_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['tensorboardX'] = None\n"
        "from neuroloom.files.events import EventWriter\n"
        f"EventWriter({str(tmp_path)!r})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode and run.stderr.strip().endswith("Run: pip install 'neuroloom[tensorboard]'")


# -------------------------------------------------------------------------------------------------------- the callback


def train(folder, epochs=3, kind="dense", **options):
    model = net(kind)
    x, y = data(kind)
    callback = callbacks.TensorBoard(folder, **options)
    history = model.fit(
        x[:60], y[:60], batch_size=20, epochs=epochs, verbose=0, validation_data=(x[60:], y[60:]), callbacks=callback
    )
    return model, history.history, callback


def test_every_epoch_is_written_with_the_numbers_of_the_history(tmp_path):
    model, history, _ = train(tmp_path)
    for name in ("loss", "accuracy"):
        assert list(scalars(tmp_path / "train", f"epoch_{name}").values()) == np.float32(history[name]).tolist()
        validation = tmp_path / "validation"
        assert list(scalars(validation, f"epoch_{name}").values()) == np.float32(history[f"val_{name}"]).tolist()
        assert list(scalars(validation, f"evaluation_{name}_vs_iterations")) == [3, 6, 9]
    assert scalars(tmp_path / "train", "epoch_learning_rate") == dict.fromkeys(
        range(3), np.float32(model.learning_rate)
    )
    tags = {tag for tag, _ in values(tmp_path / "train")}
    assert tags == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert list(graph_of(tmp_path / "train")) == ["input", "dense", "dense_1"]


@pytest.mark.parametrize("update_freq, steps", [("batch", range(1, 7)), (1, range(1, 7)), (2, [2, 4, 6]), (4, [4])])
def test_steps_are_written_as_often_as_asked(tmp_path, update_freq, steps):
    _, history, callback = train(tmp_path, epochs=2, update_freq=update_freq)
    found = scalars(tmp_path / "train", "batch_loss")
    assert list(found) == list(steps) and not callback.between_steps
    if 6 in found:  # the running mean of an epoch's last step is the epoch's
        assert found[6] == np.float32(history["loss"][1])


def test_without_update_freq_no_step_is_told(tmp_path):
    from neuroloom.learning.callbacks import CallbackList

    assert not CallbackList(callbacks.TensorBoard(tmp_path), None, {}).wants_batches
    assert CallbackList(callbacks.TensorBoard(tmp_path, update_freq=5), None, {}).wants_batches


def test_weights_are_written_every_n_epochs(tmp_path):
    model, _, _ = train(tmp_path, epochs=3, kind="convolution", histogram_freq=2, write_images=True, write_graph=False)
    found = values(tmp_path / "train")
    assert sorted(step for tag, step in found if tag == "conv2d/kernel/histogram") == [0, 2]
    kernel = model.weights["conv2d/kernel"]
    histo = found["conv2d/kernel/histogram", 2].histo
    assert (histo.num, histo.min, histo.max) == (kernel.size, kernel.min(), kernel.max())
    assert {tag for tag, _ in found if tag.endswith("image")} == {f"{v.path}/image" for v in model.weights}
    picture = pixels(found["conv2d/kernel/image", 2])
    assert picture.shape == (2 * 4 - 1, 4 * 4 - 1)  # two channels of 3 x 3 below each other, four filters beside
    tile = np.round((kernel[:, :, 1, 2] - kernel.min()) / (kernel.max() - kernel.min()) * 255)
    assert np.abs(picture[4:7, 8:11] - tile).max() <= 1
    assert pixels(found["dense/kernel/image", 0]).shape == model.weights["dense/kernel"].shape
    assert not [e for e in events(tmp_path / "train") if e.graph_def]


def test_embeddings_are_written_at_the_end(tmp_path):
    model, _, _ = train(tmp_path, embeddings={"dense": list("abcde"), "dense_1": None})
    folder = tmp_path / "train" / "projector"
    assert np.allclose(np.loadtxt(folder / "dense_00009" / "vectors.tsv"), model.weights["dense/kernel"], rtol=1e-5)
    assert (folder / "dense_00009" / "labels.tsv").read_text() == "a\nb\nc\nd\ne\n"
    assert not (folder / "dense_1_00009" / "labels.tsv").exists()


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"histogram_freq": -1}, ConfigurationError, "histogram_freq to be a whole number of at least 0, received -1"),
        ({"update_freq": "step"}, ConfigurationError, "'epoch', 'batch' or a positive whole number of steps"),
        ({"update_freq": 0}, ConfigurationError, "received 0"),
        ({"write_images": 1}, ConfigurationError, "write_images to be True or False"),
        ({"embeddings": {"dens": None}}, ConfigurationError, "no layer 'dens' .* Did you mean 'dense'"),
        ({"embeddings": {"dense": [1, 2]}}, ShapeError, "expected 5 labels for 'dense', received 2"),
    ],
)
def test_wrong_arguments_of_the_callback(options, error, text, tmp_path):
    with pytest.raises(error, match=text):
        train(tmp_path, **options)
    assert not list(tmp_path.rglob("*tfevents*"))


def test_an_error_in_training_leaves_whole_files(tmp_path):
    def fail(epoch, logs):
        if epoch == 1:
            raise RuntimeError("on purpose")

    model, callback = net("dense"), callbacks.TensorBoard(tmp_path, update_freq="batch")
    x, y = data("dense")
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(x, y, epochs=3, verbose=0, callbacks=[callback, callbacks.LambdaCallback(on_epoch_end=fail)])
    assert not callback._writers
    assert len(scalars(tmp_path / "train", "epoch_loss")) == 2


def test_a_resumed_training_cuts_the_files_back(tmp_path):
    states = []

    class Keep(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            states.append(json.loads(json.dumps(board.get_state())))

    board = callbacks.TensorBoard(tmp_path, update_freq="batch")
    model = net("dense")
    x, y = data("dense")
    model.fit(x, y, batch_size=35, epochs=4, verbose=0, callbacks=[board, Keep()])
    (other := tmp_path / "other").mkdir()
    with EventWriter(other) as writer:
        writer.scalar("a", 1, 0)
    with EventWriter(tmp_path / "train") as stray:  # of a training that went on from the same checkpoint
        stray.scalar("epoch_loss", 9, 2)
    again = callbacks.TensorBoard(tmp_path, update_freq="batch")
    again.set_model(model)
    again.on_train_begin()
    again.set_state(states[1])
    assert again.steps == 4 and scalars(other, "a") == {0: 1}
    assert list(scalars(tmp_path / "train", "epoch_loss")) == [0, 1]
    assert list(scalars(tmp_path / "train", "batch_loss")) == [1, 2, 3, 4]
    again.on_epoch_begin(2)
    again.on_train_batch_end(0, {"loss": 0.5})
    again.on_chunk_end(2)
    again.on_epoch_end(2, {"loss": 0.5})
    again.close()
    assert scalars(tmp_path / "train", "batch_loss")[5] == 0.5 and again.steps == 6
    assert list(scalars(tmp_path / "train", "epoch_loss")) == [0, 1, 2]


def test_weights_that_are_not_finite_do_not_end_the_training(tmp_path):
    model, callback = small(), callbacks.TensorBoard(tmp_path, histogram_freq=1)
    callback.set_model(model)
    weights = model.get_weights()
    weights[0][0, 0] = np.nan
    model.set_weights(weights)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        callback.on_epoch_end(0, {"loss": float("nan")})
    callback.close()
    assert len(seen) == 1 and "1 of 6 values" in str(seen[0].message)
    assert np.isnan(scalars(tmp_path / "train", "epoch_loss")[0])
