"""One market's holdings: booked fill by fill, taken back, corrected; what is final and what may be sold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.orders.fills import Fill
from core.portfolio.position import Position
from core.units import MICRO, OUTCOMES, Outcome, Shares, Ticks, Usd
from tests.builders import MARKET, laws, shares, usd


def a_fill(trade: str, size: float, order_side: Any = "BUY", outcome: Outcome = "YES", price: float = 0.4) -> Fill:
    buys_yes = (order_side == "BUY") == (outcome == "YES")
    return Fill(
        trade_id=trade, order_id="o", intent=1, market=MARKET, outcome=outcome, order_side=order_side, price=Ticks(1),
        yes_price=Ticks(1), usd=usd(price), side="bid" if buys_yes else "ask", size=shares(size), layer=0, unix=0.0,
    )  # fmt: skip


def holding(**confirmed: float) -> Position:
    """A position that bought so many shares of each outcome, all final."""
    position = Position()
    for outcome, size in confirmed.items():
        fill = a_fill(f"first {outcome}", size, outcome="YES" if outcome == "yes" else "NO")
        position.take_fill(fill, counts=True)
        position.confirm_fill(fill)
    return position


def profit(position: Position, mark: float = 0.4) -> int:
    """In micro-dollars: what the ledger's two ways of counting agree on, opening holdings at their own price."""
    position.ledger.verify(usd(mark))
    return position.ledger.total(usd(mark)) // MICRO


def test_bought_shares_are_ours_at_once_and_sellable_once_final() -> None:
    position, fill = Position(), a_fill("t", 10)
    position.take_fill(fill, counts=True)
    assert (position.inventory.yes, position.settled_yes, position.provisional) == (shares(10), 0, shares(10))
    position.confirm_fill(fill)
    assert (position.settled_yes, position.provisional) == (shares(10), 0)
    assert position.cash_change == -usd(4) * MICRO


def test_sold_shares_are_gone_at_once_and_come_back_when_the_trade_fails() -> None:
    position, sale = holding(yes=10), a_fill("s", 6, "SELL", price=0.5)
    position.take_fill(sale, counts=True)
    assert (position.inventory.yes, position.settled_yes) == (shares(4), shares(4))
    position.take_fill(sale, counts=False)
    assert (position.inventory.yes, position.settled_yes, position.provisional) == (shares(10), shares(10), 0)
    assert (position.cash_change, position.fills) == (-usd(4) * MICRO, 1)


def test_opening_holdings_cost_no_cash_and_make_no_profit() -> None:
    position = Position()
    position.open_with(shares(10), shares(3))
    assert (position.inventory.yes, position.inventory.no, position.settled_no) == (shares(10), shares(3), shares(3))
    assert (position.awaits_opening, position.cash_change) == (True, 0)
    position.enter_opening(usd(0.4))
    assert (position.awaits_opening, position.cash_change, profit(position)) == (False, 0, 0)


def test_sale_before_any_fair_value_enters_the_opening_holdings_at_its_own_price() -> None:
    position = Position()
    position.open_with(shares(10), Shares(0))
    position.take_fill(a_fill("s", 4, "SELL", price=0.5), counts=True)
    assert (position.inventory.yes, position.settled_yes, position.cash_change) == (
        shares(6),
        shares(6),
        usd(2) * MICRO,
    )
    assert (profit(position, 0.5), position.uncovered) == (0, 0)


def test_sale_of_what_our_books_do_not_have_is_booked_all_the_same() -> None:
    """The venue sold it, so it was there; afterwards nothing is held, and nothing is owed either."""
    position = holding(yes=3)
    position.take_fill(a_fill("s", 10, "SELL", price=0.5), counts=True)
    assert (position.inventory.yes, position.settled_yes, position.uncovered) == (0, 0, shares(7))
    assert position.cash_change == (usd(5) - usd(1.2)) * MICRO, "what the venue paid, and what the three did cost"
    assert profit(position, 0.5) == usd(0.3) - usd(3.5) + usd(3.5)


def test_failed_purchase_whose_shares_were_sold_meanwhile_is_taken_back() -> None:
    """Its shares cannot have been there; the position is what is left, and never less than nothing."""
    position = Position()
    position.take_fill(a_fill("b", 10), counts=True)
    position.take_fill(a_fill("s", 10, "SELL", price=0.5), counts=True)
    position.take_fill(a_fill("b", 10), counts=False)
    assert (position.inventory.yes, position.settled_yes, position.cash_change) == (0, 0, usd(5) * MICRO)


@pytest.mark.parametrize("price", [None, 0.3])
def test_correction_moves_no_cash_and_makes_no_profit(price: float | None) -> None:
    position = holding(yes=10)
    if price is not None:
        position.open_with(Shares(0), Shares(0))
        position.settled_yes = shares(10)
    before = position.cash_change, profit(position)
    position.correct("YES", shares(5))
    assert (position.inventory.yes, position.settled_yes) == (shares(15), shares(15))
    position.correct("YES", -shares(12))
    assert (position.inventory.yes, position.settled_yes) == (shares(3), shares(3))
    assert (position.cash_change, profit(position)) == before
    with pytest.raises(InvariantBroken):
        position.correct("YES", -shares(4))


def test_correction_of_opening_holdings_that_no_price_has_entered_yet() -> None:
    position = Position()
    position.open_with(shares(10), Shares(0))
    fill = a_fill("b", 5)
    position.take_fill(fill, counts=True)
    position.confirm_fill(fill)
    position.correct("NO", shares(2))
    position.correct("YES", -shares(12))
    assert (position.inventory.yes, position.inventory.no) == (shares(3), shares(2))
    assert (position.settled_yes, position.settled_no) == (shares(3), shares(2))
    position.enter_opening(usd(0.4))
    assert (position.inventory.yes, position.cash_change, profit(position)) == (shares(3), -usd(2) * MICRO, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "confirm", "fail", "more", "less", "price"]),
        st.sampled_from(["YES", "NO"]),
        st.integers(1, 5_000_000),
        st.integers(1, 99),
    ),
    max_size=25,
)


@laws(300)
@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000), STEPS)
def test_holdings_are_what_is_final_and_what_is_open_whatever_happens(
    yes: int, no: int, steps: list[tuple[str, Outcome, int, int]]
) -> None:
    """And cash is what was paid and received for trades that count, however they were sold, failed or corrected."""
    position = Position()
    position.open_with(Shares(yes), Shares(no))
    open_fills: list[Fill] = []
    cash = 0
    for number, (kind, outcome, size, cents) in enumerate(steps):
        if kind in ("buy", "sell"):
            fill = a_fill(f"t{number}", size / MICRO, "BUY" if kind == "buy" else "SELL", outcome, cents / 100)
            position.take_fill(fill, counts=True)
            open_fills.append(fill)
            cash += (-1 if kind == "buy" else 1) * fill.size * fill.usd
        elif kind in ("confirm", "fail") and open_fills:
            fill = open_fills.pop(size % len(open_fills))
            if kind == "confirm":
                position.confirm_fill(fill)
            else:
                position.take_fill(fill, counts=False)
                cash -= (-1 if fill.order_side == "BUY" else 1) * fill.size * fill.usd
        elif kind == "more":
            position.correct(outcome, size)
        elif kind == "less":
            settled = position.settled_yes if outcome == "YES" else position.settled_no
            position.correct(outcome, -min(size, max(0, settled)))
        elif kind == "price" and position.awaits_opening:
            position.enter_opening(Usd(cents * 10_000))
        buys = {
            side: sum(f.size for f in open_fills if f.order_side == "BUY" and f.outcome == side) for side in OUTCOMES
        }
        assert position.inventory.yes == position.settled_yes + buys["YES"] >= 0
        assert position.inventory.no == position.settled_no + buys["NO"] >= 0
        assert position.cash_change == cash
        assert position.provisional == sum(fill.size for fill in open_fills)
        position.ledger.verify(usd(0.5))
