"""The market list of a running session: read now and then, held against what is in force, and carried out.

Owns the list in force, its file and the timer. What the list says is decided in ``core/selection``; what is done in a
market is the engine's. Nothing here can delay trading: readings and looks have deadlines and tasks of their own, long
lists are weighed in a thread, and a list that cannot be read changes nothing.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from core.clock import Clock
from core.config import Settings
from core.errors import ConfigError, ListError, PreflightError, VenueError, VenueUnavailable
from core.events import Event, InstrumentAdded, InstrumentChanged, MarketListed, OperatorCommand
from core.market.changed import same_but_grid
from core.market.instrument import Instrument
from core.runtime.judging import Judging, ReadBooks
from core.runtime.link import CommandResult
from core.runtime.list_news import ListNews, summary
from core.selection.changes import (
    Entry,
    Kept,
    Weighed,
    approved,
    begun,
    bounds_of,
    marked,
    rejected,
    renewed,
    retired,
    weigh,
)
from core.selection.enrich import Sourced
from core.selection.kept import load, save
from core.selection.listed import ListRow, MarketList
from core.selection.provider import Provider
from core.selection.showing import in_order, proposal_view, rejection_notes, standing_view, with_rest
from core.selection.standings import LOST, Judged, Standing, choose, of_row
from core.views import ListedMarketView, ListView, ProposalView

log = logging.getLogger(__name__)

READ_GRACE_SEC: Final = 5.0
"""How much longer than its own deadline a provider is waited for."""
LOOK_SEC: Final = 120.0
"""Longest wait for Gamma and the CLOB; longer when the list is read less often."""
AGAIN_SEC: Final = 30.0
"""Pause before markets are looked at again that may be known to both sources in a moment, or have just been refused."""


class Owner(Protocol):
    """The session, as the list sees it."""

    clock: Clock

    def emit_quietly(self, event: Event) -> None:
        """Journal an event that is no market data, and hand it to the engine."""
        ...

    def note(self, severity: Literal["info", "fill", "warning", "alarm"], text: str, market: str = "") -> None:
        """Tell the operator."""
        ...

    def subscribe(self, token_ids: Sequence[str]) -> None:
        """Hear these tokens too."""
        ...

    def makes(self, market: str) -> bool:
        """The engine has taken a market up that it was told of."""
        ...

    def left_in(self, market: str) -> str:
        """What is left of ours in a market that is to go, in words; "" when nothing is."""
        ...


class Catalogue(Protocol):
    """What :class:`core.selection.enrich.Catalogue` does here."""

    async def look(self, rows: Sequence[ListRow]) -> dict[str, Sourced]:
        """What the venue says of these markets, by market; rows that nobody knows have their reason.

        Raises:
            VenueError: Gamma or the CLOB as a whole does not answer.
        """
        ...


class _Unwritten(ListError):
    """The list that is to be in force is not on the disk."""


class _Plan(NamedTuple):
    """A list that is to be put into force."""

    kept: Kept
    is_new: bool
    """It differs from the one in force."""
    standings: dict[str, Standing]
    added: dict[str, InstrumentAdded]
    """Markets that the engine is to make, or to drain, and did not have."""
    entries: dict[str, Entry]
    markets: tuple[ListedMarketView, ...]
    proposal: ProposalView | None


class Selecting:
    """The list of one session. All methods run on its loop."""

    def __init__(
        self,
        owner: Owner,
        settings: Settings,
        provider: Provider,
        catalogue: Catalogue,
        books: ReadBooks,
        path: Path,
    ) -> None:
        """Nothing is read yet.

        Args:
            owner: the session.
            settings: of the run, with the addresses in use.
            provider: where the list is read.
            catalogue: where the venue is asked about its markets.
            books: reads books to estimate with (:func:`core.selection.books.read_books`); may raise ``VenueError``.
            path: of the list that is kept (:mod:`core.selection.kept`).
        """
        self._owner = owner
        self._clock = owner.clock
        self._settings = settings
        self._provider = provider
        self._catalogue = catalogue
        self._judging = Judging(owner.clock, settings, books)
        self._news = ListNews(owner.note)
        self._path = path
        self._kept: Kept | None = None
        self._is_fixed = False
        """The list cannot change while the session runs: ids in the settings, or all markets of the demo."""
        self._reading: asyncio.Task[MarketList] | None = None
        self._entries: dict[str, Entry] = {}
        self._made: dict[str, MarketListed | None] = {}
        """Markets that the engine has, and what it was told of them last."""
        self._facts: dict[str, Instrument] = {}
        """What the engine was told last of how they are traded."""
        self._standings: dict[str, Standing] = {}
        self._gone: set[str] = set()
        """Markets that the engine makes no longer, or never made; the list on the disk does not know it yet."""
        self._wishes: deque[tuple[Literal["approve", "reject"], str]] = deque()
        """(what, token)."""
        self._wished = asyncio.Event()
        self._asked = asyncio.Event()
        """Somebody wants the list to be read now."""
        self._to_look = asyncio.Event()
        self._again_s: float | None = None
        """When to look at the venue again before the next reading, seconds from the last look."""
        self._lock = asyncio.Lock()
        """Of the list in force: what is decided on it is on the disk before anybody else decides."""
        self._due_s = 0.0
        self._drawn: tuple[ListedMarketView, ...] = ()
        """The markets as they stand by the list alone."""
        self._left: dict[str, str] = {}
        """What else there was to say of them when they were last shown: what is left, why the list in force stays."""
        self._markets_view: tuple[ListedMarketView, ...] = ()
        self._proposal_view: ProposalView | None = None
        self.readings: Counter[str] = Counter()
        """``read`` and ``failed`` ones, for the metrics."""
        self.changes: Counter[str] = Counter()
        """What was put into force, by kind."""

    @property
    def standings(self) -> Mapping[str, int]:
        """Markets by what became of them."""
        return Counter(each.standing for each in self._standings.values())

    # The start

    async def first(self) -> tuple[InstrumentAdded, ...]:
        """Read the list, ask the venue about it, and say which markets are made, drained ones included.

        Raises:
            PreflightError: there is no list, the one that was kept is damaged, or no market of it can be made.
            VenueError: Gamma or the CLOB does not answer.
        """
        try:
            kept = await self._first_list()
            await asyncio.to_thread(save, self._path, kept)
        except ListError as error:
            raise PreflightError(str(error)) from error
        self._kept = kept
        self._due_s = self._clock.monotonic() + self._settings.list_refresh_sec
        try:
            looked = await self._catalogue.look(_rows(kept))
        except VenueUnavailable as error:
            text = "nothing of the market list is made or drained before the venue can be asked about it"
            raise VenueUnavailable(f"{error}; {text}") from error
        self._again_s = AGAIN_SEC if await self._judge(looked) else None
        try:
            added = (await self._decide(kept)).added
        except ListError as error:
            raise PreflightError(str(error)) from error
        for entry in (*kept.listed, *kept.leaving):
            if entry.taken and entry.row.market not in added:
                self._owner.note("warning", LOST, entry.row.market)
        if not added:
            raise PreflightError("no market of the list can be made; `polymm-tui markets screen` shows why")
        self._made = dict.fromkeys(added)
        self._facts = {market: each.instrument for market, each in added.items()}
        return tuple(added.values())

    async def _first_list(self) -> Kept:
        """The list that the session begins with.

        Raises:
            ListError: it cannot be told.
        """
        kept = await asyncio.to_thread(load, self._path)
        unix = self._clock.unix()
        try:
            reading = await self._read()
        except ListError as error:
            if kept is None:
                raise
            self._cannot_read(error, kept)
            if kept.proposal is not None:
                self._news.waits(kept.proposal)
            return kept
        self._has_read(reading)
        self._is_fixed = reading.kind in ("setting", "venue")
        if kept is None:
            return begun(reading, unix)
        weighed = renewed(kept, reading, unix) if self._is_fixed else await self._weigh(kept, reading)
        self._has_weighed(kept, weighed)
        return weighed.kept

    def tell(self) -> None:
        """Tell the engine where every market stands; what it restored of an earlier session knows nothing of it."""
        for market in self._made:
            self._list(market)

    # While it runs

    async def run(self) -> None:
        """Read, look and act until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_reading(), name="list readings")
            group.create_task(self._keep_looking(), name="list looks")
            group.create_task(self._keep_acting(), name="list acts")

    async def close(self) -> None:
        """Wait for no reading any more."""
        if self._reading is not None:
            self._reading.cancel()

    def command(self, command: OperatorCommand) -> CommandResult:
        """Do what an operator asks for of the list; what follows is told in the event log."""
        if command.act == "list_refresh":
            self._asked.set()
            if self._is_fixed:
                return CommandResult(True, "this list is read once, at the start; its markets are looked up now")
            return CommandResult(True, "the market list is read now")
        act: Literal["approve", "reject"] = "approve" if command.act == "list_approve" else "reject"
        try:
            if self._kept is None:
                raise ListError("no market list is in force yet; try again")
            if self._wishes:
                raise ListError("the last answer is being carried out; look again")
            count = len(approved(self._kept, command.confirm, self._clock.unix()).applied)
        except ListError as error:
            return CommandResult(False, str(error))
        except Exception as error:  # as in all that is done for the list: trading does not end by it
            log.exception("list_act_failed")
            return CommandResult(False, f"{type(error).__name__}; the log says more")
        self._wishes.append((act, command.confirm))
        self._wished.set()
        of = f"{count} {'change' if count == 1 else 'changes'} of the market list"
        if act == "approve":
            return CommandResult(True, f"approved: {of}; the event log says when they are in force")
        return CommandResult(True, f"rejected: {of}; not proposed again until the list differs")

    def retired(self, market: str) -> None:
        """Nothing of ours is left in a market that was drained: it is made no longer."""
        told = self._made.pop(market, None)
        self._facts.pop(market, None)
        self._gone.add(market)
        self._judging.unmade.clear()
        why = told.drain if told is not None and told.drain else "it was drained"
        self._owner.note("info", f"made no longer: {why}, and nothing is left in it", market)
        self._wished.set()

    async def _keep_reading(self) -> None:
        while True:
            await _wait(self._asked, self._due_s - self._clock.monotonic())
            self._asked.clear()
            self._due_s = self._clock.monotonic() + self._settings.list_refresh_sec
            if not self._is_fixed:
                await self._refresh()
            self._to_look.set()

    async def _keep_acting(self) -> None:
        while True:
            await self._wished.wait()
            self._wished.clear()
            while self._wishes:
                await self._act(*self._wishes[0])
                self._wishes.popleft()
            if self._gone:
                await self._forget()

    async def _forget(self) -> None:
        """Write down what is gone, and use the room that it has left; a look tries it again."""
        try:
            async with self._lock:
                await self._is_in_force(self._in_force)
        except Exception:  # as in an act; the look tells
            log.exception("list_retirement_failed")
        self._to_look.set()

    async def _act(self, what: Literal["approve", "reject"], token: str) -> None:
        async with self._lock:
            try:
                if what == "reject":
                    await self._enforce(rejected(self._in_force, token))
                    self._news.quiet("proposal", "the changes of the market list were rejected; it stays as it is")
                else:
                    done = approved(self._in_force, token, self._clock.unix())
                    await self._enforce(done.kept)
                    self._news.quiet("proposal", f"the market list was approved: {summary(done.applied)}")
                    self.changes.update(change.kind for change in done.applied)
            except ListError as error:
                self._owner.note("warning", str(error))
            except Exception as error:  # whatever a list makes of our code, what is made is traded on
                log.exception("list_act_failed")
                self._owner.note("alarm", f"the market list stays as it is: {type(error).__name__}; the log says more")
        self._to_look.set()

    async def _keep_looking(self) -> None:
        while True:
            await _wait(self._to_look, self._again_s)
            self._to_look.clear()
            self._again_s = await self._look()

    # Reading

    async def _read(self) -> MarketList:
        """What the provider says, within its deadline.

        Raises:
            ListError: it says nothing of use.
        """
        if self._reading is not None and not self._reading.done():
            raise ListError(f"{self._provider.source}: the last reading has not come back yet")
        self._reading = reading = asyncio.create_task(self._provider.read(), name="market list")
        deadline_s = self._settings.list_deadline_sec + READ_GRACE_SEC
        await asyncio.wait({reading}, timeout=deadline_s)
        if not reading.done():
            reading.cancel()
            raise ListError(f"{self._provider.source}: no answer within {deadline_s:g} s")
        return reading.result()

    async def _refresh(self) -> None:
        """Read the list once, and put into force what of it applies by itself."""
        try:
            reading = await self._read()
            async with self._lock:
                kept = self._in_force
                weighed = await self._weigh(kept, reading)
                is_in_force = await self._is_in_force(weighed.kept)
                self._has_read(reading)
                if is_in_force:
                    self._has_weighed(kept, weighed)
        except ListError as error:
            self._cannot_read(error, self._in_force)
        except Exception as error:  # whatever a list makes of our code, the one in force stays and is traded by
            log.exception("list_reading_failed")
            text = f"{self._provider.source}: {type(error).__name__}; the log says more"
            self._cannot_read(ListError(text), self._in_force)

    async def _is_in_force(self, kept: Kept) -> bool:
        """Put a list into force; False when it could not be written, which is told."""
        try:
            await self._enforce(kept)
        except _Unwritten:
            return False
        return True

    async def _weigh(self, kept: Kept, reading: MarketList) -> Weighed:
        """In a thread: a long list takes longer than the loop may stand still."""
        return await asyncio.to_thread(weigh, kept, reading, bounds_of(self._settings), self._clock.unix())

    def _cannot_read(self, error: ListError, kept: Kept) -> None:
        self.readings["failed"] += 1
        age = _span(self._clock.unix() - kept.read_unix)
        text = "the market list cannot be read, so the one {} stays in force: {}"
        self._news.trouble("list", "alarm", text.format(f"read {age} ago", error), text.format("read before", error))

    def _has_read(self, reading: MarketList) -> None:
        """A list came that can be read, though perhaps not every row of it."""
        self.readings["read"] += 1
        self._news.read(reading)

    def _has_weighed(self, before: Kept, weighed: Weighed) -> None:
        self.changes.update(change.kind for change in weighed.applied)
        self._news.weighed(before, weighed)

    # Looking

    async def _look(self) -> float | None:
        """Ask the venue about the markets of the list; returns the seconds after which to ask again, None for later."""
        rows = _rows(self._in_force)
        try:
            async with asyncio.timeout(max(LOOK_SEC, self._settings.list_refresh_sec)):
                again = await self._judge(await self._catalogue.look(rows))
            async with self._lock:
                again |= not await self._is_in_force(self._in_force)
        except TimeoutError:
            self._blind("Gamma and the CLOB took too long")
            return None
        except VenueError as error:
            self._blind(str(error))
            return None
        except Exception as error:  # as in an act
            log.exception("list_look_failed")
            self._blind(f"{type(error).__name__}; the log says more")
            return None
        self._news.quiet("venue", "the venue tells again how the markets of the list are traded")
        return AGAIN_SEC if again else None

    def _blind(self, why: str) -> None:
        text = f"the markets of the list cannot be looked at: {why}; those that are made go on, new ones wait"
        self._news.trouble("venue", "warning", text)

    async def _judge(self, looked: Mapping[str, Sourced]) -> bool:
        """Judge what was found out; returns whether some market is worth another look soon."""
        for market, sourced in looked.items():
            self._tell_facts(market, sourced.instrument)
        return await self._judging.judge(looked, self._in_force, self._made)

    # Carrying out

    @property
    def _in_force(self) -> Kept:
        assert self._kept is not None, "the list is read before anything runs"
        return self._kept

    async def _enforce(self, kept: Kept) -> None:
        """Put a list into force: on the disk first, then in the engine.

        Raises:
            _Unwritten: it is not on the disk, which is told; everything stays as it was.
        """
        taken = {entry.row.market for entry in (*kept.listed, *kept.leaving) if entry.taken}
        plan, unmade = await self._decide(kept), len(self._judging.unmade)
        for market, standing in plan.standings.items():
            added = plan.added.get(market)
            if added is not None and not self._add(added, standing) and market not in taken:
                self._gone.add(market)
            if market in self._made:
                self._list(market)
        if len(self._judging.unmade) > unmade:
            await self._enforce(self._in_force)

    async def _decide(self, kept: Kept) -> _Plan:
        """What becomes of every market, kept on the disk and shown; the engine is not told yet.

        Raises:
            _Unwritten: as in :meth:`_enforce`.
        """
        gone = set(self._gone)
        for market in gone:
            kept = retired(kept, market)
        made = {market: "" if told is None else told.drain for market, told in self._made.items()}
        plan = await asyncio.to_thread(self._plan, kept, made, dict(self._judging.judged))
        if plan.is_new:
            try:
                await asyncio.to_thread(save, self._path, plan.kept)
            except ListError as error:
                self._news.trouble("disk", "alarm", str(error))
                raise _Unwritten(str(error)) from error
            self._news.quiet("disk", f"the market list is written again: {self._path}")
        self._gone -= gone
        self._kept, self._standings, self._entries = plan.kept, plan.standings, plan.entries
        self._news.left_out(plan.standings, plan.entries, self._judging.judged)
        if self._drawn is not plan.markets:
            self._drawn, self._markets_view, self._left = plan.markets, plan.markets, {}
        self._proposal_view = plan.proposal
        return plan

    def _plan(self, kept: Kept, made: Mapping[str, str], judged: Mapping[str, Judged]) -> _Plan:
        """What becomes of a list, and what is shown of it. Changes nothing: runs in a thread, beside the loop."""
        standings = choose(kept, judged, made, self._settings.max_markets)
        templates = dict(self._judging.shown)
        titles = {name: view.title for name, view in templates.items()}
        kept = marked(kept, self._since(kept, standings), titles, _tokens(judged))
        entries = {entry.row.market: entry for entry in (*kept.leaving, *kept.listed)}
        views = [standing_view(entries[name], each, templates.get(name)) for name, each in standings.items()]
        markets = in_order(views)
        proposal = None
        if kept.proposal is not None:
            proposal = proposal_view(kept.proposal, {name: entry.title for name, entry in entries.items()})
        return _Plan(
            kept,
            kept != self._kept,
            standings,
            dict(_added(standings, entries, judged, {*made, *self._judging.unmade})),
            entries,
            self._drawn if markets == self._drawn else markets,
            self._proposal_view if proposal == self._proposal_view else proposal,
        )

    def _since(self, kept: Kept, standings: Mapping[str, Standing]) -> dict[str, float | None]:
        """Since when each market is made; None for one that is drained."""
        unix = self._clock.unix()
        since: dict[str, float | None] = {}
        for entry in (*kept.leaving, *kept.listed):
            match standings.get(entry.row.market):
                case Standing(standing="made"):
                    since[entry.row.market] = unix if entry.made_unix is None else entry.made_unix
                case Standing(standing="draining"):
                    since[entry.row.market] = None
        return since

    def _add(self, added: InstrumentAdded, standing: Standing) -> bool:
        """Let a market be made from here on; False when the engine cannot, which is told."""
        market = added.instrument.market
        try:
            self._owner.emit_quietly(added)
        except ConfigError as error:
            self._judging.refuse(market, str(error))
            self._owner.note("alarm", self._judging.unmade[market], market)
            return False
        if not self._owner.makes(market):
            self._judging.refuse(market, "the engine has not taken it up, and said why")
            return False
        self._made[market], self._facts[market] = None, added.instrument
        what = "to be drained" if standing.drain else "on the market list"
        self._owner.note("info", f"{what}: it is made from here on", market)
        self._owner.subscribe((added.instrument.yes_token, added.instrument.no_token))
        self._list(market)
        return True

    def _tell_facts(self, market: str, told: Instrument | None) -> None:
        """Tell the engine what both sources say now of a market that is made, if it is something else."""
        known = self._facts.get(market)
        if known is not None and told is not None and not same_but_grid(known, told):
            self._facts[market] = told
            self._owner.emit_quietly(InstrumentChanged(told))

    def _list(self, market: str) -> None:
        """Tell the engine where a market stands, if it does not know."""
        standing, row = self._standings[market], self._entries[market].row
        told = MarketListed(
            market=market, drain=standing.drain, retires=bool(standing.drain), profile=row.profile, max_usd=row.max_usd
        )
        if self._made[market] != told:
            self._made[market] = told
            self._owner.emit_quietly(told)

    def view(self, now: float) -> ListView:
        """The list as it stands.

        Args:
            now: monotonic seconds.
        """
        kept = self._kept
        left = dict(self._news.held)
        for market in (market for market, told in self._made.items() if told is not None and told.drain):
            if text := self._owner.left_in(market):
                left[market] = "; ".join(filter(None, (left.get(market), text)))
        if left != self._left:
            self._left = left
            self._markets_view = tuple(with_rest(each, left.get(each.market, "")) for each in self._drawn)
        return ListView(
            source=self._provider.source,
            trouble=self._news.trouble_words,
            read_unix=None if kept is None else kept.read_unix,
            next_s=None if kept is None else max(0.0, self._due_s - now),
            markets=self._markets_view,
            rejected=self._news.rejected,
            notes=(*self._news.notes, *(() if kept is None else rejection_notes(kept))),
            proposal=self._proposal_view,
        )


def _added(
    standings: Mapping[str, Standing], entries: Mapping[str, Entry], judged: Mapping[str, Judged], but: Container[str]
) -> Iterator[tuple[str, InstrumentAdded]]:
    """Markets that the engine is to make, or to drain: all ``but`` those that it has, or cannot take up."""
    for market, standing in standings.items():
        row = entries[market].row
        found = of_row(row, judged)
        if market in but or standing.standing not in ("made", "draining") or found is None:
            continue
        if found.instrument is not None:
            yield market, InstrumentAdded(instrument=found.instrument, profile=row.profile, max_usd=row.max_usd)


def _tokens(judged: Mapping[str, Judged]) -> dict[str, tuple[str, str]]:
    """YES and NO of every market of which they are known."""
    found = ((market, one.instrument) for market, one in judged.items())
    return {market: (told.yes_token, told.no_token) for market, told in found if told is not None}


def _rows(kept: Kept) -> list[ListRow]:
    """Rows of which it matters how the venue trades them."""
    return [entry.row for entry in (*kept.listed, *kept.leaving) if entry.row.enabled or entry.taken]


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    """Until an event is set, at most so long; None for however long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), None if seconds is None else max(0.0, seconds))


def _span(seconds: float) -> str:
    """A time for people."""
    for limit, unit_s, name in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (172_800.0, 3_600.0, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / unit_s:.0f} {name}"
    return f"{seconds / 86_400.0:.0f} days"
