"""What became of the price after our fills, and how sure we are of it."""

import math
import statistics
from collections import defaultdict
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.markouts import (
    HORIZONS,
    KEPT_SEC,
    KNOWN_FILLS,
    MOST_STEPS,
    Drift,
    FairPath,
    FillKey,
    MarkoutRow,
    Markouts,
    WeightedMean,
)
from core.units import MICRO, Shares, Side
from tests.core.quoting.arrange import fairs, laws, shares

END = 10_000.0
"""A time by which everything drawn has come due."""


class Made(NamedTuple):
    """One drawn fill."""

    t: float
    side: Side
    layer: int
    price: float
    size: Shares

    @property
    def sign(self) -> int:
        return 1 if self.side == "bid" else -1


times = st.integers(0, 4 * 350).map(lambda n: n / 4)
paths = st.lists(st.tuples(times, fairs), min_size=1, max_size=12).map(lambda path: [(-1.0, 0.5), *sorted(path)])
made = st.builds(
    Made, times, st.sampled_from(["bid", "ask"]), st.integers(0, 2), fairs, st.integers(1, 10**9).map(Shares)
)
fills = st.lists(made, max_size=8)


def key_of(number: int) -> FillKey:
    return f"trade {number}", "order"


def marked(path: list[tuple[float, float]], taken: list[Made]) -> tuple[Markouts, list[Drift]]:
    """Path and fills in the order of time, measured to the end."""
    marks, drifts = Markouts(), []
    happened = [(t, 0, number) for number, (t, _) in enumerate(path)]
    happened += [(fill.t, 1, number) for number, fill in enumerate(taken)]
    for t, is_fill, number in sorted(happened):
        if is_fill:
            fill = taken[number]
            assert marks.fill(key_of(number), t, fill.side, fill.layer, fill.price, fill.size) is None
        else:
            marks.fair(t, path[number][1])
        drifts += marks.advance(t)
    return marks, drifts + marks.advance(END)


def fair_at(path: list[tuple[float, float]], t: float) -> float:
    return next(fair for at, fair in reversed(path) if at <= t)


def rows_of(marks: Markouts, side: Side | None = None, layer: int | None = None) -> list[MarkoutRow]:
    return [row for row in marks.table() if (row.side, row.layer) == (side, layer)]


def standing(t: float = 0.0, fair: float = 0.5) -> Markouts:
    """One fair value from ``t`` on."""
    marks = Markouts()
    marks.fair(t, fair)
    return marks


# The path


def test_path_gives_the_last_value_at_or_before() -> None:
    path = FairPath()
    for t, fair in [(1.0, 0.4), (2.0, 0.5), (2.0, 0.6), (5.0, None), (7.0, 0.7)]:
        path.add(t, fair)
    assert [path.at(t) for t in (0.9, 1.0, 1.9, 2.0, 4.9, 5.0, 6.9, 7.0, 99.0)] == [
        None, 0.4, 0.4, 0.6, 0.6, None, None, 0.7, 0.7,
    ]  # fmt: skip


def test_an_older_stamp_counts_as_the_latest_time() -> None:
    path = FairPath()
    path.add(2.0, 0.4)
    path.add(1.0, 0.6)
    assert (path.at(1.5), path.at(2.0)) == (None, 0.6)


@laws
@given(st.lists(st.tuples(st.floats(0, 50), fairs), min_size=1, max_size=60))
def test_path_forgets_nothing_that_is_still_asked_for(steps: list[tuple[float, float]]) -> None:
    """Pruning never changes an answer of the last seven minutes."""
    path, whole, t = FairPath(), [], 0.0
    for gap, fair in steps:
        t += gap
        path.add(t, fair)
        whole = [step for step in whole if step[0] < t] + [(t, fair)]
    for back in (0.0, 1.0, 100.0, 300.0, KEPT_SEC):
        if t - back >= whole[0][0]:
            assert path.at(t - back) == fair_at(whole, t - back)


def test_path_stays_bounded_however_fast_the_price_moves() -> None:
    path = FairPath()
    for number in range(2 * MOST_STEPS):
        path.add(number / 1000, (number % 7 + 1) / 10)
    assert len(path) == MOST_STEPS
    for number in range(2 * MOST_STEPS):
        path.add(100.0 + number, (number % 7 + 1) / 10)
    assert len(path) <= KEPT_SEC + 2


@pytest.mark.parametrize(
    ("t", "fair"), [(math.nan, 0.5), (math.inf, 0.5), (0.0, math.nan), (0.0, -0.1), (0.0, 1.1), (0.0, math.inf)]
)
def test_what_is_no_step_is_refused(t: float, fair: float) -> None:
    with pytest.raises(ValueError, match="no step"):
        FairPath().add(t, fair)


# The mean


@laws
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10**9), st.integers(-(10**12), 10**12)), max_size=12))
def test_mean_and_error_agree_with_the_formula_worked_out_from_the_observations(
    seen: list[tuple[int, int, int]],
) -> None:
    mean = WeightedMean()
    by_cluster: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for cluster, weight, value in seen:
        mean.add(cluster, weight, value)
        by_cluster[cluster].append((weight, value))
    if not seen:
        assert (mean.mean, mean.standard_error) == (None, None)
        return
    weight = sum(w for _, w, _ in seen)
    centre = sum(w * x for _, w, x in seen) / weight
    assert mean.mean == pytest.approx(centre, rel=1e-12, abs=1e-3)
    if len(by_cluster) < 2:
        assert mean.standard_error is None
        return
    effective = weight**2 / sum(sum(w for w, _ in each) ** 2 for each in by_cluster.values())
    squares = sum(sum(w * (x - centre) for w, x in each) ** 2 for each in by_cluster.values())
    expected = math.sqrt(squares / weight**2 * effective / (effective - 1))
    assert mean.standard_error == pytest.approx(expected, rel=1e-6, abs=1.0)


def test_equal_weights_give_the_usual_standard_error() -> None:
    values = [3, -1, 4, 1, -5, 9, 2, 6]
    mean = WeightedMean()
    for cluster, value in enumerate(values):
        mean.add(cluster, 7, value)
    assert mean.standard_error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)))


def test_the_same_observation_told_in_parts_is_not_more_certain() -> None:
    whole, parts = WeightedMean(), WeightedMean()
    for cluster, value in enumerate([10, 20, 40]):
        whole.add(cluster, 4, value)
        for _ in range(4):
            parts.add(cluster, 1, value)
    assert parts.standard_error == whole.standard_error


def test_what_is_settled_is_no_longer_remembered() -> None:
    mean = WeightedMean()
    for cluster in range(100):
        mean.add(cluster, 5, cluster)
        mean.add(cluster, 5, cluster)
    before = mean.mean, mean.standard_error
    for cluster in range(100):
        mean.settle(cluster)
        mean.settle(cluster)
    assert (len(mean), mean.mean, mean.standard_error) == (0, *before)


# The table


@laws
@given(paths, fills)
def test_table_agrees_with_the_definition(path: list[tuple[float, float]], taken: list[Made]) -> None:
    """Every row, recomputed from the formula of market-making.md 2.6."""
    marks, _ = marked(path, taken)
    for row in marks.table():
        group = [
            fill for fill in taken if row.side in (None, fill.side) and row.layer in (None, fill.layer)
        ]  # fmt: skip
        assert (row.fills, row.pending, row.unmeasured) == (len(group), 0, 0)
        assert row.shares == sum(fill.size for fill in group)
        if not group:
            assert (row.spread, row.drift, row.markout, row.basis_points) == (None, None, None, None)
            continue
        spreads = [fill.sign * (fair_at(path, fill.t) - fill.price) for fill in group]
        drifts = [fill.sign * (fair_at(path, fill.t + row.horizon) - fair_at(path, fill.t)) for fill in group]
        both = [spread + drift for spread, drift in zip(spreads, drifts, strict=True)]
        for told, values in ((row.spread, spreads), (row.drift, drifts), (row.markout, both)):
            expected = sum(fill.size * value for fill, value in zip(group, values, strict=True)) / row.shares
            assert told == pytest.approx(expected, abs=1e-9)
        notional = sum(fill.size * fill.price for fill in group)
        gained = sum(fill.size * value for fill, value in zip(group, both, strict=True))
        assert row.basis_points == pytest.approx(1e4 * gained / notional, abs=1e-4)


@laws
@given(paths, fills)
def test_drifts_are_told_once_each_and_in_time_order(path: list[tuple[float, float]], taken: list[Made]) -> None:
    _, drifts = marked(path, taken)
    assert len(drifts) == len(HORIZONS) * len(taken)
    for horizon in HORIZONS:
        told = [drift for drift in drifts if drift.horizon == horizon]
        assert [drift.t for drift in told] == sorted(fill.t for fill in taken)
    for drift in drifts:
        fill = taken[int(drift.key[0].removeprefix("trade "))]
        assert drift.drift == pytest.approx(
            fill.sign * (fair_at(path, fill.t + drift.horizon) - fair_at(path, fill.t)), abs=1e-11
        )


@laws
@given(paths, fills)
def test_exchanging_the_tokens_exchanges_the_sides(path: list[tuple[float, float]], taken: list[Made]) -> None:
    marks, _ = marked(path, taken)
    other: dict[Side, Side] = {"bid": "ask", "ask": "bid"}
    mirrored, _ = marked(
        [(t, 1.0 - fair) for t, fair in path],
        [fill._replace(side=other[fill.side], price=1.0 - fill.price) for fill in taken],
    )

    def seen(table: tuple[MarkoutRow, ...], swap: bool) -> set[MarkoutRow]:
        sides = other if swap else {"bid": "bid", "ask": "ask"}
        return {row._replace(side=row.side and sides[row.side], basis_points=None) for row in table}

    assert seen(marks.table(), False) == seen(mirrored.table(), True)


@laws
@given(paths, fills, made, st.floats(0, 400))
def test_taking_a_fill_back_leaves_no_trace(
    path: list[tuple[float, float]], taken: list[Made], extra: Made, when: float
) -> None:
    """Whatever was already counted of it: the table, what is pending, and all that follows are as without it."""
    without, _ = marked(path, taken)
    with_it = Markouts()
    happened = [(t, 0, number) for number, (t, _) in enumerate(path)]
    happened += [(fill.t, 1, number) for number, fill in enumerate(taken)]
    happened += [(extra.t, 2, 0), (max(when, extra.t), 3, 0)]
    for t, kind, number in sorted(happened):
        match kind:
            case 0:
                with_it.fair(t, path[number][1])
            case 1:
                fill = taken[number]
                with_it.fill(key_of(number), t, fill.side, fill.layer, fill.price, fill.size)
            case 2:
                with_it.fill(("voided", "order"), t, extra.side, extra.layer, extra.price, extra.size)
            case 3:
                with_it.advance(t)
                assert with_it.revoke(("voided", "order"))
        with_it.advance(t)
    with_it.advance(END)
    assert with_it.table() == without.table()
    assert (with_it.next_due_s, without.next_due_s) == (math.inf, math.inf)
    for side in ("bid", "ask"):
        assert with_it.drifts(side, 30.0) == without.drifts(side, 30.0)


def test_a_fill_told_late_is_marked_at_the_price_of_its_own_time() -> None:
    marks = Markouts()
    for t, fair in [(0.0, 0.50), (10.0, 0.52), (11.0, 0.47), (400.0, 0.60)]:
        marks.fair(t, fair)
    marks.fill(("t", "o"), 10.5, "bid", 0, 0.51, shares(10))
    drifts = marks.advance(400.0)
    assert [(drift.horizon, round(drift.spread, 9), round(drift.drift, 9)) for drift in drifts] == [
        (1.0, 0.01, -0.05), (5.0, 0.01, -0.05), (30.0, 0.01, -0.05), (300.0, 0.01, -0.05),
    ]  # fmt: skip


def test_a_young_fill_is_pending_and_not_a_zero() -> None:
    marks = standing()
    marks.fill(("t", "o"), 10.0, "bid", 1, 0.49, shares(10))
    marks.fair(16.0, 0.40)
    assert [drift.horizon for drift in marks.advance(16.0)] == [1.0, 5.0]
    assert marks.next_due_s == 40.0
    total = rows_of(marks)
    assert [(row.fills, row.pending) for row in total] == [(1, 0), (1, 0), (0, 1), (0, 1)]
    assert total[2].markout is None and total[2].drift is None


def test_a_horizon_in_the_dark_is_not_measured_and_said_to_be_so() -> None:
    """Taking the last value before a lost book for the value after it would hide what was lost meanwhile."""
    marks = standing()
    marks.fill(("t", "o"), 10.0, "bid", 0, 0.49, shares(10))
    marks.fair(12.0, None)
    marks.fair(20.0, 0.40)
    assert [drift.horizon for drift in marks.advance(500.0)] == [1.0, 30.0, 300.0]
    assert [(row.fills, row.unmeasured, row.pending) for row in rows_of(marks)] == [
        (1, 0, 0), (0, 1, 0), (1, 0, 0), (1, 0, 0),
    ]  # fmt: skip
    assert marks.revoke(("t", "o"))
    assert all((row.fills, row.unmeasured) == (0, 0) for row in marks.table())


def test_a_payout_is_a_price() -> None:
    marks = standing(fair=0.8)
    marks.fill(("t", "o"), 0.0, "bid", 0, 0.79, shares(10))
    marks.fair(20.0, 1.0)
    assert marks.advance(30.0)[-1].markout == pytest.approx(0.21)


def test_without_a_price_at_its_time_a_fill_is_left_out_and_counted() -> None:
    marks = Markouts()
    assert marks.fill(("t", "o"), 1.0, "bid", 0, 0.5, shares(10)) == "no fair value at the time"
    marks.fair(2.0, 0.5)
    assert marks.fill(("u", "o"), 1.0, "bid", 0, 0.5, shares(10)) == "no fair value at the time"
    assert marks.unmarked == {"no fair value at the time": 2}
    assert not marks.revoke(("t", "o"))


def test_a_fill_told_twice_counts_once() -> None:
    marks = standing()
    for _ in range(2):
        marks.fill(("t", "o"), 1.0, "ask", 0, 0.5, shares(10))
    assert len(marks.advance(2.0)) == 1
    marks.revoke(("t", "o"))
    marks.fill(("t", "o"), 1.0, "ask", 0, 0.5, shares(10))
    assert rows_of(marks)[0].pending == 1


def test_memory_stays_bounded_and_the_statistics_go_on() -> None:
    """A fill too old to be taken back keeps its place in the means."""
    marks = standing()
    count = KNOWN_FILLS + 300
    for number in range(count):
        t = float(number)
        assert marks.fill(key_of(number), t, "bid", 0, 0.49, shares(10)) is None
        marks.advance(t)
    marks.advance(END)
    assert len(marks.drifts("bid", 30.0)) == KNOWN_FILLS
    assert [row.fills for row in rows_of(marks, "bid")] == [count] * 4
    assert not marks.revoke(key_of(0))
    assert marks.revoke(key_of(count - 1))
    assert [row.fills for row in rows_of(marks, "bid")] == [count - 1] * 4


def test_more_fills_at_once_than_can_be_kept_are_counted_not_kept() -> None:
    marks = standing()
    told = [marks.fill(key_of(number), 0.0, "ask", 0, 0.5, shares(10)) for number in range(KNOWN_FILLS + 5)]
    assert told == [None] * KNOWN_FILLS + ["too many fills at once"] * 5
    assert marks.unmarked == {"too many fills at once": 5}


def test_a_fill_stamped_far_ahead_blocks_nothing() -> None:
    marks = standing()
    marks.fill(("ahead", "o"), 1e9, "bid", 0, 0.5, shares(10))
    for number in range(KNOWN_FILLS + 10):
        assert marks.fill(key_of(number), 400.0 * number, "bid", 0, 0.5, shares(10)) is None
        marks.advance(400.0 * number)


def test_layers_are_told_apart_and_in_order() -> None:
    marks = standing()
    for number, (side, layer) in enumerate([("ask", 2), ("bid", 1), ("ask", 0)]):
        marks.fill(key_of(number), 0.0, side, layer, 0.5, shares(1))
    told = [(row.side, row.layer) for row in marks.table()[:: len(HORIZONS)]]
    assert told == [(None, None), ("bid", None), ("ask", None), ("bid", 1), ("ask", 0), ("ask", 2)]


def test_fills_of_one_moment_are_one_observation() -> None:
    """Three layers taken by one sweep share their drift: they do not make it three times as certain."""
    together, apart = standing(), standing()
    for minute in range(4):
        t = 60.0 * minute
        for marks in (together, apart):
            marks.fair(t, 0.5)
            marks.fair(t + 20.0, 0.5 - 0.01 * (minute % 2))
        for layer in range(3):
            together.fill((f"{minute}", f"{layer}"), t, "bid", layer, 0.49, shares(10))
        apart.fill((f"{minute}", "0"), t, "bid", 0, 0.49, shares(30))
        together.advance(t + 45.0)
        apart.advance(t + 45.0)
    errors = [rows_of(marks, "bid")[2].drift_error for marks in (together, apart)]
    assert errors[0] == errors[1] == pytest.approx(0.005 / math.sqrt(3))


@pytest.mark.parametrize(
    "bad",
    [{"t": math.nan}, {"t": math.inf}, {"price": math.nan}, {"price": -0.01}, {"price": 1.01}, {"size": 0},
     {"size": -5}, {"layer": -1}],
)  # fmt: skip
def test_what_is_no_fill_is_refused(bad: dict[str, float]) -> None:
    marks = standing()
    good = {"t": 1.0, "side": "bid", "layer": 0, "price": 0.5, "size": Shares(MICRO)}
    with pytest.raises(ValueError, match="no fill to mark"):
        marks.fill(("t", "o"), **(good | bad))  # type: ignore[arg-type]
    assert marks.next_due_s == math.inf


def test_an_unknown_horizon_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        standing().drifts("bid", 7.0)
