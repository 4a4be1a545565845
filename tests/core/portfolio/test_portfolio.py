"""The account's book over all markets: same lines, same state, however often they are told and whoever folds them."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.orders.fills import Fill
from core.portfolio.entries import Booking, Buy, Entry, Fee, Flow, Found, Income, Sell, Settle, Split
from core.portfolio.ledger import Ledger, Pico, pico_of, usd_of
from core.portfolio.portfolio import Portfolio
from core.units import MICRO, OUTCOMES, Shares, Ticks, Usd
from tests.builders import laws, shares, usd
from tests.core.portfolio.histories import Naive, amounts, dollars, impossible, plain, told

MARKETS = ("one", "two", "nobody makes it")


def a_fill(trade: str, market: str, order_side: Any, outcome: Any, size: int, price: int) -> Fill:
    side = "bid" if (order_side == "BUY") == (outcome == "YES") else "ask"
    return Fill(
        trade_id=trade, order_id="o", intent=1, market=market, outcome=outcome, order_side=order_side, price=Ticks(1),
        yes_price=Ticks(1), usd=Usd(price), side=side, size=Shares(size), layer=0, unix=0.0,
    )  # fmt: skip


def state(portfolio: Portfolio) -> Any:
    """Everything a portfolio says of itself."""
    markets = {
        market: (
            told(held.books.average), told(held.books.lots), held.books.net.position, held.books.net.cost,
            held.books.net.realised, held.settled_yes, held.settled_no, held.provisional, held.oversold,
            held.bought, held.sold, held.fills, held.payout,
        )
        for market, held in portfolio.positions.items() if held.fills or told(held.ledger) != told(Ledger())
    }  # fmt: skip
    sums = portfolio.cash, portfolio.flows, portfolio.realised, portfolio.fees, portfolio.income
    return markets, told(portfolio.account), sums


class Told:
    """One session after another of one account, its journal, and what it should come to."""

    def __init__(self) -> None:
        self.live = Portfolio()
        self.journal: dict[str, Booking] = {}
        self.waiting: list[Fill] = []
        self.failed: list[Fill] = []

    def enter(self, market: str, key: str, entry: Entry) -> None:
        before, seq = state(self.live), self.live.next_seq
        answer = self.live.book(market, key, 1.0, entry, "job", "why")
        assert (answer is None) == (key in self.journal)
        if answer is None:
            assert (state(self.live), self.live.next_seq) == (before, seq)
            return
        assert answer[0] == Booking(seq, market, key, 1.0, entry, "job", text="why")
        self.journal[key] = answer[0]

    def fill(self, fill: Fill) -> None:
        expected, (seq, wrong) = self.live.next_seq, self.live.fill(fill, True, 2.0)
        assert seq == expected
        self.journal[f"{fill.trade_id} o"] = Booking(
            seq, fill.market, f"{fill.trade_id} o", 2.0,
            (Buy if fill.order_side == "BUY" else Sell)(fill.outcome, fill.size, fill.usd), "fill", is_final=False,
        )  # fmt: skip
        assert wrong is None or "leave" in wrong
        self.waiting.append(fill)

    def tell_again(self, fill: Fill) -> None:
        before = state(self.live), self.live.next_seq
        assert self.live.fill(fill, True, 3.0) == (0, None)
        assert (state(self.live), self.live.next_seq) == before

    def end(self, fill: Fill, confirmed: bool) -> None:
        key = f"{fill.trade_id} o"
        if confirmed:
            assert self.live.confirm(fill) is None
            line = self.journal[key]
            self.journal[key] = Booking(line.seq, line.market, key, line.unix, line.entry, "fill")
        else:
            assert self.live.fill(fill, False, 3.0) == (self.journal.pop(key).seq, None)
            self.failed.append(fill)

    def again(self, shuffle: int) -> Portfolio:
        """What another session makes of the journal, in whatever order it is read."""
        lines = list(self.journal.values())
        random.Random(shuffle).shuffle(lines)
        other = Portfolio()
        assert other.restore(lines) == []
        other.next_seq = max(other.next_seq, self.live.next_seq)
        return other


def compared(told: Told, mark: int) -> None:
    """Sums are those of a naive ledger, and the self-check has nothing to say."""
    live = told.live
    assert live.check() == ""
    naive = {market: Naive() for market in ("", *MARKETS)}
    for line in sorted(told.journal.values(), key=lambda one: one.seq):
        naive[line.market].take(line.entry)
    assert dollars(live.cash) == sum(one.cash for one in naive.values())
    assert dollars(live.flows) == sum(one.given for one in naive.values())
    assert dollars(live.fees) == sum(one.fees for one in naive.values())
    assert dollars(live.income) == sum(one.income for one in naive.values())
    marks = dict.fromkeys(MARKETS, Usd(mark))
    assert live.cash + live.value(marks) - live.flows == (
        live.realised + live.unrealised(marks) - live.fees + live.income
    ), "parts add up to the Pico"
    at = dollars(mark * MICRO)
    assert dollars(live.value(marks)) == sum(naive[market].value(at) for market in MARKETS)


ACCOUNT = st.one_of(
    st.builds(Fee, amounts), st.builds(Income, amounts), st.builds(Flow, st.integers(-(10**8), 10**8).map(Usd))
)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("fill"), st.sampled_from(MARKETS), st.sampled_from(["BUY", "SELL"]), st.sampled_from(OUTCOMES),
            st.integers(1, 10 * MICRO), st.integers(1, MICRO),
        ),
        st.tuples(st.just("line"), st.sampled_from(MARKETS), st.one_of(plain, plain, impossible)),
        st.tuples(st.just("line"), st.just(""), ACCOUNT),
        st.tuples(st.sampled_from(["again", "confirm", "confirm", "fail", "fail", "restart"]), st.integers(0, 99)),
    ),
    max_size=30,
)  # fmt: skip


@laws(300)
@given(STEPS, st.integers(0, MICRO))
def test_live_restarted_and_folded_from_empty_are_one_state(steps: list[Any], mark: int) -> None:
    """Through all kinds of lines, told again, failed, confirmed, with restarts in between."""
    told = Told()
    for number, (kind, *what) in enumerate(steps):
        if kind == "fill":
            told.fill(a_fill(f"t{number}", *what))
        elif kind == "line":
            told.enter(what[0], f"l{number}", what[1])
        elif kind == "again" and told.journal:
            key = list(told.journal)[what[0] % len(told.journal)]
            told.enter(told.journal[key].market, key, Flow(usd(1_000)))
            for fill in told.waiting + told.failed:
                told.tell_again(fill)
        elif kind in ("confirm", "fail") and told.waiting:
            told.end(told.waiting.pop(what[0] % len(told.waiting)), kind == "confirm")
        elif kind == "restart":
            told.live = told.again(what[0])
            told.failed.clear()
    compared(told, mark)
    other = told.again(mark)
    assert (state(other), other.check()) == (state(told.live), "")
    told.live, first = other, told.live
    for fill in tuple(told.waiting):
        told.end(fill, fill.size % 2 == 0)
        first.confirm(fill) if fill.size % 2 == 0 else first.fill(fill, False, 3.0)
    compared(told, mark)
    assert state(told.again(0)) == state(told.live) == state(first), "what was open goes on after the restart"


def test_desks_keep_their_position_over_the_restoration() -> None:
    portfolio = Portfolio()
    held = portfolio.position("one")
    portfolio.restore([Booking(4, "one", "a", 0.0, Split(shares(3), usd(0.5)), "job")])
    assert held is portfolio.position("one") is portfolio.positions["one"]
    assert (held.inventory.pairs, portfolio.next_seq, portfolio.has("a"), portfolio.has("b")) == (
        shares(3),
        5,
        True,
        False,
    )


def test_record_that_tells_a_line_twice_is_told_of_and_counts_once() -> None:
    line = Booking(1, "", "a", 0.0, Flow(usd(5)), "balance")
    again, same_number = (
        Booking(2, "", "a", 0.0, Flow(usd(7)), "balance"),
        Booking(1, "", "b", 0.0, Flow(usd(1)), "balance"),
    )
    portfolio = Portfolio()
    assert portfolio.restore([again, line, same_number]) == [
        "line 1 (b) has the number of another",
        "line 2 tells a again: left out",
    ]
    assert (usd_of(portfolio.cash), usd_of(portfolio.flows), portfolio.next_seq) == (usd(6), usd(6), 2)


def test_what_was_odd_when_it_was_booked_is_not_told_again_by_a_restart() -> None:
    portfolio = Portfolio()
    assert portfolio.restore([Booking(1, "one", "a", 0.0, Sell("YES", shares(3), usd(0.5)), "fill")]) == []
    assert portfolio.position("one").oversold == shares(3)


def test_account_as_a_whole_has_a_book_of_its_own() -> None:
    portfolio = Portfolio()
    portfolio.book("", "deposit", 0.0, Flow(usd(100)), "balance")
    portfolio.book("", "reward", 0.0, Income(usd(2)), "balance")
    portfolio.book("one", "rebate", 0.0, Income(usd(1), "rebate"), "index")
    portfolio.book("one", "gas", 0.0, Fee(usd(0.5)), "job")
    assert (usd_of(portfolio.account.cash), list(portfolio.positions)) == (usd(102), ["one"])
    assert (usd_of(portfolio.cash), usd_of(portfolio.flows)) == (usd(102.5), usd(100))
    assert (usd_of(portfolio.income), usd_of(portfolio.fees), portfolio.realised) == (usd(3), usd(0.5), 0)
    assert portfolio.position("").ledger is portfolio.account


def test_shares_of_no_market_are_booked_and_told() -> None:
    portfolio = Portfolio()
    booked = portfolio.book("", "odd", 0.0, Sell("YES", shares(1), usd(0.5)), "index")
    assert booked is not None and booked[1] == "it names no market; 1 YES leave, 0 are held"
    assert (usd_of(portfolio.cash), portfolio.check()) == (usd(0.5), "")


def test_market_without_a_mark_is_worth_its_cost_and_a_resolved_one_its_payout() -> None:
    portfolio = Portfolio()
    portfolio.book("one", "a", 0.0, Found("YES", shares(10), usd(0.4)), "start")
    portfolio.book("two", "b", 0.0, Found("NO", shares(10), usd(0.3)), "start")
    assert (portfolio.value({}), portfolio.unrealised({})) == (pico_of(usd(7)), 0)
    assert (portfolio.value({"one": usd(0.6)}), portfolio.unrealised({"one": usd(0.6)})) == (
        pico_of(usd(9)),
        pico_of(usd(2)),
    )
    portfolio.book("two", "c", 0.0, Settle(usd(0)), "venue")
    for marks in ({}, {"two": usd(0.9)}):
        assert (portfolio.value(marks), portfolio.realised) == (pico_of(usd(14)), pico_of(usd(7)))


def test_fill_that_is_told_again_after_it_failed_changes_nothing() -> None:
    portfolio, fill = Portfolio(), a_fill("t", "one", "BUY", "YES", MICRO, MICRO // 2)
    assert portfolio.fill(fill, True, 0.0) == (1, None)
    assert portfolio.fill(fill, False, 0.0) == (1, None)
    assert portfolio.fill(fill, True, 0.0) == (0, None)
    assert (portfolio.cash, portfolio.position("one").fills, portfolio.next_seq) == (0, 0, 2)
    seq, wrong = portfolio.fill(fill, False, 0.0)
    assert (seq, wrong) == (0, "failed, but no open line of the book")


@pytest.mark.parametrize("what", ["books", "cash", "flows", "income"])
def test_account_that_contradicts_its_markets_is_found(what: str) -> None:
    """And goes on being found: trouble does not pass by being looked at."""
    portfolio = Portfolio()
    portfolio.book("one", "a", 0.0, Split(shares(1), usd(0.5)), "job")
    if what == "books":
        portfolio.position("one").books.lots.realised = Pico(1)
    else:
        setattr(portfolio._sums, what, Pico(getattr(portfolio._sums, what) + 1))
        if what == "flows":
            portfolio._sums.realised = Pico(-1)
    assert portfolio.check(sums_up=True) != ""
    assert portfolio.check(sums_up=True) != ""
