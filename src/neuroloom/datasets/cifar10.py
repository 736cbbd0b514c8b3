"""CIFAR-10: small colour photographs.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

The whole set is read from its *binary* version; the better known "python version" consists of pickles, which
are never read here.
"""

from __future__ import annotations

import numpy as np

from neuroloom.datasets._archives import read_npz, tar_members
from neuroloom.datasets._fetch import locate
from neuroloom.errors import DataError, UnknownNameError, nearest

Part = tuple[np.ndarray, np.ndarray]

class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_FOLDER = "cifar-10-batches-bin/"
_BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_RECORD = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue plane
_PER_BATCH = 10_000
_HELD_OUT = 800  # of the 4000 images of the subset "first4000"


def load_data(subset: str | None = None) -> tuple[Part, Part]:
    """Loads CIFAR-10, or one of two small subsets that you have as files.

    Args:
        subset: None for the whole set: 50000 training and 10000 test images, downloaded once (170 MB).
            `"first4000"`: the first 4000 training images with their true pixels; the last 800 of them are the
            test part, so accuracies do not compare with published ones.
            `"jpeg"`: 6000 training and 2000 test images as a JPEG of about quality 75 left them, evenly over
            the classes; close to the true pixels and not equal to them, so the same holds.
            The subsets are read from the folder that `NEUROLOOM_DATA` names and are not offered for download.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (n, 32, 32, 3), uint8 RGB; labels of shape
        (n,), uint8 from 0 to 9, named by `class_names`. (Keras's labels have shape (n, 1); here they are
        flat, as in every other data set.)

    Raises:
        UnknownNameError: there is no such subset.
        DataError: a file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data("first4000")  # doctest: +SKIP
        >>> x_train.shape, [class_names[label] for label in y_train[:3]]  # doctest: +SKIP
        ((3200, 32, 32, 3), ['frog', 'truck', 'truck'])
    """
    loaders = {"first4000": _first4000, "jpeg": _jpeg}
    if subset is None:
        return _whole()
    if subset not in loaders:
        raise UnknownNameError(
            f"cifar10 expected subset=None or one of {sorted(loaders)}, received {subset!r}. "
            f"{nearest(str(subset), loaders)}"
        )
    return loaders[subset]()


def _whole() -> tuple[Part, Part]:
    path = locate("cifar10", "cifar-10-binary.tar.gz")
    batches = {name.removeprefix(_FOLDER): data for name, data in tar_members(path, _FOLDER, ".bin")}
    if missing := sorted(set(_BATCHES) - set(batches)):
        raise DataError(f"{path} expected the members {', '.join(_BATCHES)}, and lacks {', '.join(missing)}.")
    images, labels = zip(*(_decode(name, batches[name]) for name in _BATCHES), strict=True)
    train = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
    return train, (images[-1], labels[-1])


def _decode(name: str, data: bytes) -> Part:
    if len(data) != _PER_BATCH * _RECORD:
        raise DataError(f"CIFAR-10's {name} expected {_PER_BATCH * _RECORD} bytes, received {len(data)}.")
    records = np.frombuffer(data, np.uint8).reshape(_PER_BATCH, _RECORD)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].copy()


def _first4000() -> tuple[Part, Part]:
    arrays = read_npz(locate("cifar10", "cifar10_train_first4000.npz"), ("x", "y"))
    x, y = arrays["x"], arrays["y"]
    return (x[:-_HELD_OUT], y[:-_HELD_OUT]), (x[-_HELD_OUT:], y[-_HELD_OUT:])


def _jpeg() -> tuple[Part, Part]:
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = read_npz(locate("cifar10", "cifar10_jpeg_subset.npz"), names)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
