"""Well-known data sets, one module each, every one with a `load_data()`.

What a module here must satisfy: `load_data()` returns `(x_train, y_train), (x_test, y_test)` as NumPy arrays
(`shakespeare` returns text); every byte read was compared with a SHA-256 first; nothing is ever unpickled;
importing the package loads neither scikit-learn nor the downloader.

| module | what | from |
| --- | --- | --- |
| `digits`, `iris`, `wine`, `breast_cancer`, `diabetes` | small tables | the files inside scikit-learn |
| `mnist`, `fashion_mnist` | 70000 images of 28 x 28 | one download, kept |
| `cifar10` | 60000 images of 32 x 32 x 3 | one download, kept; two small subsets from your own folder |
| `imdb` | 50000 film reviews as word indices | one download, converted once, kept |
| `shakespeare` | 1.1 MB of text | one download, kept |

Set `NEUROLOOM_DATA` to a folder that holds the files (`mnist/train-images-idx3-ubyte.gz`, ...)
to work offline.
"""

from neuroloom.calls import public
from neuroloom.datasets import (
    breast_cancer,
    cifar10,
    diabetes,
    digits,
    fashion_mnist,
    imdb,
    iris,
    mnist,
    shakespeare,
    wine,
)

__all__ = [
    "breast_cancer",
    "cifar10",
    "diabetes",
    "digits",
    "fashion_mnist",
    "imdb",
    "iris",
    "mnist",
    "shakespeare",
    "wine",
]

public(__name__)
