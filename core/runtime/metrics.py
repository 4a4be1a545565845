"""Prometheus metrics on loopback, read from the session's own counters when they are asked for.

Nothing is counted twice: a scrape reads integers that engine, ingest, feed and reader keep anyway (performance.md 7).
docs/data-health.md, docs/account.md, docs/risk.md, docs/alarms.md, docs/attach.md and docs/markets.md list all
names. Three metrics have a series a token, one has a series a market and one two; the number of the others is bounded.
"""

import asyncio
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, Protocol, get_args
from wsgiref.simple_server import WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from core.actions import AccountSection
from core.alarms.kinds import KINDS
from core.engine import Engine
from core.market.proof import Evidence
from core.market.recovery import Durations
from core.money_views import total_pnl
from core.risk.budget import BucketName, SignerBudget
from core.risk.gate import DENIALS
from core.risk.protections import NAMES
from core.units import MICRO, SIDES
from core.views import AlarmPriority, BookState, Freshness, ListStanding, ListView, VenueMode

READ_SEC: Final = 2.0
"""Longest wait for the session's loop; a scrape that fails tells of a loop that hangs."""


class IntakeCounts(Protocol):
    """What :class:`core.runtime.ingest.Ingest` counts."""

    frames: int
    bytes: int
    repeated: int
    malformed: int


class UserCounts(Protocol):
    """What :class:`core.runtime.user_feed.UserFeed` counts."""

    malformed: int


class SocketState(Protocol):
    """One socket of the feed."""

    @property
    def connected(self) -> bool:
        """It is subscribed."""
        ...


class FeedCounts(Protocol):
    """What :class:`core.venue.market_feed.MarketFeed` tells."""

    replaced: int

    @property
    def sockets(self) -> Sequence[SocketState]:
        """All of them."""
        ...


class ReaderCounts(Protocol):
    """What :class:`core.runtime.reader.BooksReader` counts."""

    requests: int
    failures: int


class ListCounts(Protocol):
    """What :class:`core.runtime.selecting.Selecting` tells."""

    readings: Counter[str]
    changes: Counter[str]

    @property
    def standings(self) -> Mapping[str, int]:
        """Markets by what became of them."""
        ...

    def view(self, now: float) -> ListView:
        """The list as it stands at ``now``, monotonic seconds."""
        ...


class ConsoleCounts(Protocol):
    """What :class:`core.runtime.consoles.Consoles` tells."""

    dropped: int
    garbled: int

    @property
    def count(self) -> int:
        """How many are attached."""
        ...


class AlarmCounts(Protocol):
    """What :class:`core.runtime.alarming.Alarming` tells."""

    @property
    def raised(self) -> Mapping[str, int]:
        """How often, by code."""
        ...

    def counts(self) -> tuple[Mapping[AlarmPriority, int], Mapping[AlarmPriority, int]]:
        """By priority: alarms that stand, and those that want to be acknowledged."""
        ...


class Sources(msgspec.Struct):
    """What stands around the engine; the session fills in each part once it exists."""

    intake: IntakeCounts | None = None
    feed: FeedCounts | None = None
    reader: ReaderCounts | None = None
    user: UserCounts | None = None
    budget: SignerBudget | None = None
    selection: ListCounts | None = None
    alarms: AlarmCounts | None = None
    consoles: ConsoleCounts | None = None
    lateness: Durations | None = None
    """Of decisions."""
    lag_s: Callable[[], float] | None = None
    """Longest delay of the loop since it was last called, seconds: a scrape's own reader of it."""


class EngineCollector(Collector):
    """Turns the session's state into metrics: asked in the scrape's thread, read on the session's loop."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], float],
        gc_pause_s: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
        sources: Sources,
    ) -> None:
        """``loop`` is the one the engine is run by."""
        self._engine = engine
        self._now = now
        self._gc_pause_s = gc_pause_s
        self._loop = loop
        self._sources = sources

    def collect(self) -> list[Metric]:
        """All metrics at one moment."""

        async def read() -> list[Metric]:
            return list(self._families())

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result(READ_SEC)

    def _families(self) -> Iterator[Metric]:
        now = self._now()
        yield from self._channels()
        yield from self._messages()
        yield from self._books(now)
        yield from self._proofs()
        yield from self._trading(now)
        yield from self._venue(now)
        yield from self._account(now)
        yield from self._controls()
        yield from self._protections()
        yield from self._gate()
        yield from self._alarms()
        yield from self._market_list(now)
        yield from self._consoles()
        yield _gauge("mm_gc_pause_seconds", "Longest pause of the garbage collector.", self._gc_pause_s())
        lag_s = self._sources.lag_s
        yield _gauge("mm_loop_lag_seconds", "Longest delay of the loop since the last scrape.", lag_s() if lag_s else 0)

    def _channels(self) -> Iterator[Metric]:
        """Sockets and requests."""
        engine, feed, reader = self._engine, self._sources.feed, self._sources.reader
        up = engine.data.feed.connected + engine.user_feed.connected
        yield _gauge("mm_ws_connected", "Channels that are connected.", up)
        yield _counter("mm_ws_reconnects", "Losses of a channel.", engine.tally.reconnects)
        sockets = Counter("up" if socket.connected else "down" for socket in (feed.sockets if feed else ()))
        yield _gauges("mm_sockets", "Sockets of the market channel.", "state", _all(("up", "down"), sockets))
        replaced = feed.replaced if feed else 0
        yield _counter("mm_sockets_replaced", "Sockets that gave way to a new one in good order.", replaced)
        requests, failures = (reader.requests, reader.failures) if reader else (0, 0)
        yield _counter("mm_rest_requests", "Requests for books and prices over REST.", requests)
        yield _counter("mm_rest_failures", "Such requests without a usable answer.", failures)

    def _messages(self) -> Iterator[Metric]:
        """What came through the market channel, and what became of it."""
        tally, intake, user = self._engine.tally, self._sources.intake, self._sources.user
        desks = self._engine.desks.values()
        frames, octets, repeated, malformed = (
            (intake.frames, intake.bytes, intake.repeated, intake.malformed) if intake else (0, 0, 0, 0)
        )
        yield _counter("mm_frames", "Frames of the market channel.", frames)
        yield _counter("mm_frame_bytes", "Bytes of these frames, decompressed.", octets)
        yield _counter("mm_messages", "Market messages used.", tally.messages)
        yield _counter("mm_repeated_books", "Full books known by their hash and not decoded.", repeated)
        malformed += user.malformed if user else 0
        yield _counter("mm_malformed", "Frames and messages of both channels that cannot be used.", malformed)
        yield _counter("mm_unknown_types", "Market messages of a type nobody knows.", tally.unknown_types)
        yield _counter("mm_foreign_messages", "Messages of markets that are not followed.", tally.foreign)
        yield _counter("mm_new_markets", "Markets that opened at the venue.", tally.new_markets)
        duplicates = tally.duplicates + sum(desk.tracked.duplicates for desk in desks)
        yield _counter("mm_duplicates", "Changes that had been applied already.", duplicates)
        stale = tally.stale + sum(desk.tracked.stale for desk in desks)
        yield _counter("mm_stale", "Messages older than the book.", stale)

    def _books(self, now: float) -> Iterator[Metric]:
        """State and age of each book."""
        desks = self._engine.desks.values()
        gaps = CounterMetricFamily("mm_seq_gaps", "Losses of a book's continuity.", labels=["token_id"])
        reloads = CounterMetricFamily("mm_snapshot_reload", "Full books taken as the new truth.", labels=["token_id"])
        trades = GaugeMetricFamily("mm_trades_per_min", "Trades of the tape in the last minute.", labels=["token_id"])
        ages = GaugeMetricFamily("mm_book_age_seconds", "Since a book's last message.", labels=["market"])
        for desk in desks:
            for token in (desk.instrument.yes_token, desk.instrument.no_token):
                gaps.add_metric([token], desk.tracked.gaps)
                reloads.add_metric([token], desk.tracked.reloads)
                trades.add_metric([token], self._engine.data.get_trade_stats(token, now).trades_per_min)
            if desk.silence.heard_s > -math.inf:
                ages.add_metric([desk.market], now - desk.silence.heard_s)
        yield from (gaps, reloads, trades, ages)
        states = _all(get_args(BookState), Counter(desk.tracked.state for desk in desks))
        yield _gauges("mm_books", "Books by the state of their continuity.", "state", states)
        lives = _all(get_args(Freshness), Counter(desk.silence.status for desk in desks))
        yield _gauges("mm_book_freshness", "Books by what their silence means.", "freshness", lives)
        proofs = [now - desk.silence.proven_s for desk in desks if desk.tracked.synced]
        yield _gauge(
            "mm_oldest_proof_seconds", "Longest time since somebody vouched for a book.", max(proofs, default=0)
        )

    def _proofs(self) -> Iterator[Metric]:
        """Comparisons of hashes, touches and books, and how long it took to win lost books back."""
        engine, tally = self._engine, self._engine.tally
        total, in_doubt = Evidence(), 0
        total.add(tally.evidence)
        for desk in engine.desks.values():
            total.add(desk.tracked.evidence)
            in_doubt += desk.tracked.unexplained
        hashes = {
            "agreed": total.hash_agreed,
            "explained": total.hash_explained,
            "failed": total.hash_checked - total.hash_agreed - total.hash_explained - in_doubt,
            "skipped": total.hash_skipped,
        }
        yield _counters("mm_hash_checks", "Hashes stated by the venue.", "result", hashes)
        touches = {"agreed": total.top_agreed, "failed": total.top_checked - total.top_agreed}
        yield _counters("mm_touch_checks", "Best prices stated by the venue.", "result", touches)
        yield _gauge("mm_hash_check_every", "One change in so many is checked by its hash.", engine.data.proof.every)
        audits = {
            "same": tally.audits_same,
            "other": tally.audits_other,
            "implausible": tally.audits_implausible,
            "missing": tally.audits_missing,
        }
        yield _counters("mm_audits", "Comparisons of a silent book with REST.", "result", audits)
        yield _histogram("mm_recovery_seconds", "From the loss of a book to its proof.", engine.data.recoveries)

    def _trading(self, now: float) -> Iterator[Metric]:
        """Decisions, orders and money."""
        engine = self._engine
        counts = engine.orders.counts
        yield _counter("mm_decisions", "Quote decisions.", engine.tally.decisions)
        if (lateness := self._sources.lateness) is not None:
            yield _histogram(
                "mm_decision_late_seconds", "From when a decision was due to its orders' way out.", lateness
            )
        yield _counter("mm_orders_placed", "Orders accepted by the venue.", counts.placed)
        yield _counter("mm_rejects", "Orders refused by the venue.", counts.rejects)
        yield _counter("mm_fills", "Fills.", counts.fills)
        yield _counter("mm_filled_shares", "Shares filled.", counts.filled / MICRO)
        yield _counter("mm_cancels", "Orders whose cancel was sent.", counts.cancels)
        yield _counters("mm_requotes", "Cancels that a plan wanted, by rule.", "rule", counts.requotes)
        yield _gauge("mm_open_orders", "Orders that may be filled.", sum(1 for _ in engine.orders.all_at_risk()))
        yield _gauge("mm_pnl_usd", "Profit of the session, dollars.", total_pnl(engine, now).total / MICRO)

    def _venue(self, now: float) -> Iterator[Metric]:
        """What the venue lets us do; heartbeat and budget are absent until there is one."""
        venue, budget = self._engine.venue, self._sources.budget
        modes = _all(get_args(VenueMode), {venue.mode: 1})
        yield _gauges("mm_venue_mode", "1 for the mode that the venue is in.", "mode", modes)
        beat = GaugeMetricFamily("mm_heartbeat_age_seconds", "Since the last acknowledged heartbeat.")
        if venue.needs_heartbeat and venue.beat_s is not None:
            beat.add_metric([], now - venue.beat_s)
        yield beat
        left = GaugeMetricFamily("mm_rate_budget_remaining", "Tokens of the signer's buckets.", labels=["bucket"])
        if budget is not None:
            for bucket in get_args(BucketName):
                left.add_metric([bucket], budget.level(bucket, now))
        yield left
        warnings = budget.warnings if budget else 0
        yield _counter("mm_rate_warnings", "Answers that warned of a limit of the signer.", warnings)

    def _controls(self) -> Iterator[Metric]:
        """What operators and rules allow."""
        controls = self._engine.controls
        text = "0 active, 1 reduce-only, 2 paused, 3 cancel-only, 4 killed; without a market: of everything."
        states = GaugeMetricFamily("mm_control_state", text, labels=["market", "side"])
        states.add_metric(["", ""], controls.of_all().strictness)
        for market in self._engine.desks:
            for side in SIDES:
                states.add_metric([market, side], controls.of_side(market, side).strictness)
        yield states
        yield _gauge("mm_killed", "1 while nothing is placed until somebody re-arms.", self._engine.is_killed)
        yield _gauge("mm_watchdog_up", "0 while a watchdog is needed and none stands guard.", not self._engine.watchdog)

    def _gate(self) -> Iterator[Metric]:
        """What the gate let not through, and how much may be lost."""
        keeper = self._engine.gatekeeper
        denials = {code: keeper.denials[code].count if code in keeper.denials else 0 for code in DENIALS}
        yield _counters("mm_denials", "Orders that the gate let not through, by code.", "code", denials)
        exposures = keeper.exposures
        markets = [exposures.loss(market).worst / MICRO / MICRO for market in self._engine.desks]
        groups = [exposures.group_worst(group) / MICRO for group in exposures.groups]
        worst = {
            "account": exposures.account_worst / MICRO,
            "group": max(groups, default=0.0),
            "market": max(markets, default=0.0),
        }
        text = "May be lost at cost if all orders fill, dollars: by all, by the worst event, by the worst market."
        yield _gauges("mm_worst_case_usd", text, "scope", worst)

    def _protections(self) -> Iterator[Metric]:
        """What holds orders back by itself, and what the session tells of itself."""
        protections, vitals = self._engine.protections, self._engine.vitals
        trips: dict[str, int] = {name: protections.trips[name] for name in NAMES}
        yield _counters("mm_protection_trips", "Times that a protection held something back.", "name", trips)
        skew = GaugeMetricFamily("mm_clock_skew_seconds", "Our clock ahead of the venue's; absent while nobody asked.")
        if vitals.skew_s is not None:
            skew.add_metric([], vitals.skew_s)
        yield skew
        yield _gauge(
            "mm_journal_stalled_seconds", "How long the journal has been waiting for the disk.", vitals.stalled_s
        )

    def _alarms(self) -> Iterator[Metric]:
        """What wants an operator."""
        if (alarms := self._sources.alarms) is None:
            return
        standing, wanted = alarms.counts()
        priorities = get_args(AlarmPriority)
        stand = {str(priority): standing.get(priority, 0) for priority in priorities}
        yield _gauges("mm_alarms", "Alarms whose condition holds now.", "priority", stand)
        asking = {str(priority): wanted.get(priority, 0) for priority in priorities}
        text = "Alarms that are neither acknowledged nor shelved, nor follow from another."
        yield _gauges("mm_alarms_unacknowledged", text, "priority", asking)
        raised = _all([kind.code for kind in KINDS], alarms.raised)
        yield _counters("mm_alarm_raised", "Times that an alarm was raised.", "code", raised)

    def _market_list(self, now: float) -> Iterator[Metric]:
        """The list of markets: what became of it, and whether it waits for somebody."""
        if (selection := self._sources.selection) is None:
            return
        view, unix = selection.view(now), now + self._engine.wall_s
        standings = _all(get_args(ListStanding), selection.standings)
        yield _gauges("mm_list_markets", "Markets of the list by what became of them.", "standing", standings)
        yield _gauge("mm_list_rejected_rows", "Rows of the list that cannot be used.", len(view.rejected))
        yield _gauge("mm_list_trouble", "1 while the list or its markets cannot be read.", bool(view.trouble))
        waiting = 0 if view.proposal is None else len(view.proposal.lines)
        yield _gauge("mm_list_waiting_changes", "Changes of the list that wait for an operator.", waiting)
        age = GaugeMetricFamily("mm_list_age_seconds", "Since the list in force was read.")
        if view.read_unix is not None:
            age.add_metric([], max(0.0, unix - view.read_unix))
        yield age
        readings = _all(("read", "failed"), selection.readings)
        yield _counters("mm_list_readings", "Readings of the list.", "result", readings)
        changes = _all(("add", "remove", "change"), selection.changes)
        yield _counters("mm_list_changes", "Changes of the list that were put into force.", "kind", changes)

    def _consoles(self) -> Iterator[Metric]:
        """Consoles of other processes."""
        consoles = self._sources.consoles
        attached, dropped, garbled = (consoles.count, consoles.dropped, consoles.garbled) if consoles else (0, 0, 0)
        yield _gauge("mm_consoles_attached", "Consoles of other processes.", attached)
        yield _counter("mm_consoles_dropped", "Such consoles that took nothing for too long.", dropped)
        yield _counter("mm_consoles_garbled", "Such consoles that said what cannot be read.", garbled)

    def _account(self, now: float) -> Iterator[Metric]:
        """What is not known yet, what does not fit, and what is not ours."""
        engine, reconciliation = self._engine, self._engine.reconciliation
        unknown = [now - o.unknown_s for o in engine.orders.all_at_risk() if o.unknown_s is not None]
        yield _gauge("mm_unknown_orders", "Orders of which nobody knows if the venue has them.", len(unknown))
        yield _gauge("mm_unknown_order_age_seconds", "Of the oldest such order.", max(unknown, default=0))
        unsettled = [now - known.since_s for known in engine.orders.book.open()]
        yield _gauge("mm_unsettled_trades", "Fills that are neither confirmed nor failed.", len(unsettled))
        yield _gauge("mm_unsettled_trade_age_seconds", "Of the oldest such fill.", max(unsettled, default=0))
        yield _gauge("mm_foreign_orders", "Open orders on the account not ours.", len(reconciliation.foreign.orders))
        findings = CounterMetricFamily("mm_findings", "What did not fit.", labels=["code", "severity"])
        for key, count in engine.findings.counts.items():
            findings.add_metric(key, count)
        yield findings
        reads = CounterMetricFamily("mm_account_reads", "Reads of the account.", labels=["section", "result"])
        for section in get_args(AccountSection):
            for result, is_complete in (("complete", True), ("incomplete", False)):
                reads.add_metric([section, result], reconciliation.readings.get((section, is_complete), 0))
        yield reads


class MetricsServer:
    """The HTTP server of the metrics, in a thread of its own."""

    def __init__(self, port: int, collector: EngineCollector) -> None:
        """Start serving on 127.0.0.1.

        Raises:
            OSError: the port is taken.
        """
        registry = CollectorRegistry()
        registry.register(collector)
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _all(names: Sequence[str], seen: Mapping[str, int]) -> dict[str, int]:
    """Every name with its count: a series that comes and goes cannot be compared with itself."""
    return {name: seen.get(name, 0) for name in names}


def _histogram(name: str, text: str, durations: Durations) -> Metric:
    bounds = [*(str(bound) for bound in durations.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=durations.sum_s)
