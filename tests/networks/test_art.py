"""Adaptive resonance: searches by hand, exact arithmetic, stability, match tracking, counts of another library."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import load_iris

import neuroloom as nl
from data_folder import DATA, needs_data
from neuroloom import plots
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import ART1, ART2A, ARTMAP, FuzzyART


@pytest.fixture(autouse=True)
def _engine():
    """The engine that does not compile, where a test does not ask for those that train."""
    with nl.engine("numpy"):
        yield


def iris():
    """In one random order."""
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(150)
    return X[order].astype(np.float32), y[order]


def reference(X, rho, alpha, labels=None, epsilon=0, passes=1):
    """The search as the papers write it, one category after the other, in exact arithmetic: templates and labels."""
    W, marks = [], []
    for _ in range(passes):
        for i, x in enumerate(X):
            least = rho
            shared = [sum(map(min, x, w)) for w in W]
            order = sorted(range(len(W)), key=lambda j: (-shared[j] / (alpha + sum(W[j])), j))
            for j in order:
                match = shared[j] / sum(x)
                if match == 0 or match < least:
                    continue
                if labels is None or marks[j] == labels[i]:
                    W[j] = list(map(min, x, W[j]))
                    break
                least = match + epsilon
            else:
                W.append(list(x))
                marks.append(None if labels is None else labels[i])
    return np.array(W, float), marks


# ---------------------------------------------------------------------------------------------------------- ART 1


def test_art1_by_hand():
    net = ART1(vigilance=0.6, max_iter=1)
    net.fit([[1, 1, 1, 0, 0, 0]])
    assert net.templates_.tolist() == [[1, 1, 1, 0, 0, 0]]
    net.partial_fit([[1, 1, 0, 0, 0, 0]])  # match 2/2: the template becomes the intersection
    assert net.templates_.tolist() == [[1, 1, 0, 0, 0, 0]]
    net.partial_fit([[1, 0, 0, 1, 1, 0]])  # match 1/3: reset, new
    assert net.templates_.tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 1, 0]]
    # choice: T = 2/(1 + 2) = 0.667 against 2/(1 + 3) = 0.5; match 2/4 of the first: reset; of the second 2/4: reset
    assert net.predict([[1, 1, 0, 1, 0, 1]]).tolist() == [-1]
    # T = 2/3, match 2/3 of the first; T = 2/4, match 2/3 of the second
    assert net.predict([[1, 1, 0, 1, 0, 0]]).tolist() == [0]
    # T = 1/3 against 3/4
    assert net.predict([[1, 0, 0, 1, 1, 0]]).tolist() == [1]


def test_a_reset_gives_the_next_best_category_its_turn():
    net = ART1(vigilance=0.5).fit([[1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0, 0]])
    # T = 1/2 against 2/5, but the match of the first is 1/4 and that of the second 2/4
    row = [[1, 1, 1, 0, 0, 1, 0]]
    assert net.predict(row).tolist() == [1]
    assert net.set_params(vigilance=0.25).predict(row).tolist() == [0]
    net.set_params(vigilance=0.5).partial_fit(row)
    assert net.templates_.tolist() == [[1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0]]


def test_choice_says_whether_a_subset_or_a_larger_part_wins():
    templates = [[1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 1]]
    row = [[1, 1, 1, 0, 0, 0]]  # T = 1/(α + 1) against 3/(α + 4): equal for α = 1/2
    assert ART1(vigilance=0, choice=0.4).fit(templates).predict(row).tolist() == [0]
    assert ART1(vigilance=0, choice=0.5).fit(templates).predict(row).tolist() == [0]  # the first of equals
    assert ART1(vigilance=0, choice=0.6).fit(templates[::-1]).predict(row).tolist() == [0]


def test_patterns_without_ones_and_without_company():
    net = ART1(vigilance=0).fit([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [-3, 0, 0, 0]])
    assert net.labels_.tolist() == [0, 1, 2, 1]  # what shares nothing does not match, even at vigilance 0
    assert net.predict([[0, 0, 1, 0], [5.0, 0.1, 0, 0]]).tolist() == [-1, 0]


@pytest.mark.parametrize("rho, passes", [("0.3", 5), ("0.5", 2), ("0.75", 1)])
def test_art1_is_the_paper_in_exact_arithmetic(training_engine, rng, rho, passes):
    X = (rng.random((60, 12)) < 0.4).astype(int)
    X = X[X.any(axis=1)]
    expected, _ = reference([[Fraction(int(v)) for v in x] for x in X], Fraction(rho), 1, passes=passes)
    net = ART1(vigilance=float(rho), max_iter=passes).fit(X)
    np.testing.assert_array_equal(net.templates_, expected)
    assert 5 < len(expected) < 60


# -------------------------------------------------------------------------------------------------------- fuzzy ART


def test_boxes_grow_by_hand():
    net = FuzzyART(vigilance=0.75, bounds=(0, 1)).partial_fit([[0.25, 0.5]])
    assert net.templates_.tolist() == [[0.25, 0.5, 0.75, 0.5]]
    assert net.boxes_.tolist() == [[[0.25, 0.5], [0.25, 0.5]]]
    net.partial_fit([[0.5, 0.375]])  # sides 0.25 + 0.125 <= 2 (1 - 0.75)
    assert net.boxes_.tolist() == [[[0.25, 0.375], [0.5, 0.5]]]
    net.partial_fit([[0.25, 0.25]])  # sides 0.25 + 0.25: just within
    assert net.boxes_.tolist() == [[[0.25, 0.25], [0.5, 0.5]]]
    net.partial_fit([[0.25, 0.125]])  # sides 0.25 + 0.375: a new one
    assert net.boxes_.tolist() == [[[0.25, 0.25], [0.5, 0.5]], [[0.25, 0.125], [0.25, 0.125]]]
    # inside the first box T = 1.5/(α + 1.5); at a distance of 0.125 + 0.25 from the point T = 1.625/(α + 2)
    assert net.predict([[0.375, 0.375], [0.25, 0.1875], [1, 1]]).tolist() == [0, 1, -1]


def test_numbers_beyond_the_bounds_count_as_the_bounds():
    net = FuzzyART(vigilance=0.9).partial_fit([[0, 0], [1, 1]])
    assert net.predict([[-9, 0], [1, 2], [0.5, 0.5]]).tolist() == [0, 1, -1]
    assert net.partial_fit([[3, 3]]).boxes_.tolist() == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]


def test_slow_recoding_by_hand():
    first, second = [[0.5, 0.25]], [[0.25, 0.5]]
    fast = FuzzyART(vigilance=0, learning_rate=0.5, bounds=(0, 1)).partial_fit(first).partial_fit(second)
    # w = (.5, .25, .5, .75), I ∧ w = (.25, .25, .5, .5), half of both
    assert fast.templates_.tolist() == [[0.375, 0.25, 0.5, 0.625]]
    slow = FuzzyART(vigilance=0, learning_rate=0.5, fast_commit=False, bounds=(0, 1)).partial_fit(first)
    assert slow.templates_.tolist() == [[0.75, 0.625, 0.75, 0.875]]  # halfway from 1
    slow.partial_fit(second)
    assert slow.templates_.tolist() == [[0.5, 0.5625, 0.75, 0.6875]]


def test_boxes_hold_what_they_learned_and_are_no_larger_than_vigilance_allows(rng):
    X = rng.random((200, 3)) * [1, 10, 100] - 5
    net = FuzzyART(vigilance=0.8).fit(X)
    low, high = net.boxes_[net.labels_].transpose(1, 0, 2)
    assert (net.labels_ >= 0).all() and 10 < net.n_categories_ < 150
    assert ((low - 1e-4 <= X) & (high + 1e-4 >= X)).all()
    sides = (net.boxes_[:, 1] - net.boxes_[:, 0]) / (X.max(axis=0) - X.min(axis=0))
    assert sides.sum(axis=1).max() <= 3 * (1 - 0.8) + 1e-6


@pytest.mark.parametrize("rho, alpha, passes", [("0.5", "0.001", 2), ("0.75", "0.5", 1)])
def test_fuzzy_art_is_the_paper_in_exact_arithmetic(training_engine, rng, rho, alpha, passes):
    X = rng.integers(0, 9, (60, 4))  # eighths, with many ties
    X[0], X[1] = 0, 8
    rows = [[Fraction(int(v), 8) for v in (*x, *(8 - x))] for x in X]
    expected, _ = reference(rows, Fraction(rho), Fraction(alpha), passes=passes)
    net = FuzzyART(vigilance=float(rho), choice=float(alpha), max_iter=passes).fit(X)
    np.testing.assert_allclose(net.templates_, expected, atol=1e-12)
    assert 3 < len(expected) < 50


# ------------------------------------------------------------------------------------------- what holds for all ART


NETWORKS = [ART1(vigilance=0.7), FuzzyART(vigilance=0.8), ART2A(vigilance=0.95, learning_rate=1)]
every = pytest.mark.parametrize("net", NETWORKS, ids=lambda net: type(net).__name__)


def patterns(rng):
    """Bits, five of ten, so that none is part of another."""
    return np.stack([rng.permutation(10) < 5 for _ in range(100)]).astype(int)


@every
def test_full_vigilance_learns_every_distinct_pattern(rng, net):
    X = patterns(rng)[rng.integers(0, 100, 250)]
    found = type(net)(vigilance=1).fit(X)
    assert found.n_categories_ == len(np.unique(X, axis=0)) and found.n_iter_ == 2
    assert len({(label, *x) for label, x in zip(found.labels_, X, strict=True)}) == found.n_categories_


def test_a_part_of_a_pattern_takes_its_category():
    X = [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]  # |I ∧ w| / |I| = 1
    assert ART1(vigilance=1, max_iter=1).fit(X).templates_.tolist() == X[1:]
    net = ART1(vigilance=1).fit(X)
    assert net.templates_.tolist() == X[::-1] and net.labels_.tolist() == [1, 0] and net.n_iter_ == 3


@every
def test_what_is_learned_stays(rng, net):
    X = patterns(rng)
    net.fit(X)
    assert 1 < net.n_iter_ < 20
    templates, labels = net.templates_.copy(), net.labels_
    assert (labels >= 0).all() and net.partial_fit(X).n_categories_ == len(templates)
    np.testing.assert_array_equal(net.templates_, templates)
    np.testing.assert_array_equal(net.labels_, labels)
    np.testing.assert_array_equal(net.predict(X), labels)


@every
def test_passes_are_parts(rng, net):
    X = patterns(rng)
    once = type(net)(vigilance=net.vigilance, max_iter=2).fit(X)
    parts = type(net)(vigilance=net.vigilance).partial_fit(X[:7])
    if isinstance(net, FuzzyART):
        parts = FuzzyART(vigilance=net.vigilance, bounds=(0, 1)).partial_fit(X[:7])
    parts.partial_fit(X[7:]).partial_fit(X)
    np.testing.assert_allclose(parts.templates_, once.templates_, atol=1e-12)
    assert parts.n_iter_ == 3 and len(parts.labels_) == 100


@every
def test_more_vigilance_more_categories(rng, net):
    X = patterns(rng)
    counts = [type(net)(vigilance=rho).fit(X).n_categories_ for rho in (0.3, 0.6, 0.9)]
    assert counts[0] < counts[1] < counts[2]


def test_the_order_decides():
    a, b, c = [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]
    assert ART1(vigilance=0.5).fit([a, b, c]).labels_.tolist() == [0, 0, 1]
    assert ART1(vigilance=0.5).fit([b, c, a]).labels_.tolist() == [0, 0, 1]
    assert ART1(vigilance=0.5).fit([b, c, a]).templates_.tolist() == [[0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]


@every
@pytest.mark.filterwarnings("error")
def test_a_bound_on_categories(rng, net):
    X = patterns(rng)
    needed = type(net)(vigilance=1).fit(X).n_categories_
    assert needed > 64  # places are added
    full = type(net)(vigilance=1, max_categories=needed).fit(X)
    assert full.n_categories_ == needed == len(full.templates_)
    with pytest.warns(UserWarning, match=r"all of max_categories=9 categories .* not learned: [1-9]\d?\.") as caught:
        short = type(net)(vigilance=1, max_categories=9).fit(X)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(short.templates_, full.templates_[:9])
    assert str((short.labels_ == -1).sum()) in str(caught[0].message)
    more = short.set_params(max_categories=needed).partial_fit(X)
    np.testing.assert_allclose(more.templates_, full.templates_)
    assert more.set_params(max_categories=1).partial_fit(X).n_categories_ == needed


def test_places_are_added_in_any_pass(training_engine):
    both = np.kron(np.eye(40), [1, 1])  # of each pair the second row takes the category, so the first needs another
    X = np.stack([both, np.kron(np.eye(40), [1, 0])], axis=1).reshape(80, 80)
    assert ART1(vigilance=1, max_iter=1).fit(X).n_categories_ == 40
    net = ART1(vigilance=1, max_iter=2).fit(X)
    assert net.n_categories_ == 80 and net.n_iter_ == 2
    assert net.labels_.tolist() == np.stack([np.arange(40, 80), np.arange(40)], axis=1).ravel().tolist()


# ----------------------------------------------------------------------------------------------------------- ART 2-A


def test_directions_by_hand(training_engine):
    net = ART2A(vigilance=0.9, learning_rate=0.5).fit([[6, 8]])
    np.testing.assert_allclose(net.templates_, [[0.6, 0.8]])
    rows = [[0.3, 0.4], [60, 80], [8, 6], [-6, -8], [0, 0]]  # (8, 6) has a cosine of 0.96
    assert net.predict(rows).tolist() == [0, 0, 0, -1, -1]
    net.partial_fit([[8, 6]])  # (0.8, 0.6) and (0.6, 0.8): the middle
    np.testing.assert_allclose(net.templates_, [[0.5**0.5, 0.5**0.5]])
    net.partial_fit([[0, 2], [0, 0], [0, 1], [0, 0]])  # a cosine of 0.71; rows of zeros have their own
    assert net.labels_.tolist() == [1, 2, 1, 2]


def test_what_is_at_right_angles_does_not_match():
    net = ART2A(vigilance=0).fit([[1, 0], [0, 1], [-1, 0], [0, 0]])
    assert net.labels_.tolist() == [0, 1, 2, 3]


def test_theta_keeps_what_all_rows_have():
    with pytest.raises(ConfigurationError, match=r"theta below, and choice up to, 1/√features = 0\.5774"):
        ART2A(theta=0.6).fit([[1, 1, 0]])
    with pytest.raises(ConfigurationError, match=r"choice=0\.6"):
        ART2A(choice=0.6).fit([[1, 1, 0]])
    net = ART2A(theta=0.3, vigilance=0.5, learning_rate=0.5).fit([[4, 3, 1]])  # 1/√26 is not above 0.3
    np.testing.assert_allclose(net.templates_, [[0.8, 0.6, 0]])
    net.partial_fit([[4, 3, 3]])  # what the category has not is left out: N(4, 3) once more
    np.testing.assert_allclose(net.templates_, [[0.8, 0.6, 0]], atol=1e-7)
    free = ART2A(vigilance=0.5, learning_rate=0.5).fit([[4, 3, 0]]).partial_fit([[4, 3, 3]])
    assert free.templates_[0, 2] == 0  # θ = 0: the weight is not above
    free.partial_fit([[4, 4, 0]])
    expected = np.array([0.8 + 0.5**0.5, 0.6 + 0.5**0.5, 0])
    np.testing.assert_allclose(free.templates_, [expected / np.linalg.norm(expected)])


def test_a_new_category_competes_by_choice():
    X = [[1, 0, 0, 0], [1, 1, 1, 0]]  # a cosine of 0.577, α Σ x = √3 α
    assert ART2A(vigilance=0.5, choice=0.33).fit(X).labels_.tolist() == [0, 0]
    assert ART2A(vigilance=0.5, choice=0.34).fit(X).labels_.tolist() == [0, 1]


# ----------------------------------------------------------------------------------------------------------- ARTMAP


def test_match_tracking_by_hand():
    net = ARTMAP(bounds=(0, 8), max_iter=1).fit([[0], [4], [2], [3]], ["a", "a", "b", "a"])
    # 2 lies in the box of a, whose match is 1/2: vigilance rises, a point of b is made. 3: T of the point is
    # 7/8 / (α + 1), that of the box 1/2 / (α + 1/2): the box.
    assert net.boxes_.tolist() == [[[0.0], [4.0]], [[2.0], [2.0]]]
    assert net.predict([[2], [1.9], [3], [8]]).tolist() == ["b", "a", "a", "b"]  # 8 shares nothing with the box
    net.partial_fit([[5]], ["b"])  # T = 3/8 / 1/2 of the box, which is of class a; then the point, whose match is 5/8
    assert net.boxes_.tolist() == [[[0.0], [4.0]], [[2.0], [5.0]]]


@pytest.mark.parametrize("epsilon, boxes", [(0.001, 2), (0.24, 2), (0.26, 3)])
def test_epsilon_is_how_much_better_the_next_match_has_to_be(epsilon, boxes):
    net = ARTMAP(bounds=(0, 8), epsilon=epsilon).partial_fit([[0], [4], [2]], ["a", "a", "b"])
    assert net.partial_fit([[5]], ["b"]).n_categories_ == boxes


@pytest.mark.parametrize("epsilon", ["0.001", "-0.001"])
@pytest.mark.parametrize("passes", [1, 3])
def test_artmap_is_the_paper_in_exact_arithmetic(training_engine, rng, epsilon, passes):
    X = rng.integers(0, 9, (50, 3))
    X[0], X[1] = 0, 8
    y = (X.sum(axis=1) + rng.integers(0, 5, 50) > 13).astype(int)
    rows = [[Fraction(int(v), 8) for v in (*x, *(8 - x))] for x in X]
    settings = {"epsilon": Fraction(epsilon), "passes": passes}
    expected, marks = reference(rows, Fraction(1, 4), Fraction(1, 1000), y.tolist(), **settings)
    net = ARTMAP(vigilance=0.25, epsilon=float(epsilon), max_iter=passes).fit(X, y)
    np.testing.assert_allclose(net.templates_, expected, atol=1e-12)
    assert net.category_labels_.tolist() == marks and len(marks) > 5


def test_nothing_learned_is_wrong(rng):
    X = rng.random((150, 2))
    y = np.floor(3 * X[:, 0] + np.sin(6 * X[:, 1])).astype(int)
    net = ARTMAP().fit(X, y)
    assert net.score(X, y) == 1 and 1 < net.n_iter_ < 20
    templates = net.templates_
    assert net.partial_fit(X, y).templates_.shape == templates.shape
    np.testing.assert_array_equal(net.templates_, templates)


def test_an_answer_needs_no_match():
    net = ARTMAP(vigilance=0.9).fit([[0], [1]], ["a", "b"])
    assert net.predict([[0.4], [0.6], [-7], [9]]).tolist() == ["a", "b", "a", "b"]


def test_rows_of_two_classes():
    X, y = [[0], [1], [1], [1]], [0, 1, 0, 1]
    assert ARTMAP(max_iter=4).fit(X, y).n_categories_ > ARTMAP(max_iter=2).fit(X, y).n_categories_
    net = ARTMAP(epsilon=-0.001).fit(X, y)
    assert net.n_iter_ < 20 and net.n_categories_ == 3


def test_classes_come_later():
    net = ARTMAP(bounds=(0, 9)).partial_fit([[1], [2]], ["a", "b"], classes=["a", "b", "c"])
    assert net.partial_fit([[9]], ["c"]).predict([[1], [2], [8]]).tolist() == ["a", "b", "c"]
    with pytest.warns(UserWarning, match="ARTMAP has all of max_categories=2 categories .* not learned: 1"):
        ARTMAP(max_categories=2, max_iter=1).fit([[1], [5], [2], [3]], [0, 1, 1, 0])


@pytest.mark.parametrize("bounds", [(1, 0), (1, 1), (0, np.inf), (0, 1, 2), "01", 1])
def test_bounds_that_are_none(bounds):
    with pytest.raises(ConfigurationError, match="bounds to be a tuple of two numbers, the smaller first, or None"):
        FuzzyART(bounds=bounds).fit([[0.5]])


# ------------------------------------------------------------------------------------- artlib 0.1.12, in the same order


@pytest.mark.parametrize("rho, rate, count", [(0.5, 1, 6), (0.7, 1, 11), (0.9, 1, 45), (0.7, 0.5, 8), (0.9, 0.5, 33)])
def test_categories_of_irises_are_as_many_as_artlib_makes(rho, rate, count):
    X, _ = iris()
    net = FuzzyART(vigilance=rho, learning_rate=rate, max_iter=1).fit(X)
    assert net.n_categories_ == count
    assert FuzzyART(vigilance=1).fit(X).n_categories_ == 149  # one flower comes twice


def test_artmap_makes_as_many_categories_of_irises_as_artlib():
    X, y = iris()
    assert ARTMAP(max_iter=1).fit(X, y).n_categories_ == 8
    net = ARTMAP().fit(X, y)
    assert net.n_categories_ == 9 and net.score(X, y) == 1


@needs_data
def test_categories_of_letters():
    """artlib's counts of the first pass, with the match divided by |I| and new categories weighted as in the paper."""
    X = np.loadtxt(DATA / "letters" / "letters_8x8.csv", delimiter=",", skiprows=1, usecols=range(1, 65))
    counts = [ART1(vigilance=rho, max_iter=1).fit(X).n_categories_ for rho in (0.3, 0.5, 0.7, 0.9)]
    assert counts == [6, 8, 13, 22]
    assert ART1(vigilance=1).fit(X).n_categories_ == 26


# --------------------------------------------------------------------------------------------------------- pictures


def test_pictures():
    boxes = [[[0, 0], [1, 2]], [[3, 3], [3, 3]]]
    axes = plots.category_boxes([[0, 1], [9, 9]], ["a", "b"], boxes, ["a", "b"], ("x", "y"), "title").axes[0]
    assert [patch.get_height() for patch in axes.patches] == [2, 0] and axes.get_xlabel() == "x"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert plots.category_boxes(np.zeros((2, 2)), [0, -1], np.zeros((11, 2, 2)), range(11)).axes[0].get_legend() is None
    with pytest.raises(ShapeError, match="received \\(2, 2\\) with 1"):
        plots.category_boxes(np.zeros((2, 2)), [0], boxes, [0, 1])
    axes = plots.category_counts([0.1, 0.9], {"one": [1, 5], "two": [2, 8]}).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 5], [2, 8]]
    with pytest.raises(ShapeError, match="numbers of 'two'"):
        plots.category_counts([0.1, 0.9], {"two": [2]})
