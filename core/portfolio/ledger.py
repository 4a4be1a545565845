"""Cash, holdings, cost and profit of one market, exact in integers; at average cost unless told otherwise.

Whatever the events, in :data:`Pico` and without rounding::

    cash + holdings at a mark - contributed = realised + unrealised - fees + income

Holdings are signed: who sells what the book does not have is short at the sale's price, until a purchase that is told
later closes it. So money that moved is always booked, and nothing raises.
"""

from typing import NewType, Self

import msgspec

from core.portfolio.entries import Buy, Convert, Entry, Fee, Flow, Found, Income, Merge, Redeem, Sell, Settle, Split
from core.units import MICRO, Outcome, Shares, Usd

Pico = NewType("Pico", int)
"""Millionths of a micro-dollar: micro-shares times micro-dollars a share, so that no product is ever rounded."""
_HALF = Usd(MICRO // 2)


def usd_of(amount: Pico) -> Usd:
    """Micro-dollars, to the nearest; for display and reports only."""
    return Usd((amount + MICRO // 2) // MICRO)


def pico_of(amount: Usd) -> Pico:
    """Micro-dollars, exactly."""
    return Pico(amount * MICRO)


class Posting(msgspec.Struct, frozen=True, gc=False):
    """What an entry changes, the same for every view. Shares and amounts are signed; positive ones come in."""

    yes: Shares = Shares(0)
    yes_price: Usd = Usd(0)
    """What they come or go at, micro-dollars a share; of a pair both prices sum to a dollar."""
    no: Shares = Shares(0)
    no_price: Usd = Usd(0)
    cash: int = 0
    """Pico, as are the amounts that follow."""
    gain: int = 0
    """Cash that no price a share accounts for: realised."""
    fees: int = 0
    income: int = 0
    contributed: int = 0
    payout: Usd | None = None
    """From now on a YES share is a claim of this; None: no word on that."""

    @property
    def net(self) -> tuple[Shares, Usd]:
        """Signed size and price in the YES frame (market-making.md 0.2); a pair is no position."""
        if not self.no:
            return self.yes, self.yes_price
        return (Shares(0), Usd(0)) if self.yes else (Shares(-self.no), Usd(MICRO - self.no_price))


def posting_of(entry: Entry) -> Posting:
    """What an entry changes (market-making.md 3.1; conversions 2.11, resolutions 3.5).

    A payout that is no part of a dollar changes nothing: it moves nothing, and nobody would be paid it.
    """
    match entry:
        case Buy(outcome, size, price) | Convert(outcome, size, price):
            return _leg(outcome, size, price, cash=-size * price)
        case Sell(outcome, size, price):
            return _leg(outcome, Shares(-size), price, cash=size * price)
        case Split(size, price):
            return Posting(size, price, size, Usd(MICRO - price), cash=-size * MICRO)
        case Merge(size):
            return Posting(Shares(-size), _HALF, Shares(-size), _HALF, cash=size * MICRO)
        case Settle(price):
            return Posting(payout=price if 0 <= price <= MICRO else None)
        case Redeem(outcome, size, amount):
            paid = amount * MICRO
            price = Usd(paid // size if size > 0 else 0)
            return _leg(outcome, Shares(-size), price, cash=paid, gain=paid - size * price)
        case Fee(amount):
            return Posting(cash=-amount * MICRO, fees=amount * MICRO)
        case Income(amount):
            return Posting(cash=amount * MICRO, income=amount * MICRO)
        case Flow(amount):
            return Posting(cash=amount * MICRO, contributed=amount * MICRO)
        case Found(outcome, size, price):
            return _leg(outcome, size, price, contributed=size * price)


def _leg(outcome: Outcome, size: Shares, price: Usd, *, cash: int = 0, gain: int = 0, contributed: int = 0) -> Posting:
    if outcome == "YES":
        return Posting(size, price, cash=cash, gain=gain, contributed=contributed)
    return Posting(no=size, no_price=price, cash=cash, gain=gain, contributed=contributed)


class Holding:
    """Shares of one token and what they cost: every share the same (average cost)."""

    __slots__ = ("cost", "shares")

    def __init__(self) -> None:
        self.shares = Shares(0)
        """Negative when more has left than came in."""
        self.cost = Pico(0)
        """What is held was bought for; negative when short: what it was sold for."""

    def move(self, size: Shares, price: Usd) -> int:
        """Shares come in or, negative, leave at ``price`` micro-dollars each.

        Returns:
            The profit, Pico, of the part that made the holding smaller. Its cost is rounded to the nearest Pico; the
            last share takes all that is left.
        """
        shares, cost, profit = self.shares, self.cost, 0
        if shares * size < 0:
            closed = -size if abs(size) < abs(shares) else shares
            taken = (cost * abs(closed) + abs(shares) // 2) // abs(shares)
            profit = closed * price - taken
            shares, cost, size = Shares(shares - closed), Pico(cost - taken), Shares(size + closed)
        self.shares = Shares(shares + size)
        self.cost = Pico(cost + size * price)
        return profit

    def revalue(self, price: Usd) -> int:
        """Make ``price`` the cost of every share; returns the profit, Pico."""
        cost = self.cost
        self.cost = Pico(self.shares * price)
        return self.cost - cost

    def copy(self) -> Self:
        """One that goes its own way."""
        twin = type(self)()
        twin.shares, twin.cost = self.shares, self.cost
        return twin

    @property
    def average(self) -> float | None:
        """Dollars a share; None when nothing is held."""
        return self.cost / self.shares / MICRO if self.shares else None


class Ledger:
    """One market's account, changed only by :meth:`post`.

    Source: market-making.md 3.1, ``pnl.ledger_avg``; with :class:`core.portfolio.fifo.LotHolding` 3.2, ``pnl.fifo``.
    """

    __slots__ = ("cash", "contributed", "fees", "income", "no", "payout", "realised", "yes")

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
        self.contributed = Pico(0)
        """Deposits less withdrawals, in cash and in kind."""
        self.payout: Usd | None = None
        """Of a YES share, micro-dollars, NO the rest of a dollar; None until the market is resolved for good."""

    def post(self, change: Posting) -> None:
        """Book what an entry changes. Shares of a resolved market are claims: worth the payout, no more, no less."""
        realised = change.gain
        if change.yes:
            realised += self.yes.move(change.yes, change.yes_price)
        if change.no:
            realised += self.no.move(change.no, change.no_price)
        self.cash = Pico(self.cash + change.cash)
        self.fees = Pico(self.fees + change.fees)
        self.income = Pico(self.income + change.income)
        self.contributed = Pico(self.contributed + change.contributed)
        if change.payout is not None:
            self.payout = change.payout
        if self.payout is not None:
            realised += self.yes.revalue(self.payout) + self.no.revalue(Usd(MICRO - self.payout))
        self.realised = Pico(self.realised + realised)

    @property
    def cost(self) -> Pico:
        """Of both tokens."""
        return Pico(self.yes.cost + self.no.cost)

    def value(self, mark: Usd) -> Pico:
        """Holdings at ``mark`` micro-dollars a YES share, NO at the rest of a dollar; at the payout if there is one."""
        if self.payout is not None:
            mark = self.payout
        return Pico(self.yes.shares * mark + self.no.shares * (MICRO - mark))

    def unrealised(self, mark: Usd) -> Pico:
        """What the holdings would gain at ``mark`` over their cost."""
        return Pico(self.value(mark) - self.cost)

    def total(self, mark: Usd) -> Pico:
        """Profit since the start at ``mark``, fees and income included."""
        return Pico(self.cash + self.value(mark) - self.contributed)

    def copy(self) -> "Ledger":
        """One that goes its own way."""
        twin = Ledger()
        twin.cash, twin.yes, twin.no, twin.realised = self.cash, self.yes.copy(), self.no.copy(), self.realised
        twin.fees, twin.income, twin.contributed, twin.payout = self.fees, self.income, self.contributed, self.payout
        return twin
