"""A cellular network at work on a photograph."""

import numpy as np
from sklearn.datasets import load_sample_image

from neuroloom import plots
from neuroloom.networks import CellularNetwork, topology


def _flower():
    """The photograph of a light flower that scikit-learn brings along: every other pixel, 1 where it is light."""
    grey = load_sample_image("flower.jpg").mean(axis=2)[20:420:2, 100:500:2]
    return np.where(grey > np.median(grey), 1.0, -1.0)


def cellular_network():
    """Cells take wrong pixels out of a picture, and then find its edges."""
    image = _flower()
    height, width = image.shape
    row = image.reshape(1, -1)
    noisy = np.where(np.random.default_rng(0).random(row.shape) < 0.1, -row, row)
    shape = {"image_shape": (height, width), "border": "copy"}
    clean = CellularNetwork(template="noise", **shape).fit_transform(noisy)
    edges = CellularNetwork(template="edges", **shape).fit_transform(np.sign(clean))
    print(f"wrong pixels of {height * width}: {(noisy != row).sum()} given, {(np.sign(clean) != row).sum()} left")
    print(f"edges: {(edges > 0).sum()} pixels")
    pictures = np.reshape([row, noisy, clean, edges], (4, height, width))
    names = ["two levels of a photograph", "10 % of the pixels wrong", "template 'noise'", "template 'edges'"]
    diagram = plots.connections(topology.local((4, 4)), grid=(4, 4), title="Neighbourhood index 8")
    return diagram, plots.images(0.5 - 0.5 * pictures, names, columns=2)
