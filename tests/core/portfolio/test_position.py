"""One market's holdings: booked line by line, confirmed, taken back; what is final and what may be sold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.orders.fills import Fill
from core.portfolio.entries import Booking, Buy, Convert, Entry, Found, Merge, Redeem, Sell, Settle, Split, fill_key
from core.portfolio.ledger import usd_of
from core.portfolio.position import Position, booking_of
from core.units import MICRO, OUTCOMES, Outcome, Shares, Ticks
from tests.builders import MARKET, laws, shares, usd
from tests.core.portfolio.histories import booked, plain, told


def a_fill(trade: str, size: float, order_side: Any = "BUY", outcome: Outcome = "YES", price: float = 0.4) -> Fill:
    buys_yes = (order_side == "BUY") == (outcome == "YES")
    return Fill(
        trade_id=trade, order_id="o", intent=1, market=MARKET, outcome=outcome, order_side=order_side, price=Ticks(1),
        yes_price=Ticks(1), usd=usd(price), side="bid" if buys_yes else "ask", size=shares(size), layer=0, unix=0.0,
    )  # fmt: skip


def key_of(fill: Fill) -> str:
    return fill_key(*fill.key)


def a_line(key: str, entry: Entry) -> Booking:
    return Booking(0, MARKET, key, 0.0, entry, "job")


def holding(**confirmed: float) -> Position:
    """A position that bought so many shares of each outcome, all final."""
    position = Position()
    for outcome, size in confirmed.items():
        fill = a_fill(f"first {outcome}", size, outcome="YES" if outcome == "yes" else "NO")
        position.book(booking_of(fill, 0, 0.0))
        position.confirm(key_of(fill))
    return position


def test_bought_shares_are_ours_at_once_and_sellable_once_final() -> None:
    position, fill = Position(), a_fill("t", 10)
    assert position.book(booking_of(fill, 1, 0.0)) is None
    assert (position.inventory.yes, position.settled_yes, position.provisional) == (shares(10), 0, shares(10))
    assert position.confirm(key_of(fill)) is None
    assert (position.settled_yes, position.provisional) == (shares(10), 0)
    assert usd_of(position.ledger.cash) == -usd(4)


def test_sold_shares_are_gone_at_once_and_come_back_when_the_trade_fails() -> None:
    position, sale = holding(yes=10), a_fill("s", 6, "SELL", price=0.5)
    position.book(booking_of(sale, 2, 0.0))
    assert (position.inventory.yes, position.settled_yes, position.fills) == (shares(4), shares(4), 2)
    assert position.take_back(key_of(sale)) is None
    assert (position.inventory.yes, position.settled_yes, position.provisional) == (shares(10), shares(10), 0)
    assert (usd_of(position.ledger.cash), position.fills) == (-usd(4), 1)


def test_lines_that_are_no_fills_are_final_at_once() -> None:
    position = Position()
    for number, entry in enumerate(
        [
            Found("YES", shares(4), usd(0.4)),
            Split(shares(10), usd(0.5)),
            Merge(shares(3)),
            Convert("NO", -shares(2), usd(0.5)),
            Settle(usd(1)),
            Redeem("YES", shares(1), usd(1)),
        ]
    ):
        assert position.book(a_line(str(number), entry)) is None
    assert (position.settled_yes, position.settled_no) == (shares(10), shares(5))
    assert (position.inventory.yes, position.inventory.no) == (shares(10), shares(5))
    assert (position.provisional, position.fills, position.payout) == (0, 0, usd(1))


def test_turnover_is_told_in_the_yes_frame() -> None:
    position = Position()
    for number, (order_side, outcome) in enumerate([("BUY", "YES"), ("SELL", "NO"), ("SELL", "YES"), ("BUY", "NO")]):
        position.book(booking_of(a_fill(str(number), 10**number, order_side, outcome), number, 0.0))
    assert (position.bought, position.sold, position.fills) == (shares(11), shares(1100), 4)
    position.take_back(key_of(a_fill("2", 100, "SELL", "YES")))
    position.take_back(key_of(a_fill("1", 10, "SELL", "NO")))
    assert (position.bought, position.sold, position.fills) == (shares(1), shares(1000), 2)


def test_sale_of_what_our_book_does_not_have_is_booked_all_the_same() -> None:
    """The venue sold it, so it was there; the book is short of it until it is told how it came."""
    position = holding(yes=3)
    assert position.book(booking_of(a_fill("s", 10, "SELL", price=0.5), 2, 0.0)) == "10 YES leave, 3 are held"
    assert (position.inventory.yes, position.inventory.pairs, position.oversold) == (shares(-7), 0, shares(7))
    assert position.settled_yes == shares(-7)
    assert usd_of(position.ledger.cash) == usd(5) - usd(1.2)
    assert usd_of(position.ledger.realised) == usd(0.3)


def test_sale_told_before_its_purchase_ends_flat_with_the_right_profit() -> None:
    position, sale, purchase = Position(), a_fill("s", 10, "SELL", price=0.5), a_fill("b", 10)
    position.book(booking_of(sale, 1, 0.0))
    position.book(booking_of(purchase, 2, 0.0))
    assert (position.inventory.yes, position.oversold, position.settled_yes) == (0, 0, shares(-10))
    position.confirm(key_of(purchase))
    position.confirm(key_of(sale))
    assert (position.settled_yes, position.ledger.cost, usd_of(position.ledger.realised)) == (0, 0, usd(1))


def test_failed_purchase_whose_shares_were_sold_meanwhile_is_taken_back() -> None:
    """What was paid for the sale stays; the book is short of what was sold."""
    position, purchase = Position(), a_fill("b", 10)
    position.book(booking_of(purchase, 1, 0.0))
    position.book(booking_of(a_fill("s", 10, "SELL", price=0.5), 2, 0.0))
    assert position.oversold == 0
    position.take_back(key_of(purchase))
    assert (position.inventory.yes, position.oversold, usd_of(position.ledger.cash)) == (
        shares(-10),
        shares(10),
        usd(5),
    )
    assert position.books.check() == ""


def test_purchase_taken_back_leaves_the_average_as_if_it_had_never_been() -> None:
    position, failed = holding(yes=10), a_fill("f", 10, price=0.8)
    position.book(booking_of(failed, 2, 0.0))
    position.book(booking_of(a_fill("s", 5, "SELL", price=0.5), 3, 0.0))
    assert usd_of(position.ledger.realised) == usd(-0.5)
    position.take_back(key_of(failed))
    assert (usd_of(position.ledger.realised), position.ledger.yes.average) == (usd(0.5), pytest.approx(0.4))


def test_fill_of_a_resolved_market_may_still_fail() -> None:
    position, late = holding(yes=10), a_fill("late", 10, price=0.9)
    position.book(booking_of(late, 2, 0.0))
    position.book(a_line("settle", Settle(usd(1))))
    assert usd_of(position.ledger.realised) == usd(7)
    position.take_back(key_of(late))
    assert (usd_of(position.ledger.realised), position.payout, position.inventory.yes) == (usd(6), usd(1), shares(10))


@pytest.mark.parametrize("counts", [True, False])
def test_what_is_final_or_unknown_is_neither_confirmed_nor_taken_back(counts: bool) -> None:
    position, fill = Position(), a_fill("t", 10)
    position.book(booking_of(fill, 1, 0.0))
    position.confirm(key_of(fill))
    before = told(position.ledger)
    for other in (fill, a_fill("unknown", 3)):
        wrong = position.confirm(key_of(other)) if counts else position.take_back(key_of(other))
        assert wrong is not None and "no open line" in wrong
    assert (told(position.ledger), position.provisional, position.fills) == (before, 0, 1)


@pytest.mark.parametrize("fails", [True, False])
def test_only_what_came_after_the_first_open_fill_is_kept(fails: bool) -> None:
    """Memory does not grow with what is final."""
    position, first, last = Position(), a_fill("first", 1), a_fill("last", 1)
    position.book(booking_of(first, 0, 0.0))
    for number in range(100):
        position.book(a_line(str(number), Split(shares(1), usd(0.5))))
    position.book(booking_of(last, 101, 0.0))
    assert len(position._tail) == 102
    position.confirm(key_of(last))
    assert len(position._tail) == 102
    if fails:
        position.take_back(key_of(first))
    else:
        position.confirm(key_of(first))
    assert (len(position._tail), len(position._open)) == (0, 0)
    assert position.inventory.yes == shares(101 if fails else 102)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["BUY", "SELL"]), st.sampled_from(OUTCOMES), st.integers(1, 5 * MICRO), st.integers(1, 99)
        ),
        st.tuples(st.sampled_from(["confirm", "fail"]), st.just("YES"), st.integers(0, 99), st.just(0)),
        plain,
    ),
    max_size=30,
)


@laws(300)
@given(STEPS)
def test_position_is_the_fold_of_what_has_not_failed(steps: list[Any]) -> None:
    """Whatever was confirmed or failed in which order; and what is open is told apart from what is final."""
    position, lines, waiting = Position(), dict[str, Booking](), list[Fill]()
    for number, step in enumerate(steps):
        if not isinstance(step, tuple):
            lines[str(number)] = a_line(str(number), step)
            position.book(lines[str(number)])
        elif step[0] in ("BUY", "SELL"):
            fill = a_fill(f"t{number}", step[2] / MICRO, step[0], step[1], step[3] / 100)
            lines[f"t{number}"] = booking_of(fill, number, 0.0)
            position.book(booking_of(fill, number, 0.0))
            waiting.append(fill)
        elif waiting:
            fill = waiting.pop(step[2] % len(waiting))
            if step[0] == "confirm":
                assert position.confirm(key_of(fill)) is None
            else:
                assert position.take_back(key_of(fill)) is None
                del lines[fill.trade_id]
        books = booked([line.entry for line in lines.values()])
        assert (told(position.books.average), told(position.books.lots)) == (told(books.average), told(books.lots))
        assert (position.books.net.realised, position.books.net.cost) == (books.net.realised, books.net.cost)
        assert position.books.check() == ""
        arriving = {
            side: sum(f.size for f in waiting if (f.order_side, f.outcome) == ("BUY", side)) for side in OUTCOMES
        }
        assert position.settled_yes + arriving["YES"] == position.inventory.yes == books.average.yes.shares
        assert position.settled_no + arriving["NO"] == position.inventory.no == books.average.no.shares
        assert position.provisional == sum(fill.size for fill in waiting)
        made = [line.entry for line in lines.values() if isinstance(line.entry, Buy | Sell)]
        assert position.fills == len(made)
        assert position.bought - position.sold == sum(
            entry.size * (1 if isinstance(entry, Buy) == (entry.outcome == "YES") else -1) for entry in made
        )
        assert position.oversold == sum(max(0, -held) for held in (position.inventory.yes, position.inventory.no))
        assert position.inventory.pairs >= 0


def test_sizes_of_a_fill_are_taken_as_they_are() -> None:
    fill = a_fill("t", 1.234567, "SELL", "NO", 0.123456)
    assert booking_of(fill, 7, 5.0) == Booking(
        7, MARKET, "t o", 5.0, Sell("NO", Shares(1_234_567), usd(0.123456)), "fill", is_final=False
    )
