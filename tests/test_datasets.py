"""Data sets: the published figures on the real files, and a refusal for every damaged one. No network."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest
import sklearn.datasets

from data_folder import DATA, needs_data
from neuroloom.datasets import (
    _archives,
    _imdb_reviews,
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
from neuroloom.datasets._fetch import locate
from neuroloom.datasets._idx import read_idx
from neuroloom.datasets._sources import SOURCES
from neuroloom.errors import ConfigurationError, DataError, UnknownNameError

MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
TABLES = [iris, wine, breast_cancer, diabetes, digits]


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """Nothing is downloaded, and the cache of the machine is not looked at."""

    def refuse(*_args, **_kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setattr(pooch, "os_cache", lambda _name: tmp_path / "cache")
    monkeypatch.delenv("NEUROLOOM_DATA", raising=False)


@pytest.fixture
def real(monkeypatch):
    monkeypatch.setenv("NEUROLOOM_DATA", str(DATA))


# Figures of the real files


@needs_data
@pytest.mark.parametrize(
    "module, part, samples, first, counts, mean, std",
    [
        (mnist, 0, 60000, [5, 0, 4, 1, 9], MNIST_TRAIN, 0.130660, 0.308108),
        (mnist, 1, 10000, [7, 2, 1, 0, 4], MNIST_TEST, 0.132515, 0.310480),
        (fashion_mnist, 0, 60000, [9, 0, 0, 3, 0], [6000] * 10, 0.286041, 0.353024),
        (fashion_mnist, 1, 10000, [9, 2, 1, 1, 6], [1000] * 10, 0.286849, 0.352444),
    ],
    ids=["mnist-train", "mnist-test", "fashion-train", "fashion-test"],
)
def test_mnist_figures(real, module, part, samples, first, counts, mean, std):
    x, y = module.load_data()[part]
    assert x.shape == (samples, 28, 28) and x.dtype == np.uint8
    assert y.shape == (samples,) and y.dtype == np.uint8
    assert y[:5].tolist() == first and np.bincount(y).tolist() == counts
    assert x.mean() / 255 == pytest.approx(mean, abs=5e-7)
    assert x.std(dtype=np.float64) / 255 == pytest.approx(std, abs=5e-7)
    assert len(module.class_names) == 10


@needs_data
def test_cifar10_lossless_figures(real):
    parts = cifar10.load_data("first4000")
    assert [x.shape for x, _ in parts] == [(3200, 32, 32, 3), (800, 32, 32, 3)]
    x, y = (np.concatenate(both) for both in zip(*parts, strict=True))
    assert x.dtype == y.dtype == np.uint8
    assert y[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert np.bincount(y).tolist() == [396, 366, 420, 384, 422, 393, 414, 385, 407, 413]
    np.testing.assert_allclose(x.mean((0, 1, 2)) / 255, [0.4916, 0.4818, 0.4447], atol=5e-5)


@needs_data
def test_cifar10_jpeg_figures(real):
    (x_train, y_train), (x_test, y_test) = cifar10.load_data("jpeg")
    assert x_train.shape == (6000, 32, 32, 3) and x_test.shape == (2000, 32, 32, 3)
    assert np.bincount(y_train).tolist() == [600] * 10 and np.bincount(y_test).tolist() == [200] * 10


@needs_data
def test_imdb_gives_what_keras_publishes(real):
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10000)
    words = {rank + 3: word for word, rank in imdb.get_word_index().items()}
    assert x_train[0][:10] == [1, 14, 22, 16, 43, 530, 973, 1622, 1385, 65]
    assert " ".join(words[i] for i in x_train[0][1:7]) == "this film was just brilliant casting"
    assert [len(x) for x in x_train[:6]] == [218, 189, 141, 550, 147, 43]
    assert [len(x) for x in x_test[:6]] == [68, 260, 603, 181, 108, 132]
    assert y_train[:10].tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 1, 0]
    assert y_test[:10].tolist() == [0, 1, 1, 0, 1, 1, 1, 0, 0, 1]
    assert np.bincount(y_train).tolist() == np.bincount(y_test).tolist() == [12500, 12500]
    lengths = np.array([len(x) for x in [*x_train, *x_test]])
    assert lengths.mean() == pytest.approx(234.758920) and lengths.std() == pytest.approx(172.911495)
    assert max(map(max, x_train)) == 9999 and len(words) == 88584


@needs_data
def test_shakespeare_figures(real):
    text = shakespeare.load_data()
    assert (len(text), len(set(text)), text.count("\n")) == (1115394, 65, 40000)
    assert text.startswith("First Citizen:\nBefore we proceed")


# Small tables


@pytest.mark.parametrize("module", TABLES)
def test_table_split_is_deterministic_and_loses_no_row(module):
    name = module.__name__.rpartition(".")[2]
    (x_train, y_train), (x_test, y_test) = module.load_data()
    again = module.load_data()
    other = module.load_data(seed=7)
    np.testing.assert_array_equal(x_train, again[0][0])
    assert not np.array_equal(x_train, other[0][0])
    everything = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)[1]
    assert sorted(np.concatenate([y_train, y_test])) == sorted(everything)
    assert len(y_test) == np.ceil(0.2 * len(everything)) and len(x_test) == len(y_test)


@pytest.mark.parametrize("module", [iris, wine, breast_cancer, digits])
def test_table_split_keeps_the_proportions(module):
    (_, y_train), (_, y_test) = module.load_data(test_split=0.3)
    train, test = np.bincount(y_train), np.bincount(y_test)
    np.testing.assert_allclose(test, 0.3 * (train + test), atol=1)


@pytest.mark.parametrize("module", [iris, wine, breast_cancer])
def test_table_names_are_those_of_the_columns(module):
    source = getattr(sklearn.datasets, f"load_{module.__name__.rpartition('.')[2]}")()
    assert module.feature_names == tuple(source.feature_names)
    assert module.class_names == tuple(source.target_names)


def test_table_types():
    (x, y), _ = iris.load_data()
    assert x.dtype == np.float32 and y.dtype == np.int64
    (x, y), _ = digits.load_data()
    assert x.dtype == y.dtype == np.uint8 and x.shape[1:] == (8, 8) and x.max() == 16
    (x, y), (x_test, y_test) = diabetes.load_data()
    assert x.dtype == y.dtype == np.float32
    assert np.concatenate([x, x_test])[:, 0].mean() == pytest.approx(48.518, abs=1e-3)  # years, not scaled
    values = np.concatenate([y, y_test])
    assert (values.min(), values.max()) == (25, 346)


@pytest.mark.parametrize("test_split", [0, 1, -0.5, 2, 0.001])
def test_table_split_that_cannot_be(test_split):
    with pytest.raises(ConfigurationError, match=r"test_split"):
        iris.load_data(test_split=test_split)


# Files that are missing or not the published ones


def test_missing_file_says_where_it_was_expected(monkeypatch, tmp_path):
    with pytest.raises(DataError, match=r"mnist/train-images-idx3-ubyte.gz in the folder that NEUROL"):
        mnist.load_data()
    monkeypatch.setenv("NEUROLOOM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"/fashion-mnist/train-.* failed: no network in tests. Connect"):
        fashion_mnist.load_data()


def test_file_that_is_nowhere_to_be_had_says_so():
    with pytest.raises(DataError, match=r"first4000.npz .* not offered for download"):
        cifar10.load_data("first4000")


def test_file_with_another_checksum_is_refused(monkeypatch, tmp_path):
    page = tmp_path / "tinyshakespeare" / "input.txt"
    page.parent.mkdir()
    page.write_text("<html>Please sign in</html>")
    monkeypatch.setenv("NEUROLOOM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"input.txt expected SHA-256 86c4e6aa\w+, received (?!86c4)\w+"):
        shakespeare.load_data()


def test_download_is_checked_and_kept_apart(monkeypatch, tmp_path):
    asked = {}

    def retrieve(url, known_hash, fname, path, progressbar):
        asked.update(url=url, known_hash=known_hash, path=path)
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.delenv("NEUROLOOM_CACHE", raising=False)
    found = locate("fashion-mnist", "t10k-labels-idx1-ubyte.gz")
    assert found == tmp_path / "cache" / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    assert asked["known_hash"].startswith("sha256:67da17c7") and asked["url"].startswith("https://")


def test_wrong_download_is_refused(monkeypatch):
    def retrieve(*_args, **_kwargs):
        raise ValueError("SHA256 hash of downloaded file does not match the known hash")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match="does not match the known hash"):
        shakespeare.load_data()


def test_every_source_has_a_checksum_and_a_safe_address():
    for files in SOURCES.values():
        for source in files.values():
            assert len(bytes.fromhex(source.sha256)) == 32
            assert source.url is None or source.url.startswith("https://")


def test_unknown_subset_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'jpeg'"):
        cifar10.load_data("jpg")


# Containers that lie


def idx(header: bytes, values: bytes) -> bytes:
    return gzip.compress(header + values, mtime=0)  # the same in every process that collects the tests


GOOD = struct.pack(">4B2I", 0, 0, 8, 2, 2, 3)


def test_idx_reads_axes_in_order(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(idx(GOOD, bytes(range(6))))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "received nothing"),
        (idx(b"", b""), "received nothing"),
        (b"<html></html>", "damaged"),
        (idx(GOOD, bytes(6))[:-9], "damaged"),
        (idx(GOOD, bytes(5)), r"expected 6 values .*received 5"),
        (idx(GOOD, bytes(7)), r"expected 6 values .*received more"),
        (idx(GOOD[:8], b""), "sizes of 2 axes, received 4 bytes"),
        (idx(b"\0\0\x0d\x02" + GOOD[4:], bytes(6)), "unsigned bytes, received 00000d02"),
        (idx(b"\0\0\x08\0", b""), "received 00000800"),
        (idx(struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), bytes(6)), "received 6"),
    ],
)
def test_idx_that_lies_is_refused(tmp_path, data, message):
    path = tmp_path / "lie.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"lie.gz.*{message}"):
        read_idx(path)


def tar_of(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_tar_reads_wanted_files_only_and_writes_none(tmp_path):
    path = tmp_path / "a.tar.gz"
    tar_of(path, {"../../escape.bin": b"x", "a/one.bin": b"1", "a/two.txt": b"2"})
    link = tarfile.TarInfo("a/link.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "one.bin"
    with gzip.open(path) as stream:
        packed = stream.read()
    path.write_bytes(gzip.compress(link.tobuf() + packed))
    assert dict(_archives.tar_members(path, "a/", ".bin")) == {"a/one.bin": b"1"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tar.gz"]


def test_damaged_archives_are_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    tar_of(path, {"a/one.bin": bytes(range(256)) * 99})
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(DataError, match="damaged"):
        list(_archives.tar_members(path, "a/", ".bin"))


def test_tar_member_of_enormous_size_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "a.tar.gz"
    tar_of(path, {"a/one.bin": bytes(300)})
    monkeypatch.setattr(_archives, "_LARGEST_MEMBER", 299)
    with pytest.raises(DataError, match=r"one.bin expected at most 299 bytes, received 300"):
        list(_archives.tar_members(path, "a/", ".bin"))


def test_npz_with_objects_or_without_a_name_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="allow_pickle"):
        _archives.read_npz(path, ("x",))
    np.savez(path, x=np.zeros(2))
    with pytest.raises(DataError, match="arrays x, y"):
        _archives.read_npz(path, ("x", "y"))
    path.write_bytes(b"\x80\x04N.")  # a pickle
    with pytest.raises(DataError):
        _archives.read_npz(path, ("x",))


def cifar_archive(path: Path, drop: str = "", cut: int = 0) -> None:
    records = np.zeros((10_000, 3073), np.uint8)
    members = {}
    for number, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        records[:, 0] = number
        records[:, 1:] = np.arange(3072) % 251
        members[f"cifar-10-batches-bin/{name}"] = records.tobytes()[: records.size - cut]
    members.pop(f"cifar-10-batches-bin/{drop}", None)
    tar_of(path, members)


def test_cifar10_binary_version_is_decoded(monkeypatch, tmp_path):
    cifar_archive(tmp_path / "a.tar.gz")
    monkeypatch.setattr(cifar10, "locate", lambda *_: tmp_path / "a.tar.gz")
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert x_train.shape == (50000, 32, 32, 3) and x_test.shape == (10000, 32, 32, 3)
    assert y_train[::10000].tolist() == [0, 1, 2, 3, 4] and set(y_test) == {5}
    row, column, channel = 3, 5, 2  # planes lie red, green, blue; rows before columns
    assert x_train[7, row, column, channel] == (channel * 1024 + row * 32 + column) % 251


@pytest.mark.parametrize(
    "damage, message",
    [
        ({"drop": "data_batch_3.bin"}, "lacks data_batch_3.bin"),
        ({"cut": 1}, "30730000 bytes, received 30729999"),
    ],
)
def test_cifar10_archive_that_lies_is_refused(monkeypatch, tmp_path, damage, message):
    cifar_archive(tmp_path / "a.tar.gz", **damage)
    monkeypatch.setattr(cifar10, "locate", lambda *_: tmp_path / "a.tar.gz")
    with pytest.raises(DataError, match=message):
        cifar10.load_data()


# IMDB: conversion of the texts, and the rules for words

WORDS = {"the": 1, "a": 2, "film": 3, "don't": 4, "café": 5}


def test_imdb_texts_become_ranks(tmp_path):
    path = tmp_path / "a.tar.gz"
    members = {
        "aclImdb/train/pos/10_9.txt": b"The FILM, the\tfilm!",
        "aclImdb/train/pos/0_9.txt": "Don't a<br />café CAFÉ unseen".encode(),
        "aclImdb/train/neg/1_1.txt": b"a",
        "aclImdb/train/unsup/1_0.txt": b"the the",
        "aclImdb/train/urls_pos.txt": b"the",
        "aclImdb/test/neg/3_2.txt": b"",
    }
    tar_of(path, members)
    arrays = _imdb_reviews.convert(path, WORDS)
    # 0_9 comes before 10_9, and only ASCII letters are lowered
    assert arrays["x_train_flat"].tolist() == [4, 2, 5, 1, 3, 1, 3, 2]
    assert arrays["x_train_offsets"].tolist() == [0, 3, 7, 8] and arrays["y_train"].tolist() == [1, 1, 0]
    assert arrays["x_test_offsets"].tolist() == [0, 0] and arrays["y_test"].tolist() == [0]


def test_imdb_conversion_must_give_the_published_arrays(monkeypatch, tmp_path):
    tar_of(tmp_path / "a.tar.gz", {"aclImdb/train/pos/0_9.txt": b"the"})
    monkeypatch.setattr(_imdb_reviews, "locate", lambda *_: tmp_path / "a.tar.gz")
    with pytest.raises(DataError, match=r"a.tar.gz expected the digest f9976ff6"):
        _imdb_reviews.load_reviews(WORDS)
    assert not (tmp_path / "cache").exists()


@needs_data
def test_imdb_conversion_is_kept_and_checked_again(real, monkeypatch):
    arrays = _imdb_reviews.load_reviews({})
    monkeypatch.delenv("NEUROLOOM_DATA")
    monkeypatch.setattr(_imdb_reviews, "locate", lambda *_: Path("archive"))
    monkeypatch.setattr(_imdb_reviews, "convert", lambda *_: arrays)
    _imdb_reviews.load_reviews({})
    monkeypatch.delattr(_imdb_reviews, "convert")  # from here on only the kept file is read
    kept = _imdb_reviews.load_reviews({})
    assert all(np.array_equal(kept[name], arrays[name]) for name in kept)
    folder = _imdb_reviews.cache_folder("imdb")
    assert [entry.name for entry in folder.iterdir()] == ["reviews.npz"]
    arrays["y_train"] = 1 - arrays["y_train"]
    np.savez(folder / "reviews.npz", allow_pickle=False, **arrays)
    with pytest.raises(DataError, match="remove it to have it made again"):
        _imdb_reviews.load_reviews({})


def small_reviews(_index):
    flat, offsets = np.array([7, 1, 9, 2, 5, 5], np.int32), np.array([0, 1, 3, 6])
    y = np.array([1, 1, 0], np.uint8)
    one = {"x_{}_flat": flat, "x_{}_offsets": offsets, "y_{}": y}
    return {name.format(part): array for part in ("train", "test") for name, array in one.items()}


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, {(1, 10), (1, 4, 2), (1, 5, 8, 8)}),  # the largest number, 12, is unknown, as in Keras
        ({"num_words": 9}, {(1, 2), (1, 4, 2), (1, 5, 8, 8)}),
        ({"num_words": 9, "oov_char": None}, {(1,), (1, 4), (1, 5, 8, 8)}),
        ({"num_words": 100, "skip_top": 5}, {(2, 10), (2, 2, 12), (2, 5, 8, 8)}),
        ({"num_words": 100, "maxlen": 4}, {(1, 10), (1, 4, 12)}),
        ({"num_words": 100, "start_char": None, "index_from": 0}, {(7,), (1, 9), (2, 5, 5)}),
    ],
)
def test_imdb_rules(monkeypatch, options, expected):
    monkeypatch.setattr(imdb, "load_reviews", small_reviews)
    monkeypatch.setattr(imdb, "get_word_index", dict)
    (x_train, y_train), (x_test, y_test) = imdb.load_data(**options)
    assert {tuple(x) for x in x_train} == {tuple(x) for x in x_test} == expected
    assert all(type(x) is list for x in x_train) and y_train.dtype == np.int64
    for x, y in zip(x_test, y_test, strict=True):
        assert y == (len(x) < 3 or x[-1] != x[-2])  # the one negative review ends in a word said twice


def test_imdb_maxlen_that_keeps_nothing(monkeypatch):
    monkeypatch.setattr(imdb, "load_reviews", small_reviews)
    monkeypatch.setattr(imdb, "get_word_index", dict)
    with pytest.raises(ConfigurationError, match=r"maxlen above 2 \(the shortest train review\), received 2"):
        imdb.load_data(maxlen=2)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, neuroloom.datasets; print({'sklearn', 'pooch', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@needs_data
def test_folder_is_preferred_to_the_network(monkeypatch, tmp_path):
    target = tmp_path / "tinyshakespeare"
    target.mkdir()
    shutil.copy(DATA / "tinyshakespeare" / "input.txt", target)
    monkeypatch.setenv("NEUROLOOM_DATA", str(tmp_path))
    assert len(shakespeare.load_data()) == 1115394
