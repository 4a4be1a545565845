"""What a book read over REST says about ours: the same, another, or nothing that can be believed.

REST is no automatic referee: it may lag, or show a ghost of 0.01 against 0.99 (peers.md T1). So a read must fit its own
hash and its mirror, and POST /prices is the third voice (reliability.md D03).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from core.errors import MalformedMessage
from core.events import RestBook, RestTouch
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.market.proof import fits_its_hash
from core.units import UnitError

Kind = Literal["same", "older", "other", "implausible", "missing"]


class Finding(msgspec.Struct, frozen=True):
    """What one audit of one market found."""

    kind: Kind
    words: str = ""
    """What was seen, for people; "" when there is nothing to say."""
    timestamp_ms: int = 0
    """Venue time of the book that was read."""
    book: RestBook | None = None
    """The book to go by; None when there is none that could be believed."""
    prices_agree: bool | None = None
    """POST /prices states our own best bid and ask; None when it tells none."""
    confirmed: bool = False
    """POST /prices states best bid and ask of the book that was read."""


def audit(tracked: TrackedBook, books: Sequence[RestBook], touches: Sequence[RestTouch]) -> Finding:
    """Compare what REST told of a market with our book.

    Args:
        tracked: our book.
        books: of POST /books, both tokens' as far as they came.
        touches: of POST /prices, both tokens' as far as they came.
    """
    instrument = tracked.instrument
    ours = [book for book in books if instrument.outcome_of(book.asset_id)]
    prices = _stated(instrument, touches)
    agree = None if prices is None else prices == tracked.book.touch
    if not ours:
        return Finding("missing", "REST told no book", prices_agree=agree)
    book = min(ours, key=lambda one: one.asset_id != instrument.yes_token)
    try:
        wrong = _implausible(tracked, ours)
        shown = _touch_of(tracked, book)
        same = not wrong and tracked.same_levels(book)
    except MalformedMessage as error:
        return Finding("implausible", f"REST's book cannot be read: {error}", prices_agree=agree)
    confirmed = prices == shown
    if not wrong and not same and not confirmed and agree and prices is not None:
        wrong = f"REST shows {_cents(instrument, shown)} while prices say {_cents(instrument, prices)}"
    if wrong:
        return Finding("implausible", wrong, book.timestamp, prices_agree=agree)
    kind: Kind = "same" if same else "older" if book.timestamp < tracked.timestamp_ms else "other"
    words = "" if same else f"REST shows {_cents(instrument, shown)}, we have {_cents(instrument, tracked.book.touch)}"
    if shown == tracked.book.touch and not same:
        words = "REST shows another book behind the same touch"
    return Finding(kind, words, book.timestamp, book, prices_agree=agree, confirmed=confirmed)


def _implausible(tracked: TrackedBook, books: Sequence[RestBook]) -> str:
    """Why these books cannot be true by themselves; "" when they can."""
    if not all(fits_its_hash(book) for book in books):
        return "REST's book does not fit its own hash"
    yes, *others = [(book.timestamp, tracked.levels_of(book)) for book in books]
    if any(other[0] == yes[0] and other[1] != yes[1] for other in others):
        return "REST's YES and NO books do not mirror each other"
    return ""


def _touch_of(tracked: TrackedBook, book: RestBook) -> tuple[int, int]:
    bids, asks = tracked.levels_of(book)
    return (max(bids, default=0), min(asks, default=tracked.instrument.grid.k))


def _stated(instrument: Instrument, touches: Sequence[RestTouch]) -> tuple[int, int] | None:
    """Touch of POST /prices in the YES frame, 0 and K for an empty side; None when not told or off the grid."""
    grid = instrument.grid
    for touch in touches:
        outcome = instrument.outcome_of(touch.token)
        if outcome is None or not (touch.bid or touch.ask):
            continue
        try:
            bid = 0 if touch.bid in ("", "0") else grid.ticks(touch.bid)
            ask = grid.k if touch.ask in ("", "0", "1") else grid.ticks(touch.ask)
        except UnitError:
            continue
        return (bid, ask) if outcome == "YES" else (grid.k - ask, grid.k - bid)
    return None


def _cents(instrument: Instrument, touch: tuple[int, int]) -> str:
    grid = instrument.grid
    return "/".join(("-" if tick in (0, grid.k) else f"{grid.cents(tick)}c") for tick in touch)
