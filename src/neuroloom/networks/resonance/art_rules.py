"""How adaptive resonance learns: categories compete for an input, are tested by vigilance, and take it in.

A row compares itself with the categories that there are, few numbers whose count changes while they learn: that is
done on the host, in float64. What is equal to SLACK counts as equal: the first of equal categories wins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

SLACK = 1e-13  # above what rounding adds to sums of some thousand numbers from 0 to 1
STILL = 1e-9
"""A pass after which no weight differs by more has changed nothing."""


class Code(ABC):
    """How rows and categories are compared. Settings are numbers by name: what `judged` and `moved` read."""

    @abstractmethod
    def shared(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """What each row of x, (m,) or (n, m), has in common with each of w (c, m): (c,) or (n, c)."""

    @abstractmethod
    def judged(
        self, shared: np.ndarray, size: Any, sizes: np.ndarray, settings: dict[str, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choice and match, from what is shared, the size Σ |x| of the row and those of the categories."""

    @abstractmethod
    def moved(self, x: np.ndarray, w: np.ndarray, settings: dict[str, float]) -> np.ndarray:
        """The weights w of one category that learned x."""


class Fuzzy(Code):
    """|x ∧ w| / (α + |w|) for choice and |x ∧ w| / |x| for match.

    A category that shares nothing with x does not match: a new one, whose weights are all above 0, comes before it.
    An empty x matches the empty category only.
    """

    def shared(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        if x.ndim == 1:
            return np.minimum(x, w).sum(axis=1)
        return np.stack([np.minimum(x, one).sum(axis=1) for one in w], axis=1)

    def judged(
        self, shared: np.ndarray, size: Any, sizes: np.ndarray, settings: dict[str, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        match = np.where(shared > 0, shared / (size + (size == 0)), -2.0)
        return shared / (settings["choice"] + sizes), _empty(match, size, sizes)

    def moved(self, x: np.ndarray, w: np.ndarray, settings: dict[str, float]) -> np.ndarray:
        both, rate = np.minimum(x, w), settings["rate"]
        return rate * both + (1 - rate) * w


class Binary(Fuzzy):
    """The same for zeros and ones, of which the smaller one is the product."""

    def shared(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x @ w.T


class Cosine(Code):
    """x·w for choice and for match, for x and w of length 1.

    A category whose choice is below α Σ |x|, that of a new one, does not match, nor does one at a right angle to x.
    An x of zeros matches the category of zeros only.
    """

    def shared(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x @ w.T

    def judged(
        self, shared: np.ndarray, size: Any, sizes: np.ndarray, settings: dict[str, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        match = np.where((shared > 0) & (shared >= settings["choice"] * size - SLACK), shared, -2.0)
        return shared, _empty(match, size, sizes)

    def moved(self, x: np.ndarray, w: np.ndarray, settings: dict[str, float]) -> np.ndarray:
        rate = settings["rate"]
        kept = _unit(np.where(abs(w) > settings["theta"], x, 0.0), w)
        return _unit(rate * kept + (1 - rate) * w, w)


CODES: dict[str, Code] = {"fuzzy": Fuzzy(), "binary": Binary(), "cosine": Cosine()}


class Categories:
    """Weights w (categories, m), each with the label of its rows; there is room for more, which is doubled when full.

    Without classes all labels are 0.
    """

    def __init__(self, w: np.ndarray, marks: np.ndarray, most: int) -> None:
        self.room, self.sizes, self.marks = w.copy(), abs(w).sum(axis=1), marks.copy()
        self.count, self.most = len(w), most

    @property
    def w(self) -> np.ndarray:
        return self.room[: self.count]

    def write(self, j: int, w: np.ndarray) -> None:
        self.room[j], self.sizes[j] = w, abs(w).sum()

    def add(self, w: np.ndarray, label: int) -> bool:
        """A category of its own; False if there is no room."""
        if self.count >= self.most:
            return False
        if self.count == len(self.room):
            more = max(self.count, 8)
            self.room = np.pad(self.room, ((0, more), (0, 0)))
            self.sizes, self.marks = np.pad(self.sizes, (0, more)), np.pad(self.marks, (0, more))
        self.count += 1
        self.write(self.count - 1, w)
        self.marks[self.count - 1] = label
        return True


def learn(
    x: np.ndarray, labels: np.ndarray, found: Categories, settings: dict[str, float], passes: int, code: str
) -> tuple[int, int]:
    """Passes over x (n, m) until one changes nothing: how many, and rows lost in the last.

    Lost are rows that found no category, nor a place for a new one.
    """
    sizes = abs(x).sum(axis=1)
    done, lost, still = 0, 0, False
    while done < passes and not still:
        done += 1
        before, lost = found.w.copy(), 0
        for row, size, label in zip(x, sizes.tolist(), labels.tolist(), strict=True):
            lost += not _take(row, size, label, found, settings, CODES[code])
        still = len(before) == found.count and not (abs(found.w - before) > STILL).any()
    return done, lost


def _take(x: np.ndarray, size: float, label: int, found: Categories, settings: dict[str, float], code: Code) -> bool:
    """Have x learned by the category that it resonates with, or by a new one; False if there is neither."""
    w = found.w
    choice, match = code.judged(code.shared(x, w), size, found.sizes[: found.count], settings)
    j = _search(choice, match, found.marks[: found.count] != label, settings)
    if j < 0:
        commit = settings["commit"]
        return found.add(commit * x + (1 - commit), label)
    new = code.moved(x, w[j], settings)
    if (new != w[j]).any():
        found.write(j, new)
    return True


def winners(x: np.ndarray, w: np.ndarray, settings: dict[str, float], code: str) -> np.ndarray:
    """The category that each row of x resonates with, (n,); -1 where none is near enough."""
    if not len(w):
        return np.full(len(x), -1, np.int32)
    rule, sizes = CODES[code], abs(w).sum(axis=1)
    choice, match = rule.judged(rule.shared(x, w), abs(x).sum(axis=1, keepdims=True), sizes, settings)
    return _winners(choice, match, settings["vigilance"]).astype(np.int32)


def _search(choice: np.ndarray, match: np.ndarray, wrong: np.ndarray, settings: dict[str, float]) -> int:
    """The category that takes the input; -1 if it needs a new one.

    Match tracking: a winner of a wrong class is shut out, and vigilance rises just above its match.
    """
    if not len(choice):
        return -1
    vigilance = settings["vigilance"]
    while (j := _winner(choice, match, vigilance)) >= 0 and wrong[j]:
        vigilance = match[j] + settings["epsilon"]
        match = match.copy()
        match[j] = -np.inf
    return j


def _winners(choice: np.ndarray, match: np.ndarray, vigilance: float) -> np.ndarray:
    """The category of largest choice among those that match, -1 if none does: all resets at once."""
    choice = np.where(match >= vigilance - SLACK, choice, -2.0)
    best = choice.max(axis=-1, keepdims=True)
    return np.where(best[..., 0] > -2, (choice >= best - SLACK).argmax(axis=-1), -1)


def _winner(choice: np.ndarray, match: np.ndarray, vigilance: float) -> int:
    """The same for one row, in half the time."""
    choice = np.where(match >= vigilance - SLACK, choice, -2.0)
    best = choice.max()
    return int((choice >= best - SLACK).argmax()) if best > -2 else -1


def _empty(match: np.ndarray, size: Any, sizes: np.ndarray) -> np.ndarray:
    """The match, 1 between an empty row and an empty category."""
    if not (size if isinstance(size, float) else size.all()):
        match = np.where(size + sizes == 0, 1.0, match)
    return match


def _unit(x: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """x brought to length 1; `instead` if it has none."""
    length = np.sqrt((x**2).sum())
    return x / length if length > 0 else instead
