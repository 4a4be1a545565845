"""Which markets of the list are made, drained or left out, and why. Pure.

What is made stays made before anything new is: a market is not displaced by one that promises more. New ones are taken
by expected income while there is room (market-making.md 2.13). What is drained, for whatever reason, is let go when
nothing of ours is left in it, and comes back as any new one does.
"""

from collections.abc import Mapping

import msgspec

from core.market.instrument import Instrument
from core.selection.changes import Entry, Kept
from core.selection.listed import ListRow
from core.views import ListStanding

OFF_LIST = "it is off the market list"
NOT_ENABLED = "it is not enabled on the market list"
LOST = "it was made before, and nobody tells how it is traded now; shares may lie there"


class Judged(msgspec.Struct, frozen=True):
    """What was found out about a row of the list."""

    row: ListRow
    """That it was found out for."""
    instrument: Instrument | None = None
    """What it is traded as; None when that is not known."""
    refusal: str = ""
    """Why its sources do not let it be traded, in words; "" when they do."""
    lags: str = ""
    """What keeps it from being taken up for minutes perhaps, in words; one that is made is not touched by it."""
    passes: bool = False
    """The screen lets it be made, or made on."""
    failure: str = ""
    """Rules of the screen that it fails, in words; they may be while it passes, for its least stay."""
    income: float | None = None
    """Expected dollars a day; None when nobody can say."""
    doubted: bool = False
    """It is made, and the last look was against it: a second one in a row drains it."""

    @property
    def against(self) -> str:
        """What speaks against making it on, in words; "" when nothing does."""
        return self.refusal or ("" if self.passes else f"the screen: {self.failure}")


class Standing(msgspec.Struct, frozen=True):
    """What becomes of one market."""

    standing: ListStanding
    reason: str = ""
    """Why it is not simply made, in words."""

    @property
    def drain(self) -> str:
        """Why only orders that reduce are wanted until nothing is left, in words; "" when it is not drained."""
        return self.reason if self.standing == "draining" else ""


def choose(kept: Kept, judged: Mapping[str, Judged], made: Mapping[str, str], most: int) -> dict[str, Standing]:
    """What becomes of every market that is on the list, still made, or was made by an earlier session.

    One that was taken up before counts as made: shares may lie there. While nobody tells how it is traded it keeps its
    room, and says so.

    Args:
        kept: the list in force.
        judged: what was found out, by market; what was found out for other tokens counts as nothing.
        made: by market that is made: why it is drained now, "" when it is not.
        most: markets that may be made at a time.
    """
    chosen: dict[str, Standing] = {}
    candidates: list[tuple[Entry, Judged | None]] = []
    staying: list[tuple[Entry, Judged | None]] = []
    lost: set[str] = set()
    room = most
    for entry, is_listed in (*((each, False) for each in kept.leaving), *((each, True) for each in kept.listed)):
        market, found = entry.row.market, of_row(entry.row, judged)
        if market not in made and not entry.taken:
            chosen[market] = _of_new(found) if entry.row.enabled else Standing("off")
            if chosen[market] == _CANDIDATE:
                candidates.append((entry, found))
            continue
        room -= 1
        if market not in made and (found is None or found.instrument is None):
            lost.add(market)
        why = OFF_LIST if not is_listed else "" if entry.row.enabled else NOT_ENABLED
        chosen[market] = Standing("draining", why) if why else _of_made(found, made.get(market, ""))
        if chosen[market].standing == "made":
            staying.append((entry, found))
    for entry, _ in sorted(staying, key=_rank_to_stay)[most:]:
        chosen[entry.row.market] = Standing("draining", f"others promise more (max_markets is {most})")
    for n, (entry, _) in enumerate(sorted(candidates, key=_rank)):
        full = f"no room: max_markets is {most}, and what is made is not displaced"
        chosen[entry.row.market] = Standing("made") if n < room else Standing("waiting", full)
    for market in lost:
        standing = chosen[market]
        reason = "; ".join(filter(None, (standing.reason, LOST)))
        chosen[market] = Standing("waiting" if standing.standing == "made" else standing.standing, reason)
    return chosen


_CANDIDATE = Standing("waiting")
"""May be made if there is room."""


def of_row(row: ListRow, judged: Mapping[str, Judged]) -> Judged | None:
    """What was found out, if it was for these tokens."""
    found = judged.get(row.market)
    if found is None or (found.row.yes_token, found.row.no_token) != (row.yes_token, row.no_token):
        return None
    return found


def _of_made(found: Judged | None, drain: str) -> Standing:
    """A market that is made and on the list; where nothing was found out it stays as it is."""
    if found is None:
        return Standing("draining", drain) if drain and drain not in (OFF_LIST, NOT_ENABLED) else Standing("made")
    return Standing("draining", found.against) if found.against else Standing("made")


def _of_new(found: Judged | None) -> Standing:
    """A market that is not made."""
    if found is None:
        return Standing("waiting", "the venue has not been asked about it yet")
    if why := "; ".join(filter(None, (found.refusal, found.lags))):
        return Standing("refused", why)
    if not found.passes:
        return Standing("failed", found.failure)
    return _CANDIDATE if found.instrument is not None else Standing("refused", "nobody tells how it is traded")


def _rank(pair: tuple[Entry, Judged | None]) -> tuple[bool, float]:
    """By expected income; of equal ones in the list's order."""
    income = None if pair[1] is None else pair[1].income
    return income is None, -(income or 0.0)


def _rank_to_stay(pair: tuple[Entry, Judged | None]) -> tuple[bool, bool, float]:
    """Whoever is drained already is behind: estimates move with every look, and nobody is to swap places by them."""
    return pair[0].made_unix is None, *_rank(pair)
