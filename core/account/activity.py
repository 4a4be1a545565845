"""Money that moved without a trade of ours, named: rewards, rebates, deposits, withdrawals, what others redeemed.

The public index of activity knows names and amounts, late and not always all (polymarket-api.md 8); a balance knows
that cash differs, and not why. So a row of the index is booked only when a balance shows its cash, each once, and what
a balance showed before the index had its row is named afterwards. Rows of our own transactions only confirm.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from core.account.cross_check import CENT
from core.actions import Finding
from core.events import ActivityKind, ActivityRead, ActivityRow
from core.portfolio.entries import Booking, Entry, Flow, Income, Merge, Redeem
from core.units import MICRO, SIZE_QUANTUM, Outcome, Shares, Usd, micro_text

UNSEEN_SEC: Final = 900.0
"""Cash that the index tells of and no balance shows is told after this long."""
SAME_SEC: Final = 86_400.0
"""A row and a flow of the same amount are one if they are not further apart: the index has been hours behind."""
KEPT: Final = 200
"""Rows that are remembered, trades left out; the oldest go. All runs of so many are tried in milliseconds."""
_CASH_SIGN: Final[dict[ActivityKind, int]] = {
    "reward": 1,
    "rebate": 1,
    "deposit": 1,
    "redeem": 1,
    "merge": 1,
    "withdrawal": -1,
    "split": -1,
}
"""Which way the dollars of a row moved. Conversions and rows of unknown kinds do not tell, and explain nothing."""
_HAPPENED: Final[dict[ActivityKind, str]] = {
    "reward": "a liquidity reward was paid",
    "rebate": "a rebate of fees was paid",
    "deposit": "a deposit",
    "withdrawal": "a withdrawal",
    "redeem": "redeemed by somebody else",
    "merge": "merged by somebody else",
    "split": "split by somebody else, whose pairs are shown apart",
}
_DAY_SEC: Final = 86_400
_ROUNDING: Final = 2
"""Micro-dollars that a redemption may pay more or less than its tokens: each token is rounded."""


class Stake(NamedTuple):
    """What is held in a market, micro-shares."""

    yes: Shares
    no: Shares
    apart_yes: Shares = Shares(0)
    """On the account and not ours."""
    apart_no: Shares = Shares(0)
    payout: Usd | None = None
    """What a YES share pays, micro-dollars; None until that is final."""


class Told(NamedTuple):
    """A line for the account's book that lacks its number only; its source is ``index``."""

    market: str
    """Condition id; "" for what concerns the account as a whole."""
    key: str
    unix: float
    entry: Entry
    text: str


class _Row(msgspec.Struct):
    """All rows of one transaction, kind and market."""

    key: str
    sums: ActivityRow
    is_used: bool
    """It has explained something, or never will."""
    is_told: bool = False

    @property
    def cash(self) -> int:
        """Micro-dollars by which it changed the account's cash."""
        return _CASH_SIGN.get(self.sums.kind, 0) * self.sums.usd


class Activity:
    """What the index has told beside trades, and which of it has explained something.

    Example::

        activity = Activity(portfolio.is_booked, jobs.is_own_transaction, stake_of)
        activity.take(event)
        for told in activity.explain(Usd(2_500_000), opened_unix):
            book(Booking(seq, told.market, told.key, told.unix, told.entry, "index", text=told.text))
    """

    def __init__(
        self, is_booked: Callable[[str], bool], is_ours: Callable[[str], bool], stake: Callable[[str], Stake]
    ) -> None:
        """Nothing has been read.

        Args:
            is_booked: whether the account's book has a line of this key, of an earlier session too.
            is_ours: whether a transaction, by its hash in lower case, is of a job of ours.
            stake: what is held in a market.
        """
        self._is_booked = is_booked
        self._is_ours = is_ours
        self._stake = stake
        self._rows: dict[str, _Row] = {}
        """By key, in the order in which they were first told."""
        self._flows: list[Booking] = []
        """Flows that a balance showed and no row has named yet, oldest first."""
        self._agreed_unix = -math.inf
        """Up to when the account's cash and our book were one: earlier rows explain no difference any more."""
        self.read_s: float | None = None
        """When the index was last asked and told everything, monotonic seconds."""

    def take(self, event: ActivityRead) -> list[Told]:
        """Take rows, of an incomplete reading too: a row that is there is true, only its absence proves nothing.

        Returns:
            Lines that name what was booked as a flow before: the flow taken back, and the income in its place. No cash
            changes.
        """
        if event.complete:
            self.read_s = event.asked_s
        for key, sums in _summed(event.rows):
            known = self._rows.get(key)
            if known is None:
                self._rows[key] = _Row(key, sums, is_used=self._is_known(key))
            elif not known.is_used and sums.usd >= known.sums.usd:
                known.sums = sums
        while len(self._rows) > KEPT:
            del self._rows[next(iter(self._rows))]
        return [line for flow in tuple(self._flows) for line in self._named(flow)]

    def booked(self, booking: Booking) -> None:
        """A line was booked, or restored: a flow that a balance showed may get its name later, or has it already."""
        if not isinstance(booking.entry, Flow):
            return
        if booking.source == "balance":
            oldest = booking.unix - SAME_SEC
            self._flows = [*(flow for flow in self._flows if flow.unix >= oldest), booking]
        else:
            self._flows = [flow for flow in self._flows if flow.key + _TAKEN_BACK != booking.key]

    def agreed(self, unix: float) -> None:
        """The chain's cash of this moment, unix seconds, is what our book says: rows up to then are in it."""
        self._agreed_unix = max(self._agreed_unix, unix)

    def happened(self, since_unix: float, until_unix: float) -> list[Told]:
        """Lines for all that moved cash in between: a balance that differs by something else too has it in it."""
        rows = self._open(max(since_unix, self._agreed_unix))
        known = [row for row in rows if row.cash and row.sums.unix <= until_unix and self._can_tell(row)]
        return [line for row in known for line in self._use(row)]

    def explain(self, difference: Usd, since_unix: float) -> list[Told]:
        """Lines for cash that a balance shows beyond our book, as far as rows explain it. Each row explains once.

        A balance is of one moment, so what it shows happened one after the other up to then. Of such runs the one is
        taken that explains it to the cent, else the one that leaves least without explaining more than there is.

        Args:
            difference: micro-dollars, negative where the balance shows less.
            since_unix: earlier rows are in the account's opening, seconds.
        """
        rows = self._open(max(since_unix, self._agreed_unix))
        rows = [row for row in rows if row.cash and self._can_tell(row)]
        return [line for row in _best_run(rows, difference) for line in self._use(row)]

    def vanished(self, market: str, since_unix: float) -> list[Told]:
        """Lines for shares of a market that are gone: redeemed or merged by somebody else, the AutoRedeemer say.

        Losing tokens are redeemed for nothing, so that no cash tells of it (polymarket-api.md 11).
        """
        gone = [row for row in self._open(since_unix) if row.sums.market == market and self._can_tell(row)]
        return [line for row in gone if row.sums.kind in ("redeem", "merge") for line in self._use(row)]

    def waiting(self, since_unix: float) -> set[str]:
        """Markets of which the index tells a redemption and whose payout is not known here: it is to be read."""
        return {row.sums.market for row in self._open(since_unix) if not self._can_tell(row)}

    def unseen(self, since_unix: float, unix: float) -> list[Finding]:
        """What the index told of long ago and no balance has shown; told once, and believed never."""
        found = []
        for row in self._open(since_unix):
            age_s = unix - row.sums.unix
            if row.cash and not row.is_told and age_s >= UNSEEN_SEC:
                row.is_told = True
                amount = micro_text(row.cash)
                words = f"{amount} dollars ({row.sums.kind}) {age_s:.0f} s ago"
                text = f"the index of activity tells of {words} that no balance has shown; it is not believed"
                found.append(Finding("unseen_activity", "info", "none", row.sums.market, row.key, text, "0", amount))
        return found

    def _open(self, since_unix: float = 0.0) -> list[_Row]:
        """Rows of others that have explained nothing, oldest first."""
        for row in self._rows.values():
            row.is_used = row.is_used or self._is_ours(row.sums.transaction.lower())
        found = [row for row in self._rows.values() if not row.is_used and row.sums.unix >= since_unix]
        return sorted(found, key=lambda row: (row.sums.unix, row.key))

    def _is_known(self, key: str) -> bool:
        return any(self._is_booked(key + part) for part in ("", *_PARTS))

    def _can_tell(self, row: _Row) -> bool:
        """A redemption of shares of ours needs their payout; any other row tells everything."""
        if row.sums.kind != "redeem":
            return True
        stake = self._stake(row.sums.market)
        return stake.payout is not None or not (stake.yes or stake.no)

    def _use(self, row: _Row) -> Iterator[Told]:
        row.is_used = True
        for part, entry in _entries(row.sums, self._stake):
            yield _told(row, part, entry, f"{_HAPPENED[row.sums.kind]}, by the index of activity")

    def _named(self, flow: Booking) -> list[Told]:
        """The lines for rows whose cash was booked as one flow; () when there are none, or they are flows too."""
        amount = _amount(flow)
        near = [row for row in self._open() if abs(flow.unix - row.sums.unix) <= SAME_SEC]
        rows = _best_run([row for row in near if row.cash and self._can_tell(row)], amount)
        rest = amount - sum(row.cash for row in rows)
        if not rows or abs(rest) >= CENT:
            return []
        self._flows.remove(flow)
        lines = [line for row in rows for line in self._use(row)]
        if all(isinstance(line.entry, Flow) for line in lines):
            return []
        text = "it had been taken for a deposit or a withdrawal"
        back = [Told("", flow.key + _TAKEN_BACK, flow.unix, Flow(Usd(rest - amount)), text)]
        return [*back, *(line._replace(text=f"{line.text}; {text}") for line in lines)]


_TAKEN_BACK: Final = " taken for a flow"
_PARTS: Final = (" flow", " YES", " NO")
"""What sets lines of one row apart."""


def _best_run(rows: Sequence[_Row], difference: int) -> Sequence[_Row]:
    """Rows that follow one another and explain a difference to the cent, else those that leave least of it."""
    best: Sequence[_Row] = ()
    left = abs(difference)
    for start in range(len(rows)):
        rest = difference
        for end in range(start, len(rows)):
            rest -= rows[end].cash
            if abs(rest) < left and (abs(rest) < CENT or (rest > 0) == (difference > 0)):
                best, left = rows[start : end + 1], abs(rest)
    return best


def activity_key(row: ActivityRow) -> str:
    """What the line of a row is known by; rows without a transaction are told apart by their second."""
    return f"activity {row.transaction.lower() or f'{row.unix:.0f}'} {row.kind} {row.market}".rstrip()


def _told(row: _Row, part: str, entry: Entry, text: str) -> Told:
    """A line; income is paid after midnight UTC for the day before (market-making.md 3.6), as whose it counts."""
    is_income = isinstance(entry, Income)
    unix = row.sums.unix // _DAY_SEC * _DAY_SEC - 1 if is_income else row.sums.unix
    return Told("" if isinstance(entry, Flow) else row.sums.market, row.key + part, unix, entry, text)


def _summed(rows: Iterable[ActivityRow]) -> Iterable[tuple[str, ActivityRow]]:
    """Rows by key, of kinds that can explain anything; one transaction may pay in several rows."""
    found: dict[str, ActivityRow] = {}
    for row in rows:
        if row.kind not in _CASH_SIGN:
            continue
        key = activity_key(row)
        before = found.get(key)
        if before is not None:
            sums = (Shares(before.size + row.size), Usd(before.usd + row.usd))
            row = msgspec.structs.replace(before, size=sums[0], usd=sums[1])
        found[key] = row
    return found.items()


def _amount(booking: Booking) -> Usd:
    return booking.entry.amount if isinstance(booking.entry, Flow) else Usd(0)


def _entries(row: ActivityRow, stake_of: Callable[[str], Stake]) -> Iterator[tuple[str, Entry]]:
    """What a row changes in our book, and what sets its key apart.

    Shares that are not ours go first, as when balances are compared; their money is a flow.
    """
    match row.kind:
        case "reward" | "rebate":
            yield "", Income(row.usd, _income_of(row.kind))
        case "redeem":
            yield from _redemption(row, stake_of(row.market))
        case "merge":
            stake = stake_of(row.market)
            ours = min(row.size - apart for apart in (stake.apart_yes, stake.apart_no))
            pairs = Shares(max(0, min(ours, stake.yes, stake.no)))
            if pairs:
                yield "", Merge(pairs)
            yield from _flow(row.usd - pairs)
        case _:
            yield from _flow(_CASH_SIGN[row.kind] * row.usd)


def _redemption(row: ActivityRow, stake: Stake) -> Iterator[tuple[str, Entry]]:
    """Both tokens where as many went as there are, else the one that pays more (polymarket-api.md 11)."""
    payout = stake.payout or Usd(0)
    gone: list[tuple[Outcome, int, int]] = [("YES", stake.yes, payout), ("NO", stake.no, MICRO - payout)]
    if 0 < row.size < stake.yes + stake.no + stake.apart_yes + stake.apart_no - SIZE_QUANTUM:
        outcome, size, price = max(gone, key=lambda each: each[2])
        gone = [(outcome, min(size, row.size), price)]
    held = [(outcome, size, size * price // MICRO) for outcome, size, price in gone if size > 0]
    rest = row.usd - sum(amount for _, _, amount in held)
    rounding = rest if abs(rest) <= _ROUNDING else 0
    for outcome, size, amount in held:
        paid = max(0, amount + rounding)
        rounding, rest = 0, rest - (paid - amount)
        yield f" {outcome}", Redeem(outcome, Shares(size), Usd(paid))
    yield from _flow(rest)


def _flow(amount: int) -> Iterator[tuple[str, Entry]]:
    if amount:
        yield " flow", Flow(Usd(amount))


def _income_of(kind: ActivityKind) -> Literal["reward", "rebate"]:
    return "rebate" if kind == "rebate" else "reward"
