"""One run of the market maker: feeds, engine, gateway, store and metrics on one asyncio loop.

Owns every task and the order of start and end: state directory, exchange (demo), markets, gateway, account, feeds; then
events until something ends it; then no new orders, cancel all, verify zero open, close. Knows nothing of terminals.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec

from core.actions import (
    Action,
    Book,
    Cancel,
    CancelAll,
    CancelMarket,
    Denied,
    EndJob,
    Finding,
    KeepAdjustments,
    Kill,
    Marked,
    Note,
    Place,
    ReadAccount,
    ReadBooks,
    ReadOrder,
    ReadPayouts,
    ReadScoring,
    Rearm,
    Reconnect,
    Resubscribe,
    Retire,
    SendJob,
    Unsubscribe,
)
from core.clock import Clock
from core.config import Settings, told
from core.engine import Engine
from core.errors import (
    CredentialError,
    InvariantBroken,
    MalformedMessage,
    PolymmError,
    PreflightError,
    StoreError,
    VenueError,
)
from core.events import (
    ActivityRead,
    BalancesRead,
    ChainRead,
    Event,
    IndexedTradesRead,
    InstrumentAdded,
    JobSeen,
    LoopSeen,
    OpenOrdersRead,
    OperatorCommand,
    PositionsRead,
    RouteSeen,
    StopRequested,
    TradesRead,
    Woken,
)
from core.kill.stored import KillCredentials, store
from core.kill.switch import KillSwitch
from core.market.recovery import Durations
from core.profiles import Profiles
from core.runtime.alarming import ALARM_ACTS, Alarming
from core.runtime.answering import Answering
from core.runtime.console_wire import Attach
from core.runtime.consoles import Consoles
from core.runtime.control_socket import Answers, ControlSocket
from core.runtime.courier import Courier
from core.runtime.ending import Outcome, verdict, verify_zero
from core.runtime.feeds import Feeds
from core.runtime.guard import Guard, kill_view, watchdog_command
from core.runtime.heartbeat import Heartbeat, Liveness
from core.runtime.journaling import Journaling
from core.runtime.link import CommandResult
from core.runtime.logs import Redactor
from core.runtime.loop_lag import LoopLag
from core.runtime.metrics import EngineCollector, MetricsServer, Sources
from core.runtime.operations import Chain, Operations
from core.runtime.places import Places
from core.runtime.reader import Rest
from core.runtime.report import run_report
from core.runtime.session_recording import SessionRecording
from core.runtime.user_feed import UserFeed
from core.runtime.vital_signs import watch_clock, watch_journal
from core.store.database import Store
from core.venue.gateway import AuthSign, Gateway, Sign
from core.viewing import Stage, budget_view, console_view
from core.views import ConsoleView, EventView

if TYPE_CHECKING:
    from core.runtime.selecting import Selecting

log = logging.getLogger(__name__)

VIEW_SEC: Final = 0.1
OLD_VIEW_SEC: Final = 5.0
"""Whoever looks at a view older than this may only stop things."""
EVENTS_KEPT: Final = 200
IDLE_SEC: Final = 4.0
"""Longest wait for the answer to a placement before everything is cancelled."""
ENGINE_STILL_SEC: Final = 3.0
JOURNAL_STILL_SEC: Final = 3.0
FEEDS_STILL_SEC: Final = 15.0
CANCELS_STILL_SEC: Final = 10.0
"""How long each of these may stand still before the venue hears no more heartbeats, and cancels everything for us."""
DOUBT_SEC: Final = 10.0
"""Pause after a check of the API credentials."""
LATENESS_BOUNDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between which late decisions are told apart."""
SETTLE_SEC: Final = 2.0
"""Longest wait for the venue's last words on orders it no longer has."""

_LIST_ACTS: Final = ("list_approve", "list_reject", "list_refresh")
_RECORD_ACTS: Final = ("record_start", "record_stop")
_LISTS: Final = (
    OpenOrdersRead,
    TradesRead,
    BalancesRead,
    PositionsRead,
    IndexedTradesRead,
    ActivityRead,
    ChainRead,
)
Made = TypeVar("Made")


class Parts(msgspec.Struct, frozen=True):
    """What differs between the modes, made by :mod:`core.runtime.compose`."""

    settings: Settings
    """With the addresses in use."""
    gateway: Gateway
    chain: Chain | None
    """Where inventory operations go; None when nothing goes to a chain (paper)."""
    route: RouteSeen
    rest: Rest
    """Books that anybody may read."""
    instruments: tuple[InstrumentAdded, ...]
    user_frame: Callable[[], bytes] | None
    """First frame of the user channel; None when there is no such channel (paper)."""
    owner: str
    """API key id whose fills are ours."""
    wallet: str
    """Address that holds the money; its fills are ours too."""
    close: Callable[[], Awaitable[None]]
    """Ends what was started for the mode; called last."""
    selection: "Selecting | None" = None
    """The market list that the markets are from; None where they are given and stay as they are."""
    kill: KillCredentials | None = None
    """What a watchdog cancels with; None where nothing rests at a venue (paper)."""
    has_own_venue: bool = False
    """The venue ends together with the session (demo)."""


Compose = Callable[["Session"], Coroutine[Any, Any, Parts]]


class Session:
    """Runs on one loop; the console talks to it through :class:`core.runtime.host.SessionHost`."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        clock: Clock,
        redactor: Redactor,
        compose: Compose,
        version: str,
        gc_pause_s: Callable[[], float],
        profiles: Profiles | None = None,
        switch: KillSwitch | None = None,
        guarded: bool = False,
    ) -> None:
        """Nothing is opened yet but the kill switch.

        Args:
            settings: of the run.
            places: claimed.
            clock: of everything.
            redactor: takes secrets out of all that is told.
            compose: makes what differs between the modes.
            version: of the program.
            gc_pause_s: tells the longest pause of the garbage collector so far, for the metrics.
            profiles: what single markets are quoted with; None quotes all with ``settings``.
            switch: the kill switch of ``places``; None opens it here.
            guarded: a watchdog is started, and nothing is quoted without one.

        Raises:
            PreflightError: the kill switch cannot be opened.
        """
        self.settings = settings
        self.places = places
        self.clock = clock
        self.redactor = redactor
        is_paper = settings.mode == "paper"
        self.engine = Engine(settings, own_in_book=not is_paper, profiles=profiles, needs_heartbeat=not is_paper)
        self.engine.wall_s = clock.unix() - clock.monotonic()  # an operator may act before the first wake
        self.view: ConsoleView | None = None
        self._gazes: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Console to the market whose details it wants, and the others whose whole books it wants."""
        self.switch = switch or KillSwitch.open(places.directory, clock)
        self.guard = Guard(
            self.switch, clock, self.emit_quietly, watchdog_command(places.directory), nothing_rests=is_paper
        )
        self._guarded = guarded
        self._compose = compose
        self._gc_pause_s = gc_pause_s
        self._metrics: MetricsServer | None = None
        self._version = version
        self._store = Store(places.database, clock)
        self._store_open = False
        self._journal = Journaling(self._store, self.engine, clock)
        self._courier: Courier | None = None
        self._operations: Operations | None = None
        answering = Answering(self.engine, clock, self.command, self._publish)
        self.consoles = Consoles(clock, version, self.command, self.look, self.look_away, redactor.mask)
        """Of other processes."""
        answers: Answers = {**answering.answers, Attach: self.consoles.attach}
        self._control = ControlSocket(places.control, answers, redactor.clean)
        self._heartbeat: Heartbeat | None = None
        self._early: list[Place | Cancel | CancelAll | CancelMarket | ReadOrder | ReadAccount] = []
        """Wishes from before there was a courier."""
        self._parts: Parts | None = None
        self._credentials_in_doubt = False
        self._is_recovered = False
        """The engine knows what earlier sessions may have left at the venue."""
        self._feeds: Feeds | None = None
        self._events: deque[EventView] = deque(maxlen=EVENTS_KEPT)
        self._event_seq = 0
        self._view_seq = 0
        self._views_shown: deque[tuple[int, float]] = deque()
        """Number and time, monotonic seconds, of the views of the last :data:`OLD_VIEW_SEC`."""
        self._lag = LoopLag(clock, self._on_stall)
        self._lag_for_views = self._lag.reader()
        self._alarming = Alarming(self.note)
        self._sources = Sources(lag_s=self._lag.reader(), alarms=self._alarming)
        """For the metrics."""
        self._sources.consoles = self.consoles
        self._recording = SessionRecording(
            places.recordings,
            settings.mode,
            f"polymm-tui {version}",
            clock,
            self.note,
            lambda: tuple(desk.instrument for desk in self.engine.desks.values()),
        )
        self._handled_s = clock.monotonic()
        """When the engine last handled anything."""
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = float("inf")
        self._due_s = 0.0
        """When the next wake is due, or was asked for, whichever is later."""
        self._lateness = self._sources.lateness = Durations(LATENESS_BOUNDS)
        self._ending = asyncio.Event()
        self._hurried = asyncio.Event()
        self._quiet = asyncio.Event()
        """Ending, and no order is at risk any more."""
        self._end_reason = ""
        self._failure: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._started_s = clock.monotonic()

    # From outside, on the loop

    def request_stop(self, reason: str) -> None:
        """End the session in order; the first reason counts."""
        if not self._ending.is_set():
            self._end_reason = reason
            self._ending.set()

    def hurry(self) -> None:
        """Somebody insists on the end: cancel, and wait for nothing that is only polite (reliability.md 4.10)."""
        self._hurried.set()

    def command(self, command: OperatorCommand) -> CommandResult:
        """Let an operator act, also before trading has begun; the answer is what the engine says of it."""
        self._store.journal("command", command)
        self.guard.heed()
        command = command.meant
        if why := command.why_no_preview:
            return CommandResult(done=False, text=f"{command.act}: {why}")
        if command.opens and self._is_old(command.view_seq):
            text = f"refused: what was on the screen was older than {OLD_VIEW_SEC:.0f} s; look, and ask again"
            return CommandResult(done=False, text=f"{command.act}: {text}")
        if command.act == "stop":
            self.request_stop(f"asked by {command.who}")
            return CommandResult(done=True, text="the session stops: every order of ours is cancelled")
        if command.act in _RECORD_ACTS:
            return self._recording.command(command)
        if command.act in _LIST_ACTS:
            if self._parts is None or (selection := self._parts.selection) is None:
                return CommandResult(done=False, text="there is no market list yet; try again")
            return selection.command(command)
        if command.act in ALARM_ACTS:
            answer = self._alarming.command(command, self.clock.monotonic())
            return CommandResult(done=answer.done, text=self.redactor.clean(answer.text))
        if why := self._why_not(command):
            return CommandResult(done=False, text=f"{command.act}: {why}")
        actions = self._handle(command, self.clock.monotonic()) if command.preview else self.emit(command)
        notes = [action for action in actions if isinstance(action, Note)]
        if not notes:
            return CommandResult(done=False, text="nothing was done")
        if command.act == "rearm" and self.is_closed() and not notes[-1].refused:
            return CommandResult(done=False, text="rearm: the kill switch stays pulled; the event log says why")
        last = notes[-1]
        text = self.redactor.clean(last.text)
        return CommandResult(done=not last.refused, text=text, confirm=last.confirm)

    def _is_old(self, seq: int) -> bool:
        """A view is no picture of the present any more; 0 stands for none, which is asked without looking."""
        self._forget_views(self.clock.monotonic())
        oldest = self._views_shown[0][0] if self._views_shown else self._view_seq + 1
        return 0 < seq < oldest

    def _forget_views(self, now: float) -> None:
        while self._views_shown and now - self._views_shown[0][1] > OLD_VIEW_SEC:
            self._views_shown.popleft()

    def look(self, console: str, market: str, ladders: tuple[str, ...]) -> None:
        """A console looks at a market, and at the whole books of others: it is shown them at once."""
        self._gazes[console] = (market, ladders)
        self._publish()

    def look_away(self, console: str) -> None:
        """A console is gone."""
        self._gazes.pop(console, None)

    def is_closed(self) -> bool:
        """The kill switch is pulled: no order may be sent."""
        return self.switch.is_closed

    def note(self, severity: Literal["info", "fill", "warning", "alarm"], text: str, market: str = "") -> None:
        """A line for the console's event log and the log."""
        self._event_seq += 1
        text = self.redactor.clean(text)
        self._events.append(EventView(self._event_seq, self.clock.unix(), severity, market, text))
        level = logging.WARNING if severity in ("warning", "alarm") else logging.INFO
        log.log(level, severity, extra={"market": market[:12], "text": text})

    # The run

    async def run(self) -> Outcome:
        """Start, trade until asked to stop, end in order. Never raises what it can turn into an exit code."""
        verified, open_orders = True, 0
        try:
            self.own(self._publish_views(), "views")
            self.own(self._lag.run(), "loop-lag")
            self.own(self.guard.run(), "guard")
            await self._store.open(self.settings.mode, self._version, self.settings.seed, told(self.settings))
            self._store_open = True
            self._serve_metrics()
            await self._open_control()
            self._parts = await self._unless_ending(self._compose(self))
            if self._parts is not None:
                await self._trade(self._parts)
        except PolymmError as error:
            self._fail(error)
        except Exception as error:
            log.exception("session_failed")
            self._fail(error)
        started = self._parts is not None
        if started:
            verified, open_orders = await self._wind_down_for_sure()
        return await self._close(verified, open_orders, started)

    async def _unless_ending(self, work: Coroutine[Any, Any, Made]) -> Made | None:
        """The result of ``work``; None when the session is asked to end first: then it is cancelled."""
        task = asyncio.create_task(work, name="starting")
        asked = asyncio.create_task(self._ending.wait(), name="asked to end")
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        task.cancel()
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    def _serve_metrics(self) -> None:
        port = self.settings.metrics_port
        if port:
            try:
                loop = asyncio.get_running_loop()
                collector = EngineCollector(self.engine, self.clock.monotonic, self._gc_pause_s, loop, self._sources)
                self._metrics = MetricsServer(port, collector)
            except OSError as error:
                self.note("warning", f"no metrics: port {port} cannot be used ({error.strerror}); set METRICS_PORT")

    async def _open_control(self) -> None:
        """Trading does not depend on being asked questions."""
        try:
            await self._control.open()
        except OSError as error:
            self.note("warning", f"no control socket: {self.places.control}: {error}; no command but `kill` reaches it")

    async def _trade(self, parts: Parts) -> None:
        """Everything of a session between its start and its end.

        The first thing the engine hears of the account is what the journal says of earlier sessions; it then asks for
        what it needs, and quotes when that is settled.
        """
        gateway, clock = parts.gateway, self.clock
        self._courier = courier = Courier(
            gateway,
            clock,
            self.emit_quietly,
            self._commit,
            self.engine.gatekeeper.clear,
            is_neg_risk=self._is_neg_risk,
            is_wanted=self.engine.orders.is_wanted,
            open_orders=self.engine.orders.sent,
            tokens=self._tokens,
            seed=self.settings.seed,
            is_closed=self.is_closed,
        )
        for early in self._early:
            courier.take(early)
        self.emit(Woken(unix=clock.unix()))
        for instrument in parts.instruments:
            self.emit(instrument)
        user = UserFeed(self, parts.settings.ws_user_url, parts.user_frame, parts.owner, parts.wallet)
        self._feeds = feeds = self._recording.channel = Feeds(self, parts.settings, gateway, parts.rest, user)
        sources = self._sources
        sources.intake, sources.feed, sources.reader, sources.user = feeds.ingest, feeds.market, feeds.reader, user
        sources.budget = courier.budget
        if self._guarded and parts.kill is not None:
            self.guard.is_coming()
            store(self.places.directory, parts.kill)
            self.own(self.guard.keep(parts.kill), "watchdog")
        await self._store.use_account(parts.wallet)
        recovered = await self._journal.recover()
        self.emit(parts.route)
        if parts.chain is not None:
            self._operations = Operations(parts.chain, clock, self._emit_job, self._commit)
            self._operations.recover(recovered.jobs)
        self.guard.tell()  # first: a kill that was re-armed while no session ran is not restored
        self.emit(recovered)
        self._is_recovered = True
        if parts.selection is not None:
            parts.selection.tell()
        if self.engine.is_killed and not self.is_closed():
            self._pull("restart", "an earlier session was killed, and the latch has been taken away")
        for name, lane in [*courier.lanes(), *(self._operations.lanes() if self._operations else ())]:
            self.own(lane, name)
        self.own(self._journal.run(self._storage_failed), "journal")
        self.own(watch_journal(self._journal, clock, self.emit_quietly), "journal-watch")
        self.own(self._recording.run(), "recordings")
        if self.settings.mode != "paper":  # nothing is signed there, and a recording that is played has its own time
            self.own(watch_clock(parts.rest, clock, self.emit_quietly), "clock-watch")
        feeds.start(self._tokens())
        if self.engine.venue.needs_heartbeat:
            self._heartbeat = Heartbeat(
                gateway, clock, self.emit_quietly, self._liveness(courier), self.switch.withholds_heartbeat
            )
            self.own(self._heartbeat.run(), "heartbeat")
        if parts.selection is not None:
            self._sources.selection = parts.selection
            self.own(parts.selection.run(), "market-list")
        await self._ending.wait()

    def _tokens(self) -> list[str]:
        """Both tokens of every market that is made, beside each other."""
        made = (desk.instrument for desk in self.engine.desks.values())
        return [token for instrument in made for token in (instrument.yes_token, instrument.no_token)]

    def makes(self, market: str) -> bool:
        """The engine has taken a market up."""
        return market in self.engine.desks

    def left_in(self, market: str) -> str:
        """What is left of ours in a market that is to go, in words; "" when nothing is."""
        return self.engine.listings.remaining(market, self.clock.monotonic())

    def _retire(self, action: Retire) -> None:
        """Nothing of ours is left in a market that was to go: it is no longer heard."""
        if self._feeds is not None:
            self._feeds.market.unsubscribe(action.tokens)
        if self._parts is not None and self._parts.selection is not None:
            self._parts.selection.retired(action.market)

    def _liveness(self, courier: Courier) -> tuple[Liveness, ...]:
        """What has to move for the venue to be told that we live (reliability.md I-33)."""
        engine, began_s = self.engine, self.clock.monotonic()
        return (
            Liveness("engine", lambda: self._handled_s, ENGINE_STILL_SEC),
            Liveness("journal", lambda: self._journal.whole_s, JOURNAL_STILL_SEC),
            Liveness("market channel", lambda: max(began_s, engine.data.feed.heard_s), FEEDS_STILL_SEC),
            Liveness("user channel", lambda: max(began_s, engine.user_feed.heard_s), FEEDS_STILL_SEC),
            Liveness("cancels", courier.cancel_progress_s, CANCELS_STILL_SEC),
        )

    def take_sign(self, sign: Sign) -> None:
        """What an answer of the venue shows beside what it answers."""
        if isinstance(sign, AuthSign):
            self._doubt_credentials()
        elif self._courier is not None:
            self._courier.hear(sign)

    def _doubt_credentials(self) -> None:
        if self._parts is not None and not self._credentials_in_doubt:
            self._credentials_in_doubt = True
            self.own(self._check_credentials(self._parts.gateway), "credentials")

    async def _check_credentials(self, gateway: Gateway) -> None:
        """Whether the venue still knows our API credentials: if surely not, nothing of ours can be looked after."""
        try:
            await gateway.check_credentials()
            self.note("warning", "the venue refused our API credentials once; they hold")
        except CredentialError as error:
            self._fail(error)
        except VenueError as error:
            log.warning("credentials_unchecked", extra={"detail": str(error)})
        await asyncio.sleep(DOUBT_SEC)
        self._credentials_in_doubt = False

    def subscribe(self, token_ids: Sequence[str]) -> None:
        """Hear these tokens too; those of a market beside each other. Without a market feed yet nothing is done."""
        if self._feeds is not None:
            self._feeds.market.subscribe(token_ids)

    def emit(self, event: Event, now: float | None = None) -> list[Action]:
        """Hand an event that happened at ``now`` (this moment if None) to the engine, and set its actions going.

        Raises:
            MalformedMessage: a market message cannot be used.
        """
        actions = self._handle(event, self.clock.monotonic() if now is None else now)
        for action in actions:
            self._carry_out(action)
        if self.engine.controls.has_changes:
            self._journal.hurry()
        if self._ending.is_set() and not any(True for _ in self.engine.orders.all_at_risk()):
            self._quiet.set()
        if self.engine.next_wake() < self._wake_at:
            self._schedule_wake()
        return actions

    def _handle(self, event: Event, now: float) -> list[Action]:
        """What the engine says of an event; an engine that fails ends the session.

        Raises:
            MalformedMessage: a market message cannot be used.
        """
        try:
            actions = self.engine.handle(event, now)
        except MalformedMessage:
            raise
        except Exception as error:
            log.exception("engine_failed")
            self._fail(error)
            return []
        self._handled_s = self.clock.monotonic()
        return actions

    def emit_quietly(self, event: Event) -> None:
        """Journal an event that is no market data, and hand it to the engine.

        Lists of the account are not journaled: what they show becomes rows of orders, fills and findings.
        """
        if not isinstance(event, _LISTS):
            self._store.journal("event", event)
        self.emit(event)

    def _emit_job(self, seen: JobSeen) -> None:
        """What becomes of an inventory operation: its state and what it does to the book reach the disk together."""
        self._journal.job_seen(seen)
        self.emit_quietly(seen)

    def _carry_out(self, action: Action) -> None:
        match action:
            case Note():
                self._store.journal("action", action)
                self.note(action.severity, action.text, action.market)
            case Denied():
                self._store.journal("action", action)
            case Kill():
                self._store.journal("action", action)
                self._pull(action.by, action.reason)
            case Rearm():
                self._store.journal("action", action)
                self._rearm(action)
            case ReadBooks() | Resubscribe() | Unsubscribe() | Reconnect():
                if self._feeds is not None:
                    self._feeds.carry_out(action)
            case Retire():
                self._store.journal("action", action)
                self._retire(action)
            case ReadScoring() | ReadPayouts():
                if self._courier is not None:
                    self._courier.take(action)
            case Finding():
                self._journal.found(action)
                self.note(action.severity, _finding_text(action), action.market)
            case Book():
                self._journal.booked(action.booking)
            case KeepAdjustments():
                self._journal.adjusted(action.kept)
            case Marked():
                self._journal.marked(action.mark)
            case SendJob():
                self._journal.planned(action.job)
                if self._operations is not None:
                    self._operations.take(action.job)
            case EndJob():
                if self._operations is not None:
                    self._operations.end(action.seen)
                else:
                    self._emit_job(action.seen)
            case Place() | Cancel() | CancelAll() | CancelMarket() | ReadOrder() | ReadAccount():
                if not isinstance(action, Place):  # its order has rows of its own
                    self._store.journal("action", action)
                if self._courier is not None:
                    self._courier.take(action)
                else:
                    self._early.append(action)

    # The kill switch

    def _pull(self, by: str, reason: str) -> None:
        if not self.switch.pull(by, self.redactor.clean(reason)):
            self.note("alarm", "killed, but the disk did not take the latch: a new start would not know of it")

    def _why_not(self, command: OperatorCommand) -> str:
        """Why an act cannot be carried out yet, in words; "" when it can."""
        if command.act in ("resume", "resume_all", "rearm") and not self._is_recovered:
            return "what an earlier session left is not read yet; try again"
        return self._still_killing() if command.act == "rearm" else ""

    def _still_killing(self) -> str:
        """Why the kill is not over as far as its killer knows, in words; "" when it is, and where nobody cancels."""
        report = self.switch.report
        if not (self._guarded and self.is_closed()) or (report is not None and report.verified):
            return ""
        return f"zero open orders are not verified yet{report.trouble and ': ' + report.trouble if report else ''}"

    def _rearm(self, action: Rearm) -> None:
        try:
            self.switch.rearm(action.by, action.reason, pull=self.guard.told_pull)
        except PreflightError as error:
            self.note("alarm", f"the kill switch stays pulled: {error}")
        self.guard.tell()

    def _storage_failed(self, error: StoreError) -> None:
        """What is not written down is not to be traded with; it is tried again all the while."""
        if not self.is_closed():
            self._pull("storage", str(error))

    async def _commit(self) -> None:
        """Return when everything the engine knows so far is on the disk.

        Raises:
            StoreError: it is not.
        """
        try:
            await self._journal.flush()
        except StoreError as error:
            self._storage_failed(error)
            raise

    # Time

    def _schedule_wake(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake_at = self.engine.next_wake()
        if self._wake_at < float("inf"):
            now = self.clock.monotonic()
            self._due_s = max(now, self._wake_at)
            self._wake = asyncio.get_running_loop().call_later(self._due_s - now, self._on_wake)

    def _on_wake(self) -> None:
        self._wake, self._wake_at = None, float("inf")
        due_s = self._due_s
        self.emit(Woken(unix=self.clock.unix()))
        self._lateness.add(max(0.0, self.clock.monotonic() - due_s))
        self._schedule_wake()

    def _on_stall(self, seconds: float) -> None:
        """The loop stood still: what was heard meanwhile is old. Before anything is heard that harms nobody."""
        if self._feeds is not None:
            self.emit_quietly(LoopSeen(stood_s=seconds))

    # Background work

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task; its unexpected end ends the session."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._on_task_end)

    def _on_task_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", extra={"task": task.get_name()}, exc_info=error)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self.note("alarm", f"{type(error).__name__}: {error}")
            if self._courier is not None and not self._ending.is_set() and (by := _trigger_of(error)):
                self._pull(by, f"{type(error).__name__}: {error}")
        self.request_stop("failure")

    def _is_neg_risk(self, market: str) -> bool:
        return self.engine.desks[market].instrument.neg_risk

    async def _publish_views(self) -> None:
        while True:
            self._publish()
            await asyncio.sleep(VIEW_SEC)

    def _publish(self) -> ConsoleView:
        """Make a view of this moment, and show it."""
        self._view_seq += 1
        now, unix = self.clock.monotonic(), self.clock.unix()
        self._forget_views(now)
        self._views_shown.append((self._view_seq, now))
        selection = None if self._parts is None else self._parts.selection
        sockets = self._feeds.market.sockets if self._feeds is not None else ()
        stage = Stage(
            seq=self._view_seq,
            mode=self.settings.mode,
            now=now,
            unix=unix,
            loop_lag_ms=self._lag_for_views() * 1000,
            finished="",
            events=tuple(self._events),
            budget=None if self._courier is None else budget_view(self._courier.budget, now),
            sockets_up=sum(one.connected for one in sockets),
            sockets=len(sockets),
            watched=frozenset(market for market, _ in self._gazes.values()),
            ladders=frozenset(market for _, ladders in self._gazes.values() for market in ladders),
            kill=kill_view(self.switch, self.guard, now),
            market_list=selection.view(now) if selection is not None else None,
            wallet="" if self._parts is None else self._parts.wallet,
            recordings=self._recording.views(),
            consoles=self.consoles.count,
            alarms=self._alarming.views,
            alarm_calls=self._alarming.calls,
        )
        self.view = view = console_view(self.engine, stage)
        self._alarming.look(view, now)
        self.consoles.show(view)
        return view

    # The end

    async def _wind_down_for_sure(self) -> tuple[bool, int]:
        """:meth:`_wind_down`; whatever it dies of, nothing is verified then."""
        try:
            return await self._wind_down()
        except Exception as error:
            log.exception("ending_failed")
            self._fail(error)
            return False, sum(1 for _ in self.engine.orders.all_at_risk())

    async def _wind_down(self) -> tuple[bool, int]:
        """No new orders, cancel all, verify zero open twice, hear the last words.

        Returns:
            Whether zero open orders were verified, and how many the venue last showed.
        """
        self.emit(StopRequested(reason=self._end_reason))
        if self._courier is None or self._parts is None:
            return True, 0
        self._courier.close_gate()
        if not await self._in_time(self._courier.wait_idle(), IDLE_SEC):
            self.note("alarm", "a placement is unanswered at the end")
        verified, left = await verify_zero(
            self._parts.gateway,
            self.engine.orders,
            self.emit_quietly,
            lambda text: self.note("warning", text),
        )
        if self._heartbeat is not None and verified:
            self._heartbeat.stop()
        verified = (verified and self._is_recovered) or self._killer_verified()
        verified = verified and self._courier.is_idle
        await self.guard.leave(in_peace=verified or self._parts.has_own_venue)
        if not await self._in_time(self._hear_last_words(self._parts.gateway), SETTLE_SEC):
            self.note("warning", "the venue has not told the end of every order")
        return verified, left

    def _killer_verified(self) -> bool:
        """The venue was seen empty after the kill that still holds: nothing can have been placed since."""
        report = self.switch.report
        return self.is_closed() and report is not None and report.verified

    async def _hear_last_words(self, gateway: Gateway) -> None:
        """Fills and ends of orders that the venue still tells; the verdict on open orders stands without them."""
        since = self.engine.reconciliation.trades_from(self.clock.monotonic(), self.clock.unix())
        self.emit_quietly(await gateway.trades_since(since))
        await self._quiet.wait()

    async def _in_time(self, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """Wait for something no longer than this, and not at all once somebody insists on the end; whether it came."""
        task = asyncio.create_task(work, name="last wait")
        hurried = asyncio.create_task(self._hurried.wait(), name="hurried")
        await asyncio.wait({task, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        await asyncio.wait({task})
        return False

    async def _close(self, verified: bool, open_orders: int, started: bool) -> Outcome:
        """Write the last rows and let go of everything, whatever fails on the way."""
        await self._end_tasks()
        await self._recording.close()
        self.consoles.end(self._verdict(verified, open_orders, started)[2])
        await self._control.close()
        now = self.clock.monotonic()
        report = self._report(open_orders, now)  # and the marks below: of one moment, so that both say the same
        if self._store_open:
            try:
                await self._journal.close(now)
            except StoreError as error:
                self._fail(error)
            try:
                await self._store.end(self._end_reason, verified and started)
            except StoreError as error:
                self._fail(error)
        self._publish()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.close)
        if self._parts is not None:
            for close in (self._parts.gateway.close, self._parts.close):
                try:
                    await close()
                except (OSError, RuntimeError, VenueError) as error:
                    log.warning("close_failed", extra={"detail": str(error)})
        code, reason, sentence = self._verdict(verified, open_orders, started)
        return Outcome(code, reason, verified, sentence, report)

    def _verdict(self, verified: bool, open_orders: int, started: bool) -> tuple[int, str, str]:
        """Exit code, reason and sentence as things stand now."""
        code, reason, sentence = verdict(
            self._failure,
            self._end_reason,
            killed=self.engine.is_killed,
            verified=verified,
            open_orders=open_orders,
            started=started,
            trouble=self.engine.books.trouble,
        )
        return code, self.redactor.clean(reason), self.redactor.clean(sentence)

    async def _end_tasks(self) -> None:
        """End everything that runs by itself; a write to the database is let finish first."""
        if self._wake is not None:
            self._wake.cancel()
        async with self._journal.lock:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _report(self, open_orders: int, now: float) -> dict[str, Any]:
        report = run_report(
            self.engine,
            mode=self.settings.mode,
            duration_s=now - self._started_s,
            frames=0 if self._feeds is None else self._feeds.frames,
            open_orders=open_orders,
            exit_reason=self._end_reason,
            now=now,
        )
        return {**report, "database": str(self.places.database)}


def _trigger_of(error: BaseException) -> str:
    """The kill trigger that a failure of a trading session is; "" when it is none."""
    match error:
        case StoreError():
            return "storage"
        case CredentialError():
            return "auth"
        case PolymmError() if not isinstance(error, InvariantBroken):
            return ""
    return "invariant"


def _finding_text(finding: Finding) -> str:
    """A finding for people: what it is about, and what each side says."""
    said = f" (ours {finding.ours or '-'}, the venue's {finding.venue})" if finding.venue else ""
    return f"{finding.text}{said} [{finding.subject[:18]}]"
