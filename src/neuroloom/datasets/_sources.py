"""Where each file of each data set comes from: the one table of names, checksums and addresses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One file: its SHA-256, and the address it can be downloaded from (None: it is not offered anywhere)."""

    sha256: str
    url: str | None = None


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

SOURCES: dict[str, dict[str, Source]] = {
    "mnist": {
        "train-images-idx3-ubyte.gz": Source(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            _MNIST + "train-images-idx3-ubyte.gz",
        ),
        "train-labels-idx1-ubyte.gz": Source(
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            _MNIST + "train-labels-idx1-ubyte.gz",
        ),
        "t10k-images-idx3-ubyte.gz": Source(
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            _MNIST + "t10k-images-idx3-ubyte.gz",
        ),
        "t10k-labels-idx1-ubyte.gz": Source(
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            _MNIST + "t10k-labels-idx1-ubyte.gz",
        ),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": Source(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            _KERAS + "train-images-idx3-ubyte.gz",
        ),
        "train-labels-idx1-ubyte.gz": Source(
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            _KERAS + "train-labels-idx1-ubyte.gz",
        ),
        "t10k-images-idx3-ubyte.gz": Source(
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            _KERAS + "t10k-images-idx3-ubyte.gz",
        ),
        "t10k-labels-idx1-ubyte.gz": Source(
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            _KERAS + "t10k-labels-idx1-ubyte.gz",
        ),
    },
    "cifar10": {
        "cifar-10-binary.tar.gz": Source(
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
        "cifar10_train_first4000.npz": Source("5a3a42d44290a419b420982b8bebee85690907a7a4ec2535b9ce037d0c54d8cb"),
        "cifar10_jpeg_subset.npz": Source("841c878c510cc362ef761882f66db473ab94119602dc2afc8c0d74e6ea11ec88"),
    },
    "imdb": {
        "aclImdb_v1.tar.gz": Source(
            "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        ),
        "imdb_word_index.json": Source(
            "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
            _KERAS + "imdb_word_index.json",
        ),
        "imdb.npz": Source("b2b41ecf482d78f75e2e7561073cf949ac64a27c3143da3ab254d4ad4f7ed82c"),
    },
    "tinyshakespeare": {
        "input.txt": Source(
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    },
}
