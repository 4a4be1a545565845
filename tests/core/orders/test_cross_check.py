"""Two sources of fills: what may be compared, and what differs."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.events import FillSeen, IndexedTrade
from core.orders.cross_check import Difference, cross_check
from core.units import SIZE_QUANTUM, Shares
from tests.builders import NO, YES, laws, shares

AFTER, BEFORE = 1_000.0, 2_000.0


def a_fill(order: str = "0xa", size: float = 5, **over: Any) -> FillSeen:
    plain = FillSeen(
        trade_id="t1", order_id=order, size=shares(size), settlement="confirmed", unix=1_500.0, token=YES,
        order_side="BUY", transaction="0xfeed",
    )  # fmt: skip
    return replace(plain, **over)


def a_trade(size: float = 5, **over: Any) -> IndexedTrade:
    plain = IndexedTrade("0xfeed", YES, "BUY", shares(size), "0.43", 1_505.0)
    return replace(plain, **over)


def check(fills: list[FillSeen], trades: list[IndexedTrade]) -> list[Difference]:
    return cross_check(fills, trades, AFTER, BEFORE)


def test_sums_are_compared_and_not_rows() -> None:
    """Two of our orders in one trade may be one row of the index."""
    fills = [a_fill("0xa", 3), a_fill("0xb", 2)]
    assert check(fills, [a_trade(5)]) == [] == check(fills, [a_trade(4), a_trade(1)])
    assert check(fills, [a_trade(5, transaction="0xFEED")]) == []


def test_a_fill_that_only_one_side_knows_differs() -> None:
    assert check([a_fill()], []) == [Difference("0xfeed", YES, "BUY", shares(5), Shares(0))]
    assert check([], [a_trade()]) == [Difference("0xfeed", YES, "BUY", Shares(0), shares(5))]


def test_the_wrong_side_or_token_is_two_differences() -> None:
    """A maker's side turned round shows here, when nothing else does."""
    assert len(check([a_fill()], [a_trade(order_side="SELL")])) == 2
    assert len(check([a_fill()], [a_trade(token=NO)])) == 2


def test_what_is_young_old_or_on_its_way_is_not_compared() -> None:
    """The index lags by minutes, and dates a trade by its block; a transaction may still change."""
    assert check([a_fill(unix=BEFORE + 1)], []) == [] == check([], [a_trade(unix=BEFORE + 1)])
    assert check([a_fill(unix=AFTER - 1)], []) == [] == check([], [a_trade(unix=AFTER - 1)])
    assert check([a_fill(unix=AFTER - 1)], [a_trade(4, unix=AFTER + 9)]) != [], "the block's time decides"
    for settlement in ("matched", "mined", "retrying"):
        assert check([a_fill(settlement=settlement)], [a_trade(9)]) == []
        assert check([a_fill("0xb"), a_fill(settlement=settlement)], [a_trade(9)]) == [], "none of its transaction"
    assert check([a_fill(settlement="failed")], []) == []
    assert check([a_fill(settlement="failed")], [a_trade()]) != [], "void with us, settled there"


def test_crumbs_do_not_differ() -> None:
    assert check([a_fill(5.009999)], [a_trade(5)]) == []
    assert check([a_fill(size=5.01)], [a_trade(5)]) == [Difference("0xfeed", YES, "BUY", shares(5.01), shares(5))]


def test_final_fills_of_an_untold_hash_differ_each_by_itself() -> None:
    fills = [a_fill(transaction=""), a_fill("0xb", trade_id="t2", transaction="", unix=BEFORE + 9)]
    assert [each.transaction for each in check(fills, [])] == ["of trade t1"]


FILLS = st.lists(
    st.builds(
        a_fill,
        st.uuids().map(str),
        st.integers(1, 10**9).map(lambda micro: micro / 10**6),
        transaction=st.sampled_from(["0x1", "0x2", "0x3"]),
        token=st.sampled_from([YES, NO]),
        order_side=st.sampled_from(["BUY", "SELL"]),
        unix=st.floats(AFTER, BEFORE),
    ),
    max_size=8,
)


def indexed(fills: list[FillSeen]) -> list[IndexedTrade]:
    """What an index without gaps lists of these fills."""
    return [
        IndexedTrade(
            fill.transaction, fill.token, "BUY" if fill.order_side == "BUY" else "SELL", fill.size, "", fill.unix
        )
        for fill in fills
    ]


@laws(150)
@given(FILLS, st.randoms(use_true_random=False))
def test_two_complete_sources_never_differ_however_they_are_split_and_sorted(fills: list[FillSeen], dice: Any) -> None:
    trades = []
    for trade in indexed(fills):
        part = dice.randint(0, trade.size)
        trades += [replace(trade, size=Shares(part)), replace(trade, size=Shares(trade.size - part))]
    dice.shuffle(trades)
    assert check(fills, trades) == []


@laws(150)
@given(FILLS, st.randoms(use_true_random=False))
def test_what_one_source_lacks_is_exactly_what_differs(fills: list[FillSeen], dice: Any) -> None:
    """By key: the sum of what is missing, on the side where it is missing, and nothing else."""
    kept = [fill for fill in fills if dice.random() < 0.6]
    lost: dict[tuple[str, str, str], int] = {}
    for fill in fills:
        if fill not in kept:
            key = (fill.transaction, fill.token, fill.order_side)
            lost[key] = lost.get(key, 0) + fill.size
    expected = {key: size for key, size in lost.items() if size >= SIZE_QUANTUM}
    ours_more, theirs_more = check(fills, indexed(kept)), check(kept, indexed(fills))
    assert {(d.transaction, d.token, d.order_side): d.ours - d.theirs for d in ours_more} == expected
    assert {(d.transaction, d.token, d.order_side): d.theirs - d.ours for d in theirs_more} == expected
