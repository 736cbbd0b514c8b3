"""One step of learning, against numbers worked out by hand in float64."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, tree
from neuroloom.layers.parts import specs_of
from neuroloom.learning import Plan
from tolerances import assert_close

X = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]])
Y = np.array([[1.0], [0.0], [1.0]])
W1, B1 = np.array([[0.1, -0.4, 0.7], [0.3, 0.2, -0.5]]), np.array([0.05, -0.1, 0.2])
W2, B2 = np.array([[0.6], [-0.9], [0.4]]), np.array([-0.15])


def model_231(optimizer="sgd", metrics=(), **dense):
    """A network of 2 inputs, 3 tanh units and 1 sigmoid unit, with the weights above."""
    model = nl.Sequential(
        [layers.Dense(3, activation="tanh", input_shape=(2,), **dense), layers.Dense(1, activation="sigmoid")]
    )
    model.set_weights([W1, B1, W2, B2])
    model.compile(optimizer, "binary_crossentropy", metrics=list(metrics))
    return model


def forward(x, w1=W1, b1=B1, w2=W2, b2=B2):
    """Hidden values and probabilities."""
    h = np.tanh(x @ w1 + b1)
    return h, 1 / (1 + np.exp(-(h @ w2 + b2)))


def loss(p, y=Y):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def gradients(x, y, weight=None):
    """∂loss/∂(W1, b1, W2, b2) by the chain rule; the loss is Σ weight · value / n."""
    h, p = forward(x)
    dz2 = (p - y) / len(x) * (1.0 if weight is None else np.asarray(weight)[:, None])
    dz1 = dz2 @ W2.T * (1 - h**2)
    return [x.T @ dz1, dz1.sum(0), h.T @ dz2, dz2.sum(0)]


def close(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert_close(a, np.asarray(b, "float32"), terms=30)


def test_gradients_are_those_worked_by_hand(training_engine):
    model = model_231(nl.optimizers.SGD(learning_rate=1.0))
    model.fit(X, Y, batch_size=3, verbose=0)
    close(
        [old - new for old, new in zip([W1, B1, W2, B2], model.get_weights(), strict=True)],
        gradients(X, Y),
    )


def test_the_logged_loss_is_that_before_the_update(training_engine):
    history = model_231().fit(X, Y, batch_size=3, verbose=0)
    assert_close(np.float32(history.history["loss"][0]), np.float32(loss(forward(X)[1])), terms=30)


def test_two_steps_with_momentum(training_engine):
    """v ← 0.9 v - 0.1 g, w ← w + v: after two equal batches of the data, by hand."""
    model = model_231(nl.optimizers.SGD(0.1, momentum=0.9))
    weights = [W1, B1, W2, B2]
    velocity = [0 * w for w in weights]
    for _ in range(2):
        h, p = forward(X, *weights)
        dz2 = (p - Y) / 3
        dz1 = dz2 @ weights[2].T * (1 - h**2)
        grads = [X.T @ dz1, dz1.sum(0), h.T @ dz2, dz2.sum(0)]
        velocity = [0.9 * v - 0.1 * g for v, g in zip(velocity, grads, strict=True)]
        weights = [w + v for w, v in zip(weights, velocity, strict=True)]
    model.fit(X, Y, batch_size=3, epochs=2, verbose=0, shuffle=False)
    close(model.get_weights(), weights)


def test_sample_weights_scale_gradients_and_the_loss_but_not_the_count(training_engine):
    weight = np.array([0.5, 3.0, 0.0])
    model = model_231(nl.optimizers.SGD(1.0), metrics=["acc"])
    history = model.fit(X, Y, batch_size=3, verbose=0, sample_weight=weight).history
    close([a - b for a, b in zip([W1, B1, W2, B2], model.get_weights(), strict=True)], gradients(X, Y, weight))
    p = forward(X)[1]
    values = -(Y * np.log(p) + (1 - Y) * np.log(1 - p))[:, 0]
    assert history["loss"][0] == pytest.approx((weight * values).sum() / 3, rel=1e-5)
    assert history["acc"][0] == pytest.approx(np.mean((p > 0.5) == Y), rel=1e-6)


def test_class_weights_are_sample_weights(training_engine):
    one, other = model_231(), model_231()
    one.fit(X, Y, verbose=0, class_weight={0: 5.0, 1: 0.25})
    other.fit(X, Y, verbose=0, sample_weight=[0.25, 5.0, 0.25])
    close(one.get_weights(), other.get_weights())


@pytest.mark.parametrize("kind", ["l1", "l2", "l1_l2"])
def test_penalties_are_part_of_loss_and_gradient(training_engine, kind):
    l1, l2 = {"l1": (0.03, 0.0), "l2": (0.0, 0.02), "l1_l2": (0.03, 0.02)}[kind]
    regularizer = nl.regularizers.L1L2(l1, l2)
    model = model_231(nl.optimizers.SGD(1.0), kernel_regularizer=regularizer)
    history = model.fit(X, Y, batch_size=3, verbose=0)
    expected = gradients(X, Y)
    expected[0] = expected[0] + l1 * np.sign(W1) + 2 * l2 * W1
    close([a - b for a, b in zip([W1, B1, W2, B2], model.get_weights(), strict=True)], expected)
    penalty = l1 * np.abs(W1).sum() + l2 * (W1**2).sum()
    assert history.history["loss"][0] == pytest.approx(loss(forward(X)[1]) + penalty, rel=1e-5)


def test_evaluate_counts_penalties_too(training_engine):
    model = model_231(kernel_regularizer=nl.regularizers.L1L2(0.0, 0.02))
    expected = loss(forward(X)[1]) + 0.02 * (W1**2).sum()
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_running_mean_weighs_batches_by_their_size(training_engine):
    """Batches of 2 and 1 rows: the second row of the log is the mean over 3 samples."""
    model, rows = model_231(nl.optimizers.SGD(1e-12), metrics=["mae"]), []
    keep = nl.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: rows.append(logs))
    model.fit(X, Y, batch_size=2, shuffle=False, verbose=0, callbacks=[keep])
    p = forward(X)[1]
    assert rows[0]["loss"] == pytest.approx(loss(p[:2], Y[:2]), rel=1e-5)
    assert rows[1]["loss"] == pytest.approx(loss(p, Y), rel=1e-5)
    assert rows[0]["mae"] == pytest.approx(np.abs(p - Y)[:2].mean(), rel=1e-5)
    assert rows[1]["mae"] == pytest.approx(np.abs(p - Y).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "activation, loss_name, wrong",
    [("sigmoid", "binary_crossentropy", 300.0), ("softmax", "categorical_crossentropy", 600.0)],
)
def test_a_saturated_output_has_an_exact_loss_and_a_gradient(training_engine, activation, loss_name, wrong):
    """-log sigmoid(-300) is 300, which no probability in 32 bits can tell."""
    units = 1 if activation == "sigmoid" else 2
    model = nl.Sequential([layers.Dense(units, activation=activation, use_bias=False, input_shape=(1,))])
    kernel = np.array([[-300.0]] if units == 1 else [[-300.0, 300.0]])
    model.set_weights([kernel])
    model.compile(nl.optimizers.SGD(1.0), loss_name)
    y = [[1.0]] if units == 1 else [[1.0, 0.0]]
    history = model.fit(np.ones((1, 1)), np.array(y), verbose=0)
    assert history.history["loss"] == [pytest.approx(wrong)]
    assert_close(model.get_weights()[0], (kernel - (-1.0 if units == 1 else [[-1.0, 1.0]])).astype("float32"))


@pytest.mark.parametrize("from_logits", [False, True])
def test_logits_are_not_activated_twice(training_engine, from_logits):
    loss_object = nl.losses.BinaryCrossentropy(from_logits=from_logits)
    model = nl.Sequential(
        [layers.Dense(1, activation=None if from_logits else "sigmoid", use_bias=False, input_shape=(1,))]
    )
    model.set_weights([[[1.5]]])
    model.compile("sgd", loss_object, metrics=["acc"])
    expected = np.mean([np.log1p(np.exp(-1.5 * 0.4)), np.log1p(np.exp(1.5 * 0.2))])
    values = model.evaluate([[0.4], [0.2]], [1, 0], verbose=0)
    assert values == [pytest.approx(expected, rel=1e-5), 0.5]


def test_an_output_that_another_layer_uses_keeps_its_activation(training_engine):
    x = nl.Input((2,))
    p = layers.Dense(2, activation="softmax", name="p")(x)
    model = nl.Model(x, [p, layers.Dense(1, name="q")(p)])
    model.compile("sgd", {"p": "categorical_crossentropy", "q": "mse"})
    data = np.array([[1.0, 2.0], [3.0, -1.0]])
    targets = [np.eye(2), np.ones((2, 1))]
    p, q = model.predict(data)
    loss, p_loss, q_loss = model.evaluate(data, targets, verbose=0)
    assert p_loss == pytest.approx(-np.log(np.diag(p)).mean(), rel=1e-5)
    assert q_loss == pytest.approx(np.mean((q - 1) ** 2), rel=1e-5)
    assert loss == pytest.approx(p_loss + q_loss, rel=1e-6)


def test_statistics_move_in_training_and_only_there(training_engine):
    """Batch normalization: m ← 0.9 m + 0.1 mean(x), v ← 0.9 v + 0.1 var(x), by hand from 0 and 1."""
    model = nl.Sequential([layers.BatchNormalization(momentum=0.9, input_shape=(2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.evaluate(X, Y, verbose=0)
    weights = dict(model.weights.items())
    assert not weights["batch_normalization/moving_mean"].any()
    model.fit(X, Y, batch_size=3, verbose=0)
    weights = dict(model.weights.items())
    assert_close(weights["batch_normalization/moving_mean"], (0.1 * X.mean(0)).astype("float32"), terms=3)
    assert_close(weights["batch_normalization/moving_variance"], (0.9 + 0.1 * X.var(0)).astype("float32"), terms=3)


def test_layers_that_are_not_trainable_stay(training_engine):
    model = nl.Sequential([layers.Dense(3, activation="tanh", trainable=False, input_shape=(2,)), layers.Dense(1)])
    model.compile("adam", "mse")
    before = dict(model.weights.items())
    model.fit(X, Y, epochs=2, verbose=0)
    after = dict(model.weights.items())
    assert [path for path in before if not np.array_equal(before[path], after[path])] == [
        "dense_1/kernel",
        "dense_1/bias",
    ]
    assert model.trainable_weights.keys() == ["dense_1/kernel", "dense_1/bias"]


def test_gradients_are_clipped_before_the_update(training_engine):
    model = model_231(nl.optimizers.SGD(1.0, clipvalue=0.01))
    model.fit(X, Y, batch_size=3, verbose=0)
    expected = [np.clip(g, -0.01, 0.01) for g in gradients(X, Y)]
    moved = [a - b for a, b in zip([W1, B1, W2, B2], model.get_weights(), strict=True)]
    for a, b in zip(moved, expected, strict=True):
        assert np.allclose(a, b, atol=2e-7)


# -------------------------------------------------------------------------------------------- structure of a task


def task(rate=0.01, units=3, precision="float32", **settings):
    model = nl.Sequential([layers.Dense(units, input_shape=(2,)), layers.Dense(1, activation="sigmoid")])
    plan = Plan.of(nl.optimizers.Adam(rate, **settings), "binary_crossentropy", ["acc"], None, precision)
    return plan.task(model.network)


def test_the_signature_leaves_the_learning_rate_out_and_nothing_else():
    assert task(0.01).signature() == task(0.5).signature()
    assert len({task(), task(units=4)}) == 2
    others = [task(units=4), task(beta_1=0.8), task(clipnorm=1.0), task(precision="bfloat16")]
    assert task().signature() not in [other.signature() for other in others]
    schedule = nl.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    assert task(schedule).signature() != task().signature()
    hash(task(schedule).signature())


def test_a_detached_task_holds_no_weights_and_ends_in_logits():
    whole = task()
    whole.network.initialize(3, "")
    bare = whole.detached()
    assert bare.endings == ("sigmoid",)
    assert [layer.activation for layer in whole.network.layers.values()] == ["linear", "sigmoid"]
    assert all(layer.cell.arrays is None for layer in bare.network.layers.values())
    assert [layer.activation for layer in bare.network.layers.values()] == ["linear", "linear"]
    assert list(specs_of(bare.network)) == list(specs_of(whole.network))
    assert tree.leaves(whole.network.arrays())


def test_an_ending_inside_a_nested_model_goes_into_the_loss_too(training_engine):
    inner = nl.Sequential([layers.Dense(1, activation="sigmoid", use_bias=False, input_shape=(1,))])
    model = nl.Sequential([inner])
    model.set_weights([[[-200.0]]])
    model.compile("sgd", "binary_crossentropy")
    assert model.evaluate([[1.0]], [[1.0]], verbose=0) == pytest.approx(200.0)


def test_columns_name_every_number_of_the_log():
    x = nl.Input((2,))
    model = nl.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(2, name="b")(x), layers.Dense(3, name="c")(x)])
    model.compile("sgd", ["mse", None, "mae"], metrics={"a": ["mae", "mse"], "c": "mse"})
    assert model.metrics_names == ["loss", "a_loss", "c_loss", "a_mae", "a_mse", "c_mse"]
