"""The split of profit: exact for any history, and the same as the step by step account of it."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.books import Books
from core.portfolio.decompose import Decomposition
from core.portfolio.entries import (
    Booking,
    Buy,
    Convert,
    Entry,
    Fee,
    Flow,
    Found,
    Income,
    Merge,
    Redeem,
    Sell,
    Settle,
    Split,
)
from core.portfolio.ledger import Ledger, Posting, posting_of
from core.report.parts import FRESH_SEC, Dealt, fold, split, value_of
from core.units import MICRO, Shares, Usd
from tests.builders import laws

DAY = 86_400.0
BORDERS = (1_000.0, DAY, 2 * DAY, 2 * DAY + 5_000.0)


def line(seq: int, unix: float, entry: Entry) -> Booking:
    return Booking(seq, "m", f"k{seq}", unix, entry, "fill" if isinstance(entry, Buy | Sell) else "job")


def posted(lines: list[Booking]) -> list[tuple[Booking, Any]]:
    return [(one, posting_of(one.entry)) for one in lines]


def dealt(one: Booking, fair: int | None, later: int | None, side: str = "") -> Dealt:
    size, price = posting_of(one.entry).net
    found = "bid" if size > 0 else "ask"
    return Dealt(one.unix, size, price, fair, later, (side or found, 0))  # type: ignore[arg-type]


def amounts(ledger: Ledger) -> tuple[Any, ...]:
    held = [(token.shares, token.cost) for token in (ledger.yes, ledger.no)]
    return *held, ledger.cash, ledger.realised, ledger.fees, ledger.income, ledger.contributed, ledger.payout


def cells(found: Any) -> tuple[int, int, int]:
    return tuple(sum(getattr(cell, name) for cell in found.cells.values()) for name in ("spread", "adverse", "unknown"))  # type: ignore[return-value]


def test_one_fill_is_split_as_the_formulas_say() -> None:
    """Bought at 40 cents when the fair value was 42; it was 41 five minutes later and 45 at midnight, then 50."""
    lines = [line(1, 2_000.0, Buy("YES", Shares(10_000_000), Usd(400_000)))]
    states = fold(lines, BORDERS).states
    found = split(
        posted(lines), [dealt(lines[0], 420_000, 410_000)], states, [None, 450_000, 500_000, 500_000], BORDERS
    )
    assert cells(found) == (200_000 * MICRO, -100_000 * MICRO, 0)
    assert found.trading == [500_000 * MICRO, 500_000 * MICRO, 0]
    assert found.carry_of == {("bid", 0): 900_000 * MICRO}
    assert (found.unpriced, found.unmeasured, found.trouble) == (0, 0, "")


def test_a_drift_over_midnight_is_cut_there() -> None:
    """Each day has the part that fell into it, so that days add up to the span."""
    lines = [line(1, DAY - 100.0, Sell("YES", Shares(1_000_000), Usd(500_000)))]
    states = fold(lines, BORDERS).states
    found = split(
        posted(lines), [dealt(lines[0], 490_000, 470_000)], states, [None, 480_000, 460_000, 460_000], BORDERS
    )
    by_day = {day: cell.adverse for (day, _), cell in found.cells.items()}
    assert by_day == {0: 10_000 * MICRO, 1: 10_000 * MICRO}


def test_a_fill_before_the_span_drifts_into_it() -> None:
    """What it earned at once is of the day before; its move after the begin is adverse selection, not carry."""
    lines = [line(1, 900.0, Buy("YES", Shares(1_000_000), Usd(500_000)))]
    states = fold(lines, BORDERS).states
    marks = [Usd(510_000), Usd(530_000), Usd(530_000), Usd(530_000)]
    found = split(posted(lines), [dealt(lines[0], 505_000, 520_000)], states, marks, BORDERS)
    assert cells(found) == (0, 10_000 * MICRO, 0)
    assert found.trading == [20_000 * MICRO, 0, 0] and found.carry_of == {}


def test_without_a_fair_value_the_first_move_is_not_attributed() -> None:
    """It has a column of its own until the next border; later moves are carry."""
    lines = [line(1, 2_000.0, Buy("YES", Shares(1_000_000), Usd(400_000)))]
    states = fold(lines, BORDERS).states
    found = split(posted(lines), [dealt(lines[0], None, None)], states, [None, 450_000, 500_000, 500_000], BORDERS)
    assert cells(found) == (0, 0, 50_000 * MICRO) and found.unpriced == 1
    assert found.carry_of == {("bid", 0): 50_000 * MICRO}


def test_without_any_mark_holdings_stand_at_cost() -> None:
    """What was realised is the profit, and none of it is attributed."""
    lines = [
        line(1, 2_000.0, Buy("YES", Shares(2_000_000), Usd(400_000))),
        line(2, 3_000.0, Sell("YES", Shares(1_000_000), Usd(500_000))),
    ]
    states = fold(lines, BORDERS).states
    found = split(posted(lines), [dealt(one, None, None) for one in lines], states, [None] * 4, BORDERS)
    assert found.trading == [100_000 * MICRO, 0, 0] and not any(found.is_valued) and not found.carry_of
    assert value_of(states[-1], None) == 400_000 * MICRO


def test_a_payout_is_the_mark_from_then_on() -> None:
    """Half a dollar a share: the profit is made at the resolution, redeeming changes nothing (3.5)."""
    lines = [
        line(1, 2_000.0, Buy("NO", Shares(2_000_000), Usd(300_000))),
        line(2, DAY + 10.0, Settle(Usd(500_000))),
        line(3, 2 * DAY + 10.0, Redeem("NO", Shares(2_000_000), Usd(1_000_000))),
    ]
    states = fold(lines, BORDERS).states
    found = split(
        posted(lines), [dealt(lines[0], 690_000, 690_000)], states, [None, 680_000, 500_000, 500_000], BORDERS
    )
    assert found.trading == [40_000 * MICRO, 360_000 * MICRO, 0] and found.trouble == ""


def test_a_line_that_is_told_late_is_folded_in_its_place() -> None:
    """The state at a border is the fold of what happened before, in the order of the numbers, average cost included."""
    buy = line(3, 2_000.0, Buy("YES", Shares(1_000_000), Usd(200_000)))
    lines = [
        line(1, 1_500.0, Buy("YES", Shares(1_000_000), Usd(400_000))),
        line(2, DAY + 1.0, Sell("YES", Shares(1_000_000), Usd(500_000))),
        buy,
    ]
    folded = fold(lines, BORDERS)
    assert (folded.states[1].yes.shares, folded.states[1].cost) == (2_000_000, 600_000 * MICRO)
    assert folded.states[2].realised == 100_000 * MICRO  # the sale came before the second purchase was told
    assert folded.books.check() == ""


def test_lines_told_late_do_not_make_the_fold_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reward a day, dated to the day before its payment, beside fills: each line is booked once, a late one twice."""
    days, fills = 60, 50
    borders = [day * DAY for day in range(days + 1)]
    told = [
        (day * DAY + n, Buy("YES", Shares(1_000_000), Usd(500_000))) for day in range(days) for n in range(1, fills)
    ]
    entries: list[tuple[float, float, Entry]] = [(unix, unix, entry) for unix, entry in told]
    entries += [(day * DAY + 10.5, day * DAY - 1.0, Income(Usd(1_000_000))) for day in range(1, days)]
    lines = [line(n, unix, entry) for n, (_, unix, entry) in enumerate(sorted(entries, key=lambda row: row[0]), 1)]
    posted_times, post = [0], Ledger.post

    def counted(ledger: Ledger, change: Posting) -> None:
        posted_times[0] += 1
        post(ledger, change)

    monkeypatch.setattr(Ledger, "post", counted)
    folded = fold(lines, borders)
    assert posted_times == [2 * len(lines) + days - 1]  # average cost and first in first out, and the late ones
    assert [state.income for state in folded.states] == [0, *(day * 10**12 for day in range(1, days)), 59 * 10**12]


def test_what_cannot_be_is_booked_and_told() -> None:
    """Selling more than is held moves money; the words of the ledger come along."""
    folded = fold([line(1, 2_000.0, Sell("YES", Shares(1_000_000), Usd(500_000)))], BORDERS)
    assert folded.states[-1].cash == 500_000 * MICRO and "are held" in folded.wrong[0]


prices = st.integers(1, 99).map(lambda n: Usd(n * 10_000))
sizes = st.integers(1, 50_000).map(lambda n: Shares(n * 10_000))
outcomes = st.sampled_from(["YES", "NO"])
fairs = st.one_of(st.none(), st.integers(0, MICRO).map(Usd))
trades = st.builds(Buy, outcomes, sizes, prices) | st.builds(Sell, outcomes, sizes, prices)
others = st.one_of(
    st.builds(Split, sizes, prices),
    st.builds(Merge, sizes),
    st.builds(Convert, outcomes, sizes, st.integers(-50_000, 1_050_000).map(Usd)),
    st.builds(Found, outcomes, st.integers(-5_000_000, 5_000_000).map(Shares), prices),
    st.builds(Redeem, outcomes, sizes, st.integers(0, 2_000_000).map(Usd)),
    st.builds(Fee, st.integers(0, 1_000_000).map(Usd)),
    st.builds(Income, st.integers(0, 1_000_000).map(Usd), st.sampled_from(["reward", "rebate", "other"])),
    st.builds(Flow, st.integers(-1_000_000, 1_000_000).map(Usd)),
    st.builds(Settle, st.sampled_from([0, 500_000, MICRO]).map(Usd)),
)
moments = st.floats(0.0, BORDERS[-1] - 1.0, allow_nan=False)
histories = st.lists(st.tuples(moments, st.one_of(trades, others), fairs, fairs), max_size=25)


@laws(300)
@given(histories, st.lists(fairs, min_size=4, max_size=4), st.booleans())
def test_parts_add_up_to_the_ledger_for_any_history(
    drawn: list[tuple[float, Entry, Usd | None, Usd | None]], marks: list[Usd | None], is_late: bool
) -> None:
    """Whatever happened, in whatever order it was told: day by day, to the Pico, and the line by line count agrees."""
    told = drawn if is_late else sorted(drawn, key=lambda row: row[0])
    lines = [line(n, unix, entry) for n, (unix, entry, _, _) in enumerate(told, 1)]
    fills = [
        dealt(one, fair, later)
        for one, (_, entry, fair, later) in zip(lines, told, strict=True)
        if isinstance(entry, Buy | Sell) and one.unix >= BORDERS[0] - FRESH_SEC
    ]
    folded = fold(lines, BORDERS)
    known = [mark if state.payout is None else state.payout for mark, state in zip(marks, folded.states, strict=True)]
    found = split(posted(lines), fills, folded.states, known, BORDERS)
    assert found.trouble == ""
    for border, state in zip(BORDERS, folded.states, strict=True):
        whole = Books()
        wrong = [whole.apply(one.entry) for one in lines if one.unix < border]
        assert amounts(whole.average) == amounts(state)
    assert [word for word in wrong if word is not None] == folded.wrong
    assert amounts(whole.average) == amounts(folded.books.average)
    ends = [
        state.cash + value_of(state, mark) - state.contributed + state.fees - state.income
        for state, mark in zip(folded.states, known, strict=True)
    ]
    assert found.trading == [after - before for before, after in pairwise(ends)]


@laws(200)
@given(st.lists(st.tuples(st.integers(0, 3_000), trades), max_size=20), st.lists(prices, min_size=331, max_size=331))
def test_it_is_the_decomposition_of_the_reference_step_by_step(drawn: list[tuple[int, Entry]], path: list[Usd]) -> None:
    """Spread, drift within 300 s and the rest, as :class:`Decomposition` counts them over a path of 10 s steps."""
    borders = (0.0, 3_300.0)

    def fair(unix: float) -> Usd:
        return path[int(unix // 10)]

    rows = sorted(((float(at // 10 * 10), entry) for at, entry in drawn), key=lambda row: row[0])
    lines = [line(n, unix, entry) for n, (unix, entry) in enumerate(rows, 1)]
    step = Decomposition()
    for n in range(331):
        unix = n * 10.0
        step.step(unix, fair(unix), [posting_of(one.entry).net for one in lines if one.unix == unix])
    fills = [dealt(one, fair(one.unix), fair(one.unix + FRESH_SEC)) for one in lines]
    states = fold(lines, borders).states
    found = split(posted(lines), fills, states, [fair(0.0), fair(3_300.0)], borders)
    spread, adverse, unknown = cells(found)
    assert (spread, adverse, unknown) == (step.parts.spread, step.parts.drift, 0)
    assert found.trading[0] - spread - adverse == step.parts.rest
    assert sum(found.carry_of.values()) == step.parts.rest
