"""One market's book in the YES frame, on integer ticks.

Owns the levels and their fragments of hash text. NO is the mirror of YES, so one change is written once and read from
both sides (market-making.md 0.2). Whether the book may be believed is decided in :mod:`core.market.continuity`.
"""

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha1
from typing import Final

from core.units import Grid, Outcome, Shares, Side, Ticks, UnitError, grid_of, read_micro

Level = tuple[Ticks, Shares]


class _Spelling:
    """Hash texts of one side's levels in one token's frame, in a list beside the ticks: a hash is one join."""

    __slots__ = ("fragments", "heads", "text")

    def __init__(self, heads: list[str], fragments: list[str]) -> None:
        self.heads = heads
        self.fragments = fragments
        self.text: str | None = None
        """All of them joined; None when that is out of date."""


class BookSide:
    """One side: tick -> size, with the ticks kept sorted so that touch, walk and hash need no sorting.

    A level that was written is spelled out when its hash is asked for (performance.md 7).
    """

    __slots__ = ("_grid", "_no", "_unwritten", "_yes", "is_bid", "sizes", "ticks")

    def __init__(self, grid: Grid, *, is_bid: bool) -> None:
        self._grid = grid
        self.is_bid = is_bid
        self.ticks: list[Ticks] = []
        """Rising."""
        self.sizes: dict[Ticks, Shares] = {}
        self._yes = _Spelling(_heads(grid.tick_text, "YES"), [])
        self._no: _Spelling | None = None
        """From the first time that somebody asks for it."""
        self._unwritten: dict[Ticks, str] = {}
        """Size texts of the levels whose fragments are out of date."""

    def put(self, tick: Ticks, size: Shares, size_text: str) -> None:
        """Set a level's total size; zero removes it. Doing it twice changes nothing."""
        if tick in self.sizes:
            if size:
                self.sizes[tick] = size
                self._unwritten[tick] = size_text
            else:
                self._remove(tick)
        elif size:
            self._insert(tick, size, size_text)

    def best_after(self, tick: Ticks, size: Shares) -> int:
        """The best price once a level has this size; 0 or K when the side is empty then."""
        ticks = self.ticks
        best = (ticks[-1] if self.is_bid else ticks[0]) if ticks else None
        if size:
            return tick if best is None else max(best, tick) if self.is_bid else min(best, tick)
        if best is not None and tick != best:
            return best
        if len(ticks) < 2:
            return 0 if self.is_bid else self._grid.k
        return ticks[-2] if self.is_bid else ticks[1]

    def put_keeping_touch(self, tick: Ticks, size_text: str) -> bool | None:
        """Set a level's total size if that changes something but not the best price.

        Returns:
            True when it changed a level behind the best one, False when it changed the best one's size, None when it
            was not done.
        """
        try:
            size: Shares = read_micro(size_text)  # type: ignore[assignment]  # hot: Shares(...) is a call
        except UnitError:
            return None
        sizes, ticks = self.sizes, self.ticks
        old = sizes.get(tick)
        if old and size:
            if size == old:
                return None
            sizes[tick] = size
            self._unwritten[tick] = size_text
            return tick != ticks[-1 if self.is_bid else 0]
        if not ticks or size == (old or 0):
            return None
        if tick >= ticks[-1] if self.is_bid else tick <= ticks[0]:
            return None
        self.put(tick, size, size_text)
        return True

    def replace(self, sizes: dict[Ticks, Shares], texts: dict[Ticks, str]) -> None:
        """Drop everything and take these levels; every size is above zero."""
        self.ticks = sorted(sizes)
        self.sizes = sizes
        self._yes.fragments, self._yes.text = [""] * len(sizes), None
        self._no = None
        self._unwritten = texts

    def copy(self) -> "BookSide":
        """The same levels, to be changed apart from these."""
        other = BookSide(self._grid, is_bid=self.is_bid)
        other.ticks, other.sizes = self.ticks.copy(), self.sizes.copy()
        other._yes.fragments, other._unwritten = self._yes.fragments.copy(), self._unwritten.copy()
        return other

    def text(self, outcome: Outcome) -> str:
        """Levels in a token's frame as the venue lists them, compact JSON without brackets.

        Bids rise and asks fall in both frames, so NO lists the same levels in the same order.
        """
        if self._unwritten:
            self._write()
        spelling = self._yes if outcome == "YES" else self._no or self._mirror()
        if spelling.text is None:
            fragments = spelling.fragments
            spelling.text = ",".join(fragments if self.is_bid else fragments[::-1])
        return spelling.text

    def _insert(self, tick: Ticks, size: Shares, size_text: str) -> None:
        at = bisect_left(self.ticks, tick)
        self.ticks.insert(at, tick)
        self.sizes[tick] = size
        self._yes.fragments.insert(at, "")
        if self._no is not None:
            self._no.fragments.insert(at, "")
        self._unwritten[tick] = size_text

    def _remove(self, tick: Ticks) -> None:
        at = bisect_left(self.ticks, tick)
        del self.ticks[at]
        del self.sizes[tick]
        for spelling in (self._yes, self._no):
            if spelling is not None:
                del spelling.fragments[at]
                spelling.text = None
        self._unwritten.pop(tick, None)

    def _write(self) -> None:
        """Spell out the levels that were written since the last time."""
        ticks, unwritten, yes, no = self.ticks, self._unwritten, self._yes, self._no
        if len(unwritten) == len(ticks):
            for spelling in (yes,) if no is None else (yes, no):
                heads = spelling.heads
                spelling.fragments[:] = [f'{heads[tick]}{unwritten[tick]}"}}' for tick in ticks]
        else:
            for tick, size_text in unwritten.items():
                at = bisect_left(ticks, tick)
                yes.fragments[at] = f'{yes.heads[tick]}{size_text}"}}'
                if no is not None:
                    no.fragments[at] = f'{no.heads[tick]}{size_text}"}}'
        yes.text = None
        if no is not None:
            no.text = None
        unwritten.clear()

    def _mirror(self) -> _Spelling:
        """Begin to spell NO, from the fragments of YES, which are up to date."""
        yes, heads = self._yes, _heads(self._grid.tick_text, "NO")
        pairs = zip(self.ticks, yes.fragments, strict=True)
        self._no = _Spelling(heads, [f"{heads[tick]}{text[len(yes.heads[tick]) :]}" for tick, text in pairs])
        return self._no


@lru_cache(maxsize=64)
def _heads(tick_text: str, outcome: Outcome) -> list[str]:
    """By YES tick: a level's hash text in a token's frame up to its size."""
    grid = grid_of(tick_text)
    ticks = range(grid.k + 1) if outcome == "YES" else range(grid.k, -1, -1)
    return [f'{{"price":"{grid.text(tick)}","size":"' for tick in ticks]


class Book:
    """Bids and asks of one market in the YES frame."""

    __slots__ = ("asks", "bids", "grid")

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.bids = BookSide(grid, is_bid=True)
        self.asks = BookSide(grid, is_bid=False)

    def copy(self) -> "Book":
        """The same book, to be changed apart from this one."""
        other = Book(self.grid)
        other.bids, other.asks = self.bids.copy(), self.asks.copy()
        return other

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
        bids, asks = self.bids.text(outcome), self.asks.text(outcome)
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
