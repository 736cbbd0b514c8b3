"""How data reach the device: orders, sources, streams, generators."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest

import neuroloom as nl
from nets import binary, same, small
from neuroloom import engines, layers
from neuroloom.errors import DataError
from neuroloom.learning import feed as feed_module
from neuroloom.learning.feed import ArrayFeed, BatchFeed, prefetch, same_arrays


def drawn(feed, epoch=0):
    """The batches of an epoch as lists of row numbers; the rows are {"x": [0, 1, 2, ...]}."""
    taken = (segment.batch(feed.engine, i) for segment in feed.epoch(epoch) for i in range(segment.steps))
    return [feed.engine.to_numpy(batch["x"]).ravel().tolist() for batch in taken]


def numbered(engine, n, batch_size, **settings):
    return ArrayFeed(engine, {"x": np.arange(n), "weight": None}, batch_size, **settings)


# ------------------------------------------------------------------------------------------------------ orders


@pytest.mark.parametrize("n, size, sizes", [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (5, 1, [1] * 5)])
def test_each_sample_once_per_epoch(engine, n, size, sizes):
    feed = numbered(engine, n, size, seed=7)
    assert feed.steps == len(sizes)
    for epoch in range(3):
        batches = drawn(feed, epoch)
        assert [len(b) for b in batches] == sizes
        assert sorted(itertools.chain(*batches)) == list(range(n))


def test_the_shuffle_is_the_same_on_every_engine(engine):
    """Golden: the order is part of what a seed means, in every release."""
    feed = numbered(engine, 10, 4, seed=7)
    assert [drawn(feed, epoch) for epoch in (0, 1)] == GOLDEN


GOLDEN = [[[6, 3, 7, 9], [4, 1, 0, 5], [8, 2]], [[7, 4, 8, 1], [6, 5, 3, 0], [9, 2]]]


def test_rows_laid_out_make_the_same_batches(engine, monkeypatch):
    feed = numbered(engine, 10, 4, seed=7)
    for laid_out in (True, False):
        if not laid_out:
            monkeypatch.setattr(feed_module, "LAID_OUT_BYTES", 0)
        segments = [segment.laid_out(engine) for segment in feed.epoch(0)]
        assert {segment.order is None for segment in segments} == {laid_out}
        assert [[s.room, s.steps] for s in segments] == [[2, 2], [1, 1]]
        batches = [s.batch(engine, i) for s in segments for i in range(s.steps)]
        assert [engine.to_numpy(batch["x"]).ravel().tolist() for batch in batches] == GOLDEN[0]


def test_an_epoch_prepared_is_the_epoch_that_comes(engine):
    feed = numbered(engine, 10, 4, seed=7)
    feed.prepare(1)
    assert drawn(feed, 0) == GOLDEN[0]  # another one than was prepared
    feed.prepare(1)
    assert drawn(feed, 1) == GOLDEN[1]


def test_epochs_differ_and_repeat_with_the_seed():
    jax = engines.load("jax")
    orders = [numbered(jax, 50, 50, seed=seed).order(epoch).tolist() for seed in (1, 2) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert numbered(jax, 50, 50, seed=1).order(0).tolist() == orders[0]


def test_without_shuffle_the_order_is_kept(engine):
    assert drawn(numbered(engine, 5, 2)) == [[0, 1], [2, 3], [4]]


def test_steps_per_epoch_takes_that_many_batches(engine):
    feed = numbered(engine, 10, 3, seed=7, steps=2)
    assert feed.steps == 2
    epochs = [drawn(feed, epoch) for epoch in range(8)]
    assert all([len(b) for b in batches] == [3, 3] for batches in epochs)
    assert len(set(itertools.chain(*itertools.chain(*epochs)))) == 10  # of all samples, others each time


# ----------------------------------------------------------------------------------------------------- streams


@pytest.fixture
def streaming(monkeypatch):
    """As if memory were too small for any data; two batches of eight rows make a segment."""
    monkeypatch.setattr(feed_module, "RESIDENT_SHARE", 0.0)
    monkeypatch.setattr(feed_module, "SEGMENT_BYTES", 200)


@pytest.mark.parametrize("n", [16, 17, 40, 43, 5])
def test_a_stream_gives_the_batches_of_resident_data(engine, streaming, n):
    stream, resident = numbered(engine, n, 8, seed=7), numbered(engine, n, 8, seed=7)
    resident.resident = True
    assert not stream.resident
    assert drawn(stream) == drawn(resident)
    assert len(list(stream.epoch(0))) > (1 if n > 25 else 0)


def test_streamed_training_is_resident_training_bit_for_bit(training_engine, tmp_path, monkeypatch):
    x, y = binary(n=83)
    file = np.memmap(tmp_path / "x.bin", "float32", "w+", shape=x.shape)
    file[:] = x
    models, histories = [], []
    for streamed in (False, True):
        if streamed:
            monkeypatch.setattr(feed_module, "RESIDENT_SHARE", 0.0)
            monkeypatch.setattr(feed_module, "SEGMENT_BYTES", 300)
        nl.utils.set_random_seed(6)
        models.append(small(metrics=["acc"]))
        source = np.memmap(tmp_path / "x.bin", "float32", "r", shape=x.shape) if streamed else x
        given = {"validation_data": (x[:30], y[:30]), "sample_weight": np.linspace(0.1, 2, 83), "verbose": 0}
        histories.append(models[-1].fit(source, y, batch_size=8, epochs=3, **given).history)
    assert histories[0] == histories[1]
    assert same(*models)


def test_a_memory_map_that_streams_is_read_in_pieces(streaming, tmp_path):
    """What a chunk of steps needs is uploaded, and no more than two segments are alive."""
    engine, uploads = engines.load("jax"), []
    rows = {"x": np.arange(80)}
    feed = ArrayFeed(engine, rows, 8)
    upload = feed._upload
    feed._upload = lambda index, length: uploads.append(len(index)) or upload(index, length)
    epoch = feed.epoch(0)
    next(epoch)
    assert sum(uploads) < 80
    epoch.close()


def test_prefetch_keeps_order_and_hands_errors_on():
    assert list(prefetch(lambda i: i * i, range(5))) == [0, 1, 4, 9, 16]
    assert list(prefetch(lambda i: i, [])) == []
    results = prefetch(lambda i: 1 // (2 - i), range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


# ------------------------------------------------------------------------------------------------ inputs as bytes


def test_bytes_hold_what_they_hold_exactly(monkeypatch):
    monkeypatch.setattr(feed_module, "NARROW_BYTES", 0)
    x = np.random.default_rng(0).integers(0, 256, (50, 3)).astype("float32")
    small = feed_module.narrowed(x)
    assert small.dtype == np.uint8 and np.array_equal(small, x)
    for view in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2]):
        assert np.array_equal(feed_module.narrowed(view), x) and feed_module.narrowed(view).dtype == np.uint8
    for other in (x.astype("int32"), x.astype("float64"), x > 3):
        assert feed_module.narrowed(other) is other


@pytest.mark.parametrize("bad", [0.5, 256.0, -1.0, -0.0, 1e9, -1e-30])
@pytest.mark.parametrize("row", [0, 49])
def test_other_numbers_stay_as_they_are(monkeypatch, bad, row):
    monkeypatch.setattr(feed_module, "NARROW_BYTES", 0)
    x = np.ones((50, 200_000 if row else 3), "float32")  # several pieces, the last with another number
    x[row, -1] = bad
    assert feed_module.narrowed(x) is x


def test_training_on_bytes_is_training_on_floats_bit_for_bit(training_engine, monkeypatch):
    x, y = binary(n=83)
    x = np.round(x * 10) % 7 + 0.0
    models, histories = [], []
    for least in (1 << 40, 0):
        monkeypatch.setattr(feed_module, "NARROW_BYTES", least)
        nl.utils.set_random_seed(6)
        models.append(small(metrics=["acc"]))
        given = {"validation_data": (x[:30], y[:30]), "batch_size": 8, "epochs": 3, "verbose": 0}
        histories.append(models[-1].fit(x, y, **given).history)
        assert models[-1].evaluate(x, y, verbose=0) == models[0].evaluate(x, y, verbose=0)
    assert histories[0] == histories[1]
    assert same(*models)


def test_targets_and_weights_keep_their_type(monkeypatch):
    monkeypatch.setattr(feed_module, "NARROW_BYTES", 0)
    engine, ones = engines.load("jax"), np.ones((8, 2), "float32")
    feed = ArrayFeed(engine, {"x": [ones, ones / 2], "y": [ones.copy()], "weight": ones[:, 0]}, 4)
    rows = next(feed.epoch(0)).rows
    assert [str(a.dtype) for a in (*rows["x"], *rows["y"], rows["weight"])] == ["uint8", *["float32"] * 3]


@pytest.mark.parametrize("narrow_bytes", [0, 1 << 30], ids=["bytes", "floats"])
def test_targets_that_are_the_inputs_are_kept_once(training_engine, monkeypatch, narrow_bytes):
    """An autoencoder's: with the validation's and the last, smaller batch's the numbers of a copy of the inputs."""
    monkeypatch.setattr(feed_module, "NARROW_BYTES", narrow_bytes)
    kept, on_device = [], ArrayFeed._on_device

    def note(feed):
        kept.append(on_device(feed))
        return kept[-1]

    monkeypatch.setattr(ArrayFeed, "_on_device", note)
    x = np.random.default_rng(0).integers(0, 2, (45, 6)).astype("float32")
    histories, models = [], []
    for y in (x, x.copy(), 1 - x):
        nl.utils.set_random_seed(3)
        inputs = nl.Input((6,))
        code = nl.layers.Dense(3, activation="tanh")(inputs)
        models.append(nl.Model(inputs, nl.layers.Dense(6, activation="sigmoid")(code)))
        models[-1].compile("adam", "binary_crossentropy", metrics=["mae"])
        histories.append(models[-1].fit(x, y, batch_size=8, epochs=3, validation_split=0.2, verbose=0).history)
    assert histories[0] == histories[1] != histories[2]
    assert same(*models[:2])
    assert [rows["y"][0] is None for rows in kept] == [True] * 2 + [False] * 4  # training and validation of each


def test_each_target_finds_its_input():
    a, b = np.ones((4, 2), "float32"), np.zeros((4, 2), "float32")
    assert same_arrays({"x": [a, b], "y": [b[:], None, a.copy(), a]}) == ((0, 1, "float32"), (3, 0, "float32"))
    assert same_arrays({"x": [a], "y": [a[::2], a.T, a[:, :1], a.view("int32")]}) == ()
    assert same_arrays({"x": a}) == ()


# ----------------------------------------------------------------------------------------------------- sources


def forms(x, y):
    """The same data in every form that fit takes."""
    frame = pd.DataFrame(x, columns=["a", "b"])
    return {
        "arrays": (x, y),
        "doubles": (x.astype("float64"), y.astype("int64")),
        "column": (x, y[:, None]),
        "lists": (x.tolist(), y.tolist()),
        "tuples": (tuple(map(tuple, x.tolist())), tuple(y.tolist())),
        "pandas": (frame, pd.Series(y)),
        "pandas, odd index": (frame.set_index(pd.Index(range(100, 100 + len(x)))), pd.DataFrame({"y": y})),
        "polars": (pl.DataFrame({"a": x[:, 0], "b": x[:, 1]}), pl.Series(y)),
        "strided": (np.asfortranarray(x), np.repeat(y, 2)[::2]),
        "jax": (engines.load("jax").asarray(x), engines.load("jax").asarray(y)),
        "torch": (engines.load("torch").asarray(x), engines.load("torch").asarray(y)),
    }


@pytest.mark.parametrize("form", forms(*binary(n=4)))
def test_every_source_trains_the_same(training_engine, form):
    x, y = binary(n=21)
    models = []
    for given in ((x, y), forms(x, y)[form]):
        nl.utils.set_random_seed(6)
        models.append(small())
        models[-1].fit(*given, batch_size=8, epochs=2, verbose=0)
    assert same(*models)
    assert np.array_equal(models[0].predict(x), models[1].predict(given[0]))


def test_whole_numbers_reach_the_network_as_its_input_wants():
    """Pixels from 0 to 255 stay small on the host and become floats on the device; ids stay whole."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(2,))])
    model.set_weights([[[1.0], [0.5]]])
    assert model.predict(np.array([[200, 100]], "uint8")).tolist() == [[250.0]]
    lookup = nl.Sequential([layers.Embedding(300, 1, input_shape=(1,))])
    lookup.set_weights([np.arange(300)[:, None]])
    for dtype in ("uint8", "int64", "float32"):
        assert lookup.predict(np.array([[250]], dtype)).tolist() == [[[250.0]]]


def two_inputs():
    a, b = nl.Input((2,), name="a"), nl.Input((1,), name="b")
    y = layers.Dense(1, name="y")(layers.Concatenate()([a, b]))
    return a, b, y


def test_several_inputs_as_list_tuple_and_dict():
    a, b, y = two_inputs()
    by_list, by_dict = nl.Model([a, b], y), nl.Model({"a": a, "b": b}, {"y": y})
    x = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [6.0]])]
    expected = by_list.predict(x)
    assert np.array_equal(by_list.predict(tuple(x)), expected)
    assert np.array_equal(by_list.predict({"b": x[1], "a": x[0]}), expected)
    assert np.array_equal(by_dict.predict({"b": x[1], "a": x[0]})["y"], expected)
    one = nl.Model(a, layers.Dense(1)(a))
    assert np.array_equal(one.predict({"a": x[0]}), one.predict(x[0]))
    assert np.array_equal(one.predict([x[0]]), one.predict(x[0]))


def test_models_of_dicts_train(training_engine):
    a, b, y = two_inputs()
    model = nl.Model({"a": a, "b": b}, {"y": y, "z": layers.Dense(2, name="other")(a)})
    model.compile("sgd", {"y": "mse", "z": "mae"}, metrics={"z": ["mse"]})
    rng = np.random.default_rng(2)
    x = {"a": rng.normal(size=(9, 2)), "b": rng.normal(size=(9, 1))}
    target = {"z": rng.normal(size=(9, 2)), "y": rng.normal(size=(9, 1))}
    history = model.fit(x, target, epochs=3, batch_size=4, verbose=0, validation_split=0.3).history
    assert list(history)[:4] == ["loss", "y_loss", "z_loss", "z_mse"] and len(history) == 8
    assert history["loss"][-1] < history["loss"][0]
    assert history["loss"][0] == pytest.approx(history["y_loss"][0] + history["z_loss"][0], rel=1e-5)


# -------------------------------------------------------------------------------------------------- generators


def batches(x, y, size, weights=None):
    """The data in batches, once."""
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        yield (x[part], y[part]) if weights is None else (x[part], y[part], weights[part])


class Loader:
    """Batches that can be started anew, as a data loader's."""

    def __init__(self, x, y, size):
        self.x, self.y, self.size, self.started = x, y, size, 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __iter__(self):
        self.started += 1
        return batches(self.x, self.y, self.size)


def trained(*args, **kwargs):
    nl.utils.set_random_seed(6)
    model = small(metrics=["acc"])
    history = model.fit(*args, verbose=0, **kwargs)
    return model, history.history


def test_a_loader_trains_like_arrays_without_shuffle(training_engine):
    """83 samples in batches of 8: 10 whole ones and one of 3, three epochs."""
    x, y = binary(n=83)
    loader = Loader(x, y, 8)
    one, h1 = trained(x, y, batch_size=8, epochs=3, shuffle=False)
    two, h2 = trained(loader, epochs=3)
    assert h1 == h2 and same(one, two)
    assert loader.started == 3 + 1  # and once to look at the first batch


def test_a_finite_generator_is_one_epoch(training_engine):
    x, y = binary(n=20)
    weights = np.linspace(0, 2, 20).astype("float32")
    one, h1 = trained(x, y, batch_size=8, shuffle=False, sample_weight=weights)
    two, h2 = trained(batches(x, y, 8, weights))
    assert h1 == h2 and same(one, two)


def test_an_endless_generator_with_steps_per_epoch(training_engine):
    x, y = binary(n=24)
    endless = itertools.cycle(list(batches(x, y, 8)))
    one, h1 = trained(x, y, batch_size=8, shuffle=False, epochs=2)
    two, h2 = trained(endless, steps_per_epoch=3, epochs=2)
    assert h1 == h2 and same(one, two)


def test_an_endless_generator_goes_on_where_the_last_epoch_ended():
    taken = []

    def source():
        for i in itertools.count():
            taken.append(i)
            yield np.full((2, 2), i, "float32"), np.zeros((2, 1))

    feed = BatchFeed(engines.load("jax"), ({"x": x} for x, _ in source()), steps=3)
    assert [b[0] for b in drawn(feed)] == [0, 1, 2]
    assert [b[0] for b in drawn(feed, 1)] == [3, 4, 5]
    assert taken == list(range(6))


def test_batches_of_unequal_sizes(training_engine):
    x, y = binary(n=20)
    cuts = [(0, 5), (5, 10), (10, 11), (11, 18), (18, 20)]
    model, history = trained([(x[a:b], y[a:b]) for a, b in cuts].__iter__())
    nl.utils.set_random_seed(6)
    other = small(metrics=["acc"])
    logs = [other.train_on_batch(x[a:b], y[a:b]) for a, b in cuts]
    assert same(model, other)
    mean = sum(log["loss"] * (b - a) for log, (a, b) in zip(logs, cuts, strict=True)) / 20
    assert history["loss"][0] == pytest.approx(mean, rel=1e-5)


def test_class_weights_of_a_generator_need_not_occur_in_every_batch():
    x, y = binary(n=16)
    order = np.argsort(y, kind="stable")
    one, _ = trained(Loader(x[order], y[order], 4), class_weight={0: 0.5, 1: 2.0})
    two, _ = trained(x[order], y[order], batch_size=4, shuffle=False, class_weight={0: 0.5, 1: 2.0})
    assert same(one, two)


def test_evaluate_takes_generators():
    x, y = binary(n=20)
    model = small(metrics=["acc"])
    whole = model.evaluate(x, y, verbose=0)
    assert model.evaluate(batches(x, y, 6), verbose=0) == pytest.approx(whole, rel=1e-5)


def test_a_sequential_learns_its_shape_from_the_first_batch():
    x, y = binary(n=12)
    model = nl.Sequential([layers.Dense(3), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    model.fit(batches(x, y, 5), verbose=0)
    assert model.input_shape == (None, 2)


def test_a_generator_that_ends_too_early_says_so():
    x, y = binary(n=16)
    with pytest.raises(DataError, match=r"3 batches.*ended after 2.*steps_per_epoch"):
        small().fit(batches(x, y, 8), steps_per_epoch=3, verbose=0)
    with pytest.raises(DataError, match=r"at least one batch.*started anew"):
        small().fit(batches(x, y, 8), epochs=2, verbose=0)
    with pytest.raises(DataError, match="gives none"):
        small().fit(iter([]), verbose=0)


def test_an_epoch_may_have_more_or_fewer_batches_than_the_last():
    """Nothing is cut off after the number of the first epoch."""
    x, y = binary(n=16)

    class Growing(Loader):
        def __iter__(self):
            self.started += 1
            return itertools.islice(batches(self.x, self.y, 2), (0, 1, 3, 8, 1)[self.started])

    seen = []
    keep = nl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, _: seen.append(batch))
    model = small()
    model.fit(Growing(x, y, 2), epochs=3, verbose=0, callbacks=[keep])
    assert seen == [*range(3), *range(8), *range(1)]
    assert model.history.params["steps"] == 8  # what the loader's length says, for the display


def test_an_error_inside_a_generator_comes_out_and_leaves_the_model_usable():
    x, y = binary(n=16)

    def broken():
        yield from batches(x, y, 4)
        raise OSError("the disk is gone")

    model = small()
    with pytest.raises(DataError, match=r"batch 5 of epoch 1 with OSError: the disk is gone") as error:
        model.fit(broken(), verbose=0)
    assert isinstance(error.value.__cause__, OSError)
    model.fit(x, y, verbose=0)
