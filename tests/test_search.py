"""Cross-validation and searches: scikit-learn's folds, each candidate as if trained alone, the best trained anew."""

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import GroupKFold, KFold, ParameterGrid, StratifiedKFold

import neuroloom as nl
from nets import same
from neuroloom.errors import ConfigurationError
from neuroloom.populations.folds import folds_of

L = nl.layers
RNG = np.random.default_rng(7)
X = RNG.normal(size=(48, 2)).astype("float32")
Y = (X[:, 0] > 0.4).astype("int32")
FAST = {"epochs": 2, "batch_size": 8, "verbose": 0}


def build(units=3, activation="tanh"):
    model = nl.Sequential([L.Dense(units, activation=activation, input_shape=(2,)), L.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def line(optimizer="sgd"):
    model = nl.Sequential([L.Dense(1, input_shape=(2,))])
    model.compile(optimizer, "mse")
    return model


# ------------------------------------------------------------------------------------------------- cross-validation


SPLITTERS = {
    "a number for classes": (build, 3, StratifiedKFold(3)),
    "a number for a regression": (line, 3, KFold(3)),
    "KFold": (build, KFold(4, shuffle=True, random_state=1), KFold(4, shuffle=True, random_state=1)),
    "pairs": (build, list(KFold(2).split(X)), KFold(2)),
    "groups": (build, GroupKFold(3), GroupKFold(3)),
}


@pytest.mark.parametrize("name", SPLITTERS)
def test_folds_are_those_of_scikit_learn(name):
    make, cv, splitter = SPLITTERS[name]
    groups = np.arange(48) % 7 if name == "groups" else None
    found = folds_of(make(), cv, X, Y, groups)
    expected = list(splitter.split(X, Y, groups))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_each_fold_is_trained_and_scored_as_if_alone():
    found = nl.cross_validate(build, X, Y, KFold(3), seed=11, **FAST)
    for i, (train, test) in enumerate(KFold(3).split(X)):
        nl.utils.set_random_seed(11 + i)
        model = build()
        model.fit(X[train], Y[train], **FAST)
        for one, other in zip(found.population[i].get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)
        scores = model.evaluate(X[test], Y[test], verbose=0)
        assert [found.scores[name][i] for name in ("loss", "accuracy")] == pytest.approx(scores, rel=1e-5)
    accuracies = found.scores["accuracy"]
    assert found.mean["accuracy"] == pytest.approx(sum(accuracies) / 3)
    assert found.std["accuracy"] == pytest.approx(np.sqrt(np.mean((accuracies - accuracies.mean()) ** 2)))
    text = repr(found).splitlines()
    assert text[0].startswith("<Cross-validation over 3 folds: loss ") and "±" in text[0] and len(text) == 5
    assert found.frame()["test"].tolist() == [16, 16, 16] and found._repr_html_().count("<tr>") == 4


def test_outputs_by_name_and_lists():
    def two():
        x = nl.Input((2,))
        model = nl.Model(x, {"a": L.Dense(1)(x), "b": L.Dense(1)(x)})
        model.compile("sgd", "mse")
        return model

    found = nl.cross_validate(two, X, {"a": X[:, :1], "b": X[:, 1:]}, 2, **FAST)
    assert found.scores["loss"].shape == (2,)
    assert nl.cross_validate(line, X.tolist(), X[:, 0].tolist(), 2, **FAST).scores["loss"].shape == (2,)


# ---------------------------------------------------------------------------------------------------------- searches


@pytest.fixture(scope="module")
def grid():
    values = {"units": [2, 4], "learning_rate": [0.05, 1e-5]}
    return nl.grid_search(build, values, X, Y, KFold(2), seed=3, monitor="val_accuracy", **{**FAST, "epochs": 6})


def test_the_grid_holds_all_combinations_with_the_scores_of_lone_trainings(grid):
    expected = list(ParameterGrid({"units": [2, 4], "learning_rate": [0.05, 1e-5]}))
    assert sorted(map(str, grid.candidates)) == sorted(map(str, expected))
    for settings, score, spread in zip(grid.candidates, grid.scores, grid.spreads, strict=True):
        alone = []
        for i, (train, test) in enumerate(KFold(2).split(X)):
            nl.utils.set_random_seed(3 + i)
            model = build(settings["units"])
            model.compile(
                nl.optimizers.Adam(settings["learning_rate"]), "sparse_categorical_crossentropy", ["accuracy"]
            )
            model.fit(X[train], Y[train], **{**FAST, "epochs": 6})
            alone.append(model.evaluate(X[test], Y[test], verbose=0)[1])
        assert score == pytest.approx(np.mean(alone), abs=1e-6)
        assert spread == pytest.approx(np.std(alone), abs=1e-6)


def test_the_table_is_sorted_and_the_best_is_trained_anew_on_all_data(grid):
    assert list(grid.scores) == sorted(grid.scores, reverse=True) and grid.best_score == max(grid.scores)
    assert grid.best_settings["learning_rate"] == 0.05
    nl.utils.set_random_seed(3)
    model = build(grid.best_settings["units"])
    model.compile(nl.optimizers.Adam(0.05), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(X, Y, **{**FAST, "epochs": 6})
    for one, other in zip(grid.best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)
    lines = repr(grid).splitlines()
    assert lines[0].startswith("<Search over 4 settings: best val_accuracy") and lines[1].split()[0] == "rank"
    assert grid.frame()["val_accuracy"].tolist() == grid.scores.tolist()
    assert grid._repr_html_().count("<tr>") == 5
    assert len(grid.plot().axes[0].lines) >= 8


def test_losses_are_sorted_upwards_and_early_stopping_sets_the_epochs_of_the_last_training():
    stop = nl.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10.0, restore_best_weights=True)
    found = nl.grid_search(
        build, {"learning_rate": [1e-3, 1.0]}, X, Y, 2, callbacks=[stop], seed=1, **{**FAST, "epochs": 9}
    )
    assert list(found.scores) == sorted(found.scores)
    assert found.epochs.tolist() == [1.0, 1.0] and found.best.history.epoch == [0]


def test_a_random_search_draws_from_lists_and_distributions():
    values = {"units": [2, 3], "learning_rate": stats.loguniform(1e-4, 1e-1)}
    options = {"cv": None, "validation_split": 0.5, "n": 5, "refit": False, **FAST}
    found, again = (nl.random_search(build, values, X, Y, seed=4, **options) for _ in range(2))
    rates = [one["learning_rate"] for one in found.candidates]
    assert len(set(rates)) == 5 and all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert {one["units"] for one in found.candidates} <= {2, 3} and found.best is None
    assert found.candidates == again.candidates and found.scores.tolist() == again.scores.tolist()
    other = nl.random_search(build, values, X, Y, seed=5, **options)
    assert other.candidates != found.candidates


def test_lists_alone_are_drawn_without_repetition():
    found = nl.random_search(build, {"units": [2, 3]}, X, Y, 2, n=9, seed=1, refit=False, **FAST)
    assert sorted(one["units"] for one in found.candidates) == [2, 3]


def test_candidates_that_diverge_come_last():
    found = nl.grid_search(line, {"learning_rate": [1e30, 0.01]}, X, X[:, 0], 2, seed=1, **FAST)
    assert found.best_settings == {"learning_rate": 0.01} and not np.isfinite(found.scores[1])
    assert same(found.best, found.best) and found.best.history is not None


WRONG = [
    (lambda: nl.cross_validate(build, X, Y, 3, epoch=2), "cross_validate has no argument 'epoch'. Did you mean"),
    (lambda: nl.cross_validate(build, X, Y, 3, validation_split=0.2), "expected no validation_split: the folds say"),
    (lambda: nl.cross_validate(build, X, Y, 1), "cv=1 cannot cut the data"),
    (lambda: nl.cross_validate(build, X, Y, 99), "cv=99 cannot cut the data"),
    (lambda: nl.cross_validate(build, X, Y, "five"), "cv='five' cannot cut the data"),
    (lambda: nl.cross_validate(build(), X, Y), "Write a function that builds"),
    (lambda: nl.grid_search(build, {}, X, Y), "expected a list of values for each name"),
    (lambda: nl.grid_search(build, {"units": 3}, X, Y), "received 3 for 'units'"),
    (lambda: nl.grid_search(build, {"units": []}, X, Y), "expected a list of values"),
    (lambda: nl.grid_search(build, {"activation": "relu"}, X, Y), "received 'relu' for 'activation'"),
    (lambda: nl.grid_search(build, {"unit": [3]}, X, Y, **FAST), "no argument 'unit'. Did you mean 'units'"),
    (lambda: nl.grid_search(build, {"units": [3]}, X, Y, cv=None), r"expected folds \(cv=5\), validation_data"),
    (lambda: nl.grid_search(build, {"units": [3]}, X, Y, 2, verbos=0), "grid_search has no argument 'verbos'"),
    (lambda: nl.grid_search(build, {"units": [3]}, X, Y, 2, refit="no", **FAST), "refit expected True or False"),
    (lambda: nl.random_search(build, {"units": 3}, X, Y), "for 'units' a list or a distribution, received 3"),
    (lambda: nl.random_search(build, {"units": [3]}, X, Y, n=0), "n expected a positive whole number"),
    (lambda: nl.random_search(build, {"units": [3]}, X, Y, seed=-1), "seed expected a whole number of at least 0"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[m[:40] for _, m in WRONG])
def test_wrong_use_is_said(call, message):
    with pytest.raises(ConfigurationError, match=message):
        call()
