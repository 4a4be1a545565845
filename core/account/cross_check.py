"""What every source says of cash and shares, side by side, and which of their differences last.

Five sources: our own book, the list of trades, the venue's balances, the chain, and the public index. None is taken for
another here: the chain tells what is mined and nothing of what is matched, the venue's balances are a cache of it, and
the index lags and forgets (reliability.md 4.4, X31). A difference that lasts is a finding with both numbers and their
ages; which source changes a book is decided in :mod:`core.account.balances`.

Fills are compared one transaction at a time in :mod:`core.orders.cross_check`; money that moved without a trade is
named in :mod:`core.account.activity`.
"""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec

from core.actions import Finding
from core.events import BalancesRead, ChainRead, PositionsRead, TradesRead
from core.units import SIZE_QUANTUM, Shares, Usd, micro_text

CASH: Final = "cash"
"""Subject of what concerns dollars; every other subject is a token."""
CENT: Final = Usd(10_000)
"""Least difference of cash that counts."""
LASTING_SEC: Final = 25.0
"""Between the first and the last reading that show the same difference: one alone may be of two moments."""

Source = Literal["own book", "trades", "venue", "chain", "index"]


class Reading(NamedTuple):
    """What one source said of one subject."""

    amount: int
    """Micro-dollars or micro-shares."""
    asked_s: float
    """When it was asked for, monotonic seconds."""


class Own(NamedTuple):
    """What our book says of one subject, as far as it is mined."""

    subject: str
    """A token, or :data:`CASH`."""
    market: str
    """Condition id; "" for cash."""
    amount: int
    """Micro-shares or micro-dollars that the chain should show: what is matched and not mined is left out, and what is
    on the account without being ours is in it."""
    changed_s: float
    """Monotonic time of the last word that changed it; earlier readings are of another state."""
    is_settling: bool = False
    """Something of it is on its way to the chain: nothing is compared."""


class SourceRow(msgspec.Struct, frozen=True, gc=False):
    """One source's word on one subject, for people."""

    subject: str
    source: Source
    amount: int | None
    """Micro-dollars or micro-shares; None when it has said nothing."""
    age_s: float | None
    """Since it was asked; of our own book, since it changed."""
    says: str
    """What the amount is, or why there is none."""


class _Difference(msgspec.Struct):
    amount: int
    since_s: float
    is_told: bool = False


_WORDS: Final[dict[Source, str]] = {
    "trades": "change by the trades since {since} (unix seconds)",
    "venue": "balance as the venue keeps it",
    "chain": "balance as mined",
    "index": "position as indexed",
}


class Sources:
    """All readings of the account beside our own book.

    Example::

        sources = Sources()
        sources.take_chain(event)
        findings = sources.compare([Own(CASH, "", cash, changed_s)], now)
    """

    def __init__(self) -> None:
        """Nothing has been read."""
        self._readings: dict[Source, dict[str, Reading]] = {source: {} for source in _WORDS}
        self._trades_since = 0
        self._differing: dict[tuple[str, Source], _Difference] = {}

    def take_balances(self, event: BalancesRead) -> None:
        """Take the venue's balances; what came of an incomplete reading is as good."""
        self._take("venue", event.cash, event.holdings, event.asked_s)

    def take_chain(self, event: ChainRead) -> None:
        """Take balances of the chain itself."""
        self._take("chain", event.cash, event.holdings, event.asked_s)

    def take_positions(self, event: PositionsRead) -> None:
        """Take the positions index. Of a token that a complete list leaves out it says nothing any more."""
        if event.complete:
            self._readings["index"] = {}
        self._take("index", None, event.holdings, event.asked_s)

    def take_trades(self, event: TradesRead) -> None:
        """Take a complete list of trades: by how much they changed each token since the list begins."""
        if not event.complete:
            return
        changes: dict[str, int] = {}
        for fill in event.fills:
            if fill.settlement != "failed" and fill.order_side:
                change = fill.size if fill.order_side == "BUY" else -fill.size
                changes[fill.token] = changes.get(fill.token, 0) + change
        self._readings["trades"] = {token: Reading(change, event.asked_s) for token, change in changes.items()}
        self._trades_since = event.after_unix

    def reading(self, source: Source, subject: str) -> Reading | None:
        """What a source said last of a subject; None when it has said nothing."""
        return self._readings[source].get(subject)

    def compare(self, ours: Iterable[Own], now: float) -> list[Finding]:
        """What sources have said differently for long enough; each difference is told once.

        Compared are only readings that were asked for after the subject's last change. Differences below a cent or a
        hundredth of a share are none (reliability.md X17). What chain and venue say alike against our book is no
        finding here: :mod:`core.account.balances` acts upon it, and tells.

        Args:
            ours: our book, subject by subject.
            now: monotonic seconds.
        """
        found = []
        for own in ours:
            book = Reading(own.amount, own.changed_s)
            chain, venue, index = (self._comparable(source, own) for source in ("chain", "venue", "index"))
            if chain and self._is_due(own, "chain", _contradiction(own, chain, venue), chain.asked_s):
                text = "the chain does not show what our book says"
                found.append(_finding("chain_balance", "warning", own, text, ("own book", book), ("chain", chain), now))
            if chain and venue:
                latest_s = min(chain.asked_s, venue.asked_s)
                if self._is_due(own, "venue", venue.amount - chain.amount, latest_s):
                    text = "the venue's balance is not the chain's: a stale cache, for which orders may be refused"
                    found.append(_finding("venue_balance", "info", own, text, ("chain", chain), ("venue", venue), now))
            if index and self._is_due(own, "index", index.amount - own.amount, index.asked_s):
                text = "the positions index says otherwise; it lags and is not believed"
                found.append(_finding("positions_index", "info", own, text, ("own book", book), ("index", index), now))
        return found

    def rows(self, ours: Iterable[Own], now: float) -> list[SourceRow]:
        """What every source says of these subjects, ours first; of cash only those that know of any."""
        rows = []
        for own in ours:
            words = "some of it is on its way to the chain" if own.is_settling else "by our book, as mined"
            rows.append(SourceRow(own.subject, "own book", own.amount, now - own.changed_s, words))
            for source in _WORDS if own.subject != CASH else ("venue", "chain"):
                known = self.reading(source, own.subject)
                if known is None:
                    rows.append(SourceRow(own.subject, source, None, None, "nothing"))
                else:
                    words = _WORDS[source].format(since=self._trades_since)
                    rows.append(SourceRow(own.subject, source, known.amount, now - known.asked_s, words))
        return rows

    def _take(self, source: Source, cash: Usd | None, holdings: Iterable[tuple[str, Shares]], asked_s: float) -> None:
        known = self._readings[source]
        told: list[tuple[str, int]] = [*holdings]
        if cash is not None:
            told.append((CASH, cash))
        for subject, amount in told:
            before = known.get(subject)
            if before is None or before.asked_s <= asked_s:
                known[subject] = Reading(amount, asked_s)

    def _comparable(self, source: Source, own: Own) -> Reading | None:
        known = self.reading(source, own.subject)
        return None if known is None or own.is_settling or known.asked_s <= own.changed_s else known

    def _is_due(self, own: Own, source: Source, amount: int, asked_s: float) -> bool:
        """Whether readings have differed by as much for long; True once."""
        name = (own.subject, source)
        if abs(amount) < _least(own):
            self._differing.pop(name, None)
            return False
        known = self._differing.get(name)
        if known is None or known.amount != amount:
            self._differing[name] = _Difference(amount, asked_s)
            return False
        if known.is_told or asked_s - known.since_s < LASTING_SEC:
            return False
        known.is_told = True
        return True


_Named = tuple[Source, Reading]


def _contradiction(own: Own, chain: Reading, venue: Reading | None) -> int:
    """By how much the chain says more than our book; 0 where the venue says what the chain does."""
    is_agreed = venue is not None and abs(venue.amount - chain.amount) < _least(own)
    return 0 if is_agreed else chain.amount - own.amount


def _least(own: Own) -> int:
    """Smallest difference that is one."""
    return CENT if own.subject == CASH else SIZE_QUANTUM


def _finding(
    code: str, severity: Literal["info", "warning"], own: Own, text: str, one: _Named, other: _Named, now: float
) -> Finding:
    """Both numbers with their ages."""
    unit = "dollars" if own.subject == CASH else "shares"
    (one_name, first), (other_name, second) = one, other
    said = [micro_text(reading.amount) for reading in (first, second)]
    ages = [max(0.0, now - reading.asked_s) for reading in (first, second)]
    numbers = f"{one_name} {said[0]} {unit} ({ages[0]:.0f} s old), {other_name} {said[1]} ({ages[1]:.0f} s old)"
    return Finding(code, severity, "none", own.market, own.subject, f"{text}: {numbers}", *said)
