"""Every metric moves, each for its own reason; scrape and engine never touch the same thing at the same time."""

import asyncio
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from core.config import Settings
from core.engine import Engine
from core.events import (
    ClockSeen,
    FeedChanged,
    HeartbeatSeen,
    JournalSeen,
    ListedOrder,
    MarketMessage,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    RestBook,
    RestTouch,
    TradesRead,
    VenueSeen,
)
from core.orders.order import State
from core.risk.budget import SignerBudget
from core.risk.protections import NAMES
from core.runtime.metrics import EngineCollector, MetricsServer, Sources
from core.views import ListView, ProposalLineView, ProposalView, RejectedRowView
from tests.builders import MARKET, NO, NOON, YES, Driver, VenueBook, a_market


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def collector_of(engine: Engine, now: float = 1.0, sources: Sources | None = None) -> EngineCollector:
    return EngineCollector(engine, lambda: now, lambda: 0.0, asyncio.get_running_loop(), sources or Sources())


class Scrape:
    """A page as Prometheus reads it."""

    def __init__(self, page: str) -> None:
        self.samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

    def __getitem__(self, key: str | tuple[str, ...]) -> float:
        return self.samples[(key,) if isinstance(key, str) else key]

    def by(self, name: str) -> dict[str, float]:
        """Values of a metric with one label, by that label."""
        return {key[1]: value for key, value in self.samples.items() if key[0] == name}


class _Fixed:
    """A registry entry whose metrics are known."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


async def scrape(driver: Driver, sources: Sources | None = None) -> Scrape:
    """What a scrape would tell now."""
    metrics = await asyncio.to_thread(collector_of(driver.engine, driver.now, sources).collect)
    registry = CollectorRegistry()
    registry.register(_Fixed(metrics))  # type: ignore[arg-type]
    return Scrape(generate_latest(registry).decode())


async def test_the_engine_is_read_on_its_own_thread() -> None:
    """Dictionaries and queues that change while a scrape walks them would fail the scrape, or the engine."""
    threads: list[int] = []

    def now() -> float:
        threads.append(threading.get_ident())
        return 1.0

    engine = Engine(Settings(), own_in_book=True)
    collector = EngineCollector(engine, now, lambda: 0.0, asyncio.get_running_loop(), Sources())
    port = free_port()
    server = MetricsServer(port, collector)
    async with httpx.AsyncClient() as http:
        page = await http.get(f"http://127.0.0.1:{port}/metrics")
    await asyncio.to_thread(server.close)
    assert page.status_code == 200 and "mm_ws_connected 0.0" in page.text
    assert set(threads) == {threading.get_ident()}


async def test_it_listens_on_loopback_only_and_tells_a_taken_port() -> None:
    """Positions are nobody's business outside of this machine."""
    port = free_port()
    collector = collector_of(Engine(Settings(), own_in_book=True))
    server = MetricsServer(port, collector)
    with pytest.raises(OSError):
        MetricsServer(port, collector)
    assert _listens_on(port) == {"0100007F"}
    await asyncio.to_thread(server.close)


def _listens_on(port: int) -> set[str]:
    """Addresses, as the kernel spells them, on which somebody listens at a port."""
    listed = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = (row[1].split(":") for row in listed if row[3] == "0A")
    return {address for address, number in places if int(number, 16) == port}


# Channels and messages


@dataclass
class _Socket:
    connected: bool


@dataclass
class _Feed:
    sockets: list[_Socket]
    replaced: int


@dataclass
class _Intake:
    frames: int
    bytes: int
    repeated: int
    malformed: int


@dataclass
class _Reader:
    requests: int
    failures: int


@dataclass
class _User:
    malformed: int


async def test_what_stands_before_the_engine_is_told_once_it_exists() -> None:
    driver = Driver(VenueBook())
    before = await scrape(driver)
    told = {
        ("mm_sockets", "up"): 2,
        ("mm_sockets", "down"): 1,
        ("mm_sockets_replaced_total",): 3,
        ("mm_frames_total",): 500,
        ("mm_frame_bytes_total",): 123_456,
        ("mm_repeated_books_total",): 70,
        ("mm_malformed_total",): 4 + 2,
        ("mm_rest_requests_total",): 20,
        ("mm_rest_failures_total",): 5,
    }
    assert {key: before.samples[key] for key in told} == dict.fromkeys(told, 0)
    sources = Sources(
        intake=_Intake(500, 123_456, 70, 4),
        feed=_Feed([_Socket(True), _Socket(False), _Socket(True)], 3),
        reader=_Reader(20, 5),
        user=_User(2),
    )
    seen = await scrape(driver, sources)
    assert {key: seen.samples[key] for key in told} == told


async def test_channels_are_counted_up_and_down() -> None:
    driver = Driver(VenueBook()).quoting()
    assert (await scrape(driver))["mm_ws_connected"] == 2
    driver.send(FeedChanged(feed="market", connected=False, detail="reset"))
    seen = await scrape(driver)
    assert (seen["mm_ws_connected"], seen["mm_ws_reconnects_total"]) == (1, 1)


async def test_every_message_is_counted_as_what_it_is() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    before = (await scrape(driver))["mm_messages_total"]
    driver.send(book.set("bid", 44, 5))
    driver.send(book.trade("0.46"))
    driver.send(MarketMessage(event_type="holiday", market=MARKET, timestamp=book.ms))
    driver.send(MarketMessage(event_type="new_market", market="0x1", timestamp=book.ms))
    driver.send(MarketMessage(event_type="price_change", market="0x" + "ef" * 32, timestamp=book.ms))
    seen = await scrape(driver)
    names = ("messages", "unknown_types", "new_markets", "foreign_messages")
    assert [seen[f"mm_{name}_total"] for name in names] == [before + 2, 1, 1, 1]
    assert seen.by("mm_trades_per_min") == {YES: 1, NO: 1}


async def test_what_comes_twice_or_late_is_counted() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    first = book.set("bid", 44, 5)
    second = book.set("bid", 43, 6, after_ms=0)
    driver.send(first)
    driver.send(second)
    driver.send(first)
    full = VenueBook(ms=book.ms - 60_000)
    driver.send(full.set("bid", 30, 7))
    seen = await scrape(driver)
    assert seen["mm_duplicates_total"] == 1
    assert seen["mm_stale_total"] == 1


# Books and their proof


async def test_each_state_of_a_book_is_counted() -> None:
    book, other = VenueBook(), VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(book, other)
    driver.rest_answers = False
    assert (await scrape(driver)).by("mm_books") == {"EMPTY": 2, "SYNCED": 0, "SUSPECT": 0, "RESYNCING": 0}
    driver.quoting()
    assert (await scrape(driver)).by("mm_books") == {"EMPTY": 0, "SYNCED": 2, "SUSPECT": 0, "RESYNCING": 0}
    _lose_a_change(driver, book)
    seen = await scrape(driver)
    assert seen.by("mm_books") == {"EMPTY": 0, "SYNCED": 1, "SUSPECT": 0, "RESYNCING": 1}
    gaps = seen.by("mm_seq_gaps_total")
    assert (gaps[YES], gaps[NO], gaps["3" * 77]) == (1, 1, 0)
    driver.send(FeedChanged(feed="market", connected=False, detail="reset"))
    assert (await scrape(driver)).by("mm_books")["SUSPECT"] == 2


async def test_a_lost_book_that_is_won_back_is_a_duration() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    before = await scrape(driver)
    _lose_a_change(driver, book)
    driver.pass_time(3.0)
    after = await scrape(driver)

    def grown(*key: str) -> float:
        return after.samples[key] - before.samples[key]

    assert grown("mm_recovery_seconds_count") == grown("mm_recovery_seconds_bucket", "+Inf") == 1
    assert 0 < grown("mm_recovery_seconds_sum") < 2.5 and grown("mm_recovery_seconds_bucket", "2.5") == 1
    assert grown("mm_recovery_seconds_bucket", "0.1") == 0
    assert grown("mm_snapshot_reload_total", YES) == 1


async def test_silence_is_told_by_what_it_means_and_by_its_age() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.send(book.set("bid", 44, 5))
    seen = await scrape(driver)
    assert seen.by("mm_book_freshness") == {"live": 1, "quiet": 0, "frozen": 0, "unproven": 0}
    assert seen.by("mm_book_age_seconds") == {MARKET: 0}
    driver.pass_time(30.0)
    seen = await scrape(driver)
    assert seen.by("mm_book_freshness")["quiet"] == 1
    assert seen.by("mm_book_age_seconds")[MARKET] == 30
    assert seen["mm_oldest_proof_seconds"] < 6 and seen["mm_audits_total", "same"] >= 5
    driver.rest_answers = False
    driver.pass_time(30.0)
    seen = await scrape(driver)
    assert seen.by("mm_book_freshness")["unproven"] == 1
    assert seen["mm_oldest_proof_seconds"] > 29


async def test_a_book_that_never_came_has_no_age() -> None:
    assert (await scrape(Driver(VenueBook()))).by("mm_book_age_seconds") == {}


async def test_a_frozen_book_is_told() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.pass_time(10.0)
    book.set("bid", 45, 1)
    driver.pass_time(4.6)
    seen = await scrape(driver)
    assert seen.by("mm_book_freshness")["frozen"] == 1 and seen["mm_audits_total", "other"] >= 1


async def test_audits_are_counted_by_what_they_found() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.rest_answers = False

    async def audited(books: tuple[RestBook, ...], touches: tuple[RestTouch, ...]) -> dict[str, float]:
        driver.answer_read(driver.now, (YES, NO), books=books, touches=touches)
        return (await scrape(driver)).by("mm_audits_total")

    true, prices = (book.rest("YES"), book.rest("NO")), (book.rest_touch("YES"), book.rest_touch("NO"))
    ghost = VenueBook(ms=book.ms + 50)
    ghost.bids, ghost.asks = {1: 100}, {99: 100}
    later = VenueBook(ms=book.ms)
    later.set("bid", 40, 9)
    none: dict[str, float] = dict.fromkeys(("same", "other", "implausible", "missing"), 0)
    assert await audited(true, prices) == none | {"same": 1}
    assert await audited((), ()) == none | {"same": 1, "missing": 1}
    assert (await audited((ghost.rest("YES"), ghost.rest("NO")), prices))["implausible"] == 1
    assert (await audited((later.rest("YES"), later.rest("NO")), prices))["other"] == 1


async def test_hashes_are_counted_by_what_came_of_them() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    before = (await scrape(driver)).by("mm_hash_checks_total")
    assert (before["failed"], before["skipped"]) == (0, 0)
    driver.send(book.set("bid", 44, 5))
    agreed = (await scrape(driver)).by("mm_hash_checks_total")
    assert agreed["agreed"] > before["agreed"] and agreed["explained"] == before["explained"]
    book.trade("0.46")
    driver.send(book.set("bid", 44, 7))
    explained = (await scrape(driver)).by("mm_hash_checks_total")
    assert explained["explained"] > agreed["explained"] and explained["failed"] == 0


async def test_a_hash_in_doubt_is_a_failure_only_when_it_is_judged() -> None:
    """A counter that went back would look like a restart."""
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.rest_answers = False
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    assert (await scrape(driver))["mm_hash_checks_total", "failed"] == 0
    driver.pass_time(0.7)
    assert (await scrape(driver))["mm_hash_checks_total", "failed"] >= 1


async def test_hashes_left_out_of_a_sample_are_counted() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    assert (await scrape(driver))["mm_hash_check_every"] == 1
    driver.engine.data.proof.every = 3
    for size in range(1, 10):
        driver.send(book.set("bid", 44, size))
    seen = await scrape(driver)
    assert seen["mm_hash_check_every"] == 3 and seen["mm_hash_checks_total", "skipped"] >= 5


async def test_touches_are_counted_by_what_came_of_them() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    bid, ask = book.touch()
    stated = MarketMessage(
        event_type="best_bid_ask", market=MARKET, asset_id=YES, timestamp=book.ms, best_bid=bid, best_ask=ask
    )
    before = (await scrape(driver)).by("mm_touch_checks_total")
    driver.send(stated)
    driver.send(msgspec.structs.replace(stated, best_bid="0.02"))
    after = (await scrape(driver)).by("mm_touch_checks_total")
    assert after["agreed"] == before["agreed"] + 1 and (before["failed"], after["failed"]) == (0, 1)


def _lose_a_change(driver: Driver, book: VenueBook) -> None:
    """One change never arrives, the next does; the doubt is judged."""
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    driver.pass_time(0.6)


# The venue and the account


async def test_the_mode_of_the_venue_is_one_of_five() -> None:
    driver = Driver(VenueBook()).quoting()
    modes = dict.fromkeys(("NORMAL", "RESTARTING", "POST_ONLY", "CANCEL_ONLY", "DISABLED"), 0)
    assert (await scrape(driver)).by("mm_venue_mode") == modes | {"NORMAL": 1}
    driver.send(VenueSeen(mode="RESTARTING"))
    assert (await scrape(driver)).by("mm_venue_mode") == modes | {"RESTARTING": 1}


async def test_control_states_are_told_for_everything_and_for_each_side_of_a_market() -> None:
    """As numbers that rise with strictness, so that an alert is a comparison."""
    driver = Driver(VenueBook()).quoting()

    async def states() -> list[float]:
        samples = (await scrape(driver)).samples
        return [samples["mm_control_state", *scope] for scope in (("", ""), (MARKET, "bid"), (MARKET, "ask"))]

    assert await states() == [0, 0, 0]
    driver.send(OperatorCommand(act="pause", market=MARKET, sides="ask"))
    assert await states() == [0, 0, 2]
    driver.send(OperatorCommand(act="reduce_all"))
    assert await states() == [1, 1, 2]
    assert (await scrape(driver))["mm_killed"] == 0
    driver.command("kill")
    assert await states() == [4, 4, 4]
    assert (await scrape(driver))["mm_killed"] == 1


async def test_a_heartbeat_has_an_age_once_one_was_acknowledged() -> None:
    """A number before the first, or on paper, would be an alarm that means nothing."""
    driver = Driver(VenueBook()).quoting()
    driver.engine.venue.needs_heartbeat = True
    assert ("mm_heartbeat_age_seconds",) not in (await scrape(driver)).samples
    driver.send(HeartbeatSeen(acknowledged=True))
    driver.now += 4
    driver.send(HeartbeatSeen(acknowledged=False, detail="status 500"))
    assert (await scrape(driver))["mm_heartbeat_age_seconds"] == 4


async def test_what_the_signer_may_send_and_how_late_the_loop_is_come_from_the_session() -> None:
    driver, budget = Driver(VenueBook()).quoting(), SignerBudget()
    before = await scrape(driver)
    assert before.by("mm_rate_budget_remaining") == {}
    assert before["mm_rate_warnings_total"] == before["mm_loop_lag_seconds"] == 0
    budget.place(15, driver.now)
    budget.told("cancels", remaining=30, tier="", warned=True, refused=False, wait_s=0.0, now=driver.now)
    seen = await scrape(driver, Sources(budget=budget, lag_s=lambda: 0.025))
    assert seen.by("mm_rate_budget_remaining") == {"orders": 45, "cancels": 30}
    assert (seen["mm_rate_warnings_total"], seen["mm_loop_lag_seconds"]) == (1, 0.025)


async def test_orders_of_which_nobody_knows_are_counted_with_the_age_of_the_oldest() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    for order in driver.orders(State.SENDING)[:2]:
        driver.send(OrderAnswered(intent=order.intent, outcome="unknown"))
        driver.now += 3
    seen = await scrape(driver)
    assert (seen["mm_unknown_orders"], seen["mm_unknown_order_age_seconds"]) == (2, 6)


async def test_trades_that_are_not_final_are_counted_with_the_age_of_the_oldest() -> None:
    driver = Driver(VenueBook()).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.fill(bid, 5, trade="t1")
    driver.now += 9
    driver.fill(bid, 5, trade="t2")
    seen = await scrape(driver)
    assert (seen["mm_unsettled_trades"], seen["mm_unsettled_trade_age_seconds"]) == (2, 9)
    for trade in ("t1", "t2"):
        driver.fill(bid, 5, "confirmed", trade=trade)
    seen = await scrape(driver)
    assert (seen["mm_unsettled_trades"], seen["mm_unsettled_trade_age_seconds"]) == (0, 0)


async def test_findings_foreign_orders_and_reads_are_counted_by_what_they_are() -> None:
    driver = Driver(VenueBook()).quoting()
    before = await scrape(driver)
    assert before["mm_foreign_orders"] == 0
    rows = tuple(ListedOrder(f"0xf{number}", MARKET, YES, "BUY", "0.01") for number in range(3))
    driver.send(OpenOrdersRead(asked_s=driver.now, orders=rows, complete=False))
    driver.send(TradesRead(asked_s=driver.now, after_unix=0, complete=True))
    seen = await scrape(driver)
    assert seen["mm_foreign_orders"] == 3
    assert seen.samples["mm_findings_total", "foreign_order", "warning"] == 3
    reads = {key[1:]: value for key, value in seen.samples.items() if key[0] == "mm_account_reads_total"}
    grown = {key: value - before.samples["mm_account_reads_total", *key] for key, value in reads.items()}
    assert {tuple(sorted(key)) for key, value in grown.items() if value} == {
        ("incomplete", "orders"),
        ("complete", "trades"),
    }


# Size


async def test_series_grow_by_nine_with_each_market() -> None:
    """A hundred markets must not drown a small Prometheus: three metrics a token, an age and a state a side."""
    markets = [a_market(market=f"0x{n:064x}", yes=f"{10**70 + 2 * n}", no=f"{10**70 + 2 * n + 1}") for n in range(4)]
    books = [VenueBook(market) for market in markets]
    few, many = Driver(*books[:2]).quoting(), Driver(*books).quoting()
    counts = [len((await scrape(driver)).samples) for driver in (few, many)]
    assert counts[1] - counts[0] == 2 * 9
    assert counts[0] - 2 * 9 < 160


async def test_the_pages_on_data_account_and_risk_name_every_metric() -> None:
    docs = Path(__file__).parents[3] / "docs"
    names_of_pages = ("data-health.md", "account.md", "risk.md", "attach.md")
    page = "".join((docs / name).read_text(encoding="utf-8") for name in names_of_pages)
    driver = Driver(VenueBook()).quoting()
    driver.engine.venue.needs_heartbeat = True
    driver.send(HeartbeatSeen(acknowledged=True))
    driver.send(OpenOrdersRead(asked_s=driver.now, orders=(ListedOrder("0xf0"),)))
    seen = await scrape(driver, Sources(budget=SignerBudget()))
    names = {key[0] for key in seen.samples if not key[0].endswith(("_bucket", "_sum", "_count"))}
    assert {"mm_heartbeat_age_seconds", "mm_rate_budget_remaining", "mm_findings_total"} < names
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_page_on_the_account_names_every_finding() -> None:
    """A code is a label of a metric and a word on the screen: somebody who is woken by it looks it up."""
    root = Path(__file__).parents[3]
    page = (root / "docs" / "account.md").read_text(encoding="utf-8")
    rooms = [path for room in ("", "account", "orders") for path in (root / "core" / room).glob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in rooms)
    codes = set(re.findall(r'(?:Finding|_finding)\(\s*(?:code=)?"([a-z_]+)"', source))
    assert {"unknown_order", "missing_shares", "failed_trade"} < codes
    assert {code for code in codes if f"`{code}`" not in page} == set()


async def test_protections_clock_and_journal_are_told() -> None:
    """What an operator is woken up for: a rule that acted, a clock that is off, a disk that takes nothing."""
    driver = Driver(VenueBook()).quoting()
    before = await scrape(driver)
    assert not [key for key in before.samples if key[0] == "mm_clock_skew_seconds"], "nobody has asked"
    driver.engine.protections.trips["streak"] += 2
    driver.send(ClockSeen(-1.25))
    driver.send(JournalSeen(2.5))
    samples = (await scrape(driver)).samples
    assert {key[1] for key in samples if key[0] == "mm_protection_trips_total"} == set(NAMES)
    assert samples["mm_protection_trips_total", "streak"] == 2
    assert samples["mm_protection_trips_total", "repeat"] == 0
    assert samples["mm_clock_skew_seconds",] == -1.25
    assert samples["mm_journal_stalled_seconds",] == 2.5


class _List:
    """A market list with something of everything."""

    def __init__(self, view: ListView) -> None:
        self.readings = Counter({"failed": 2})
        self.changes = Counter({"add": 3})
        self.standings: Mapping[str, int] = {"made": 4, "failed": 1}
        self._view = view

    def view(self, now: float) -> ListView:
        return self._view


async def test_the_market_list_is_told_by_counts_alone() -> None:
    """A list of thousands has as many series as one of three (reliability.md M09)."""
    driver = Driver()
    driver.engine.wall_s = NOON - driver.now
    line = ProposalLineView("remove", "0x1", "Will it?", "its row is gone")
    view = ListView(
        source="a sheet",
        trouble="403",
        read_unix=NOON - 90.0,
        rejected=(RejectedRowView(7, "market_id", "x", "no id"),),
        proposal=ProposalView("abc", NOON, "half of it", (line, line)),
    )
    seen = await scrape(driver, Sources(selection=_List(view)))
    assert seen["mm_list_age_seconds"] == pytest.approx(90.0, abs=1.0)
    assert (seen["mm_list_rejected_rows"], seen["mm_list_trouble"], seen["mm_list_waiting_changes"]) == (1, 1, 2)
    standings = {"made": 4, "draining": 0, "waiting": 0, "failed": 1, "refused": 0, "off": 0}
    assert seen.by("mm_list_markets") == standings
    assert seen.by("mm_list_readings_total") == {"read": 0, "failed": 2}
    assert seen.by("mm_list_changes_total") == {"add": 3, "remove": 0, "change": 0}
    well = await scrape(driver, Sources(selection=_List(ListView(source="a sheet"))))
    assert (well["mm_list_trouble"], well["mm_list_waiting_changes"]) == (0, 0)
    assert "mm_list_age_seconds" not in {key[0] for key in well.samples}, "nothing was read yet"
    assert not any(key[0].startswith("mm_list") for key in (await scrape(driver)).samples), "where there is no list"
