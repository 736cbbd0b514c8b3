"""Learners: losses of a user's own, several networks and optimizers, as one compiled program."""

import copy

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import callbacks, layers, ops
from neuroloom.errors import ConfigurationError, DataError, NonFiniteError
from neuroloom.learning.loop import compilations
from neuroloom.models import Learner, Move

rng = np.random.default_rng(0)
X = rng.normal(size=(96, 5)).astype("float32")
Y = (X @ rng.normal(size=(5, 1))).astype("float32")
ENGINES = ["jax", "torch", "numpy"]


class Regression(Learner):
    """The squared error, as `compile` would have it."""

    def loss(self, nets, batch, ctx):
        return ops.mean((nets.net(batch.x) - batch.y) ** 2)


class Variational(Learner):
    """A variational autoencoder with two latent numbers."""

    def loss(self, nets, batch, ctx):
        code = nets.encoder(batch.x)
        mean, log_var = code[:, :2], code[:, 2:]
        z = mean + ops.exp(0.5 * log_var) * ctx.normal(mean.shape)
        kl = ops.mean(ops.sum(-0.5 * (1 + log_var - mean**2 - ops.exp(log_var)), axis=1))
        return ops.mean(ops.sum((nets.decoder(z) - batch.x) ** 2, axis=1)) + kl, {"kl": kl}


class Adversarial(Learner):
    """A generator against a critic, which has five moves for each of its own."""

    moves = (Move("critic", times=5), Move("generator"))

    def fakes(self, nets, batch, ctx):
        return nets.generator(ctx.normal((batch.x.shape[0], 2)))

    def critic_loss(self, nets, batch, ctx):
        real, fake = nets.critic(batch.x), nets.critic(self.fakes(nets, batch, ctx))
        return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)), {"gap": ops.mean(real) - ops.mean(fake)}

    def generator_loss(self, nets, batch, ctx):
        return ops.mean(ops.softplus(-nets.critic(self.fakes(nets, batch, ctx))))


def chain(*units, last=None):
    hidden = [layers.Dense(n, activation="tanh") for n in units[:-1]]
    return nl.Sequential([*hidden, layers.Dense(units[-1], activation=last)])


def vae():
    return Variational(encoder=chain(8, 4), decoder=chain(8, 5))


def gan():
    return Adversarial(critic=chain(8, 1), generator=chain(8, 5))


def regression():
    return Regression(net=chain(4, 1))


MADE = {"vae": vae, "gan": gan, "regression": regression}


def compiled(make, optimizer="adam"):
    nl.utils.set_random_seed(7)
    learner = make()
    learner.compile(optimizer)
    return learner


def data(name):
    return (X, Y) if name == "regression" else (X,)


# ------------------------------------------------------------------------------------------------- right numbers


@pytest.mark.parametrize("name", MADE)
def test_curves_agree_over_fifty_steps(name):
    curves = []
    for engine in ENGINES:
        learner = compiled(MADE[name])
        history = learner.fit(*data(name), epochs=17, batch_size=32, verbose=0, engine=engine).history
        curves.append(np.array(list(history.values())))
    for curve in curves[1:]:
        np.testing.assert_allclose(curve, curves[0], rtol=1e-4, atol=1e-5)
    assert curves[0].shape[1] * 3 > 50


@pytest.mark.parametrize("engine", ENGINES)
def test_a_learner_of_the_squared_error_is_a_compiled_model(engine):
    learner = compiled(regression, nl.optimizers.Adam(0.01))
    nl.utils.set_random_seed(7)
    model = chain(4, 1)
    model.compile(nl.optimizers.Adam(0.01), "mse")
    learner.fit(X, Y, epochs=1, verbose=0, shuffle=False, engine=engine)
    model.fit(X, Y, epochs=1, verbose=0, shuffle=False, engine=engine)
    weights = [np.ones_like(w) * 0.1 for w in model.get_weights()]
    learner, again = compiled(regression, nl.optimizers.Adam(0.01)), chain(4, 1)
    again.build((None, 5))
    learner.net.build((None, 5))
    again.compile(nl.optimizers.Adam(0.01), "mse")
    again.set_weights(weights)
    learner.net.set_weights(weights)
    a = learner.fit(X, Y, epochs=4, shuffle=False, verbose=0, engine=engine).history["loss"]
    b = again.fit(X, Y, epochs=4, shuffle=False, verbose=0, engine=engine).history["loss"]
    np.testing.assert_allclose(a, b, rtol=1e-5)
    for one, other in zip(learner.net.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


class TwoMoves(Learner):
    """a ← a - 0.1 d/da (a·b)², twice; then b ← b - 0.5 d/db (a·b - 1)²: by hand below."""

    moves = (Move("a", times=2), Move("b"))

    def a_loss(self, nets, batch, ctx):
        return ops.mean((nets.a(batch.x) * nets.b(batch.x)) ** 2)

    def b_loss(self, nets, batch, ctx):
        return ops.mean((nets.a(batch.x) * nets.b(batch.x) - 1) ** 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_moves_are_taken_in_order_each_with_its_optimizer(engine):
    a, b = (layers.Dense(1, use_bias=False, kernel_initializer="ones") for _ in range(2))
    learner = TwoMoves(a=a, b=b)
    learner.compile({"a": nl.optimizers.SGD(0.1), "b": nl.optimizers.SGD(0.5)})
    learner.fit(np.ones((4, 1)), batch_size=4, verbose=0, engine=engine)
    u, v = 1.0, 1.0
    for _ in range(2):
        u -= 0.1 * 2 * u * v * v
    last_a = (u / (1 - 0.2) * v) ** 2  # the loss before the second step
    last_b = (u * v - 1) ** 2
    v -= 0.5 * 2 * (u * v - 1) * u
    np.testing.assert_allclose([a.get_weights()[0].item(), b.get_weights()[0].item()], [u, v], rtol=1e-6)
    history = learner.history.history
    np.testing.assert_allclose([history["a_loss"][0], history["b_loss"][0]], [last_a, last_b], rtol=1e-5)
    np.testing.assert_allclose(history["loss"][0], last_a + last_b, rtol=1e-5)


def test_random_numbers_are_fresh_at_each_move_and_step():
    seen = []

    class Drawing(Learner):
        """A loss that is a random number plus a bit of the weight."""

        moves = (Move("net", times=2),)

        def net_loss(self, nets, batch, ctx):
            return ops.mean(nets.net(batch.x)) * 0 + ops.sum(ctx.normal((1,)))

    for _ in range(2):
        learner = compiled(lambda: Drawing(net=layers.Dense(1)), "sgd")
        rows = []
        note = callbacks.LambdaCallback(on_train_batch_end=lambda i, logs, rows=rows: rows.append(logs["loss"]))
        learner.fit(X, batch_size=32, epochs=2, verbose=0, callbacks=[note])
        seen.append(rows)
    assert seen[0] == seen[1]  # the same seed
    assert len(set(seen[0])) == len(seen[0]) == 6


# ----------------------------------------------------------------------------------------------- one program


def test_a_second_learner_of_the_structure_compiles_nothing():
    compiled(gan).fit(X, epochs=2, verbose=0, engine="jax")
    before = compilations()
    compiled(gan).fit(X, epochs=4, verbose=0, engine="jax")
    assert compilations() == before


def test_another_constant_of_the_learner_is_another_program():
    class Weighted(Learner):
        def __init__(self, factor, **networks):
            super().__init__(**networks)
            self.factor = factor

        def loss(self, nets, batch, ctx):
            return self.factor * ops.mean((nets.net(batch.x) - batch.y) ** 2)

    losses = []
    for factor in (1.0, 3.0):
        learner = compiled(lambda factor=factor: Weighted(factor, net=layers.Dense(1)), nl.optimizers.SGD(1e-9))
        losses.append(learner.fit(X, Y, verbose=0).history["loss"][0])
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-5)


# ------------------------------------------------------------------------------------------------- as a model


@pytest.mark.parametrize("name", MADE)
def test_saved_loaded_and_trained_on(name, tmp_path):
    learner = compiled(MADE[name])
    learner.fit(*data(name), verbose=0)
    learner.save(tmp_path / "l.safetensors")
    again = nl.load_model(tmp_path / "l.safetensors")
    assert type(again) is type(learner) and again.weights.keys() == learner.weights.keys()
    for path, array in learner.weights.items():
        np.testing.assert_array_equal(again.weights[path], array)
    assert (
        again.evaluate(*data(name), verbose=0, return_dict=True).keys() == dict.fromkeys(learner.metrics_names).keys()
    )
    again.fit(*data(name), verbose=0)


def test_a_copy_goes_on_as_the_learner_does():
    learner = compiled(vae)
    learner.fit(X, epochs=2, verbose=0)
    again = copy.deepcopy(learner)
    a, b = (one.fit(X, epochs=3, verbose=0).history["loss"] for one in (learner, again))
    assert a == b


def test_validation_callbacks_and_generators():
    learner = compiled(regression, "sgd")
    stop = callbacks.EarlyStopping("val_loss", patience=1)
    history = learner.fit(X, Y, epochs=5, validation_data=(X, Y), callbacks=[stop], verbose=0).history
    assert set(history) == {"loss", "val_loss"}
    learner.fit(([X[:32], Y[:32]] for _ in range(3)), steps_per_epoch=3, verbose=0)
    history = learner.fit(X, Y, validation_split=0.25, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(learner.evaluate(X[72:], Y[72:], verbose=0), rel=1e-5)


def test_statistics_and_penalties_inside_networks_count():
    def make():
        return Regression(net=nl.Sequential([layers.BatchNormalization(), layers.Dense(1, kernel_regularizer="l2")]))

    learner = compiled(make, nl.optimizers.SGD(1e-12))
    loss = learner.fit(X, Y, verbose=0, batch_size=96).history["loss"][0]
    kernel = learner.net.get_weights()[-2]
    normal = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-3)
    assert loss == pytest.approx(np.mean((normal @ kernel - Y) ** 2) + 0.01 * (kernel**2).sum(), rel=1e-4)
    np.testing.assert_allclose(learner.net.get_weights()[2], 0.01 * X.mean(0), rtol=1e-4, atol=1e-7)


def test_a_frozen_network_stays():
    learner = compiled(vae)
    learner.fit(X, verbose=0)
    learner.decoder.trainable = False
    before = learner.decoder.get_weights(), learner.encoder.get_weights()
    learner.fit(X, verbose=0)
    for a, b in zip(before[0], learner.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(before[1], learner.encoder.get_weights(), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_is_not_finite_stops_the_training(engine):
    class Root(Learner):
        def loss(self, nets, batch, ctx):
            return ops.mean(ops.log(nets.net(batch.x)))

    learner = compiled(lambda: Root(net=layers.Dense(1)), "sgd")
    with pytest.raises(NonFiniteError, match="not finite at step 1 of epoch 1"):
        learner.fit(X, verbose=0, engine=engine)
    assert all(np.isfinite(w).all() for w in learner.get_weights())


# ----------------------------------------------------------------------------------------------------- misuse


def one_of(**methods):
    return type("Odd", (Learner,), methods)(net=layers.Dense(2))


def fitted(learner, *given, optimizer="sgd"):
    learner.compile(optimizer)
    learner.fit(*(given or (X,)), verbose=0)


def vector(self, nets, batch, ctx):
    return nets.net(batch.x)


def number(self, nets, batch, ctx):
    return 1.0


def bad_log(self, nets, batch, ctx):
    return ops.mean(nets.net(batch.x)), {"outputs": nets.net(batch.x)}


def named_loss(self, nets, batch, ctx):
    return ops.mean(nets.net(batch.x)), {"loss": ops.mean(nets.net(batch.x))}


def mean(self, nets, batch, ctx):
    return ops.mean(nets.net(batch.x))


WRONG = {
    "no loss": (lambda: fitted(one_of()), "does not define loss"),
    "a vector": (lambda: fitted(one_of(loss=vector)), r"loss expected to return a scalar.*array of shape \(2, 2\)"),
    "a number": (lambda: fitted(one_of(loss=number)), "loss expected to return a scalar.*received 1.0"),
    "a log that is no scalar": (lambda: fitted(one_of(loss=bad_log)), "the log 'outputs' to be a scalar"),
    "a log named loss": (lambda: fitted(one_of(loss=named_loss)), "logs 'loss', which is the name"),
    "not compiled": (lambda: one_of(loss=mean).fit(X), "Call compile"),
    "an optimizer for no move": (lambda: one_of(loss=mean).compile({"critc": "sgd"}), "names the move 'critc'"),
    "a move without one": (lambda: gan().compile({"critic": "sgd"}), "an optimizer for the move 'generator'"),
    "a move of no network": (
        lambda: fitted(one_of(moves=[Move("nett", loss="loss")], loss=mean)), "trains 'nett'. Did you mean 'net'"
    ),
    "a move without a loss": (lambda: fitted(one_of(moves=[Move("net")])), "no method 'net_loss'"),
    "nothing to train": (lambda: fitted(Regression(net=layers.Flatten()), X, X), "no weight that is trained"),
    "no network": (lambda: Regression(net=3), "expected net to be a network, received 3"),
    "predict": (lambda: regression().predict(X), "has no output of its own"),
    "class weights": (lambda: compiled(regression).fit(X, Y, class_weight={0: 1.0}), "has no classes"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, words", WRONG.values(), ids=WRONG)
def test_wrong_use_says_what_to_do(wrong, words):
    with pytest.raises(ConfigurationError, match=words):
        wrong()


def test_lengths_that_differ_are_refused():
    with pytest.raises(DataError, match="same number of samples"):
        compiled(regression).fit(X, Y[:-1], verbose=0)


def test_a_network_that_the_loss_does_not_keep_is_refused():
    outside = layers.Dense(1)

    class Borrowing(Learner):
        def loss(self, nets, batch, ctx):
            return ops.mean(outside(nets.net(batch.x)))

    with pytest.raises(ConfigurationError, match="is not one of its layers, so its weights would never be trained"):
        fitted(Borrowing(net=layers.Dense(1)))


# ------------------------------------------------------------------------------------------------- one's own steps


class Clipped(Learner):
    """Plain descent whose gradient is made no longer than 1, and which logs how long it was."""

    def loss(self, nets, batch, ctx):
        error = ops.mean((nets.net(batch.x) - batch.y) ** 2)
        return error, {"error": error}

    def train(self, state, batch, ctx):
        state, grads, logs = ctx.gradient(state, "loss", batch)
        norm = ops.sqrt(sum(ops.sum(g**2) for g in grads.values()))
        scale = 1.0 / ops.maximum(norm, 1.0)
        return ctx.update(state, "loss", {path: g * scale for path, g in grads.items()}), {**logs, "length": norm}


class Followed(Learner):
    """A network and one that follows it slowly, as in Q-learning with a target network."""

    def loss(self, nets, batch, ctx):
        return ops.mean((nets.fast(batch.x) - batch.y) ** 2) + 0.0 * ops.mean(nets.slow(batch.x))

    def train(self, state, batch, ctx):
        state, logs = ctx.move(state, "loss", batch)
        params, frozen = state["params"], dict(state["frozen"])
        for path, w in frozen.items():
            frozen[path] = 0.9 * w + 0.1 * params[path.replace("slow", "fast")]
        return {**state, "frozen": frozen}, logs


def line(**options):
    return nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", **options)])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_of_ones_own_by_hand(engine):
    """w = 1, x = 2, y = 0: the gradient of (2w)² is 8, made 1; then w = 0.9, and 2 · 2 · 1.8 = 7.2 is made 1."""
    learner = Clipped(net=line())
    learner.compile(nl.optimizers.SGD(0.1))
    history = learner.fit([[2.0]], [[0.0]], epochs=2, verbose=0, engine=engine).history
    assert list(history) == ["loss", "error", "length"]
    np.testing.assert_allclose(history["length"], [8.0, 7.2], rtol=1e-6)
    np.testing.assert_allclose(history["loss"], [4.0, 3.24], rtol=1e-6)
    np.testing.assert_allclose(learner.net.get_weights()[0], [[0.8]], rtol=1e-6)
    logs = learner.evaluate([[2.0]], [[0.0]], verbose=0, return_dict=True, engine=engine)
    assert list(logs) == ["loss", "error"]  # an evaluation has no gradient
    np.testing.assert_allclose(logs["loss"], 1.6**2, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_follows_another(engine):
    """w = 1, x = 1, y = 0, rate 0.25: fast halves; slow moves a tenth of the way to it."""
    learner = Followed(fast=line(), slow=line())
    learner.slow.trainable = False
    learner.compile(nl.optimizers.SGD(0.25))
    learner.fit([[1.0]], [[0.0]], epochs=2, verbose=0, engine=engine)
    np.testing.assert_allclose(learner.fast.get_weights()[0], [[0.25]], rtol=1e-6)
    np.testing.assert_allclose(learner.slow.get_weights()[0], [[0.9 * 0.95 + 0.1 * 0.25]], rtol=1e-6)


def stepping(step):
    """A learner with another `train`."""
    kind = type("Stepping", (Clipped,), {"train": step})
    learner = kind(net=line())
    learner.compile("sgd")
    return learner


def _without(state, path):
    return {**state, "params": {p: w for p, w in state["params"].items() if p != path}}


def _reshaped(state):
    return {**state, "params": {p: w[0] for p, w in state["params"].items()}}


WRONG_STEPS = [
    (lambda self, state, batch, ctx: state, "train of Stepping expected to return (state, logs), received dict."),
    (lambda self, state, batch, ctx: (state, {}), "takes not every move, so its logs need the 'loss', a scalar."),
    (lambda self, state, batch, ctx: ctx.move(state, "los", batch), "has no move 'los'. Did you mean 'loss'?"),
    (lambda self, state, batch, ctx: (_without(state, "net/dense/kernel"), {"loss": ops.mean(batch.x)}),
     "expected a state like the one that it was given, which has 'params/net/dense/kernel'."),
    (lambda self, state, batch, ctx: (_reshaped(state), {"loss": ops.mean(batch.x)}),
     "expected 'params/net/dense/kernel' to keep its shape (1, 1), received (1,)."),
    (lambda self, state, batch, ctx: ({**state, "more": state["step"]}, {"loss": ops.mean(batch.x)}),
     "which has no 'more'."),
    (lambda self, state, batch, ctx: (state, {"loss": batch.x}), "expected to return a scalar"),
    (lambda self, state, batch, ctx: (state, {"loss": ops.mean(batch.x), "x": batch.x}), "expected the log 'x' to be"),
    (lambda self, state, batch, ctx: (ctx.update(state, "loss", {}), {"loss": ops.mean(batch.x)}),
     "update of the move 'loss' expected a gradient of 'net/dense/kernel'."),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("step, text", WRONG_STEPS, ids=[text[:40] for _, text in WRONG_STEPS])
def test_wrong_steps_are_refused(step, text, engine):
    learner = stepping(step)
    with pytest.raises(ConfigurationError) as error:
        learner.fit([[2.0]], [[0.0]], verbose=0, engine=engine)
    assert text in str(error.value)


# ----------------------------------------------------------------------------- what every learner has without a word


@pytest.mark.parametrize("name", ["vae", "gan", "regression"])
def test_learners_of_a_population_are_those_that_train_alone(name):
    def build(seed):
        nl.utils.set_random_seed(seed)
        return compiled(MADE[name])

    given = data(name)
    alone, together = ([build(seed) for seed in (1, 2, 3)] for _ in range(2))
    nl.fit_many(together, given[0], given[1] if len(given) > 1 else None, epochs=3, validation_split=0.25, verbose=0)
    for one, other in zip(alone, together, strict=True):
        history = one.fit(*given, epochs=3, validation_split=0.25, verbose=0, engine="jax").history
        assert list(history) == list(other.history.history)
        for key, values in history.items():
            np.testing.assert_allclose(other.history.history[key], values, rtol=2e-4, atol=1e-5, err_msg=key)
        for path, array in one.state.params.items():
            np.testing.assert_allclose(other.state.params[path], array, rtol=2e-3, atol=1e-4, err_msg=path)


def test_a_population_is_given_learning_rates():
    def build():
        made = Clipped(net=line())
        made.compile(nl.optimizers.SGD(0.5))
        return made

    population = nl.population(build, learning_rate=[0.1, 0.2]).fit([[2.0]], [[0.0]], verbose=0)
    found = [member.net.get_weights()[0].item() for member in population]
    np.testing.assert_allclose(found, [0.9, 0.8], rtol=1e-6)
    with pytest.raises(ConfigurationError, match="A learner cannot be given rate"):
        nl.population(build, dropout=[0.1, 0.2])


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_learner_in_bfloat16(engine):
    """The networks see bfloat16, the loss float32; the curve is that of float32 to some roundings."""
    seen, curves = set(), {}

    class Watched(layers.Layer):
        def call(self, inputs):
            seen.add(str(inputs.dtype).split(".")[-1])
            return inputs

    class Low(Learner):
        def loss(self, nets, batch, ctx):
            y = nets.net(batch.x)
            assert "bfloat16" not in str(y.dtype)
            return ops.mean((y - batch.y) ** 2)

    given = data("regression")
    for precision in ("float32", "bfloat16"):
        nl.utils.set_random_seed(5)
        learner = Low(net=nl.Sequential([layers.Dense(8, activation="tanh"), Watched(), layers.Dense(1)]))
        learner.compile(nl.optimizers.SGD(0.05), precision=precision)
        seen.clear()
        curves[precision] = learner.fit(*given, epochs=4, verbose=0, engine=engine).history["loss"]
        assert ("bfloat16" in seen) == (precision == "bfloat16")
    np.testing.assert_allclose(curves["bfloat16"], curves["float32"], rtol=0.03)
    assert curves["bfloat16"] != curves["float32"]


def test_auto_takes_the_engine_that_is_known_to_be_fastest(monkeypatch):
    from neuroloom.models import learner as module

    asked = []

    def fastest(network, batch_size):
        asked.append((module.fastest is fastest, batch_size))
        return "torch"

    monkeypatch.setattr(module, "fastest", fastest)
    learner = compiled(MADE["regression"])
    learner.fit(*data("regression"), verbose=0, engine="auto")  # the networks are not known yet
    assert not asked
    learner.fit(*data("regression"), batch_size=16, verbose=0, engine="auto")
    assert asked == [(True, 16)]
    monkeypatch.undo()
    assert module.fastest(learner.network, 16) in ("jax", "torch")
