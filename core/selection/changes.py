"""What a reading of the market list changes, and what of it waits for an operator. Pure.

The list is an instruction about money, and most of what looks like one is an accident: half a sheet, a row that is
being moved, a column that lost its name. So what adds or narrows applies at once; what takes markets off applies when
two readings in a row say it and only within bounds; what is beyond them, or loosens a limit, waits as a proposal, and
the whole reading with it. A list that cannot be read never gets here (reliability.md 2.3, D12; 2.7, O09; peers.md 3).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from core.config import Settings
from core.errors import ListError
from core.selection.listed import ListRow, MarketList
from core.units import Usd, micro_text

DAY_SEC: Final = 86_400.0
"""Time over which removals are added up: a list that runs dry row by row is as much of an accident as half a list."""
_TOKEN: Final = 12
"""Hex digits that name a set of changes."""
_NAMED: Final = 3
"""Rows that are named in a sentence."""
_MISSING: Final = "it was missing once; it leaves the list when the next reading has it neither"


class Entry(msgspec.Struct, frozen=True):
    """One market of the list in force."""

    row: ListRow
    listed_unix: float
    """Since when it is on the list, seconds."""
    figures_unix: float | None = None
    """Since when its figures stand as far as was seen; None when nobody knows."""
    taken: bool = False
    """It was taken up to be made, so the venue has confirmed its tokens; shares may be held in it."""
    tokens: tuple[str, ...] = ()
    """YES and NO as the venue confirmed them; () unless it is taken, and where nobody told them."""
    made_unix: float | None = None
    """Since when it is made without being drained; None while it is not."""
    title: str = ""
    """Foreign text, uncleaned; "" until the venue has told it."""


class Change(msgspec.Struct, frozen=True):
    """One thing that differs between the list in force and a reading."""

    kind: Literal["add", "remove", "change"]
    market: str
    before: ListRow | None
    """The row in force, also one that is off or leaving; None for a market that is new."""
    after: ListRow | None
    """None when the row is gone; one that is not enabled for a market that is switched off."""


class Proposal(msgspec.Struct, frozen=True):
    """A reading that waits for an operator, as the changes that it asks for."""

    token: str
    """Names exactly these changes."""
    since_unix: float
    read_unix: float
    """When it was last read."""
    why: str
    changes: tuple[Change, ...]


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The list in force and all that has to outlive the session."""

    source: str
    """Where it was read, for people."""
    read_unix: float
    """When the last reading was taken that is in force, seconds."""
    listed: tuple[Entry, ...]
    """Markets with a row, also those that are not enabled."""
    leaving: tuple[Entry, ...] = ()
    """Markets whose row is gone and of which shares or orders may be left."""
    missing: dict[str, float] = {}
    """Enabled markets that the last reading did not have, or not enabled, and since when; once more, and they leave."""
    removed: dict[str, float] = {}
    """Markets that left without being approved, and when; those of the last day."""
    proposal: Proposal | None = None
    rejected: Proposal | None = None
    """What an operator did not want; it is neither done nor asked again until the list wants something else."""


_Told = tuple[bool, str, Usd | None, str, str] | None


class Bounds(NamedTuple):
    """How markets may leave the list without being approved; all hold."""

    removals: int
    """At a time."""
    fraction: float
    """Of the enabled ones, at a time and in a day."""
    apart_sec: float
    """Least time between the first and the last reading without them."""


class Weighed(msgspec.Struct, frozen=True):
    """What a reading comes to."""

    kept: Kept
    applied: tuple[Change, ...] = ()
    """What is in force by it."""
    held: tuple[tuple[str, str], ...] = ()
    """(market, why) for rows of the list in force that stay although the reading has others."""


def bounds_of(settings: Settings) -> Bounds:
    """The bounds that are set."""
    return Bounds(settings.list_removals_max, settings.list_shrink_frac, settings.list_refresh_sec / 2)


def begun(reading: MarketList, unix: float) -> Kept:
    """The list in force where none was before: all of the reading."""
    nothing = Kept(reading.source, unix, ())
    return _renumbered(nothing, _wanted(nothing, reading)[0], reading, unix)


def renewed(kept: Kept, reading: MarketList, unix: float) -> Weighed:
    """What comes of a list that is an operator's word of this start (the setting ``markets``): all of it, at once."""
    wanted, held = _wanted(kept, reading)
    changes = _changes(kept, wanted)
    return Weighed(_in_force(kept, changes, wanted, reading, unix, ()), changes, held)


def weigh(kept: Kept, reading: MarketList, bounds: Bounds, unix: float) -> Weighed:
    """Hold a reading against the list in force.

    Args:
        kept: what is in force.
        reading: all that was read, and what of it could not be used.
        bounds: of what may leave the list by itself.
        unix: when it was read, seconds.
    """
    wanted, held = _wanted(kept, reading)
    changes = _changes(kept, wanted)
    removed = _removed_lately(kept, unix)
    unwanted = _still_rejected(kept.rejected, changes)
    if not unwanted and (why := _why_it_waits(kept, reading, changes, bounds, removed)):
        return Weighed(_waiting(kept, changes, why, unix), held=held)
    pending = {} if unwanted else _pending(kept, changes, bounds, unix)
    held += tuple((market, _MISSING) for market in sorted(pending))
    stay = pending.keys() | unwanted
    done = tuple(change for change in changes if change.market not in stay)
    removed |= {change.market: unix for change in done if change.kind == "remove"}
    now = _in_force(kept, done, wanted, reading, unix, stay)
    rejected = kept.rejected if unwanted else None
    return Weighed(replace(now, missing=pending, removed=removed, rejected=rejected), done, held)


def approved(kept: Kept, token: str, unix: float) -> Weighed:
    """Carry out exactly the changes that an operator was shown.

    Raises:
        ListError: no changes of that name wait.
    """
    proposal = _waiting_for(kept, token)
    done = _with(kept, proposal.changes, unix)
    shown = {change.market for change in proposal.changes}
    removed = {market: at for market, at in kept.removed.items() if market not in shown}
    done = replace(done, read_unix=proposal.read_unix, missing={}, removed=removed, proposal=None, rejected=None)
    return Weighed(done, proposal.changes)


def rejected(kept: Kept, token: str) -> Kept:
    """Drop the changes that an operator does not want.

    Raises:
        ListError: no changes of that name wait.
    """
    return replace(kept, proposal=None, rejected=_waiting_for(kept, token))


def retired(kept: Kept, market: str) -> Kept:
    """A market that was drained, or never came to be made, has nothing of ours left."""
    listed = tuple(
        replace(e, taken=False, tokens=(), made_unix=None) if e.row.market == market else e for e in kept.listed
    )
    return replace(kept, listed=listed, leaving=tuple(e for e in kept.leaving if e.row.market != market))


def marked(
    kept: Kept,
    made: Mapping[str, float | None],
    titles: Mapping[str, str],
    tokens: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> Kept:
    """Note which markets are made, and their names.

    Args:
        kept: what is in force.
        made: by market that is taken up: since when it is made without being drained, None while it is.
        titles: as far as known.
        tokens: YES and NO of what is made, as far as known; what was noted once stays.
    """

    def mark(entry: Entry) -> Entry:
        market = entry.row.market
        title = titles.get(market, entry.title)
        if market not in made:
            return entry if title == entry.title else replace(entry, title=title)
        confirmed = entry.tokens or tokens.get(market) or _tokens(entry.row)
        new = replace(entry, taken=True, tokens=confirmed, made_unix=made[market], title=title)
        return entry if new == entry else new

    listed, leaving = tuple(map(mark, kept.listed)), tuple(map(mark, kept.leaving))
    if all(a is b for a, b in zip((*listed, *leaving), (*kept.listed, *kept.leaving), strict=True)):
        return kept
    return replace(kept, listed=listed, leaving=leaving)


def words(change: Change) -> str:
    """What a change does, before and after, in words."""
    before, after = change.before, change.after
    if change.kind == "add" and after is not None and not _is_looser(change):
        limits = _limits(after)
        return f"row {after.row}: is to be made{limits and ', with ' + limits}"
    if change.kind == "remove":
        gone = "its row is gone" if after is None else f"row {after.row}: not enabled"
        return f"{gone}; is drained: only orders that reduce, until nothing is left"
    assert before is not None and after is not None
    again = "is to be made again; " if change.kind == "add" else ""
    was, will = (_limits(row) or "no limits of its own" for row in (before, after))
    return f"row {after.row}: {again}{was} -> {will}"


def _limits(row: ListRow) -> str:
    named = [f"profile {row.profile}"] if row.profile else []
    return ", ".join([*named, *([f"at most {micro_text(row.max_usd)} dollars"] if row.max_usd is not None else [])])


def _wanted(kept: Kept, reading: MarketList) -> tuple[dict[str, ListRow], tuple[tuple[str, str], ...]]:
    """The row of every market that the reading speaks of, and which of them are those in force.

    A row that cannot be used, and one whose tokens are not those that the venue confirmed, is no instruction: what is
    in force for that market stays (reliability.md 2.3, D12, D13).
    """
    known = {entry.row.market: entry for entry in (*kept.leaving, *kept.listed)}
    listed = {entry.row.market for entry in kept.listed}
    unusable = {row.market for row in reversed(reading.rejected) if row.market}
    wanted: dict[str, ListRow] = {}
    held: dict[str, str] = {}
    for row in reading.rows:
        entry = known.get(row.market)
        if entry is None:
            wanted.setdefault(row.market, row)
        elif row.market in unusable:
            held[row.market] = "a row of it cannot be used"
        elif entry.tokens and _tokens(row) and _tokens(row) != entry.tokens:
            held[row.market] = "its row has other token ids than the ones in force; a market keeps its tokens"
        else:
            wanted.setdefault(row.market, row)
    for market in unusable & listed - wanted.keys():
        held.setdefault(market, "its row cannot be used")
    wanted.update({market: known[market].row for market in held if market in listed})
    return wanted, tuple(sorted(held.items()))


def _tokens(row: ListRow) -> tuple[str, ...]:
    """Both token ids; () where the source names markets alone."""
    return (row.yes_token, row.no_token) if row.yes_token or row.no_token else ()


def _changes(kept: Kept, wanted: Mapping[str, ListRow]) -> tuple[Change, ...]:
    """All that differs and means something for what is made: what is on, off, and limited."""
    known = {entry.row.market: entry.row for entry in (*kept.leaving, *kept.listed)}
    before = {entry.row.market: entry.row for entry in kept.listed if entry.row.enabled}
    changes = []
    for market, row in before.items():
        after = wanted.get(market)
        if after is None or not after.enabled:
            changes.append(Change("remove", market, row, after))
        elif (after.profile, after.max_usd) != (row.profile, row.max_usd):
            changes.append(Change("change", market, row, after))
    added = (row for market, row in wanted.items() if row.enabled and market not in before)
    return (*changes, *(Change("add", row.market, known.get(row.market), row) for row in added))


def _removed_lately(kept: Kept, unix: float) -> dict[str, float]:
    """What left by itself within the last day and has not come back, and when."""
    back = {entry.row.market for entry in kept.listed if entry.row.enabled}
    return {market: at for market, at in kept.removed.items() if unix - at < DAY_SEC and market not in back}


def _pending(kept: Kept, changes: Iterable[Change], bounds: Bounds, unix: float) -> dict[str, float]:
    """What would leave and has not been missing in two readings far enough apart, and since when it is."""
    pending = {}
    for market in (change.market for change in changes if change.kind == "remove"):
        since = min(unix, kept.missing.get(market, unix))
        if market not in kept.missing or unix - since < bounds.apart_sec:
            pending[market] = since
    return pending


def _still_rejected(rejected: Proposal | None, changes: Iterable[Change]) -> set[str]:
    """Markets of which these changes ask what an operator has rejected.

    None as soon as what needs an operator's word is anything else than what was rejected. Changes that need none and
    were not shown then are not bound up with it.
    """
    if rejected is None:
        return set()
    shown, asked = ({_wish(change) for change in some} for some in (rejected.changes, changes))
    has_less = any(_needs_a_word(change) and _wish(change) not in asked for change in rejected.changes)
    has_more = any(_needs_a_word(change) and _wish(change) not in shown for change in changes)
    if has_less or has_more:
        return set()
    return {change.market for change in changes if _wish(change) in shown}


def _why_it_waits(
    kept: Kept, reading: MarketList, changes: Iterable[Change], bounds: Bounds, removed: Collection[str]
) -> str:
    """Why these changes are not an operator's for sure, in words; "" when they apply by themselves."""
    enabled = sum(1 for entry in kept.listed if entry.row.enabled)
    gone = sum(1 for change in changes if change.kind == "remove")
    looser = [change for change in changes if _is_looser(change)]
    whys = []
    if gone > min(bounds.removals, bounds.fraction * enabled):
        most = f"{bounds.removals} at a time and {bounds.fraction:.0%} of them"
        whys.append(f"{gone} of {enabled} markets would leave the list; at most {most} may by themselves")
    elif gone and gone + len(removed) > bounds.fraction * (enabled + len(removed)):
        most = f"{bounds.fraction:.0%} of {enabled + len(removed)} may by themselves in a day"
        whys.append(f"{gone} would leave the list after {len(removed)} within a day; at most {most}")
    unclear = [row for row in reading.rejected if not row.market]
    if gone and unclear:
        rows = ", ".join(str(row.row) for row in unclear[:_NAMED]) + (", ..." if len(unclear) > _NAMED else "")
        whys.append(f"{gone} would leave the list, but may be in what cannot be used: row {rows}")
    if looser:
        whys.append(f"limits would be loosened, of {len(looser)} {'market' if len(looser) == 1 else 'markets'}")
    return "; ".join(whys)


def _needs_a_word(change: Change) -> bool:
    """It takes a market off or may let one do more: what an operator is asked about."""
    return change.kind == "remove" or _is_looser(change)


def _is_looser(change: Change) -> bool:
    """What the market may do afterwards is not surely less than what it might before."""
    before, after = change.before, change.after
    return change.kind != "remove" and before is not None and after is not None and _loosens(before, after)


def _loosens(before: ListRow, after: ListRow) -> bool:
    """The limits of a row are not surely narrower than those of another."""
    if before.profile and after.profile != before.profile:
        return True
    return before.max_usd is not None and (after.max_usd is None or after.max_usd > before.max_usd)


def _narrowed(before: ListRow, after: ListRow) -> ListRow:
    """A row that is not enabled, no looser than the one before it.

    Or a limit were raised without a question while the market is off, and it came back with that.
    """
    return replace(after, profile=before.profile, max_usd=before.max_usd) if _loosens(before, after) else after


def _waiting(kept: Kept, changes: tuple[Change, ...], why: str, unix: float) -> Kept:
    """Nothing but what is proposed changes, and with the same changes not even that."""
    token, old = _token(changes), kept.proposal
    since = old.since_unix if old is not None and old.token == token else unix
    return replace(kept, proposal=Proposal(token, since, unix, why, changes), missing={})


def _waiting_for(kept: Kept, token: str) -> Proposal:
    if kept.proposal is None:
        raise ListError("no changes of the market list wait for approval")
    if token != kept.proposal.token:
        raise ListError(f"the changes that wait are others now ({kept.proposal.token}); look at them again")
    return kept.proposal


def _token(changes: Iterable[Change]) -> str:
    """A name of what changes."""
    return hashlib.sha256(msgspec.json.encode(sorted(map(_facts, changes)))).hexdigest()[:_TOKEN]


def _facts(change: Change) -> tuple[str, str, _Told, _Told]:
    """What changes; figures, notes and row numbers are no part of it, because they move by themselves."""
    return change.kind, change.market, _told(change.before), _told(change.after)


def _wish(change: Change) -> tuple[str, str, _Told]:
    """What is asked for, whatever was there before: a market that leaves in the meantime makes it no other wish."""
    return change.kind, change.market, _told(change.after)


def _told(row: ListRow | None) -> _Told:
    return None if row is None else (row.enabled, row.profile, row.max_usd, row.yes_token, row.no_token)


def _in_force(
    kept: Kept,
    changes: tuple[Change, ...],
    wanted: Mapping[str, ListRow],
    reading: MarketList,
    unix: float,
    stay: Collection[str],
) -> Kept:
    """A reading that holds, but for markets that stay as they are whatever it has."""
    rows = {market: row for market, row in wanted.items() if market not in stay}
    rows |= {entry.row.market: entry.row for entry in kept.listed if entry.row.market in stay}
    done = _renumbered(_with(kept, changes, unix), rows, reading, unix)
    return replace(done, source=reading.source, read_unix=unix, missing={}, proposal=None, rejected=None)


def _with(kept: Kept, changes: Iterable[Change], unix: float) -> Kept:
    """The list with these changes."""
    listed = {entry.row.market: entry for entry in kept.listed}
    leaving = {entry.row.market: entry for entry in kept.leaving}
    for change in changes:
        market, after = change.market, change.after
        entry = listed.get(market) or leaving.get(market)
        if after is not None and entry is not None and entry.tokens and _tokens(after):
            after = replace(after, yes_token=entry.tokens[0], no_token=entry.tokens[1])  # taken up since it was shown
        if after is None:
            entry = listed.pop(market)
            if entry.taken:
                leaving[market] = replace(entry, row=replace(entry.row, enabled=False), made_unix=None)
        elif entry is None or change.kind == "add":
            leaving.pop(market, None)
            new = Entry(after, unix)
            listed[market] = (
                new if entry is None else replace(new, taken=entry.taken, tokens=entry.tokens, title=entry.title)
            )
        elif change.kind == "remove":
            listed[market] = replace(entry, row=_narrowed(entry.row, after), made_unix=None)
        else:
            listed[market] = replace(entry, row=after)
    return replace(kept, listed=tuple(listed.values()), leaving=tuple(leaving.values()))


def _renumbered(kept: Kept, rows: Mapping[str, ListRow], reading: MarketList, unix: float) -> Kept:
    """The list with the newest row of every market; those that are not enabled come and go without more ado.

    One that is leaving is not on the list by a row that is not enabled: it goes on leaving.
    """
    listed, leaving = [], list(kept.leaving)
    for entry in kept.listed:
        row = rows.get(entry.row.market)
        if row is not None:
            row = row if row.enabled else _narrowed(entry.row, row)
            listed.append(replace(entry, row=row, figures_unix=_figures_unix(entry, row, reading, unix)))
        elif entry.row.enabled:
            listed.append(entry)
        elif entry.taken:
            leaving.append(entry)
    known = {entry.row.market for entry in (*kept.listed, *leaving)}
    listed += [
        Entry(row, unix, figures_unix=reading.changed_unix) for market, row in rows.items() if market not in known
    ]
    return replace(kept, listed=tuple(listed), leaving=tuple(leaving))


def _figures_unix(entry: Entry, row: ListRow, reading: MarketList, unix: float) -> float | None:
    """Since when figures stand: those that were the same before, since then; others at most since they were seen."""
    if row.figures != entry.row.figures:
        return unix if reading.changed_unix is None else min(unix, reading.changed_unix)
    return reading.changed_unix if entry.figures_unix is None else entry.figures_unix
