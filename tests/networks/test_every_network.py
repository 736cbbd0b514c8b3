"""What holds for every network: each test is swept over the catalogue in network_rows.py."""

import inspect
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from network_rows import ROWS
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import neuroloom as nl
from neuroloom.errors import ConfigurationError, ModelFileError, NeuroloomError
from neuroloom.networks import Network, base, load

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
ONE_EACH = list({type(row.network): row for row in reversed(ROWS)}.values())
every_class = pytest.mark.parametrize("row", ONE_EACH, ids=lambda row: type(row.network).__name__)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* beyond the capacity of .*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* expected values from 0 to 1, .*:UserWarning"),  # the sweep's data are others
]

METHODS = ("predict", "predict_proba", "decision_function", "transform")


def fresh(row, engine=None):
    """The row's network, not fitted; with a seed."""
    seed = row.network.random_state or 0
    return clone(row.network).set_params(engine=engine or row.checks, random_state=seed)


def fitted(row, engine=None):
    return fresh(row, engine).fit(*row.data())


def answers(network, X):
    """What each of its methods says of X."""
    found = {name: getattr(network, name)(X) for name in METHODS if hasattr(network, name)}
    assert found, f"{type(network).__name__} has none of {METHODS}"
    return found


def learned(network):
    """The learned attributes that are numbers."""
    values = {name: np.asarray(value) for name, value in vars(network).items() if name.endswith("_")}
    return {name: value for name, value in values.items() if value.dtype.kind in "fiub"}


def assert_same(a, b, exact=True):
    assert a.keys() == b.keys()
    for name in a:
        if exact or np.asarray(a[name]).dtype.kind not in "fc":
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        else:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_every_public_network_has_a_row():
    public = {getattr(nl.networks, name) for name in nl.networks.__all__} - {Network}
    networks = {value for value in public if inspect.isclass(value) and issubclass(value, Network)}
    assert networks == {type(row.network) for row in ROWS}


# ------------------------------------------------------------------------------------------------- scikit-learn


@every_row
def test_scikit_learns_checks_pass(row):
    check_estimator(fresh(row), on_skip=None)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["jax", "torch"])
@every_row
def test_scikit_learns_checks_pass_on(row, engine):
    check_estimator(fresh(row, engine), on_skip=None)


@pytest.mark.slow
@parametrize_with_checks([type(row.network)() for row in ONE_EACH])
def test_scikit_learns_checks_pass_with_the_defaults(estimator, check):
    check(estimator)


@every_class
def test_frames_give_names_and_equal_answers(row):
    X, *y = row.data()
    names = [f"column {i}" for i in range(X.shape[1])]
    plain = fitted(row)
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)):
        network = fresh(row).fit(frame, *y)
        assert list(network.feature_names_in_) == names
        assert_same(answers(network, frame), answers(plain, X))


@every_class
def test_in_a_pipeline(row):
    X, *y = row.data()
    if not np.isfinite(X).all() or set(np.unique(X)) <= {-1, 0, 1}:
        pytest.skip("patterns of two values are not scaled")
    pipe = make_pipeline(StandardScaler(), fresh(row)).fit(X, *y)
    assert len(next(iter(answers(pipe, X).values()))) == len(X)


@every_class
def test_other_numbers_of_columns_are_errors(row):
    network, X = fitted(row), row.data()[0]
    for name in answers(network, X):
        with pytest.raises(ValueError, match=f"X has {X.shape[1] + 1} features"):
            getattr(network, name)(np.hstack([X, X[:, :1]]))


# ------------------------------------------------------------------------------------------- engines and seeds


@pytest.mark.parametrize("engine", ["jax", "torch"])
@every_row
def test_engines_learn_the_same(row, engine):
    if row.exact is not True:
        pytest.skip(row.exact)
    one, other, X = fitted(row), fitted(row, engine), row.data()[0]
    assert_same(learned(one), learned(other), exact=False)
    assert_same(answers(one, X), answers(other, X), exact=False)


@every_row
def test_rules_say_what_they_cost(row, monkeypatch):
    """So that small work is not compiled: each rule of a fit and of answers is `direct` or has its `costs`."""
    rules, execute = set(), base._execute
    monkeypatch.setattr(base, "_execute", lambda *args: rules.add(args[2]) or execute(*args))
    answers(fitted(row), row.data()[0])
    assert rules <= {*base._DIRECT, *base._COSTS}


@every_class
def test_learned_numbers_are_numpy_arrays_that_can_be_written_to(row):
    for name, value in vars(fitted(row, "jax")).items():
        if name.endswith("_") and isinstance(value, np.ndarray):
            assert value.flags.writeable, name
        assert not type(value).__module__.startswith(("jax", "torch")), name


@every_class
def test_seeds(row):
    again = fitted(row)
    assert_same(learned(fitted(row)), learned(again))
    state = fresh(row).set_params(random_state=np.random.RandomState(4)).fit(*row.data())
    assert isinstance(state.seed_, int)
    nl.utils.set_random_seed(6)
    first = fresh(row).set_params(random_state=None).fit(*row.data())
    nl.utils.set_random_seed(6)
    second = fresh(row).set_params(random_state=None).fit(*row.data())
    assert_same(learned(first), learned(second))


@every_class
def test_wrong_parameters_are_errors_that_name_them(row):
    cls = type(row.network)
    with pytest.raises(ConfigurationError, match=f"{cls.__name__} has no argument 'random_stat'. Did you mean"):
        cls(random_stat=1)
    for value in (-1, 0.5, "seed", True):
        with pytest.raises(ConfigurationError, match="expected random_state to be a whole number"):
            fresh(row).set_params(random_state=value).fit(*row.data())
    with pytest.raises(NeuroloomError, match=r"Unknown engine 'jx'\. Did you mean 'jax'"):
        fresh(row, "jx").fit(*row.data())


# ------------------------------------------------------------------------------------------------------- copies


@every_row
def test_saved_and_loaded_networks_are_equal(row, tmp_path):
    network, X = fitted(row), row.data()[0]
    network.save(tmp_path / "net.safetensors")
    found = load(tmp_path / "net.safetensors").set_params(engine=row.checks)
    assert type(found) is type(network)
    assert repr(found) == repr(network)
    assert vars(found).keys() == vars(network).keys()
    assert_same(learned(network), learned(found))
    assert {k: v.dtype for k, v in learned(network).items()} == {k: v.dtype for k, v in learned(found).items()}
    assert_same(answers(network, X), answers(found, X))


@every_class
def test_saved_twice_gives_equal_bytes(row, tmp_path):
    network = fitted(row)
    network.save(tmp_path / "a.safetensors")
    load(tmp_path / "a.safetensors").set_params(engine=row.checks).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@every_class
def test_pickled_and_cloned(row):
    network, X = fitted(row), row.data()[0]
    assert_same(answers(network, X), answers(pickle.loads(pickle.dumps(network)), X))
    assert clone(network).get_params() == network.get_params()


@every_class
def test_partial_fit_goes_on_after_loading(row, tmp_path):
    if not hasattr(row.network, "partial_fit"):
        pytest.skip("does not learn in parts")
    network = fitted(row)
    network.save(tmp_path / "net.safetensors")
    found = load(tmp_path / "net.safetensors").set_params(engine=row.checks)
    assert_same(learned(network.partial_fit(*row.data())), learned(found.partial_fit(*row.data())))


@every_class
def test_partial_fit_keeps_its_seed(row):
    if not hasattr(row.network, "partial_fit"):
        pytest.skip("does not learn in parts")
    network = fresh(row).set_params(random_state=None).fit(*row.data())
    seed = network.seed_
    assert network.partial_fit(*row.data()).seed_ == seed


def test_a_model_is_no_network(tmp_path):
    model = nl.Sequential([nl.Input((3,)), nl.layers.Dense(2)])
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="holds no network"):
        load(tmp_path / "model.safetensors")
