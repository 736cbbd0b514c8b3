"""A layered layout of one flat graph: rows by longest path, order by barycentre sweeps, places by medians.

The method of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981,
with the places of a row found as an isotonic regression: the nearest ones to the wished that keep order and distance.

All long edges from one place share a lane. A lane takes room in every row that it passes, so no edge runs over a box.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, field

SWEEPS = 12
GAPS = (26.0, 18.0, 14.0)  # between two neighbours, by how many of them are lanes
STIFF = (4.0, 1.0, 8.0)  # how much an edge wishes to be straight, by how many of its ends are lanes
LIGHT = 1e-4  # the weight of a lane among boxes that compete for a place


@dataclass
class Link:
    """An edge from vertex `tail` to vertex `head`.

    Attributes:
        source: links of one source and tail share their lanes.
        leaves, arrives: where it is attached, counted from the vertex's middle.
        lanes: the lanes that it runs through, in its direction.
    """

    tail: int
    head: int
    source: str = ""
    leaves: float = 0.0
    arrives: float = 0.0
    lanes: list[int] = field(default_factory=list)


@dataclass
class Step:
    """A part of a link from one row to the next."""

    upper: int
    lower: int
    stiff: float
    leaves: float
    arrives: float


@dataclass
class Arrangement:
    """Where the vertices are, and the lanes, which are numbered after them.

    Attributes:
        rows: each row from left to right.
        row: the row of each vertex and lane.
        x: the middle of each.
    """

    rows: list[list[int]]
    row: list[int]
    x: list[float]


def arrange(widths: list[float], links: list[Link], first: list[int], last: list[int]) -> Arrangement:
    """Place vertices in rows, and set every link's lanes.

    Args:
        widths: of the vertices.
        links: the edges.
        first, last: vertices that stand in a row of their own at the top and at the bottom.
    """
    row = _ranks(len(widths), links, set(first), set(last))
    steps = _route(row, links)
    all_widths = widths + [0.0] * (len(row) - len(widths))
    rows = _ordered(row, steps)
    return Arrangement(rows, row, _places(rows, all_widths, len(widths), steps))


# ------------------------------------------------------------------------------------------------------------ rows


def _ranks(n: int, links: list[Link], first: set[int], last: set[int]) -> list[int]:
    """The row of each vertex: below everything that it uses, and no further from what uses it than need be."""
    heads: list[dict[int, None]] = [{} for _ in range(n)]
    for link in links:
        heads[link.tail][link.head] = None
    order, below = _without_cycles([list(h) for h in heads])
    above: list[list[int]] = [[] for _ in range(n)]
    for v in order:
        for w in below[v]:
            above[w].append(v)
    row = _longest_paths(order, above, first, last)
    fixed = first | last
    for v in reversed(order):
        if below[v] and v not in fixed and len(below[v]) >= len(above[v]):
            row[v] = min(row[w] for w in below[v]) - 1
    return _without_empty_rows(row)


def _longest_paths(order: list[int], above: list[list[int]], first: set[int], last: set[int]) -> list[int]:
    row = [0] * len(order)
    start = 1 if first else 0
    for v in order:
        row[v] = 0 if v in first else max((row[u] + 1 for u in above[v]), default=start)
    bottom = max((row[v] for v in order if v not in last), default=-1) + 1
    for v in last:
        row[v] = bottom
    return row


def _without_cycles(below: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """(vertices in topological order, edges without those that close a cycle), by depth first search.

    It begins at the vertices that no edge enters, so a circle is cut where the way back meets the way in.
    """
    entered = {w for heads in below for w in heads}
    state = [0] * len(below)  # 1: on the path, 2: done
    kept: list[list[int]] = [[] for _ in below]
    done: list[int] = []
    for root in sorted(range(len(below)), key=entered.__contains__):
        stack = [(root, iter(below[root]))] if not state[root] else []
        state[root] = state[root] or 1
        while stack:
            v, rest = stack[-1]
            w = next(rest, None)
            if w is None:
                state[v] = 2
                done.append(v)
                stack.pop()
                continue
            if state[w] != 1:
                kept[v].append(w)
            if state[w] == 0:
                state[w] = 1
                stack.append((w, iter(below[w])))
    return done[::-1], kept


def _without_empty_rows(row: list[int]) -> list[int]:
    number = {r: i for i, r in enumerate(sorted(set(row)))}
    return [number[r] for r in row]


# ----------------------------------------------------------------------------------------------------------- lanes


def _route(row: list[int], links: list[Link]) -> list[Step]:
    """Give links their lanes, of which `row` gets the rows; returns the steps from row to row."""
    n = len(row)
    known: dict[tuple[int, str, int, int], int] = {}
    steps: dict[tuple[int, int, float, float], Step] = {}

    def lane(link: Link, at: int, upwards_to: int) -> int:
        key = (link.tail, link.source, at, upwards_to)
        if key not in known:
            known[key] = len(row)
            row.append(at)
        return known[key]

    def step(a: int, b: int, leaves: float = 0.0, arrives: float = 0.0) -> None:
        steps.setdefault((a, b, leaves, arrives), Step(a, b, STIFF[(a >= n) + (b >= n)], leaves, arrives))

    for link in links:
        start, end = row[link.tail], row[link.head]
        if end > start:
            link.lanes = [lane(link, r, -1) for r in range(start + 1, end)]
            way = [link.tail, *link.lanes, link.head]
            for a, b in itertools.pairwise(way):
                step(a, b, link.leaves if a == link.tail else 0.0, link.arrives if b == link.head else 0.0)
        else:  # back to a row above: beside all that is between
            link.lanes = [lane(link, r, link.head) for r in range(start, end - 1, -1)]
            for below, above in itertools.pairwise(link.lanes):
                step(above, below)
    return list(steps.values())


# ----------------------------------------------------------------------------------------------------------- order


def _neighbours(steps: list[Step]) -> tuple[dict[int, list[Step]], dict[int, list[Step]]]:
    up, down = defaultdict(list), defaultdict(list)
    for step in steps:
        down[step.upper].append(step)
        up[step.lower].append(step)
    return up, down


def _ordered(row: list[int], steps: list[Step]) -> list[list[int]]:
    """Rows in the order with the fewest crossings among those that the sweeps meet."""
    rows: list[list[int]] = [[] for _ in range(max(row) + 1)]
    for v, r in enumerate(row):
        rows[r].append(v)
    up, down = _neighbours(steps)
    best, fewest = [list(r) for r in rows], _crossings(rows, down)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        _sweep(rows, up if sweep % 2 == 0 else down, sweep % 2 == 0)
        now = _crossings(rows, down)
        if now < fewest:
            best, fewest = [list(r) for r in rows], now
    return best


def _sweep(rows: list[list[int]], beside: dict[int, list[Step]], downward: bool) -> None:
    """Sort every row by the mean place of what its members are joined to in the row before."""
    place: dict[int, float] = {v: i for r in rows for i, v in enumerate(r)}

    def end(step: Step) -> float:  # ports of one scope are a little apart
        return place[step.upper] + 1e-4 * step.leaves if downward else place[step.lower] + 1e-4 * step.arrives

    def wish(v: int) -> float:
        near = [end(step) for step in beside.get(v, ())]
        return sum(near) / len(near) if near else place[v]

    for line in rows if downward else reversed(rows):
        line.sort(key={v: wish(v) for v in line}.__getitem__)
        place |= {v: i for i, v in enumerate(line)}


def _crossings(rows: list[list[int]], down: dict[int, list[Step]]) -> int:
    place = {v: i for r in rows for i, v in enumerate(r)}
    count = 0
    for line in rows:
        seen: list[tuple[int, float]] = []
        for v in line:
            ends = sorted((place[s.lower], s.arrives) for s in down.get(v, ()))
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


# ---------------------------------------------------------------------------------------------------------- places


def _places(rows: list[list[int]], widths: list[float], boxes: int, steps: list[Step]) -> list[float]:
    """The middle of every vertex and lane: near the median of what it is joined to, in turn above and below.

    The last two sweeps look both ways, and move nothing that lies between its neighbours: straight lines stay straight.
    """
    apart = [_distances(line, widths, boxes) for line in rows]
    x = [0.0] * len(widths)
    for line, gaps in zip(rows, apart, strict=True):
        _set(x, line, gaps, [-sum(gaps) / 2] * len(line), [1.0] * len(line))
    up, down = _neighbours(steps)
    weight = [_weight(v, boxes, up, down) for v in range(len(widths))]
    for sweep in range(SWEEPS + 2):
        last, downward = sweep >= SWEEPS, sweep % 2 == 0
        for r in range(len(rows)) if downward else reversed(range(len(rows))):
            wished = [
                _wish(v, up if downward or last else {}, down if not downward or last else {}, x, last) for v in rows[r]
            ]
            _set(x, rows[r], apart[r], wished, [weight[v] for v in rows[r]])
    return x


def _wish(v: int, up: dict[int, list[Step]], down: dict[int, list[Step]], x: list[float], stay: bool) -> float:
    """Where a vertex or lane would stand if it were alone in its row."""
    pull = [(x[s.upper] + s.leaves - s.arrives, s.stiff) for s in up.get(v, ())]
    pull += [(x[s.lower] + s.arrives - s.leaves, s.stiff) for s in down.get(v, ())]
    return _median(pull, x[v] if stay else None) if pull else x[v]


def _distances(line: list[int], widths: list[float], boxes: int) -> list[float]:
    return [(widths[a] + widths[b]) / 2 + GAPS[(a >= boxes) + (b >= boxes)] for a, b in itertools.pairwise(line)]


def _weight(v: int, boxes: int, up: dict[int, list[Step]], down: dict[int, list[Step]]) -> float:
    return (LIGHT if v >= boxes else 1.0) * (0.1 + sum(s.stiff for s in [*up.get(v, ()), *down.get(v, ())]))


def _median(pull: list[tuple[float, float]], now: float | None) -> float:
    """The weighted median; where the weights are even, the middle of two, or the place nearest to `now` between."""
    pull = sorted(pull)
    half = sum(w for _, w in pull) / 2
    total = 0.0
    for i, (x, w) in enumerate(pull):
        total += w
        if total > half:
            break
        if total == half:
            after = pull[i + 1][0]
            return (x + after) / 2 if now is None else min(max(now, x), after)
    return x


def _set(x: list[float], line: list[int], gaps: list[float], wished: list[float], weights: list[float]) -> None:
    """The places nearest to the wished (weighted least squares) that keep the order and the distances.

    Without the distances this is isotonic regression; neighbours that would overtake each other are pooled.
    """
    shift = 0.0
    blocks: list[tuple[float, float, int]] = []  # mean, weight, size
    for i in range(len(line)):
        shift += gaps[i - 1] if i else 0.0
        mean, weight, size = wished[i] - shift, weights[i], 1
        while blocks and blocks[-1][0] > mean:
            m, w, k = blocks.pop()
            mean, weight, size = (mean * weight + m * w) / (weight + w), weight + w, size + k
        blocks.append((mean, weight, size))
    shift, i = 0.0, 0
    for mean, _, size in blocks:
        for _ in range(size):
            shift += gaps[i - 1] if i else 0.0
            x[line[i]] = mean + shift
            i += 1
