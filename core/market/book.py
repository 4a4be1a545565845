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


class BookSide:
    """One side: tick -> size, with the ticks kept sorted so that touch, walk and hash need no sorting."""

    __slots__ = ("_grid", "_no_fragments", "_texts", "_unwritten", "_yes_fragments", "is_bid", "sizes", "ticks")

    def __init__(self, grid: Grid, *, is_bid: bool) -> None:
        self._grid = grid
        self.is_bid = is_bid
        self.ticks: list[Ticks] = []
        """Rising."""
        self.sizes: dict[Ticks, Shares] = {}
        self._texts: dict[Ticks, str] = {}
        self._yes_fragments: dict[Ticks, str] = {}
        self._no_fragments: dict[Ticks, str] = {}
        self._unwritten: set[Ticks] = set()

    def put(self, tick: Ticks, size: Shares, size_text: str) -> None:
        """Set a level's total size; zero removes it. Doing it twice changes nothing."""
        sizes = self.sizes
        if size == 0:
            if sizes.pop(tick, None) is not None:
                del self.ticks[bisect_left(self.ticks, tick)]
            return
        if tick not in sizes:
            insort(self.ticks, tick)
        sizes[tick] = size
        self._texts[tick] = size_text
        self._unwritten.add(tick)

    def replace(self, sizes: dict[Ticks, Shares], texts: dict[Ticks, str]) -> None:
        """Drop everything and take these levels; every size is above zero."""
        self.ticks = sorted(sizes)
        self.sizes = sizes
        self._texts = texts
        self._unwritten = set(sizes)

    def fragments(self, outcome: Outcome) -> dict[Ticks, str]:
        """Hash text of every level in a token's frame; written for changed levels only, when they are asked for."""
        if self._unwritten:
            grid = self._grid
            for tick in self._unwritten:
                size = self._texts[tick]
                self._yes_fragments[tick] = f'{{"price":"{grid.text(tick)}","size":"{size}"}}'
                self._no_fragments[tick] = f'{{"price":"{grid.text(grid.k - tick)}","size":"{size}"}}'
            self._unwritten.clear()
        return self._yes_fragments if outcome == "YES" else self._no_fragments


class Book:
    """Bids and asks of one market in the YES frame."""

    __slots__ = ("asks", "bids", "grid")

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.bids = BookSide(grid, is_bid=True)
        self.asks = BookSide(grid, is_bid=False)

    def side(self, side: Side) -> BookSide:
        """The side named ``bid`` or ``ask``."""
        return self.bids if side == "bid" else self.asks

    @property
    def touch(self) -> tuple[int, int]:
        """Best bid and ask; 0 and K stand for an empty side."""
        bids, asks = self.bids.ticks, self.asks.ticks
        return (bids[-1] if bids else 0, asks[0] if asks else self.grid.k)

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
        levels = self.bids if side == "bid" else self.asks
        ticks, sizes = levels.ticks, levels.sizes
        if most == 1 and ticks:
            best = ticks[-1] if side == "bid" else ticks[0]
            return [(best, sizes[best])]
        ticks = ticks[: -most - 1 : -1] if side == "bid" else ticks[:most]
        return [(tick, sizes[tick]) for tick in ticks]

    def crosses(self, side: Side, tick: Ticks) -> bool:
        """A level of ``side`` at ``tick`` would lock or cross the other side."""
        best = self.best_ask if side == "bid" else self.best_bid
        return best is not None and (tick >= best if side == "bid" else tick <= best)

    def hash_levels(self, outcome: Outcome) -> str:
        """The ``bids`` and ``asks`` members of a token's book as compact JSON, in the venue's order.

        Bids rise and asks fall in both frames, so the NO book is the YES book with its sides exchanged and every
        price mirrored (polymarket-api.md 4.4).
        """
        bids = ",".join(map(self.bids.fragments(outcome).__getitem__, self.bids.ticks))
        asks = ",".join(map(self.asks.fragments(outcome).__getitem__, reversed(self.asks.ticks)))
        if outcome == "NO":
            bids, asks = asks, bids
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
