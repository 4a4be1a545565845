"""Entries that hypothesis may draw, and a ledger that is written anew, in fractions, to be held against ours."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from hypothesis import strategies as st

from core.portfolio.books import Books
from core.portfolio.entries import (
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
from core.portfolio.ledger import Ledger
from core.units import MICRO, Outcome, Shares, Usd

outcomes = st.sampled_from(["YES", "NO"])
sizes = st.one_of(
    st.integers(0, 9), st.integers(0, 20 * MICRO), st.sampled_from([MICRO, 2 * MICRO, 10 * MICRO]), st.just(10**15 + 1)
).map(Shares)
prices = st.one_of(st.integers(0, MICRO), st.integers(1, 99).map(lambda cents: cents * 10_000)).map(Usd)
amounts = st.integers(0, 20 * MICRO).map(Usd)
payouts = st.sampled_from([0, MICRO, MICRO // 2, 333_333]).map(Usd)
signed_sizes = st.integers(-20 * MICRO, 20 * MICRO).map(Shares)
wild = st.integers(-(10**18), 10**18)
trades: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Buy, outcomes, sizes, prices), st.builds(Sell, outcomes, sizes, prices)
)
plain: st.SearchStrategy[Entry] = st.one_of(
    trades,
    trades,
    st.builds(Split, sizes, prices),
    st.builds(Merge, sizes),
    st.builds(Convert, outcomes, signed_sizes, prices),
    st.builds(Settle, payouts),
    st.builds(Redeem, outcomes, sizes, amounts),
    st.builds(Fee, amounts),
    st.builds(Income, amounts, st.sampled_from(["reward", "rebate", "other"])),
    st.builds(Flow, wild.map(lambda amount: Usd(amount % (40 * MICRO) - 20 * MICRO))),
    st.builds(Found, outcomes, signed_sizes, prices),
)
"""What may happen, in an order in which it may not: sales of what is not held, late fills, merges without pairs."""
impossible: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Buy, outcomes, wild, wild),
    st.builds(Sell, outcomes, wild, wild),
    st.builds(Split, wild, wild),
    st.builds(Merge, wild),
    st.builds(Convert, outcomes, wild, wild),
    st.builds(Settle, wild),
    st.builds(Redeem, outcomes, wild, wild),
    st.builds(Fee, wild),
    st.builds(Income, wild),
    st.builds(Found, outcomes, wild, wild),
)
"""What can never happen."""
histories = st.lists(plain, max_size=25)
wild_histories = st.lists(st.one_of(plain, plain, impossible), max_size=20)


def booked(history: Sequence[Entry]) -> Books:
    """The books after these entries."""
    books = Books()
    for entry in history:
        books.apply(entry)
    return books


class Naive:
    """Cash, shares, and lots as lists of fractions; knows no averages, and takes the payout as a last price.

    Cash of a redemption, beyond its rounded price a share, is profit at once; that is all it knows of rounding.
    """

    def __init__(self) -> None:
        self.cash = Fraction(0)
        self.given = Fraction(0)
        self.fees = Fraction(0)
        self.income = Fraction(0)
        self.realised = Fraction(0)
        self.shares: dict[Outcome, Fraction] = {"YES": Fraction(0), "NO": Fraction(0)}
        self.lots: dict[Outcome, list[tuple[Fraction, Fraction]]] = {"YES": [], "NO": []}
        self.average_realised = Fraction(0)
        self.average_cost: dict[Outcome, Fraction] = {"YES": Fraction(0), "NO": Fraction(0)}
        self.payout: Fraction | None = None

    def take(self, entry: Entry) -> None:
        """Micro-shares and micro-dollars become shares and dollars."""
        of: Callable[[int], Fraction] = lambda micro: Fraction(micro, MICRO)  # noqa: E731
        match entry:
            case Buy(outcome, size, price):
                self._trade(outcome, of(size), of(price))
                self.cash -= of(size) * of(price)
            case Sell(outcome, size, price):
                self._trade(outcome, -of(size), of(price))
                self.cash += of(size) * of(price)
            case Split(size, price):
                self._trade("YES", of(size), of(price))
                self._trade("NO", of(size), 1 - of(price))
                self.cash -= of(size)
            case Merge(size):
                self._trade("YES", -of(size), Fraction(1, 2))
                self._trade("NO", -of(size), Fraction(1, 2))
                self.cash += of(size)
            case Convert(outcome, size, price):
                self._trade(outcome, of(size), of(price))
                self.cash -= of(size) * of(price)
            case Settle(price) if 0 <= price <= MICRO:
                self.payout = of(price)
            case Redeem(outcome, size, amount):
                each = Fraction(amount * MICRO // size if size > 0 else 0, MICRO)
                self._trade(outcome, -of(size), each)
                self.cash += of(amount)
                self._gain(of(amount) - of(size) * each)
            case Fee(amount):
                self.fees += of(amount)
                self.cash -= of(amount)
            case Income(amount):
                self.income += of(amount)
                self.cash += of(amount)
            case Flow(amount):
                self.given += of(amount)
                self.cash += of(amount)
            case Found(outcome, size, price):
                self._trade(outcome, of(size), of(price))
                self.given += of(size) * of(price)
        if self.payout is not None:
            for outcome, worth in (("YES", self.payout), ("NO", 1 - self.payout)):
                self._claim(outcome, worth)

    def value(self, mark: Fraction) -> Fraction:
        """Of the holdings, dollars."""
        mark = mark if self.payout is None else self.payout
        return self.shares["YES"] * mark + self.shares["NO"] * (1 - mark)

    def total(self, mark: Fraction) -> Fraction:
        """Profit by what is there, dollars."""
        return self.cash + self.value(mark) - self.given

    def _gain(self, amount: Fraction) -> None:
        self.realised += amount
        self.average_realised += amount

    def _claim(self, outcome: Outcome, worth: Fraction) -> None:
        held = self.shares[outcome]
        self.realised += held * worth - sum(size * price for size, price in self.lots[outcome])
        self.average_realised += held * worth - self.average_cost[outcome]
        self.average_cost[outcome] = held * worth
        self.lots[outcome] = [(held, worth)] if held else []

    def _trade(self, outcome: Outcome, size: Fraction, price: Fraction) -> None:
        held, cost = self.shares[outcome], self.average_cost[outcome]
        if held * size < 0:
            closed = -size if abs(size) <= abs(held) else held
            self.average_realised += closed * price - cost * closed / held
            cost -= cost * closed / held
            self.average_cost[outcome] = cost + (size + closed) * price
        else:
            self.average_cost[outcome] = cost + size * price
        self.shares[outcome] = held + size
        lots = self.lots[outcome]
        while size and lots and lots[0][0] * size < 0:
            lot, paid = lots.pop(0)
            closed = lot if abs(lot) <= abs(size) else -size
            self.realised += closed * (price - paid)
            size += closed
            if lot != closed:
                lots.insert(0, (lot - closed, paid))
        if size:
            lots.append((size, price))


def dollars(pico: int) -> Fraction:
    """Dollars of Pico, exactly."""
    return Fraction(pico, MICRO * MICRO)


def told(ledger: Ledger) -> tuple[object, ...]:
    """Everything a ledger says of itself."""
    return (
        ledger.cash, ledger.yes.shares, ledger.yes.cost, ledger.no.shares, ledger.no.cost, ledger.realised,
        ledger.fees, ledger.income, ledger.contributed, ledger.payout,
    )  # fmt: skip
