"""How the messages of a market's two tokens read in the YES frame, every text of them checked.

NO is the mirror of YES: its bids are asks at the complement (market-making.md 0.2). What is refused here has changed
nothing anywhere.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from core.errors import MalformedMessage, OffTick
from core.events import MarketMessage, RestBook, WireChange, WireLevel
from core.market.book import Book, BookSide
from core.units import OffGrid, Outcome, Shares, Side, Ticks, UnitError, grid_of, read_micro

MOST_LEVELS: Final = 2_000
"""Levels on a side beyond which a book is refused (reliability.md D08)."""


class Lens:
    """How one token's texts read."""

    __slots__ = ("_grid", "ask_text", "bid_text", "buys", "other", "outcome", "prices", "sells", "token")

    other: "Lens"
    """Of the other token."""

    def __init__(self, book: Book, outcome: Outcome, token: str) -> None:
        self._grid = book.grid
        self.outcome = outcome
        self.token = token
        self.prices = _spellings(book.grid.tick_text, outcome)
        self.look_at(book)

    def look_at(self, book: Book) -> None:
        """Read into this book from now on."""
        self.buys, self.sells = (book.bids, book.asks) if self.outcome == "YES" else (book.asks, book.bids)
        self.keep_touch(book.touch)

    def keep_touch(self, touch: tuple[int, int]) -> None:
        """Remember how the venue spells this touch (YES ticks, 0 and K for an empty side), to recognise it as text."""
        bid, ask = touch if self.outcome == "YES" else (self._grid.k - touch[1], self._grid.k - touch[0])
        self.bid_text, self.ask_text = self._grid.text(bid), self._grid.text(ask)

    def tick(self, price_text: str) -> Ticks:
        """The YES tick of a price.

        Raises:
            UnitError: it is no price on the grid.
        """
        known = self.prices.get(price_text)
        if known is not None:
            return known[0]
        tick = self._grid.ticks(price_text)
        return tick if self.outcome == "YES" else self._grid.complement(tick)

    def touch(self, best_bid: str, best_ask: str) -> tuple[int, int] | None:
        """YES bid and ask of a stated touch, 0 and K for the "0" and "1" of an empty side; None when not stated.

        Raises:
            UnitError: a price is off the grid.
        """
        if not (best_bid or best_ask):
            return None
        low, high = (0, self._grid.k) if self.outcome == "YES" else (self._grid.k, 0)
        bid = low if best_bid in ("0", "") else self.tick(best_bid)
        ask = high if best_ask in ("1", "") else self.tick(best_ask)
        return (bid, ask) if self.outcome == "YES" else (ask, bid)

    def side(self, change: WireChange) -> BookSide:
        """Where a change writes."""
        return self.buys if change.side == "BUY" else self.sells


@lru_cache(maxsize=64)
def _spellings(tick_text: str, outcome: Outcome) -> dict[str, tuple[Ticks, str]]:
    """The venue's spelling of every price on a grid -> its YES tick, and the other token's price."""
    grid = grid_of(tick_text)
    return {
        grid.text(n): (Ticks(n if outcome == "YES" else grid.k - n), grid.text(grid.k - n)) for n in range(1, grid.k)
    }


class Entry(NamedTuple):
    """A change and how it reads in the YES frame."""

    lens: Lens
    change: WireChange
    side: BookSide
    tick: Ticks
    size: Shares
    touch: tuple[int, int] | None
    """Stated with it; None when it was not."""


class FullBook(NamedTuple):
    """A full book of either token: sizes and their texts by YES tick."""

    outcome: Outcome
    bids: dict[Ticks, Shares]
    bid_texts: dict[Ticks, str]
    asks: dict[Ticks, Shares]
    ask_texts: dict[Ticks, str]


class Lenses:
    """Both tokens' lenses on one book."""

    __slots__ = ("_tick_text", "of")

    def __init__(self, book: Book, yes_token: str, no_token: str) -> None:
        self._tick_text = book.grid.tick_text
        yes, no = Lens(book, "YES", yes_token), Lens(book, "NO", no_token)
        yes.other, no.other = no, yes
        self.of = {lens.token: lens for lens in (yes, no) if lens.token}
        """By token; of a market that is known by one token only, that one."""

    def look_at(self, book: Book) -> None:
        """Read into this book from now on."""
        for lens in self.of.values():
            lens.look_at(book)

    def keep_touch(self, touch: tuple[int, int]) -> None:
        """Remember the spelling of this touch."""
        for lens in self.of.values():
            lens.keep_touch(touch)

    def lens(self, token: str) -> Lens:
        """Of a token.

        Raises:
            MalformedMessage: it is a stranger's.
        """
        found = self.of.get(token)
        if found is None:
            raise MalformedMessage("token does not belong to the market")
        return found

    def changes(self, changes: tuple[WireChange, ...] | None) -> list[Entry]:
        """The entries of a ``price_change``.

        Raises:
            MalformedMessage: one is no number or of a stranger's token.
            OffTick: one is off the grid.
        """
        lenses = self.of
        if changes is None:
            raise MalformedMessage("price_change without price_changes")
        try:
            return [
                Entry(
                    lens := lenses[change.asset_id],
                    change,
                    lens.side(change),
                    lens.tick(change.price),
                    Shares(read_micro(change.size)),
                    lens.touch(change.best_bid, change.best_ask),
                )
                for change in changes
            ]
        except OffGrid as error:
            raise OffTick(str(error)) from error
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        except KeyError as error:
            raise MalformedMessage("token does not belong to the market") from error

    def touch(self, message: MarketMessage) -> tuple[int, int] | None:
        """The touch that a ``best_bid_ask`` states.

        Raises:
            MalformedMessage: a price is off the grid, or the token is a stranger's.
        """
        try:
            return self.lens(message.asset_id).touch(message.best_bid, message.best_ask)
        except UnitError as error:
            raise MalformedMessage(str(error)) from error

    def full_book(self, told: MarketMessage | RestBook) -> FullBook:
        """The levels of a full book.

        Raises:
            MalformedMessage: a level is off the grid or no number, a price stands twice, a side is missing or longer
                than any real one, the book is crossed or on another tick, or the token is a stranger's.
        """
        lens = self.lens(told.asset_id)
        if told.tick_size and told.tick_size != self._tick_text:
            raise MalformedMessage(f"book on tick {told.tick_size[:20]!r}, market on {self._tick_text!r}")
        bids, bid_texts = _levels(told.bids, lens, "bid")
        asks, ask_texts = _levels(told.asks, lens, "ask")
        if lens.outcome == "NO":
            bids, bid_texts, asks, ask_texts = asks, ask_texts, bids, bid_texts
        if bids and asks and max(bids) >= min(asks):
            raise MalformedMessage("crossed book")
        return FullBook(lens.outcome, bids, bid_texts, asks, ask_texts)


def _levels(levels: Sequence[WireLevel] | None, lens: Lens, side: Side) -> tuple[dict[Ticks, Shares], dict[Ticks, str]]:
    """Sizes and their texts by YES tick; levels of size zero do not exist."""
    if levels is None:
        raise MalformedMessage(f"book without {side}s")
    if len(levels) > MOST_LEVELS:
        raise MalformedMessage(f"a book of {len(levels)} {side}s")
    read = lens.tick
    try:
        texts = {read(level.price): level.size for level in levels}
        sizes = {tick: Shares(read_micro(text)) for tick, text in texts.items()}
    except UnitError as error:
        raise MalformedMessage(str(error)) from error
    if len(texts) != len(levels):
        raise MalformedMessage(f"a price stands twice among the {side}s")
    if 0 in sizes.values():
        sizes = {tick: size for tick, size in sizes.items() if size}
        texts = {tick: texts[tick] for tick in sizes}
    return sizes, texts
