"""Compiled programs on disk: kept from one process for the next, bounded, and never in the way."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from neuroloom.cli.doctor import doctor
from neuroloom.engines.jax import cache as jax_cache

TRAIN = """
import json
from jax import monitoring
events = []
monitoring.register_event_listener(lambda name, **_: events.append(name))
import numpy as np
import neuroloom as nl
model = nl.Sequential([nl.layers.Dense(3, "tanh", input_shape=(2,)), nl.layers.Dense(1)])
model.set_weights([np.ones(w.shape) / 7 for w in model.get_weights()])
model.compile("adam", "mse")
history = model.fit([[0.0, 1.0], [2.0, 3.0]], [[1.0], [2.0]], epochs=3, verbose=0, engine="jax", shuffle=False)
from neuroloom.engines.jax import cache as jax_cache
hits, misses = (sum(name.endswith(end) for name in events) for end in ("cache_hits", "cache_misses"))
print(json.dumps([history.history["loss"], hits, misses, str(jax_cache.folder() or "")]))
"""


def trained(**environment):
    """(losses, programs found on disk, programs compiled, folder) of a process that trains a small network."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "NEUROLOOM_"))}
    command = [sys.executable, "-W", "error::UserWarning", "-c", TRAIN]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def programs(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder that one process has filled, and what that process said."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, trained(NEUROLOOM_CACHE=str(folder))


def test_a_second_process_compiles_nothing(filled):
    folder, (losses, hits, misses, used) = filled
    assert misses >= 2 and hits == 0
    assert Path(used).is_relative_to(folder / "jax") and programs(used)
    again = trained(NEUROLOOM_CACHE=str(folder))
    assert again == [losses, misses, 0, used]


DAMAGES = {
    "empty": lambda good: b"",
    "half": lambda good: good[: len(good) // 2],
    "another first byte": lambda good: b"?" + good[1:],
    "zeros": lambda good: bytes(len(good)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_programs_are_compiled_again_without_a_word(filled, damage, tmp_path):
    folder, (losses, _, misses, used) = filled
    shutil.copytree(folder, tmp_path / "copy")
    copied = tmp_path / "copy" / Path(used).relative_to(folder)
    for path in programs(copied):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert trained(NEUROLOOM_CACHE=str(tmp_path / "copy")) == [losses, 0, misses, str(copied)]


@pytest.mark.parametrize("value", ["", "0"])
def test_no_cache_where_none_is_wanted(filled, value, tmp_path):
    losses, hits, _, used = trained(NEUROLOOM_CACHE=value, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert (losses, hits, used) == (filled[1][0], 0, "")
    assert programs(tmp_path) == []


def test_by_default_it_lies_in_the_users_cache_directory(tmp_path):
    used = trained(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "caches"))[3]
    assert Path(used).is_relative_to(tmp_path) and programs(used)


def test_a_users_own_folder_stays(filled, tmp_path):
    own = tmp_path / "own"
    assert trained(NEUROLOOM_CACHE=str(tmp_path / "other"), JAX_COMPILATION_CACHE_DIR=str(own))[3] == str(own)
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written_does_no_harm(filled, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    losses, hits, _, used = trained(NEUROLOOM_CACHE=str(file))
    assert (losses, hits, used) == (filled[1][0], 0, "")
    assert file.read_text() == "not a folder"


def test_processes_may_share_it(filled, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: trained(NEUROLOOM_CACHE=str(tmp_path)), range(3)))
    assert all(result[0] == filled[1][0] for result in results)
    assert trained(NEUROLOOM_CACHE=str(tmp_path))[2] == 0


# ------------------------------------------------------------------------------------------------------- bounds


def entry(folder, name, size, days):
    path = folder / name
    path.write_bytes(bytes(size))
    when = jax_cache.time.time() - days * 86400
    os.utime(path, (when, when))
    return path


def test_the_oldest_programs_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(jax_cache, "LIMIT_BYTES", 100)
    paths = [entry(tmp_path, str(days), 40, days) for days in (3, 1, 2)]
    (tmp_path / "folder").mkdir()
    jax_cache.shrink(tmp_path)
    assert [path.exists() for path in paths] == [False, True, True]
    assert (tmp_path / "folder").is_dir()


def test_programs_go_after_a_month(tmp_path):
    paths = [entry(tmp_path, str(days), 1, days) for days in (29, 31)]
    jax_cache.shrink(tmp_path)
    assert [path.exists() for path in paths] == [True, False]


def test_each_kind_of_processor_has_a_name_of_its_own(monkeypatch):
    here = jax_cache.processor()
    assert here == jax_cache.processor() and "/" not in here
    monkeypatch.setattr(jax_cache.Path, "read_text", lambda self: "model name: other\nflags: fpu sse2\n")
    assert jax_cache.processor() != here


def test_the_doctor_says_where_programs_are_and_how_much_that_is(tmp_path, monkeypatch):
    monkeypatch.setattr(jax_cache, "folder", lambda: tmp_path)
    entry(tmp_path, "a", 3 << 20, 1)
    text = " ".join(CliRunner().invoke(doctor, []).output.split())
    assert "Programs /" in text and "(1 files, 3.0 MB)" in text
    monkeypatch.setattr(jax_cache, "folder", lambda: None)
    assert "Programs not kept on disk" in " ".join(CliRunner().invoke(doctor, []).output.split())
