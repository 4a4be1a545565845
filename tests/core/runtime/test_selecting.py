"""The market list of a running session: what it reads, tells, keeps, and never lets stand in the way of trading."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.clock import ManualClock
from core.config import Settings
from core.errors import ConfigError, ListError, PreflightError, VenueUnavailable
from core.events import Event, InstrumentAdded, InstrumentChanged, MarketListed, OperatorCommand
from core.market.instrument import Instrument
from core.runtime import judging as judging_module
from core.runtime import list_news as news_module
from core.runtime import selecting as selecting_module
from core.runtime.selecting import AGAIN_SEC, Selecting
from core.selection import kept as kept_module
from core.selection import screen as screen_module
from core.selection.changes import Kept
from core.selection.enrich import Sourced
from core.selection.income import Book, Income, IncomeInputs
from core.selection.kept import load, save
from core.selection.listed import ListRow, MarketList, RejectedRow
from core.units import Shares, Ticks, Usd
from core.venue.clob_params import ClobParams
from core.venue.gamma import GammaMarket
from core.views import ListedMarketView, ListView
from tests.builders import a_market, shares
from tests.core.selection.test_changes import market, row, unusable
from tests.loopback.jumping import jumping_runner

REFRESH = 300.0
PLAIN = Settings(min_trend=0.0, list_refresh_sec=REFRESH, list_shrink_frac=0.5)


def broken(*arguments: Any) -> Any:
    raise ZeroDivisionError


class Sheet:
    """A provider that says what it is told to say."""

    source = "a sheet"

    def __init__(self, *numbers: int) -> None:
        self.rows: tuple[ListRow, ...] = tuple(row(n) for n in numbers)
        self.rejected: tuple[RejectedRow, ...] = ()
        self.error: BaseException | None = None
        self.hangs: asyncio.Event | None = None
        self.kind: Any = "sheet"
        self.reads = 0

    def of(self, *numbers: int) -> None:
        self.rows = tuple(row(n) for n in numbers)

    async def read(self) -> MarketList:
        self.reads += 1
        if self.hangs is not None:
            while not self.hangs.is_set():
                try:
                    await self.hangs.wait()
                except asyncio.CancelledError:
                    continue  # what hangs in a thread does not hear that either
        if self.error is not None:
            raise self.error
        return MarketList(self.source, self.kind, self.rows, self.rejected)


class Venue:
    """A catalogue whose markets all pass, unless told otherwise."""

    def __init__(self) -> None:
        self.liquidity: dict[str, float] = {}
        self.refusals: dict[str, str] = {}
        self.lags: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.facts: dict[str, dict[str, Any]] = {}
        """What instruments have beside what they need."""
        self.half_known: set[str] = set()
        """Markets that the CLOB says nothing of."""
        self.error: Exception | None = None
        self.hangs = False
        self.notes: tuple[str, ...] = ()
        self.asked: list[list[str]] = []
        self.depths: dict[str, Book] = {}
        self.books_of: list[int] = []
        """Numbers of the markets whose books were read."""
        self.books_error: Exception | None = None

    async def look(self, rows: Sequence[ListRow]) -> dict[str, Sourced]:
        self.asked.append([each.market for each in rows])
        await asyncio.sleep(0.5)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return {each.market: self._sourced(each) for each in rows}

    def _sourced(self, each: ListRow) -> Sourced:
        name = each.market
        if name in self.unknown:
            return Sourced(each, None, None, None, (), ("the CLOB: not known to it yet",), ())
        yes, no = each.yes_token or "1", each.no_token or "2"
        instrument = a_market(market=name, yes=yes, no=no, title=f"Will {int(name, 16)}?", **self.facts.get(name, {}))
        liquidity = self.liquidity.get(name, 1e6)
        found = GammaMarket(instrument, liquidity, 1e6, 2e6, True, volume_24h=1e5, mid=0.5, spread=0.01)
        if name in self.half_known:
            return Sourced(each, found, None, None, (), ("the CLOB: no answer",), ())
        params = ClobParams(name, ("yes", "no"), (yes, no), "0.01", Shares(5_000_000), "5", True)
        refusals = (self.refusals[name],) if name in self.refusals else ()
        lags = (self.lags[name],) if name in self.lags else ()
        return Sourced(each, found, params, instrument, refusals, lags, self.notes)

    async def books(self, instruments: Sequence[Instrument]) -> dict[str, Book]:
        """Books with more or less depth."""
        self.books_of += [int(each.market, 16) for each in instruments]
        if self.books_error is not None:
            raise self.books_error
        return {each.market: self.depths[each.market] for each in instruments if each.market in self.depths}


class Stage:
    """A list, what it tells, and time."""

    def __init__(self, root: Path, clock: ManualClock, sheet: Sheet, venue: Venue, settings: Settings) -> None:
        self.clock = clock
        self.sheet = sheet
        self.venue = venue
        self.path = root / kept_module.NAME
        self.events: list[Event] = []
        self.notes: list[tuple[str, str]] = []
        self.heard: list[str] = []
        self.left = ""
        self.clashes: set[str] = set()
        """Markets that the engine does not take up."""
        self.errors: dict[str, Exception | None] = {}
        """What it says when it is told of them."""
        self.list = Selecting(self, settings, sheet, venue, venue.books, self.path)
        self._task: asyncio.Task[None] | None = None

    def emit_quietly(self, event: Event) -> None:
        if isinstance(event, InstrumentAdded) and (error := self.errors.get(event.instrument.market)):
            raise error
        self.events.append(event)

    def note(self, severity: Any, text: str, market: str = "") -> None:
        self.notes.append((severity, text))

    def subscribe(self, token_ids: Sequence[str]) -> None:
        self.heard += token_ids

    def makes(self, market: str) -> bool:
        return market not in self.clashes

    def left_in(self, market: str) -> str:
        return self.left

    async def begin(self) -> list[int]:
        """Start as a session does; returns the numbers of the markets that are made."""
        added = await self.list.first()
        self.list.tell()
        self._task = asyncio.create_task(self.list.run())
        return sorted(int(each.instrument.market, 16) for each in added)

    async def end(self) -> None:
        if self.sheet.hangs is not None:
            self.sheet.hangs.set()
        if self._task is not None:
            assert not self._task.done(), self._task.exception()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.list.close()

    async def readings(self, count: int = 1) -> None:
        """Let the list be read so often."""
        await asyncio.sleep(REFRESH * count)
        await self.looks()

    async def looks(self) -> None:
        """Let a look at the venue that has begun end."""
        await asyncio.sleep(2.0)

    def drains(self) -> dict[int, str]:
        """Why each market is drained as the engine was last told; "" for one that is made."""
        told = {event.market: event for event in self.events if isinstance(event, MarketListed)}
        return {int(name, 16): event.drain for name, event in sorted(told.items())}

    def last(self, n: int) -> MarketListed:
        return next(e for e in reversed(self.events) if isinstance(e, MarketListed) and e.market == market(n))

    def added(self) -> list[int]:
        """Numbers of the markets that were added while it ran."""
        return [int(event.instrument.market, 16) for event in self.events if isinstance(event, InstrumentAdded)]

    def changed(self) -> list[InstrumentChanged]:
        """What was told otherwise of markets that are made."""
        return [event for event in self.events if isinstance(event, InstrumentChanged)]

    def told(self, severity: str) -> list[str]:
        return [text for kind, text in self.notes if kind == severity]

    def view(self) -> ListView:
        return self.list.view(self.clock.monotonic())

    def shown(self, n: int) -> ListedMarketView:
        return next(each for each in self.view().markets if each.market == market(n))

    def kept(self) -> Kept:
        kept = load(self.path)
        assert kept is not None
        return kept

    def act(self, act: Any, token: str = "") -> tuple[bool, str]:
        result = self.list.command(OperatorCommand(act=act, confirm=token))
        return result.done, result.text


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Plays a scene on a clock that jumps; ``kept`` is what an earlier session left."""
    tmp_path.chmod(0o700)

    def run(
        scene: Callable[[Stage], Coroutine[Any, Any, None]],
        *numbers: int,
        kept: Kept | None = None,
        sheet: Sheet | None = None,
        venue: Venue | None = None,
        settings: Settings = PLAIN,
    ) -> None:
        clock = ManualClock(unix=1_790_000_000.0)
        if kept is not None:
            save(tmp_path / kept_module.NAME, kept)

        async def whole() -> None:
            stage = Stage(tmp_path, clock, sheet or Sheet(*numbers), venue or Venue(), settings)
            try:
                await scene(stage)
            finally:
                await stage.end()

        with jumping_runner(clock) as runner:
            runner.run(whole())

    return run


Play = Callable[..., None]


# The start


def test_a_first_start_takes_the_list_as_it_is_and_keeps_it(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert await stage.begin() == [1, 2]
        assert [entry.taken for entry in stage.kept().listed] == [True, True], "on the disk before it is made"
        assert stage.drains() == {1: "", 2: ""}, "told of every one, also that it is not drained"
        assert stage.told("alarm") == []

    play(scene, 1, 2)


def test_a_start_without_its_sheet_goes_on_with_the_last_list_and_its_age(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        stage.sheet.error = ListError("a sheet: 403: share it with the service account")
        await asyncio.sleep(3 * 3600)
        assert await stage.begin() == [1, 2]
        assert stage.told("alarm") == [
            "the market list cannot be read, so the one read 3 h ago stays in force: "
            "a sheet: 403: share it with the service account"
        ]
        assert stage.view().trouble.endswith(
            "so the one read before stays in force: a sheet: 403: share it with the service account"
        ), "no age, which would be that of the first time"
        stage.sheet.error = None
        await stage.readings()
        assert stage.view().trouble == "" and "can be read again" in stage.told("info")[0]

    play(first, 1, 2)
    play(second, 1, 2)


def test_a_start_with_nothing_to_go_by_says_so(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.sheet.error = ListError("a sheet: 404: no such sheet")
        with pytest.raises(PreflightError, match="404"):
            await stage.list.first()

    play(scene, 1)


def test_a_damaged_list_stops_the_start_with_a_word_and_is_not_guessed(play: Play, tmp_path: Path) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        content = stage.path.read_bytes()
        stage.path.write_bytes(content[:-7])
        with pytest.raises(PreflightError, match=r"markets\.json: it is not whole.*Move the file away"):
            await stage.list.first()

    play(first, 1, 2)
    play(second, 1, 2)


def test_a_start_with_half_a_list_makes_the_kept_one_and_asks(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3, 4]
        assert len(stage.told("alarm")) == 1 and "3 of 4 markets would leave" in stage.told("alarm")[0]

    play(first, 1, 2, 3, 4)
    play(second, 1)


def test_what_waits_is_asked_again_by_the_next_session_with_or_without_its_sheet(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()

    async def second(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3, 4]
        assert len(stage.told("alarm")) == 1
        proposal = stage.view().proposal
        assert proposal is not None and proposal.since_unix == 1_790_000_000.0 + REFRESH, "since it was first read"

    async def third(stage: Stage) -> None:
        stage.sheet.error = ListError("a sheet: 403")
        await stage.begin()
        assert len(stage.told("alarm")) == 2, "that it waits, and that it cannot be read"
        proposal = stage.view().proposal
        assert proposal is not None and stage.act("list_approve", proposal.token)[0]
        await stage.looks()
        assert {n for n, why in stage.drains().items() if why} == {2, 3, 4}

    play(first, 1, 2, 3, 4)
    play(second, 1)
    play(third, 1)


def test_a_market_that_was_draining_is_drained_on_after_a_restart(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        await stage.readings(2)
        assert stage.last(4).retires

    async def second(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3, 4]
        assert stage.last(4).drain == "it is off the market list" and stage.last(4).retires
        stage.list.retired(market(4))
        await stage.looks()
        assert stage.kept().leaving == () and [entry.row.market for entry in stage.kept().listed] == list(
            map(market, (1, 2, 3))
        )

    async def third(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3]

    play(first, 1, 2, 3, 4)
    play(second, 1, 2, 3)
    play(third, 1, 2, 3)


def test_ids_in_the_settings_are_the_list_and_the_others_drain(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        stage.sheet.kind = "setting"
        assert await stage.begin() == [1, 2, 3, 9]
        assert {n: bool(why) for n, why in stage.drains().items()} == {1: True, 2: True, 3: True, 9: False}
        reads = stage.sheet.reads
        await stage.readings(2)
        assert stage.sheet.reads == reads and len(stage.venue.asked) == 3, "they cannot change; the venue can"
        assert stage.act("list_refresh") == (
            True,
            "this list is read once, at the start; its markets are looked up now",
        )
        await stage.looks()
        assert stage.sheet.reads == reads and len(stage.venue.asked) == 4

    play(first, 1, 2, 3)
    play(second, 9)


def test_nothing_that_passes_is_no_session(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.venue.liquidity[market(1)] = 1.0
        with pytest.raises(PreflightError, match="no market of the list can be made"):
            await stage.begin()
        assert any("left out for liquidity" in text for text in stage.told("warning"))

    play(scene, 1)


def test_a_market_made_before_that_nobody_knows_any_more_is_named(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        stage.venue.unknown.add(market(2))
        assert await stage.begin() == [1]
        assert any("nobody tells how it is traded now" in text for text in stage.told("warning"))
        stage.venue.unknown.clear()
        await stage.readings()
        assert stage.added() == [2] and stage.last(2).drain == ""

    play(first, 1, 2)
    play(second, 1, 2)


def test_a_kept_market_that_takes_no_orders_is_there_and_drained(play: Play) -> None:
    """Shares may be held in it."""

    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        stage.venue.refusals[market(2)] = "the CLOB takes no orders here"
        assert await stage.begin() == [1, 2]
        assert stage.drains() == {1: "", 2: ""}, "said once"
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.drains() == {1: "", 2: "the CLOB takes no orders here"} and stage.last(2).retires

    play(first, 1, 2)
    play(second, 1, 2)


@pytest.mark.parametrize("how", ["off the list", "not enabled"])
def test_a_market_that_was_draining_and_is_not_known_at_a_start_is_drained_as_soon_as_it_is(
    play: Play, how: str
) -> None:
    """Shares may lie there; one 404 at the one look of the start must not leave them alone for the whole session."""

    def say(stage: Stage) -> None:
        stage.sheet.rows = tuple(row(n) for n in (1, 2, 3, 4))
        if how == "not enabled":
            stage.sheet.rows += (row(5, enabled=False),)

    async def first(stage: Stage) -> None:
        await stage.begin()
        say(stage)
        await stage.readings(2)
        assert stage.drains()[5]

    async def second(stage: Stage) -> None:
        say(stage)
        stage.venue.unknown.add(market(5))
        assert await stage.begin() == [1, 2, 3, 4]
        assert any("shares may lie there" in text for text in stage.told("warning"))
        assert stage.shown(5).standing == "draining" and "nobody tells" in stage.shown(5).reason
        stage.venue.unknown.clear()
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.added() == [5] and stage.last(5).drain.endswith("the market list") and stage.last(5).retires
        assert stage.heard == ["15", "25"] and stage.shown(5).standing == "draining"
        stage.list.retired(market(5))
        await stage.looks()
        await stage.readings()
        assert stage.added() == [5] and stage.kept().leaving == ()

    play(first, 1, 2, 3, 4, 5)
    play(second)


def test_a_made_market_that_is_not_known_at_a_start_keeps_its_room(play: Play) -> None:
    settings = Settings(min_trend=0.0, max_markets=2)

    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        stage.sheet.of(1, 2, 3)
        stage.venue.unknown.add(market(2))
        assert await stage.begin() == [1] and stage.shown(3).standing == "waiting"
        stage.venue.unknown.clear()
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.added() == [2] and stage.last(2).drain == "" and stage.shown(3).standing == "waiting"

    play(first, 1, 2, settings=settings)
    play(second, settings=settings)


def test_a_start_looks_twice_at_what_is_said_against_a_made_market(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        made_unix = stage.kept().listed[0].made_unix
        stage.venue.refusals[market(1)] = "the CLOB takes no orders here"
        assert await stage.begin() == [1, 2]
        stage.venue.refusals.clear()
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.drains() == {1: "", 2: ""} and stage.kept().listed[0].made_unix == made_unix

    play(first, 1, 2)
    play(second, 1, 2)


def test_a_new_market_that_is_not_known_yet_at_a_start_is_looked_at_again_soon(play: Play) -> None:
    """reliability.md D11, also then."""

    async def scene(stage: Stage) -> None:
        stage.venue.unknown.add(market(2))
        assert await stage.begin() == [1]
        await asyncio.sleep(AGAIN_SEC + 2)
        stage.venue.unknown.clear()
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.added() == [2]

    play(scene, 1, 2)


def test_a_start_without_the_venue_says_what_that_means_for_the_list(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.venue.error = VenueUnavailable("Gamma: ReadTimeout")
        with pytest.raises(
            VenueUnavailable, match=r"Gamma: ReadTimeout; nothing of the market list is made or drained"
        ):
            await stage.list.first()

    play(scene, 1)


# While it runs


def test_additions_are_made_while_it_runs(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.rows = (*stage.sheet.rows, row(3, profile="careful", max_usd=Usd(5)))
        await stage.readings()
        added = next(event for event in stage.events if isinstance(event, InstrumentAdded))
        assert (added.instrument.market, added.profile, added.max_usd) == (market(3), "careful", 5)
        at = stage.events.index(added)
        assert stage.events[at + 1] == MarketListed(market(3), "", False, "careful", Usd(5))
        assert stage.heard == ["13", "23"]
        assert stage.kept().listed[-1].taken and stage.shown(3).standing == "made"

    play(scene, 1, 2)


def test_an_unreadable_list_changes_nothing_and_is_one_alarm_until_it_is_over(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        events = len(stage.events)
        for error in (ListError("a sheet: 403"), ListError("a sheet: 429"), ValueError("a bug"), ListError("empty")):
            stage.sheet.error = error
            await stage.readings(3)
        assert len(stage.told("alarm")) == 1 and len(stage.events) == events
        assert stage.view().trouble.endswith("empty"), "the newest reason is shown"
        stage.sheet.error = None
        await stage.readings(2)
        assert len(stage.told("alarm")) == 1 and len(stage.told("info")) == 1
        assert stage.list.readings == {"read": 3, "failed": 12}

    play(scene, 1, 2)


def test_a_removal_drains_after_the_second_reading_and_is_forgotten_when_nothing_is_left(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2)
        await stage.readings()
        assert stage.drains()[3] == ""
        await stage.readings()
        assert stage.drains()[3] == "it is off the market list" and stage.last(3).retires
        assert stage.shown(3).standing == "draining"
        stage.left = "5 YES held"
        assert stage.shown(3).reason == "it is off the market list; 5 YES held" and stage.shown(2).reason == ""
        assert stage.view().markets is stage.view().markets
        stage.list.retired(market(3))
        await stage.looks()
        assert market(3) not in [each.market for each in stage.view().markets] and stage.kept().leaving == ()
        stage.sheet.of(1, 2, 3)
        await stage.readings()
        assert stage.added() == [3] and stage.last(3).drain == "", "it may come back"

    play(scene, 1, 2, 3)


def test_one_that_comes_back_while_it_drains_is_made_again(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2)
        await stage.readings(2)
        stage.sheet.of(1, 2, 3)
        await stage.readings()
        assert stage.drains()[3] == "" and not stage.last(3).retires and stage.added() == []

    play(scene, 1, 2, 3)


def test_half_a_list_is_one_alarm_and_waits_for_an_answer(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        events = len(stage.events)
        stage.sheet.of(1)
        await stage.readings(4)
        assert len(stage.told("alarm")) == 1 and len(stage.events) == events
        proposal = stage.view().proposal
        assert proposal is not None and [line.kind for line in proposal.lines] == ["remove"] * 3
        assert [line.title for line in proposal.lines] == ["Will 2?", "Will 3?", "Will 4?"]
        assert stage.kept().proposal is not None, "a restart still asks"
        assert stage.act("list_approve", "other")[0] is False and len(stage.events) == events
        assert stage.act("list_approve", proposal.token) == (
            True,
            "approved: 3 changes of the market list; the event log says when they are in force",
        )
        assert stage.act("list_approve", proposal.token)[0] is False, "once"
        await stage.looks()
        assert {n for n, why in stage.drains().items() if why} == {2, 3, 4}
        assert stage.view().proposal is None and stage.kept().proposal is None
        assert stage.told("info") == ["the market list was approved: 3 taken off, to be drained"]
        assert stage.list.changes == {"remove": 3}
        assert stage.act("list_approve", proposal.token)[0] is False

    play(scene, 1, 2, 3, 4)


def test_what_is_rejected_is_not_asked_again(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()
        token = stage.view().proposal.token  # type: ignore[union-attr]
        assert stage.act("list_reject", token)[0]
        await stage.readings(3)
        assert stage.view().proposal is None and len(stage.told("alarm")) == 1
        stage.sheet.of(2)
        await stage.readings()
        assert len(stage.told("alarm")) == 2, "other changes are another question"

    play(scene, 1, 2, 3, 4)


def test_what_was_rejected_is_said_as_long_as_the_list_asks_for_it(play: Play) -> None:
    """Or nobody sees that the list in force is not what the sheet says; nor does it keep a lower limit from holding."""

    async def first(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()
        assert stage.act("list_reject", stage.view().proposal.token)[0]  # type: ignore[union-attr]
        await stage.readings(2)
        assert stage.view().notes == ("3 changes of the list that were rejected are not done",)
        read_unix = stage.view().read_unix
        stage.sheet.rows = (row(1, max_usd=Usd(7)),)
        await stage.readings()
        assert stage.shown(1).max_usd == 7 and stage.view().read_unix == read_unix + REFRESH  # type: ignore[operator]
        assert set(stage.drains().values()) == {""} and stage.view().notes

    async def second(stage: Stage) -> None:
        stage.sheet.rows = (row(1, max_usd=Usd(7)),)
        await stage.begin()
        assert stage.view().notes and stage.view().proposal is None, "also after a restart"
        stage.sheet.of(1, 2, 3, 4)
        stage.sheet.rows = (row(1, max_usd=Usd(7)), *stage.sheet.rows[1:])
        await stage.readings()
        assert stage.view().notes == ()

    play(first, 1, 2, 3, 4)
    play(second)


def test_a_market_for_which_the_list_in_force_stays_says_why(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.rows = (row(1, yes_token="21", no_token="11"), row(2), row(3))
        await stage.readings()
        assert [stage.shown(n).standing for n in (1, 4)] == ["made", "made"]
        assert stage.shown(1).reason.startswith("its row has other token ids")
        assert stage.shown(4).reason.startswith("it was missing once") and stage.shown(2).reason == ""
        stage.sheet.of(1, 2, 3, 4)
        await stage.readings()
        assert {stage.shown(n).reason for n in (1, 4)} == {""}

    play(scene, 1, 2, 3, 4)


def test_a_sheet_that_is_sorted_says_nothing_new(play: Play) -> None:
    """Row numbers move, and with them the words of what is wrong."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        for n in range(4):
            stage.sheet.rows = (row(1, row=20 + n, yes_token="21", no_token="11"), row(2))
            stage.sheet.rejected = (RejectedRow(9 + n, "market_id", "x", f"a repetition of row {n}"),)
            await stage.readings()
        assert len(stage.told("warning")) == 2, stage.told("warning")
        stage.sheet.rejected *= 2
        await stage.readings()
        assert len(stage.told("warning")) == 3, "one row more is news"

    play(scene, 1, 2)


def test_two_requests_within_a_moment_take_no_row_off(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        for _ in range(3):
            stage.act("list_refresh")
            await asyncio.sleep(5)
        assert set(stage.drains().values()) == {""}
        await stage.readings()
        assert {n for n, why in stage.drains().items() if why} == {4}

    play(scene, 1, 2, 3, 4)


def test_ids_of_the_settings_keep_the_tokens_that_the_venue_told(play: Play) -> None:
    """When a sheet takes their place."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        assert [entry.tokens for entry in stage.kept().listed] == [("1", "2")]

    sheet = Sheet(1)
    sheet.rows, sheet.kind = (row(1, yes_token="", no_token=""),), "setting"
    play(scene, sheet=sheet)


def test_a_list_that_is_whole_again_is_told_once(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()
        stage.sheet.of(2)
        await stage.readings()
        assert len(stage.told("alarm")) == 1 and any("what waits" in text for text in stage.told("warning"))
        stage.sheet.of(1, 2, 3, 4)
        await stage.readings(2)
        assert stage.told("info") == ["nothing of the market list waits any more"]

    play(scene, 1, 2, 3, 4)


def test_rows_that_cannot_be_used_are_told_once_and_shown(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.rows, stage.sheet.rejected = (row(1),), (unusable(2),)
        await stage.readings(3)
        assert len([text for text in stage.told("warning") if "row 9, market_id" in text]) == 1
        assert len([text for text in stage.told("warning") if "its row cannot be used" in text]) == 1
        assert [each.value for each in stage.view().rejected] == ["1E+76"]
        assert stage.drains() == {1: "", 2: ""}

    play(scene, 1, 2)


def test_narrower_limits_reach_the_engine_at_the_next_reading(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.rows = (row(1, max_usd=Usd(7)), row(2))
        await stage.readings()
        assert stage.last(1).max_usd == 7 and stage.last(2).max_usd is None

    play(scene, 1, 2)


def test_refresh_reads_now(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        assert stage.act("list_refresh")[0]
        await stage.looks()
        assert stage.added() == [3]
        assert stage.view().next_s == pytest.approx(REFRESH - 2, abs=1)

    play(scene, 1, 2)


# What hangs, and who is out


def test_a_provider_that_hangs_for_ever_is_a_trouble_and_nothing_waits_for_it(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.hangs = asyncio.Event()
        reads = stage.sheet.reads
        await stage.readings(5)
        assert stage.sheet.reads == reads + 1, "no reading is begun beside one that hangs"
        assert len(stage.told("alarm")) == 1 and "has not come back" in stage.view().trouble
        assert len(stage.venue.asked) >= 5, "the venue is looked at all the same"
        stage.sheet.hangs.set()
        await stage.readings()
        assert stage.view().trouble == ""

    play(scene, 1, 2)


def test_a_reading_has_the_deadline_that_is_set(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.hangs = asyncio.Event()
        await asyncio.sleep(REFRESH + 7.0)
        assert stage.view().trouble == ""
        await asyncio.sleep(selecting_module.READ_GRACE_SEC + 1.0)
        assert "no answer within 12 s" in stage.view().trouble

    play(scene, 1, settings=Settings(min_trend=0.0, list_deadline_sec=7.0, list_refresh_sec=REFRESH))


def test_an_approval_waits_for_no_reading_that_hangs(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()
        stage.sheet.hangs = asyncio.Event()
        await asyncio.sleep(REFRESH)
        proposal = stage.view().proposal
        assert proposal is not None
        stage.act("list_approve", proposal.token)
        await stage.looks()
        assert {n for n, why in stage.drains().items() if why} == {2, 3}

    play(scene, 1, 2, 3)


def test_a_venue_that_is_out_changes_nothing_for_what_is_made_and_is_one_notice(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.venue.error = VenueUnavailable("Gamma, /markets: no answer")
        stage.sheet.of(1, 2, 3)
        events = len(stage.events)
        await stage.readings(4)
        assert len(stage.events) == events and stage.told("alarm") == []
        assert len([text for text in stage.told("warning") if "Gamma" in text]) == 1
        assert stage.shown(3).standing == "waiting" and "Gamma" in stage.view().trouble
        stage.venue.error = RuntimeError("a bug")
        await stage.readings()
        assert "RuntimeError" in stage.view().trouble
        stage.venue.error = None
        await stage.readings()
        assert stage.added() == [3] and stage.view().trouble == ""
        assert len([text for text in stage.told("info") if "venue tells again" in text]) == 1

    play(scene, 1, 2)


def test_a_market_that_is_not_known_yet_is_looked_at_again_for_three_minutes(play: Play) -> None:
    """reliability.md D11."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2)
        stage.venue.unknown.add(market(2))
        await stage.readings()
        assert stage.shown(2).standing == "refused" and "not known to it yet" in stage.shown(2).reason
        before = len(stage.venue.asked)
        await asyncio.sleep(100)
        assert len(stage.venue.asked) == before + 3
        assert stage.venue.asked[-1] == [market(1), market(2)], "all of the list, for the sizes of events"
        stage.venue.unknown.clear()
        await asyncio.sleep(AGAIN_SEC + 2)
        assert stage.added() == [2]
        count = len(stage.venue.asked)
        await asyncio.sleep(100)
        assert len(stage.venue.asked) == count

    play(scene, 1)


def test_a_market_that_stays_unknown_is_not_asked_for_for_ever(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2)
        stage.venue.unknown.add(market(2))
        await stage.readings(4)
        before = len(stage.venue.asked)
        await stage.readings(4)
        assert len(stage.venue.asked) == before + 4

    play(scene, 1)


def test_one_source_that_falls_silent_neither_drains_nor_screens_a_made_market(play: Play) -> None:
    """reliability.md D10."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.venue.unknown.add(market(1))
        stage.venue.half_known.add(market(2))
        await stage.readings(5)
        assert stage.drains() == {1: "", 2: ""} and stage.shown(1).standing == "made"

    play(scene, 1, 2, settings=Settings(min_trend=0.0, screen_min_stay_sec=0.0, list_refresh_sec=REFRESH))


def test_a_catalogue_that_hangs_for_ever_is_one_warning_and_readings_go_on(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.venue.hangs = True
        reads = stage.sheet.reads
        stage.sheet.of(1, 2, 3)
        await stage.readings(5)
        assert stage.sheet.reads == reads + 5 and "took too long" in stage.view().trouble
        assert len([text for text in stage.told("warning") if "took too long" in text]) == 1
        stage.venue.hangs = False
        await stage.readings(2)
        assert stage.view().trouble == "" and stage.added() == [3]

    play(scene, 1, 2)


@pytest.mark.parametrize("of", ["refusals", "liquidity"])
def test_what_speaks_against_a_made_market_drains_it_when_it_is_said_twice(play: Play, of: str) -> None:
    against: Any = "Gamma and the CLOB name different tokens" if of == "refusals" else 1.0

    async def scene(stage: Stage) -> None:
        await stage.begin()
        getattr(stage.venue, of)[market(1)] = against
        await asyncio.sleep(REFRESH + 2)
        assert stage.drains()[1] == ""
        getattr(stage.venue, of).clear()
        await stage.readings(2)
        assert stage.drains()[1] == "", "it was a moment"
        getattr(stage.venue, of)[market(1)] = against
        await asyncio.sleep(REFRESH + AGAIN_SEC + 4)
        assert stage.drains()[1] == (
            "Gamma and the CLOB name different tokens" if of == "refusals" else "the screen: liquidity, score"
        )
        assert stage.last(1).retires and stage.kept().listed[0].made_unix is None
        getattr(stage.venue, of).clear()
        await stage.readings()
        assert stage.drains()[1] == "" and stage.kept().listed[0].made_unix is not None

    play(scene, 1, 2, settings=Settings(min_trend=0.0, screen_min_stay_sec=0.0))


@pytest.mark.parametrize("name", ["weigh", "find_out", "choose", "marked", "rejected_views", "proposal_view"])
def test_an_error_of_our_own_stops_no_trading(play: Play, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lists and catalogues hold what nobody has thought of; what is made goes on with the list in force."""

    async def scene(stage: Stage) -> None:
        await stage.begin()

        places = {"find_out": judging_module, "rejected_views": news_module}
        monkeypatch.setattr(places.get(name, selecting_module), name, broken)
        stage.sheet.of(1, 2, 3)
        await stage.readings(2)
        assert "ZeroDivisionError; the log says more" in stage.view().trouble
        monkeypatch.undo()
        await stage.readings()
        assert stage.view().trouble == "" and stage.added() == [3]

    async def with_a_question(stage: Stage) -> None:
        await stage.begin()
        monkeypatch.setattr(selecting_module, name, broken)
        stage.sheet.of(1)
        await stage.readings(2)
        assert "ZeroDivisionError; the log says more" in stage.view().trouble
        monkeypatch.undo()
        await stage.readings()
        assert stage.view().trouble == "" and stage.view().proposal is not None

    if name == "proposal_view":
        play(with_a_question, 1, 2, 3, 4)
    else:
        play(scene, 1, 2)


@pytest.mark.parametrize("name", ["approved", "choose"])
def test_an_answer_that_cannot_be_carried_out_is_a_word_and_may_be_given_again(
    play: Play, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        await stage.readings()
        proposal = stage.view().proposal
        assert proposal is not None
        monkeypatch.setattr(selecting_module, name, broken)
        assert stage.act("list_approve", proposal.token)[0] is (name == "choose")
        await stage.looks()
        assert stage.view().proposal is not None and not any(stage.drains().values())
        monkeypatch.undo()
        assert stage.act("list_approve", proposal.token)[0]
        await stage.looks()
        assert {n for n, why in stage.drains().items() if why} == {2, 3, 4} and stage.view().trouble == ""

    play(scene, 1, 2, 3, 4)


@pytest.mark.parametrize("how", ["settings", "token", "bug"])
def test_what_the_engine_does_not_take_up_is_not_shown_as_made(play: Play, how: str) -> None:
    """Settings that do not fit, a token of another market, or whatever breaks there: the others are traded on."""
    errors = {"settings": ConfigError("order_size is less than its least order"), "bug": ZeroDivisionError()}

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.errors[market(3)] = errors.get(how)
        stage.clashes.add(market(3))
        stage.sheet.of(1, 2, 3, 4)
        await stage.readings(2)
        if how == "bug":
            assert "ZeroDivisionError" in stage.view().trouble
        else:
            assert stage.shown(3).standing == "refused" and "cannot be made" in stage.shown(3).reason
            assert stage.added().count(3) == (how == "token"), "tried once"
            assert stage.shown(4).standing == "made"
        assert "13" not in stage.heard and 3 not in stage.drains()
        stage.errors.clear()
        stage.clashes.clear()
        stage.list.retired(market(2))  # whose token it may have been
        await stage.readings()
        assert stage.shown(3).standing == "made" and stage.drains()[3] == "" and "13" in stage.heard
        assert stage.view().trouble == ""

    play(scene, 1, 2)


def test_a_market_that_may_hold_shares_is_not_forgotten_because_the_engine_cannot_take_it_up(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        await stage.readings(2)

    async def second(stage: Stage) -> None:
        stage.sheet.of(1, 2, 3)
        stage.venue.unknown.add(market(4))
        assert await stage.begin() == [1, 2, 3]
        stage.venue.unknown.clear()
        stage.errors[market(4)] = ConfigError("order_size is less than its least order")
        await stage.readings(3)
        assert [entry.row.market for entry in stage.kept().leaving] == [market(4)]
        assert [text for text in stage.told("alarm") if "order_size" in text] == [
            "it cannot be made: order_size is less than its least order"
        ]
        assert stage.shown(4).standing == "draining" and stage.view().trouble == ""

    play(first, 1, 2, 3, 4)
    play(second)


def test_a_look_that_ends_beside_a_reading_takes_no_market_away_from_it(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        plan = stage.list._plan

        def beside(*arguments: Any) -> Any:
            planned = plan(*arguments)
            if (judged := stage.list._judging.judged.get(market(3))) is not None:
                stage.list._judging.judged[market(3)] = replace(judged, instrument=None)
            return planned

        stage.list._plan = beside  # type: ignore[method-assign]
        stage.sheet.of(1, 2, 3)
        await stage.readings()
        assert stage.added() == [3] and stage.view().trouble == ""

    play(scene, 1, 2)


def test_a_market_that_breaks_its_estimate_is_left_out_alone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several, one has numbers that nobody has thought of: the others begin, and new ones are made."""
    estimate = screen_module.expected_income

    def broken(inputs: IncomeInputs, settings: Settings) -> Income | None:
        if inputs.instrument.market == market(2):
            raise ZeroDivisionError
        return estimate(inputs, settings)

    monkeypatch.setattr(screen_module, "expected_income", broken)

    async def scene(stage: Stage) -> None:
        assert await stage.begin() == [1, 3]
        assert (stage.shown(2).standing, stage.shown(2).reason) == ("failed", "estimate")
        stage.sheet.of(1, 2, 3, 4)
        await stage.readings()
        assert stage.view().trouble == "" and stage.added() == [4]

    play(scene, 1, 2, 3)


# Room


def test_new_markets_are_taken_by_income_while_there_is_room(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.venue.liquidity = {market(1): 9e6, market(2): 2e4, market(3): 5e5, market(4): 3e4}
        made = await stage.begin()
        assert len(made) == 2
        best = sorted(stage.view().markets, key=lambda each: -(each.income_usd or 0.0))[:2]
        assert {int(each.market, 16) for each in best} == set(made)
        assert "max_markets" in next(each.reason for each in stage.view().markets if each.standing == "waiting")

    play(scene, 1, 2, 3, 4, settings=Settings(min_trend=0.0, max_markets=2))


def test_a_better_one_displaces_nothing_and_gets_the_next_room(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.venue.liquidity = {market(1): 9e6, market(2): 9e6, market(3): 9e6}
        await stage.begin()
        stage.venue.liquidity[market(4)] = 2e4
        stage.sheet.of(1, 2, 3, 4)
        await stage.readings()
        assert stage.added() == [] and stage.shown(4).standing == "waiting"
        stage.sheet.of(1, 2, 4)
        await stage.readings(2)
        assert stage.added() == [], "one that drains still takes its room"
        stage.list.retired(market(3))
        await stage.looks()
        assert stage.added() == [4]

    play(scene, 1, 2, 3, settings=Settings(min_trend=0.0, max_markets=3, list_shrink_frac=1.0))


@pytest.mark.parametrize("of", ["refusals", "liquidity"])
def test_a_market_that_nobody_wants_any_more_leaves_when_it_is_empty_and_makes_room(play: Play, of: str) -> None:
    against: Any = "the CLOB takes no orders here" if of == "refusals" else 1.0

    async def scene(stage: Stage) -> None:
        assert len(await stage.begin()) == 1
        (gone,) = {1, 2} - {n for n in (1, 2) if stage.shown(n).standing == "waiting"}
        stage.left = "40 YES held"
        getattr(stage.venue, of)[market(gone)] = against
        await stage.readings(3)
        assert stage.last(gone).retires and stage.shown(3 - gone).standing == "waiting"
        assert stage.shown(gone).reason.endswith("; 40 YES held")
        stage.list.retired(market(gone))
        await stage.looks()
        assert stage.added() == [3 - gone] and stage.shown(gone).standing in ("failed", "refused")
        getattr(stage.venue, of).clear()
        await stage.readings(2)
        assert stage.shown(gone).standing == "waiting", "as any other that is new"

    play(scene, 1, 2, settings=Settings(min_trend=0.0, max_markets=1, screen_min_stay_sec=0.0))


def test_a_retirement_that_could_not_be_written_is_written_with_the_next_list(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        await stage.readings(2)

        def full(path: Path, kept: Kept) -> None:
            raise ListError("markets.json: No space left on device")

        monkeypatch.setattr(selecting_module, "save", full)
        stage.list.retired(market(4))
        await stage.looks()
        assert stage.kept().leaving != ()
        monkeypatch.undo()
        await stage.readings()
        assert stage.kept().leaving == () and stage.added() == []

    play(scene, 1, 2, 3, 4)


def test_markets_that_have_no_room_do_not_swap_places_with_those_that_have(play: Play) -> None:
    async def first(stage: Stage) -> None:
        await stage.begin()

    async def second(stage: Stage) -> None:
        await stage.begin()
        drained = [n for n, why in stage.drains().items() if why]
        assert len(drained) == 1
        for k in range(6):
            stage.venue.liquidity = {market(n): 1e5 * (1 + (n + k) % 3) for n in (1, 2, 3)}
            await stage.readings()
            assert [n for n, why in stage.drains().items() if why] == drained

    async def third(stage: Stage) -> None:
        before = [n for n in (1, 2, 3) if stage.kept().listed[n - 1].made_unix is None]
        stage.venue.liquidity = {market(n): 9e6 for n in (1, 2, 3) if n not in before}
        await stage.begin()
        assert [n for n, why in stage.drains().items() if why] == before, "nor after a restart"

    play(first, 1, 2, 3)
    play(second, 1, 2, 3, settings=Settings(min_trend=0.0, max_markets=2))
    play(third, 1, 2, 3, settings=Settings(min_trend=0.0, max_markets=2))


def test_fewer_than_were_made_drain_the_others_at_the_next_start(play: Play) -> None:
    async def first(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3]

    async def second(stage: Stage) -> None:
        assert await stage.begin() == [1, 2, 3]
        assert sum(1 for why in stage.drains().values() if why) == 2

    play(first, 1, 2, 3)
    play(second, 1, 2, 3, settings=Settings(min_trend=0.0, max_markets=1))


def test_the_estimate_is_made_with_books_where_there_are_some(play: Play) -> None:
    """It decides who is made when there is no room for all; a venue that tells no books changes nothing else."""

    async def scene(stage: Stage) -> None:
        thin = [(Ticks(49 - n), shares(20)) for n in range(5)], [(Ticks(51 + n), shares(20)) for n in range(5)]
        stage.venue.depths = {market(3): Book(*thin)}
        stage.venue.liquidity[market(4)] = 1.0
        assert await stage.begin() == [3]
        assert sorted(stage.venue.books_of) == [1, 2, 3], "of those that pass"
        stage.venue.books_error = VenueUnavailable("no answer")
        await stage.readings()
        assert stage.view().trouble == "" and stage.shown(3).standing == "made"

    play(scene, 1, 2, 3, 4, settings=Settings(min_trend=0.0, max_markets=1))


# The disk, the view, the loop


def test_what_cannot_be_written_does_not_happen(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()

        def full(path: Path, kept: Kept) -> None:
            raise ListError("markets.json: No space left on device")

        monkeypatch.setattr(selecting_module, "save", full)
        stage.sheet.of(1, 2, 3)
        await stage.readings(3)
        assert stage.added() == [] and len(stage.told("alarm")) == 1 and "No space" in stage.view().trouble
        monkeypatch.undo()
        await stage.readings(1)
        assert stage.added() == [3] and stage.view().trouble == ""
        assert any("is written again" in text for text in stage.told("info"))

    play(scene, 1, 2)


def test_what_the_sources_tell_that_is_no_obstacle_is_shown(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.venue.notes = ("past its end, which is no end of trading",)
        await stage.begin()
        assert stage.shown(1).notes == ("past its end, which is no end of trading",)

    play(scene, 1)


def test_the_view_keeps_its_objects_while_nothing_changes(play: Play) -> None:
    """The console draws two thousand rows by looking whether they are the same."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1)
        stage.sheet.rejected = (unusable(None),)
        await stage.readings()
        first = stage.view()
        await stage.readings(2)
        second = stage.view()
        assert first.markets is second.markets and first.rejected is second.rejected
        assert first.proposal is second.proposal and first.proposal is not None

    play(scene, 1, 2, 3, 4)


def test_a_long_list_is_weighed_beside_the_loop(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trading goes on meanwhile: what takes long by the number of rows is in a thread, or in small steps."""
    threads: dict[str, set[int]] = {}
    turns = 0

    def watched(name: str) -> None:
        real = getattr(selecting_module, name)

        def call(*arguments: Any) -> Any:
            threads.setdefault(name, set()).add(threading.get_ident())
            return real(*arguments)

        monkeypatch.setattr(selecting_module, name, call)

    for name in ("weigh", "choose", "marked", "save"):
        watched(name)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.rows = tuple(row(n, note="x") for n in range(2_000))
        await stage.readings()
        looked = await stage.venue.look(stage.sheet.rows)
        counting = asyncio.create_task(count_turns())
        await stage.list._judge(looked)
        counting.cancel()

    play(scene, *range(2_000))
    assert threads.keys() == {"weigh", "choose", "marked", "save"}
    assert all(threading.get_ident() not in each for each in threads.values())
    assert turns >= 2 * 2_000 / judging_module.CHUNK - 2, "screened, and judged"


# Facts of markets that are made


def test_what_both_sources_say_otherwise_of_a_made_market_is_told_once(play: Play) -> None:
    """A game moved forward reaches the engine with the next look, drained or not, and not again until it differs."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.venue.refusals[market(2)] = "the CLOB takes no orders here"
        await stage.readings(2)
        assert stage.changed() == [] and stage.drains()[2]
        for n in (1, 2):
            stage.venue.facts[market(n)] = {"game_start_unix": stage.clock.unix() + 600.0}
        await stage.readings(3)
        assert [event.instrument.market for event in stage.changed()] == [market(1), market(2)]
        assert stage.changed()[0].instrument.game_start_unix == stage.venue.facts[market(1)]["game_start_unix"]
        stage.venue.facts[market(1)] = {}
        await stage.readings()
        assert [event.instrument.market for event in stage.changed()] == [market(1), market(2), market(1)]

    play(scene, 1, 2)


def test_neither_one_source_alone_nor_the_grid_tells_of_a_made_market(play: Play) -> None:
    """Tick and least size come with the book; a catalogue whose exchange is silent moves no game."""

    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.venue.facts[market(1)] = {"game_start_unix": stage.clock.unix()}
        stage.venue.half_known.add(market(1))
        stage.venue.facts[market(2)] = {"tick_text": "0.001", "min_size": shares(15), "min_size_text": "15"}
        await stage.readings(2)
        assert stage.changed() == []
        stage.venue.half_known.clear()
        await stage.readings()
        assert [event.instrument.market for event in stage.changed()] == [market(1)]

    play(scene, 1, 2)


def test_facts_of_a_market_that_waits_or_has_left_are_nobodys(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.begin()
        stage.sheet.of(1, 2, 3)
        await stage.readings(2)
        stage.list.retired(market(4))
        stage.venue.lags[market(5)] = "Gamma: not known to it yet"
        stage.sheet.of(1, 2, 3, 5)
        for n in (4, 5):
            stage.venue.facts[market(n)] = {"end_unix": stage.clock.unix() + 5e6}
        await stage.readings(2)
        assert stage.changed() == [] and stage.added() == []
        del stage.venue.lags[market(5)]
        await stage.readings()
        assert stage.added() == [5] and stage.changed() == [], "it came with them"

    play(scene, 1, 2, 3, 4)
