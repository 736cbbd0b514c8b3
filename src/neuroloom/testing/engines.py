"""The engine test-kit: the protocol as tests, for engines of this package and of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from neuroloom.engines import Engine, dispatch
from neuroloom.testing import arrays, functions, kernels, training
from neuroloom.testing.compare import Check

ALL = {**arrays.CHECKS, **functions.CHECKS, **kernels.CHECKS, **training.CHECKS}
"""All checks by name. A name begins with the method of the engine that is checked."""


def engine_checks(engine: str | Engine) -> Iterator[tuple[str, Callable[[], None]]]:
    """(name, check) for each check of an engine; a check raises an error where the engine is wrong.

    For pytest:

        @pytest.mark.parametrize("name, check", engine_checks("mine"))
        def test_engine(name, check):
            check()

    Args:
        engine: its name, or the engine itself, installed or not.
    """
    one = dispatch.resolve(engine)
    for name, check in ALL.items():
        yield name, _Bound(one, check)


def check_engine(engine: str | Engine) -> None:
    """Check an engine against the protocol: values, dtypes, derivatives, loops, random numbers, errors, kernels against
    their plain definitions, and small networks that train.

    Args:
        engine: its name, or the engine itself, installed or not.

    Raises:
        AssertionError: with the name of each check that fails, and why. Its cause is the first error.

    scikit-learn's `check_estimator` has this role for estimators.

    >>> from neuroloom.testing import check_engine
    >>> check_engine("numpy")
    """
    failed, first, count = [], None, 0
    for name, check in engine_checks(engine):
        count += 1
        try:
            check()
        except Exception as error:  # whatever a wrong engine raises is its failure
            first = first or error
            failed.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    if failed:
        listed = "\n  ".join(failed)
        raise AssertionError(
            f"The engine {dispatch.resolve(engine).name!r} fails {len(failed)} of {count} checks:\n  {listed}"
        ) from first


class _Bound:
    """A check of one engine."""

    def __init__(self, engine: Engine, check: Check) -> None:
        self.engine, self.check = engine, check

    def __call__(self) -> None:
        with dispatch.standing_in(self.engine):
            self.check(self.engine)
