"""What the market list comes to when no session runs: read, weighed and looked at as a start would do it.

Nothing is kept and nothing is told to anybody; what changes the list in force is :func:`decided`.
"""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from core.clock import Clock
from core.config import Settings
from core.errors import ListError, VenueError
from core.selection.addresses import is_loopback
from core.selection.books import books_or_why
from core.selection.changes import Change, Kept, Weighed, approved, begun, bounds_of, rejected, renewed, weigh
from core.selection.enrich import Catalogue, Sourced
from core.selection.found import find_out
from core.selection.income import Book
from core.selection.kept import load, save
from core.selection.listed import MarketList
from core.selection.provider import VenueProvider, provider_of
from core.selection.showing import in_order, proposal_view, rejected_views, rejection_notes, standing_view, with_rest
from core.selection.standings import choose
from core.views import ListView

NO_EXCHANGE = "the demo makes the markets of its own exchange, which runs with its session only: start it"


class Read(msgspec.Struct, frozen=True):
    """A list that was read, held against the one that is in force."""

    before: Kept | None
    """In force since the last session; None when there was none."""
    reading: MarketList | None
    """None when it could not be read."""
    weighed: Weighed | None
    """What the reading comes to; None without one, and without a list in force before it."""
    after: Kept
    """The list that a start would begin with."""
    trouble: str = ""
    """Why there is no reading, in words."""


async def read_list(
    settings: Settings, environment: Mapping[str, str], profiles: Collection[str], path: Path, clock: Clock
) -> Read:
    """Read the list and hold it against the one that is kept.

    Args:
        settings: say where it is.
        environment: the same.
        profiles: names of parameter sets that a row may choose.
        path: of the list that is kept.
        clock: says when it is read.

    Raises:
        ListError: neither the list nor one that was kept can be read.
    """
    before = await asyncio.to_thread(load, path)
    try:
        provider = provider_of(settings, environment, profiles)
        if isinstance(provider, VenueProvider) and not is_loopback(settings.gamma_url):
            raise ListError(NO_EXCHANGE)
        reading = await provider.read()
    except ListError as error:
        if before is None:
            raise
        return Read(before, None, None, before, str(error))
    unix = clock.unix()
    if before is None:
        return Read(None, reading, None, begun(reading, unix))
    if reading.kind in ("setting", "venue"):
        weighed = renewed(before, reading, unix)
    else:
        weighed = weigh(before, reading, bounds_of(settings), unix)
    return Read(before, reading, weighed, weighed.kept)


async def looked(read: Read, settings: Settings, clock: Clock) -> ListView:
    """The list as it is shown, with what the venue says of its markets; without its word when it cannot be asked."""
    sources: dict[str, Sourced] = {}
    trouble = ""
    if settings.mode == "demo" and not is_loopback(settings.gamma_url):
        trouble = f"its markets were not looked up: {NO_EXCHANGE}"
    else:
        catalogue = Catalogue(settings, clock)
        try:
            sources = await catalogue.look([entry.row for entry in (*read.after.leaving, *read.after.listed)])
        except VenueError as error:
            trouble = f"the venue cannot be asked about its markets: {error}"
        finally:
            await catalogue.close()
    instruments = [source.instrument for source in sources.values() if source.instrument is not None]
    books, notes = await books_or_why(settings, instruments)
    troubles = "; ".join(dict.fromkeys(filter(None, (read.trouble, trouble))))
    return _view(read, sources, books, settings, clock.unix(), troubles, notes)


def unlooked(read: Read, settings: Settings, unix: float) -> ListView:
    """The list without what the venue says of its markets: enough for its changes."""
    return _view(read, {}, {}, settings, unix, read.trouble)


def applies(read: Read) -> tuple[Change, ...]:
    """What of the reading applies by itself; where no list was in force, all of it."""
    if read.weighed is not None:
        return read.weighed.applied
    if read.before is not None:
        return ()
    return tuple(Change("add", entry.row.market, None, entry.row) for entry in read.after.listed if entry.row.enabled)


def decided(act: Literal["approve", "reject"], read: Read, token: str, path: Path, unix: float) -> int:
    """Approve or reject what waits, and keep that; returns how many changes it was about.

    Only the holder of the session's instance lock may call it.

    Raises:
        ListError: no changes of that name wait, or it cannot be kept.
    """
    done = approved(read.after, token, unix)
    save(path, done.kept if act == "approve" else rejected(read.after, token))
    return len(done.applied)


def _view(
    read: Read,
    sources: Mapping[str, Sourced],
    books: Mapping[str, Book],
    settings: Settings,
    unix: float,
    trouble: str,
    notes: tuple[str, ...] = (),
) -> ListView:
    kept = read.after
    entries = {entry.row.market: entry for entry in (*kept.leaving, *kept.listed)}
    found = {
        market: find_out(entries[market], sourced, settings, unix, books.get(market))
        for market, sourced in sources.items()
    }
    judged = {market: replace(one.judged, failure=one.screening.words) for market, one in found.items()}
    taken = {market: "" for market, entry in entries.items() if entry.taken and not sources}
    standings = choose(kept, judged, taken, settings.max_markets)
    titles = titles_of(read) | {market: one.title for market, one in found.items() if one.title}
    views = [
        standing_view(entry, standings[market], found[market].shown if market in found else None)
        for market, entry in entries.items()
    ]
    held = {} if read.weighed is None else dict(read.weighed.held)
    views = [with_rest(view, held.get(view.market, "")) for view in views]
    reading = read.reading
    return ListView(
        source=kept.source if reading is None else reading.source,
        trouble=trouble,
        read_unix=kept.read_unix,
        markets=in_order(views),
        rejected=() if reading is None else rejected_views(reading.rejected),
        notes=(*(() if reading is None else reading.notes), *notes, *rejection_notes(kept)),
        proposal=None if kept.proposal is None else proposal_view(kept.proposal, titles),
    )


def titles_of(read: Read) -> dict[str, str]:
    """Titles that the last session saw, by market; foreign."""
    entries = (*(() if read.before is None else (*read.before.leaving, *read.before.listed)), *read.after.listed)
    return {entry.row.market: entry.title for entry in (*read.after.leaving, *entries) if entry.title}
