"""Cash, holdings, cost and profit of one market, exact in integers; at average cost unless told otherwise.

Invariant after any sequence of events, in :data:`Pico`, without rounding:
``cash + holdings at a mark = realised + unrealised - fees + income``.
"""

from typing import NewType

import msgspec

from core.errors import InvariantBroken
from core.units import MICRO, Outcome, Shares, Usd

Pico = NewType("Pico", int)
"""Millionths of a micro-dollar: micro-shares times micro-dollars a share, so that no product is ever rounded."""


def usd_of(amount: Pico) -> Usd:
    """Micro-dollars, to the nearest; for display and reports only."""
    return Usd((amount + MICRO // 2) // MICRO)


def pico_of(amount: Usd) -> Pico:
    """Micro-dollars, exactly."""
    return Pico(amount * MICRO)


class Buy(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A fill that bought ``size`` at ``price`` micro-dollars a share."""

    outcome: Outcome
    size: Shares
    price: Usd


class Sell(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A fill that sold ``size`` at ``price`` micro-dollars a share."""

    outcome: Outcome
    size: Shares
    price: Usd


class Split(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Pairs minted for a dollar each; ``fair`` (micro-dollars a YES share) divides the cost between the tokens."""

    size: Shares
    fair: Usd


class Merge(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Pairs turned back into a dollar each."""

    size: Shares


class Settle(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Resolution as reported: micro-dollars a YES share; NO pays the rest of a dollar."""

    yes_payout: Usd


class Fee(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Paid to the venue."""

    amount: Usd


class Income(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A rebate or a reward, when it is paid."""

    amount: Usd


Entry = Buy | Sell | Split | Merge | Settle | Fee | Income


class Holding:
    """Shares of one token and what they cost: every share the same (average cost)."""

    __slots__ = ("cost", "shares")

    def __init__(self) -> None:
        self.shares = Shares(0)
        self.cost = Pico(0)

    def add(self, size: Shares, price: Usd) -> None:
        """Take shares in at ``price`` micro-dollars each."""
        self.shares = Shares(self.shares + size)
        self.cost = Pico(self.cost + size * price)

    def remove(self, size: Shares) -> Pico:
        """Give shares away and return their cost, rounded to the nearest Pico; the last share takes all that is left.

        Raises:
            InvariantBroken: more than is held.
        """
        shares = self.shares
        if size > shares:
            raise InvariantBroken(f"ledger: {size} micro-shares leave, {shares} are held")
        taken = Pico((self.cost * size + shares // 2) // shares) if shares else Pico(0)
        self.shares = Shares(shares - size)
        self.cost = Pico(self.cost - taken)
        return taken

    @property
    def average(self) -> float | None:
        """Dollars a share; None when nothing is held."""
        return self.cost / self.shares / MICRO if self.shares else None


class Ledger:
    """One market's account, changed only by :meth:`apply`.

    Source: market-making.md 3.1, ``pnl.ledger_avg``; with :class:`core.portfolio.fifo.LotHolding` 3.2, ``pnl.fifo``.
    """

    __slots__ = ("cash", "fees", "income", "no", "realised", "yes")

    def __init__(self, holding: type[Holding] = Holding) -> None:
        """Start with nothing; ``holding`` says which shares leave first."""
        self.cash = Pico(0)
        """Change of cash since the start; negative while money is in the market."""
        self.yes = holding()
        self.no = holding()
        self.realised = Pico(0)
        """Before fees and income."""
        self.fees = Pico(0)
        self.income = Pico(0)

    def apply(self, entry: Entry) -> None:
        """Book one event.

        Raises:
            InvariantBroken: more shares leave than are held, or a negative size or a price outside 0 .. 1 dollar.
        """
        match entry:
            case Buy(outcome, size, price):
                _check(size, price)
                self._holding(outcome).add(size, price)
                self.cash = Pico(self.cash - size * price)
            case Sell(outcome, size, price):
                _check(size, price)
                self._take(size * price, self._holding(outcome).remove(size))
            case Split(size, fair):
                _check(size, fair)
                self.yes.add(size, fair)
                self.no.add(size, Usd(MICRO - fair))
                self.cash = Pico(self.cash - size * MICRO)
            case Merge(size):
                _check(size, Usd(0))
                if size > min(self.yes.shares, self.no.shares):
                    raise InvariantBroken(f"ledger: {size} micro-pairs are merged, fewer are held")
                self._take(size * MICRO, self.yes.remove(size) + self.no.remove(size))
            case Settle(payout):
                _check(self.yes.shares, payout)
                paid = self.yes.shares * payout + self.no.shares * (MICRO - payout)
                self._take(paid, self.yes.remove(self.yes.shares) + self.no.remove(self.no.shares))
            case Fee(amount):
                self.cash = Pico(self.cash - amount * MICRO)
                self.fees = Pico(self.fees + amount * MICRO)
            case Income(amount):
                self.cash = Pico(self.cash + amount * MICRO)
                self.income = Pico(self.income + amount * MICRO)

    def value(self, mark: Usd) -> Pico:
        """Holdings at ``mark`` micro-dollars a YES share, NO at the rest of a dollar."""
        return Pico(self.yes.shares * mark + self.no.shares * (MICRO - mark))

    def unrealised(self, mark: Usd) -> Pico:
        """What the holdings would gain at ``mark`` over their cost."""
        return Pico(self.value(mark) - self.yes.cost - self.no.cost)

    def total(self, mark: Usd) -> Pico:
        """Profit since the start at ``mark``, fees and income included."""
        return Pico(self.cash + self.value(mark))

    def verify(self, mark: Usd) -> None:
        """Check the identity of the two ways to count.

        Raises:
            InvariantBroken: they differ.
        """
        counted = self.realised + self.unrealised(mark) - self.fees + self.income
        if self.total(mark) != counted:
            raise InvariantBroken(f"ledger: cash and holdings give {self.total(mark)}, the profits give {counted}")

    def _holding(self, outcome: Outcome) -> Holding:
        return self.yes if outcome == "YES" else self.no

    def _take(self, cash: int, cost: int) -> None:
        self.cash = Pico(self.cash + cash)
        self.realised = Pico(self.realised + cash - cost)


def _check(size: Shares, price: Usd) -> None:
    if size < 0 or not 0 <= price <= MICRO:
        raise InvariantBroken(f"ledger: {size} micro-shares at {price} micro-dollars")
