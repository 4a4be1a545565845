"""Everything that can change what the account owns, as lines of one book that is folded from empty.

Fills are kept in the table ``fills`` and every other line in ``entries``; ``seq`` puts both in one order. The state of
a ledger is the fold of all lines that have not failed, in that order: same lines, same state (market-making.md 3.1).
"""

from typing import Literal

import msgspec

from core.units import Outcome, Shares, Usd

IncomeKind = Literal["reward", "rebate", "other"]
EntrySource = Literal["fill", "job", "balance", "index", "venue", "start"]
"""Who told: our own trade, our own transaction, a balance that differs, the public index, a resolution, or the start
of the account."""


class _Entry(msgspec.Struct, frozen=True, tag=str.lower, gc=False):
    """One change of cash, holdings or both. Prices are micro-dollars a share of the entry's token."""


class Buy(_Entry, frozen=True):
    """A fill that bought ``size`` at ``price``."""

    outcome: Outcome
    size: Shares
    price: Usd


class Sell(_Entry, frozen=True):
    """A fill that sold ``size`` at ``price``."""

    outcome: Outcome
    size: Shares
    price: Usd


class Split(_Entry, frozen=True):
    """Pairs minted for a dollar each; ``price``, the fair value of YES, divides the cost between the tokens."""

    size: Shares
    price: Usd


class Merge(_Entry, frozen=True):
    """Pairs turned back into a dollar each."""

    size: Shares


class Convert(_Entry, frozen=True):
    """This market's leg of a neg-risk conversion: NO given (``size`` negative) or YES taken, at a transfer price.

    NO of k outcomes becomes YES of all others and k - 1 dollars (market-making.md 2.11). Transfer prices are such that
    the legs of one conversion sum to exactly that cash; they may lie a little outside 0 .. 1 dollar.
    """

    outcome: Outcome
    size: Shares
    price: Usd


class Settle(_Entry, frozen=True):
    """Final resolution as reported: ``price`` a YES share, NO the rest of a dollar. No cash moves yet.

    What is held turns into a claim of that value, and its profit is realised (market-making.md 3.5).
    """

    price: Usd


class Redeem(_Entry, frozen=True):
    """Tokens of a resolved market handed in for ``amount`` micro-dollars in all."""

    outcome: Outcome
    size: Shares
    amount: Usd


class Fee(_Entry, frozen=True):
    """Paid to the venue or to the chain, micro-dollars; negative when it came back with a trade that failed."""

    amount: Usd


class Income(_Entry, frozen=True):
    """A rebate, a reward or the like, micro-dollars, when it is paid; what is ``other`` may be taken back too."""

    amount: Usd
    of: IncomeKind = "reward"


class Flow(_Entry, frozen=True):
    """Cash deposited or, negative, withdrawn: neither profit nor loss. Micro-dollars."""

    amount: Usd


class Found(_Entry, frozen=True):
    """Shares that are there, or with a negative ``size`` are not, without a trade of ours; entered at ``price``.

    Like a deposit in kind: no cash moves and no profit is made.
    """

    outcome: Outcome
    size: Shares
    price: Usd


Entry = Buy | Sell | Split | Merge | Convert | Settle | Redeem | Fee | Income | Flow | Found


class Booking(msgspec.Struct, frozen=True, gc=False):
    """One line of the account's book."""

    seq: int
    """Rises by one with every line of the account, through all sessions."""
    market: str
    """Condition id; "" for what concerns the account as a whole."""
    key: str
    """What the line is known by: a second line with its key is the same one told again."""
    unix: float
    """When it happened, seconds."""
    entry: Entry
    source: EntrySource
    is_final: bool = True
    """A line that is not final may still be taken back; only fills are."""
    text: str = ""
    """Why, for people; may hold foreign text."""


def fill_key(trade_id: str, order_id: str) -> str:
    """The key of a fill's line."""
    return f"{trade_id} {order_id}"


class EquityMark(msgspec.Struct, frozen=True, gc=False):
    """The account at one moment; micro-dollars. What a restart goes on from (market-making.md 3.6)."""

    unix: float
    seq: int
    """Of the next booking: the lines before it are in these numbers."""
    cash: Usd
    equity: Usd
    """At display marks: holdings at their fair value, unclaimed payouts included."""
    conservative: Usd
    """At what others bid now; the day's loss is judged by it."""
    realised: Usd
    unrealised: Usd
    fees: Usd
    income: Usd
    flows: Usd
    """All deposits less withdrawals, in cash and in kind: ``equity - flows`` is the profit of all time."""
    peak: Usd
    """Highest profit of all time so far, at display marks."""
    day: int
    """UTC day: ``floor(unix / 86400)``."""
    day_equity: Usd
    """Conservative equity at the day's first mark."""
    day_flows: Usd
    """Deposits less withdrawals since then."""
    bankroll: Usd
    is_latched: bool
    """The day's loss limit was reached."""
    guard_peak: Usd | None = None
    """Highest profit, at conservative marks, since the drawdown limit was last re-armed; None when nobody watches."""

    @property
    def secured(self) -> Usd:
        """Profit of all time that no price can take back."""
        return Usd(self.realised - self.fees + self.income)

    @property
    def opens_day(self) -> bool:
        """It is what its day is measured against."""
        return self.conservative == self.day_equity and not self.day_flows
