"""What the venue's hashes prove: of a book we keep, and of one read over REST (polymarket-api.md 4.4)."""

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import Final, Literal

import msgspec

from core.events import MarketMessage, RestBook, WireLevel
from core.market.book import ALL_LAST_TRADES, BookHash
from core.market.instrument import Instrument
from core.units import MICRO, Outcome, UnitError, parse_micro

RECENT_TRADES: Final = 8
"""Last-trade candidates tried before all thousand."""
TICKS: Final = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
"""Tick sizes of the venue (polymarket-api.md 2.3)."""
SEARCHES: Final = 4
"""Searches through all thousand that a book may begin with, and as many a second: each costs a millisecond."""

Verdict = Literal["agrees", "explained", "differs", "untried"]
"""``explained``: it fits with the price of a trade that is not told yet (real-data.md 3); ``untried``: it differs, and
there was no time to look for such a price."""

FITS: Final = ("agrees", "explained")


class ProofPolicy(msgspec.Struct):
    """How many changes are proven by their hash; one for all books, changed while they live."""

    every: int = 1
    """One change in so many is checked; one that follows a doubt always is."""
    both: bool = False
    """Compare the hashes of both tokens, not of one of the two: they prove the same book."""


class Evidence(msgspec.Struct):
    """Counts of comparisons made since the start. ``explained`` are the known cases of real-data.md 3 to 5."""

    top_checked: int = 0
    top_agreed: int = 0
    hash_checked: int = 0
    hash_agreed: int = 0
    hash_explained: int = 0
    """Sum of the four that follow."""
    explained_contained: int = 0
    """Of a change that the full book of its millisecond holds already."""
    explained_same_ms: int = 0
    """Of a book that another message of the same millisecond led to."""
    explained_last_trade: int = 0
    """With the price of a trade that was not told yet."""
    explained_older: int = 0
    """Of a change older than the book."""
    hash_skipped: int = 0
    """Changes that were left out because only some are checked; the next check proves them too."""

    def add(self, other: "Evidence") -> None:
        """Add another's counts to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, verdict: Verdict) -> None:
        """Count one comparison of a hash."""
        self.hash_checked += 1
        self.hash_agreed += verdict == "agrees"
        self.hash_explained += verdict == "explained"
        self.explained_last_trade += verdict == "explained"


def last_trade_text(micro: int) -> str:
    """A price in millionths of a dollar as the hash has a last trade (polymarket-api.md 4.4, detail 1)."""
    return f"{micro / MICRO:.3f}"


class Prover:
    """One market's hashes, with what they contain besides the levels."""

    __slots__ = ("_hashes", "_instrument", "_recent", "_searched_s", "_searches", "last_trade")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        parts = (instrument.min_size_text, instrument.tick_text, instrument.neg_risk)
        self._hashes: dict[Outcome, BookHash] = {
            "YES": BookHash(instrument.market, instrument.yes_token, *parts),
            "NO": BookHash(instrument.market, instrument.no_token, *parts),
        }
        self._recent: deque[str] = deque(maxlen=RECENT_TRADES)
        self._searches, self._searched_s = float(SEARCHES), 0.0
        self.last_trade = ""
        """Price text of the market's last trade as the hash has it, three decimals; "" while it is not known."""

    def digest(self, outcome: Outcome, timestamp_ms: int, levels: str) -> str:
        """The hash of a token's book with these levels (:meth:`Book.hash_levels`)."""
        return self._hashes[outcome].of(timestamp_ms, levels, self.last_trade)

    def judge(
        self,
        outcome: Outcome,
        stated: str,
        timestamp_ms: int,
        levels: str,
        now: float,
        last_trade: str = "",
        likely: Iterable[str] = (),
        *,
        thorough: bool = False,
    ) -> Verdict:
        """Compare a stated hash with the one of these levels, if need be with other last trades.

        A last trade that explains the hash is kept: so it is in the hashes that follow.

        Args:
            outcome: whose book.
            stated: its hash.
            timestamp_ms: told with it.
            levels: from :meth:`Book.hash_levels`.
            now: monotonic seconds.
            last_trade: told with it; "" when it was not.
            likely: last trades to try before all others, three decimals.
            thorough: try all last trades in any case.
        """
        hasher, last_trade = self._hashes[outcome], last_trade or self.last_trade
        if hasher.of(timestamp_ms, levels, last_trade) == stated:
            self.last_trade = last_trade
            return "agrees"
        found = hasher.find_last_trade(stated, timestamp_ms, levels, chain(likely, reversed(self._recent)))
        if found is None:
            if not self._may_search(now) and not thorough:
                return "untried"
            found = hasher.find_last_trade(stated, timestamp_ms, levels, ALL_LAST_TRADES)
        if found is None:
            return "differs"
        self.last_trade = found
        return "explained"

    def tick_of(self, told: MarketMessage) -> str:
        """Another tick size than ours on which a full book fits its hash: a change of tick was missed; "" for none.

        The books sent after trades do not state their tick, but their hash contains it (polymarket-api.md 5.2).
        """
        item = self._instrument
        levels = f'"bids":[{_text(told.bids or ())}],"asks":[{_text(told.asks or ())}]'
        for tick_text in TICKS:
            hasher = BookHash(item.market, told.asset_id, item.min_size_text, tick_text, item.neg_risk)
            fits = hasher.of(told.timestamp, levels, told.last_trade_price or self.last_trade) == told.hash
            if fits and tick_text != item.tick_text:
                return tick_text
        return ""

    def remember_trade(self, price_text: str) -> None:
        """Keep the price of a trade as a candidate for the last-trade part of the hash."""
        try:
            self._recent.append(last_trade_text(parse_micro(price_text)))
        except UnitError:
            return

    def learn(self, other: "Prover", last_trade: str) -> None:
        """Know the trades that another prover of the same market knows, and which was the last."""
        self._recent.extend(other._recent)
        self.last_trade = last_trade

    def _may_search(self, now: float) -> bool:
        """Whether there is time for a search; where hashes cannot be reproduced at all each would be in vain."""
        self._searches = min(SEARCHES, self._searches + SEARCHES * max(0.0, now - self._searched_s))
        self._searched_s = now
        if self._searches < 1:
            return False
        self._searches -= 1
        return True


def fits_its_hash(read: RestBook) -> bool:
    """A book of POST /books reproduces its hash from its own fields (polymarket-api.md 4.4)."""
    hasher = BookHash(read.market, read.asset_id, read.min_order_size, read.tick_size, read.neg_risk)
    levels = f'"bids":[{_text(read.bids)}],"asks":[{_text(read.asks)}]'
    return hasher.of(read.timestamp, levels, read.last_trade_price) == read.hash


def _text(levels: tuple[WireLevel, ...]) -> str:
    return ",".join([f'{{"price":"{level.price}","size":"{level.size}"}}' for level in levels])
