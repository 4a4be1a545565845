"""One market's book in the YES frame, on integer ticks.

Owns the levels and their fragments of hash text. NO is the mirror of YES, so one change is written once and read from
both sides (market-making.md 0.2). Whether the book may be believed is decided in :mod:`core.market.continuity`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from hashlib import sha1
from typing import Final

from core.units import Grid, Outcome, Shares, Side, Ticks

Level = tuple[Ticks, Shares]
PricedLevel = tuple[Ticks, Shares, str]
"""Tick in the YES frame, size, and the size's text as the venue sent it."""


class BookSide:
    """One side: tick -> size, with the ticks kept sorted so that touch, walk and hash need no sorting."""

    __slots__ = ("_grid", "no_fragments", "sizes", "ticks", "yes_fragments")

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.ticks: list[Ticks] = []
        """Rising."""
        self.sizes: dict[Ticks, Shares] = {}
        self.yes_fragments: dict[Ticks, str] = {}
        self.no_fragments: dict[Ticks, str] = {}

    def put(self, tick: Ticks, size: Shares, size_text: str) -> None:
        """Set a level's total size; zero removes it. Doing it twice changes nothing."""
        sizes = self.sizes
        if size == 0:
            if sizes.pop(tick, None) is not None:
                del self.ticks[bisect_left(self.ticks, tick)]
                del self.yes_fragments[tick], self.no_fragments[tick]
            return
        if tick not in sizes:
            insort(self.ticks, tick)
        sizes[tick] = size
        grid = self._grid
        self.yes_fragments[tick] = f'{{"price":"{grid.text(tick)}","size":"{size_text}"}}'
        self.no_fragments[tick] = f'{{"price":"{grid.text(grid.k - tick)}","size":"{size_text}"}}'

    def clear(self) -> None:
        """Remove every level."""
        self.ticks.clear()
        self.sizes.clear()
        self.yes_fragments.clear()
        self.no_fragments.clear()


class Book:
    """Bids and asks of one market in the YES frame."""

    __slots__ = ("asks", "bids", "grid")

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.bids = BookSide(grid)
        self.asks = BookSide(grid)

    def side(self, side: Side) -> BookSide:
        """The side named ``bid`` or ``ask``."""
        return self.bids if side == "bid" else self.asks

    @property
    def best_bid(self) -> Ticks | None:
        """Highest bid; None when the side is empty."""
        return self.bids.ticks[-1] if self.bids.ticks else None

    @property
    def best_ask(self) -> Ticks | None:
        """Lowest ask; None when the side is empty."""
        return self.asks.ticks[0] if self.asks.ticks else None

    def size_at(self, side: Side, tick: Ticks) -> Shares:
        """Displayed size at a price; 0 when there is no level."""
        return self.side(side).sizes.get(tick, Shares(0))

    def best_first(self, side: Side, most: int) -> list[Level]:
        """Up to ``most`` levels of a side, best price first."""
        if side == "bid":
            ticks, sizes = self.bids.ticks[: -most - 1 : -1], self.bids.sizes
        else:
            ticks, sizes = self.asks.ticks[:most], self.asks.sizes
        return [(tick, sizes[tick]) for tick in ticks]

    def replace(self, bids: Iterable[PricedLevel], asks: Iterable[PricedLevel]) -> None:
        """Drop everything and take these levels."""
        self.bids.clear()
        self.asks.clear()
        for tick, size, text in bids:
            self.bids.put(tick, size, text)
        for tick, size, text in asks:
            self.asks.put(tick, size, text)

    def holds(self, bids: Iterable[PricedLevel], asks: Iterable[PricedLevel]) -> bool:
        """The book consists of exactly these levels."""
        return self.bids.sizes == {t: s for t, s, _ in bids if s} and self.asks.sizes == {t: s for t, s, _ in asks if s}

    def crosses(self, side: Side, tick: Ticks) -> bool:
        """A level of ``side`` at ``tick`` would lock or cross the other side."""
        best = self.best_ask if side == "bid" else self.best_bid
        return best is not None and (tick >= best if side == "bid" else tick <= best)

    def hash_levels(self, outcome: Outcome) -> str:
        """The ``bids`` and ``asks`` members of a token's book as compact JSON, in the venue's order.

        Bids rise and asks fall in both frames, so the NO book is the YES book with its sides exchanged and every
        price mirrored (polymarket-api.md 4.4).
        """
        bid_ticks, ask_ticks = self.bids.ticks, reversed(self.asks.ticks)
        if outcome == "YES":
            bids = ",".join(map(self.bids.yes_fragments.__getitem__, bid_ticks))
            asks = ",".join(map(self.asks.yes_fragments.__getitem__, ask_ticks))
        else:
            bids = ",".join(map(self.asks.no_fragments.__getitem__, ask_ticks))
            asks = ",".join(map(self.bids.no_fragments.__getitem__, bid_ticks))
        return f'"bids":[{bids}],"asks":[{asks}]'


class BookHash:
    """The venue's hash of one token's whole book, ready for the parts that do not change.

    SHA-1 over compact JSON of market, asset_id, timestamp, an empty hash, the levels, min_order_size, tick_size,
    neg_risk and last_trade_price, in this order (polymarket-api.md 4.4).
    """

    __slots__ = ("_head", "_tail")

    def __init__(self, market: str, token: str, min_size_text: str, tick_text: str, neg_risk: bool) -> None:
        self._head = f'{{"market":"{market}","asset_id":"{token}","timestamp":"'
        flag = "true" if neg_risk else "false"
        self._tail = (
            f',"min_order_size":"{min_size_text}","tick_size":"{tick_text}","neg_risk":{flag},"last_trade_price":"'
        )

    def of(self, timestamp_ms: int, levels: str, last_trade: str) -> str:
        """The hash as 40 hex digits.

        Args:
            timestamp_ms: of the message that made the book what it is.
            levels: from :meth:`Book.hash_levels`.
            last_trade: price text of the market's last trade in either token, three decimals.
        """
        return sha1(
            f'{self._head}{timestamp_ms}","hash":"",{levels}{self._tail}{last_trade}"}}'.encode(), usedforsecurity=False
        ).hexdigest()

    def find_last_trade(self, wanted: str, timestamp_ms: int, levels: str, candidates: Iterable[str]) -> str | None:
        """The last-trade text that explains a hash, or None.

        The hash contains a trade's price 70 to 230 ms before the trade is told, so a mismatch right after a trade is
        tried against all prices; the common part is hashed once (polymarket-api.md 4.4, detail 1).
        """
        prefix = sha1(f'{self._head}{timestamp_ms}","hash":"",{levels}{self._tail}'.encode(), usedforsecurity=False)
        for text in candidates:
            digest = prefix.copy()
            digest.update(f'{text}"}}'.encode())
            if digest.hexdigest() == wanted:
                return text
        return None


ALL_LAST_TRADES: Final = tuple(f"0.{n:03d}" for n in range(1000))
"""Every last-trade text of three decimals."""
