"""Cellular networks: the differential equation, templates by their definitions, energies, borders."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.ndimage import correlate

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import CellularNetwork
from neuroloom.networks.base import answer
from neuroloom.networks.memory.cellular import TEMPLATES, around

MODES = {"zero": {"mode": "constant"}, "copy": {"mode": "nearest"}, "torus": {"mode": "wrap"}}
LOPSIDED = (
    [[0.1, -0.4, 0.2], [0.3, 1.5, -0.2], [-0.3, 0.2, 0.4]],
    [[0.2, 0.1, -0.5], [0, 0.7, 0.3], [0.1, 0, -0.2]],
    0.1,
)


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


def pictures(rng, n=3, shape=(5, 7)):
    return np.where(rng.random((n, *shape)) < 0.5, -1.0, 1.0)


def exact(template, u, x, times, mode):
    """The differential equation, solved by SciPy to nine digits: x at these times, (times, height * width)."""
    a, b, z = (np.asarray(part, float) for part in template)

    def change(t, x):
        y = np.clip(x, -1, 1).reshape(u.shape)
        return (-x.reshape(u.shape) + correlate(y, a, **mode) + correlate(u, b, **mode) + z).ravel()

    return solve_ivp(change, (0, times[-1]), x.ravel(), t_eval=times, rtol=1e-9, atol=1e-9, max_step=0.1).y.T


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("size", [1, 3, 5])
def test_neighbours_are_weighed_as_scipy_does(rng, border, size):
    template, images = rng.normal(size=(size, size)), rng.normal(size=(2, 5, 7))
    found = answer(None, _around, template, images, border=border)
    expected = [correlate(image, template, **MODES[border]) for image in images]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def _around(engine, template, images, *, border):
    return around(template, images, border)


@pytest.mark.parametrize(
    "template, border", [("edges", "zero"), ("noise", "copy"), (LOPSIDED, "torus")], ids=["edges", "noise", "lopsided"]
)
def test_the_flow_is_that_of_the_differential_equation(rng, template, border):
    images = rng.uniform(-1, 1, size=(2, 35))
    net = CellularNetwork(template=template, image_shape=(5, 7), border=border, tol=0).fit(images)
    short = net.set_params(step=0.0005, max_steps=1000).transform(images)
    rest = net.set_params(step=0.01, max_steps=2000).transform(images)
    for k, image in enumerate(images.astype(np.float32).astype(float).reshape(2, 5, 7)):
        numbers = TEMPLATES.get(template, template) if isinstance(template, str) else template
        expected = np.clip(exact(numbers, image, image, [0.0, 0.5, 20.0], MODES[border]), -1, 1)
        np.testing.assert_allclose(short[k], expected[1], atol=0.005)
        if isinstance(template, str):  # the other one goes on for ever
            np.testing.assert_allclose(rest[k], expected[2], atol=1e-6)


def test_one_step_by_hand():
    # one row of three cells; 0.5 + 0.1 (-0.5 + 2 · 0.5 + 1 · 1 + 3 · 0.5 - 0.25) for the first of them
    template = ([[0, 0, 0], [0, 2, 1], [0, 0, 0]], [[0, 0, 0], [0, 3, 0], [0, 0, 0]], -0.25)
    net = CellularNetwork(template=template, image_shape=(1, 3), step=0.1).fit([[0.5, 1.0, -0.5]])
    states, energies = net.trajectory([[0.5, 1.0, -0.5]], steps=1)
    np.testing.assert_allclose(
        states[1], [[0.775, 1 + 0.1 * (-1 + 2 - 0.5 + 3 - 0.25), -0.5 + 0.1 * (0.5 - 1 - 1.5 - 0.25)]]
    )
    # Σ y (½ y - ½ A*y - B*u - z), 0.5 (0.25 - 1 - 1.5 + 0.25) = -1, 1 (0.5 - 0.75 - 3 + 0.25) = -3, and
    # -0.5 (-0.25 + 0.5 + 1.5 + 0.25) = -1
    np.testing.assert_allclose(energies[0], [-1.0 - 3.0 - 1.0])


def test_edges_are_black_pixels_with_a_white_neighbour(rng):
    images = np.where(rng.random((20, 9, 11)) < 0.2, -1.0, 1.0)
    found = CellularNetwork(image_shape=(9, 11), border="copy").fit_transform(images.reshape(20, 99))
    lowest = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    lowest = np.min([lowest[:, i : i + 9, j : j + 11] for i in range(3) for j in range(3)], axis=0)
    expected = np.where((images == 1) & (lowest == -1), 1.0, -1.0)
    np.testing.assert_allclose(found.reshape(images.shape), expected, atol=1e-6)
    assert (expected == 1).any() and (images[expected == -1] == 1).any()


@pytest.mark.parametrize("border", ["zero", "torus"])
def test_energies_never_rise_and_cells_end_black_or_white(rng, border):
    images = rng.uniform(-1, 1, size=(10, 48))
    net = CellularNetwork(template="noise", image_shape=(6, 8), border=border, step=0.02).fit(images)
    states, energies = net.trajectory(images, steps=300)
    assert (np.diff(energies, axis=0) <= 1e-9).all() and (energies[-1] < energies[0] - 1).all()
    assert (abs(net.set_params(max_steps=5000).transform(images)) == 1).all()
    assert abs(states).max() <= 1 + 6  # 1 + |z| + Σ |A| + Σ |B|


def test_noise_goes_and_a_square_stays():
    image = -np.ones((9, 9))
    image[2:7, 2:7] = 1
    noisy = image.copy()
    noisy[4, 4], noisy[0, 8], noisy[8, 3] = -1, 1, 1
    net = CellularNetwork(template="noise").fit(noisy.reshape(1, 81))
    np.testing.assert_array_equal(net.transform(noisy.reshape(1, 81)), image.reshape(1, 81))


def test_index_4_leaves_out_the_corners(rng):
    images = pictures(rng).reshape(3, 35)
    cross = tuple(np.where([[0, 1, 0], [1, 1, 1], [0, 1, 0]], part, 0.0) for part in LOPSIDED[:2])
    few = CellularNetwork(template=LOPSIDED, image_shape=(5, 7), neighbours=4).fit_transform(images)
    np.testing.assert_allclose(few, CellularNetwork(template=(*cross, 0.1), image_shape=(5, 7)).fit_transform(images))
    wide = np.ones((5, 5))
    net = CellularNetwork(template=(0 * wide, wide, 0), image_shape=(5, 5), neighbours=4, start="zero", step=0.1)
    dot = np.zeros((5, 5))
    dot[2, 2] = 0.5
    reached = net.fit(dot.reshape(1, 25)).trajectory(dot.reshape(1, 25), steps=1)[0][1].reshape(5, 5)
    distance = abs(np.arange(5) - 2)
    np.testing.assert_allclose(reached, 0.05 * (distance[:, None] + distance <= 2))


def test_an_image_is_finished_when_nothing_changes_by_more_than_tol(rng):
    leak = ([[0.0]], [[0.0]], 0)
    net = CellularNetwork(template=leak, step=0.5, tol=0.25)
    # dx/dt = -x: 0.8, 0.4, 0.2, and, as |dx/dt| was 0.2, 0.1 is the end; the second image ends sooner
    np.testing.assert_allclose(net.fit_transform([[0.8], [-0.2]]), [[0.1], [-0.1]], rtol=1e-6)
    images = rng.uniform(-1, 1, size=(4, 36))
    np.testing.assert_array_equal(net.fit(images).transform(images)[:1], net.transform(images[:1]))


def test_images_are_square_where_they_can_be():
    assert CellularNetwork().fit(np.ones((2, 36))).image_shape_ == (6, 6)
    assert CellularNetwork().fit(np.ones((2, 35))).image_shape_ == (1, 35)


def test_wrong_templates_and_shapes_are_errors(rng):
    images = pictures(rng).reshape(3, 35)
    with pytest.raises(ShapeError, match="expected images of 5 x 8 pixels, received 35 features"):
        CellularNetwork(image_shape=(5, 8)).fit(images)
    wide = np.ones((3, 3))
    for template in (
        "edge",
        (wide, np.ones((5, 5)), 0),
        (np.ones((2, 2)), np.ones((2, 2)), 0),
        (wide, wide),
        (wide, wide, wide),
        3,
    ):
        with pytest.raises(ConfigurationError, match="expected template to be 'edges' or 'noise' or"):
            CellularNetwork(template=template).fit(images)
    with pytest.raises(ConfigurationError, match="expected neighbours to be 4 or 8, received 6"):
        CellularNetwork(neighbours=6).fit(images)
    with pytest.raises(ConfigurationError, match=r"image_shape to be \(height, width\) or None, received 5"):
        CellularNetwork(image_shape=5).fit(images)
    with pytest.raises(ConfigurationError, match="expected a template no larger than the image on a torus"):
        CellularNetwork(template=(np.ones((5, 5)), np.ones((5, 5)), 0), image_shape=(1, 35), border="torus").fit(images)
