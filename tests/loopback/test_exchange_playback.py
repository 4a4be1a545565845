"""A recording served on real sockets, on a clock the test moves, and our own program against it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import websockets

from core.clock import ManualClock, SystemClock
from core.errors import UsageError
from core.events import MarketMessage
from core.exchange.api.playback import RunningPlayback, build_playback
from core.exchange.api.wire_server import DUMP_LIMIT
from core.lab.recording import read_lines
from core.market.continuity import TrackedBook
from core.venue.gamma import GammaClient
from core.venue.wire import decode_frame
from tests.builders import MARKET, NO, NOON, YES, VenueBook, a_market, recorded, reference_hash
from tests.end_to_end.program import PATIENCE_S, PROGRAM, ROOT, environment, last_json

SOON_S = 5.0
MARKET_FILES = (
    "lol-esports-2026-09-07",
    "btc-updown-5m-2026-08-16",
    "btc-sampled-2026-03-13",
    "longshot-2026-06-30",
    "resolved-2026-08-19",
    "tick-size-change-2025-02-09",
)
LOL = "ws-market-lol-esports-2026-09-07.jsonl.gz"


class Stage:
    """A playback serving in this process."""

    def __init__(self, running: RunningPlayback, clock: ManualClock, http: httpx.AsyncClient, told: list[str]) -> None:
        self.running = running
        self.playback = running.host.playback
        self.told = told
        self._clock = clock
        self._http = http

    def pass_time(self, seconds: float) -> None:
        """Move the clock and send what is due."""
        self._clock.advance_to(self._clock.monotonic() + seconds)
        self.running.host.catch_up()

    def play_next(self) -> bool:
        """Go on to the next frame; False at the end."""
        if self.playback.next_due_s == inf:
            return False
        self.pass_time(max(0.0, self.playback.next_due_s - self.running.host.position_s) + 1e-7)
        return True

    async def subscribed(self, tokens: list[str], **over: Any) -> "Ear":
        socket = await websockets.connect(str(self.running.urls["ws_market_url"]))
        await socket.send(json.dumps({"type": "market", "assets_ids": tokens, **over}))
        return Ear(socket)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self._http.get(path, params=params)

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self._http.post(path, json=body)


class Ear:
    """A socket and what came to it."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket

    async def new(self) -> list[str]:
        """Every frame sent so far: the answer to a PING comes after them."""
        await self.socket.send("PING")
        frames: list[str] = []
        async with asyncio.timeout(SOON_S):
            while (frame := await self.socket.recv()) != "PONG":
                frames.append(str(frame))
        return frames


@asynccontextmanager
async def staged(path: Path, **options: Any) -> AsyncIterator[Stage]:
    clock, told = ManualClock(unix=1_800_000_000.0), list[str]()
    host = build_playback(path, clock=clock, tell=told.append, **options)
    running = RunningPlayback(host)
    async with running, httpx.AsyncClient(base_url=str(running.urls["clob_url"])) as http:
        yield Stage(running, clock, http, told)


def wire(message: MarketMessage) -> dict[str, Any]:
    """A message as the venue spells it."""
    told = {key: value for key, value in msgspec.to_builtins(message).items() if value not in ("", None, (), [])}
    return {key: value for key, value in told.items() if key != "kind"} | {"timestamp": str(message.timestamp)}


def write(path: Path, raws: list[Any]) -> Path:
    path.write_text("".join(json.dumps({"t": None, "raw": raw}) + "\n" for raw in raws))
    return path


def damage(path: Path) -> None:
    """Add a line that is half a line."""
    path.write_bytes(path.read_bytes() + b"{\n")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Both first books in one array, then ten changes half a second apart."""
    venue = VenueBook()
    dump = [wire(venue.book("YES")), wire(venue.book("NO"))]
    return write(tmp_path / "session.jsonl", [dump, *(wire(venue.set("bid", 30 + n, 10, 500)) for n in range(10))])


def raws_of(path: Path) -> list[str]:
    return [bytes(line.raw).decode() for _, line in read_lines(path, [])]


def tokens_of(path: Path) -> list[str]:
    """Every token a recording names, found without our decoder of events."""

    def walk(value: Any) -> list[str]:
        if isinstance(value, list):
            return [token for item in value for token in walk(item)]
        if not isinstance(value, dict):
            return []
        own = [value["asset_id"]] if "asset_id" in value else []
        return [*own, *value.get("assets_ids", ()), *walk(list(value.values()))]

    return list(dict.fromkeys(token for raw in raws_of(path) for token in walk(json.loads(raw))))


# The channel


@pytest.mark.parametrize("name", MARKET_FILES)
async def test_every_recorded_frame_arrives_byte_for_byte_in_order(name: str) -> None:
    (path,) = recorded(f"ws-market-{name}.jsonl.gz")
    async with staged(path) as stage:
        ear = await stage.subscribed(tokens_of(path), custom_feature_enabled=True)
        heard = await ear.new()
        while stage.play_next():
            heard += await ear.new()
        assert heard == raws_of(path)
        assert stage.told == [f"end of the recording: {len(heard)} frames played, 0 problems"]


@pytest.mark.parametrize("name", MARKET_FILES[:2])
async def test_rest_books_have_the_recorded_hash_at_every_moment(name: str) -> None:
    (path,) = recorded(f"ws-market-{name}.jsonl.gz")
    stated: dict[str, str] = {}
    async with staged(path) as stage:
        ear = await stage.subscribed(tokens_of(path))
        heard = await ear.new()
        for _ in range(30):
            for message in (message for frame in heard for message in decode_frame(frame)):
                stated |= {message.asset_id: message.hash} if message.event_type == "book" else {}
                stated |= {change.asset_id: change.hash for change in message.price_changes or ()}
            books = (await stage.post("/books", [{"token_id": token} for token in stated])).json()
            assert {book["asset_id"]: book["hash"] for book in books} == stated
            assert all(reference_hash(book) == book["hash"] for book in books)
            if not stage.play_next():
                break
            heard = await ear.new()
    assert stated


async def test_a_late_subscriber_gets_a_dump_that_proves_itself_and_what_follows() -> None:
    """Our own verification accepts the dump made from the rebuilt books, and every recorded change on top of it."""
    (path,) = recorded(LOL)
    tokens = tokens_of(path)
    async with staged(path) as stage:
        await (await stage.subscribed([])).new()
        ears: list[tuple[Ear, TrackedBook, int]] = []
        for step in range(200):
            if step % 15 == 3:
                ear = await stage.subscribed(tokens)
                (dump,) = await ear.new()
                instrument = next(iter(stage.playback.markets.values())).instrument
                book = TrackedBook(instrument)
                for message in decode_frame(dump):
                    assert message.tick_size and message.last_trade_price
                    book.apply_book(message, message.timestamp / 1000)
                assert book.evidence.hash_agreed == 2 and book.synced
                ears.append((ear, book, step))
            if not stage.play_next():
                break
        for ear, book, _ in ears:
            for message in (message for frame in await ear.new() for message in decode_frame(frame)):
                if message.event_type == "book":
                    book.apply_book(message, message.timestamp / 1000)
                elif message.event_type == "price_change":
                    book.apply_changes(message, message.timestamp / 1000)
            evidence = book.evidence
            assert book.synced and book.gaps == 0 and evidence.top_agreed == evidence.top_checked
            assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked
    assert len(ears) >= 4


async def test_it_waits_for_the_first_subscriber_and_keeps_the_recorded_pace(session: Path) -> None:
    async with staged(session) as stage:
        stage.pass_time(60.0)
        ear = await stage.subscribed([YES])
        assert await ear.new() == raws_of(session)[:1]
        stage.pass_time(0.499)
        assert await ear.new() == []
        stage.pass_time(0.002)
        assert await ear.new() == raws_of(session)[1:2]
        stage.pass_time(100.0)
        assert await ear.new() == raws_of(session)[2:]
        stage.pass_time(100.0)
        assert await ear.new() == [], "open and quiet after the end"


async def test_speed_divides_the_waiting_and_latecomers_get_the_present_books(session: Path) -> None:
    async with staged(session, speed=4.0) as stage:
        stage.running.host.start()
        assert (await stage.get("/time")).json() == NOON
        stage.pass_time(0.5)
        assert stage.playback.played == 5 and (await stage.get("/time")).json() == NOON + 2
        ear = await stage.subscribed([YES])
        (dump,) = await ear.new()
        assert [book["timestamp"] for book in json.loads(dump)] == [str(NOON * 1000 + 2_000)]
        stage.pass_time(0.125)
        assert await ear.new() == raws_of(session)[5:6]


async def test_a_socket_gets_what_concerns_its_tokens_and_strangers_hear_nothing(tmp_path: Path) -> None:
    venue = VenueBook()
    best = {"event_type": "best_bid_ask", "market": MARKET, "asset_id": YES, "best_bid": "0.4", "best_ask": "0.5"}
    raws = [
        [wire(venue.book("YES")), wire(venue.book("NO"))],
        wire(venue.trade("0.5", outcome="NO")),
        best | {"timestamp": str(venue.ms)},
        wire(venue.set("bid", 30, 10)),
    ]
    path = write(tmp_path / "a.jsonl", raws)
    texts = raws_of(path)
    async with staged(path) as stage:
        plain, custom = await stage.subscribed([YES]), await stage.subscribed([YES], custom_feature_enabled=True)
        other, stranger = await stage.subscribed([NO]), await stage.subscribed(["12345"])
        for ear in (plain, custom, other, stranger):
            await ear.new()
        stage.pass_time(1.0)
        assert await plain.new() == texts[3:] and await custom.new() == texts[3:] and await other.new() == texts[3:]
        assert await stranger.new() == []
    async with staged(path) as stage:
        assert await (await stage.subscribed([NO])).new() == texts[:2], "the whole dump, the trade, no best_bid_ask"
    async with staged(path) as stage:
        assert await (await stage.subscribed([YES], custom_feature_enabled=True)).new() == [texts[0], texts[2]]


async def test_tokens_are_added_dropped_and_taken_up_again(session: Path) -> None:
    """Subscribing anew is how a client repairs a book: the dump is the book of now."""
    async with staged(session) as stage:
        ear = await stage.subscribed(["12345"])
        assert await ear.new() == []
        stage.pass_time(1.2)
        await ear.socket.send(json.dumps({"operation": "subscribe", "assets_ids": [YES, NO]}))
        (dump,) = await ear.new()
        served = [(await stage.get("/book", token_id=token)).json() for token in (YES, NO)]
        assert [book["hash"] for book in json.loads(dump)] == [book["hash"] for book in served]
        await ear.socket.send(json.dumps({"operation": "subscribe", "assets_ids": [YES]}))
        assert await ear.new() == [], "active already"
        await ear.socket.send(json.dumps({"operation": "unsubscribe", "assets_ids": [YES, NO]}))
        assert await ear.new() == []
        stage.pass_time(1.0)
        assert await ear.new() == []
        await ear.socket.send(json.dumps({"operation": "subscribe", "assets_ids": [NO], "initial_dump": False}))
        assert await ear.new() == []
        stage.pass_time(0.5)
        assert len(await ear.new()) == 1
        crowd = await stage.subscribed([YES, *(str(n) for n in range(DUMP_LIMIT))])
        assert await crowd.new() == [], "too many tokens for a dump"


@pytest.mark.parametrize("channel", ["ws_market_url", "ws_user_url"])
async def test_rules_of_both_channels_are_the_venues(session: Path, channel: str) -> None:
    async with staged(session) as stage:
        url = str(stage.running.urls[channel])
        for first in ("PING", "{", "[]", '{"type":"market"}', '{"type":"user","auth":{"apiKey":1}}'):
            async with websockets.connect(url) as socket:
                await socket.send(first)
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    async with asyncio.timeout(SOON_S):
                        await socket.recv()
                assert caught.value.rcvd is not None
                assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "invalid subscription payload")
        auth = {"apiKey": "a", "secret": "b", "passphrase": "c"}
        first_frame = {"type": channel.split("_")[1], "assets_ids": ["9"], "auth": auth}
        async with websockets.connect(url) as socket:
            for text in (json.dumps(first_frame), "PING", json.dumps(first_frame), "nonsense"):
                await socket.send(text)
            async with asyncio.timeout(SOON_S):
                assert [await socket.recv() for _ in range(3)] == ["PONG", *["INVALID OPERATION"] * 2]


# REST


async def test_prices_are_those_of_the_present_book(session: Path) -> None:
    async with staged(session) as stage:
        await (await stage.subscribed([YES])).new()
        book = (await stage.get("/book", token_id=YES)).json()
        bid, ask = book["bids"][-1]["price"], book["asks"][-1]["price"]
        assert (await stage.get("/price", token_id=YES, side="BUY")).json() == {"price": bid} == {"price": "0.45"}
        assert (await stage.get("/price", token_id=NO, side="BUY")).json() == {"price": "0.53"}
        assert (await stage.get("/midpoint", token_id=YES)).json() == {"mid": "0.46"}
        assert (await stage.get("/spread", token_id=YES)).json() == {"spread": "0.02"}
        assert (await stage.get("/tick-size", token_id=YES)).json() == {"minimum_tick_size": 0.01}
        assert (await stage.get("/neg-risk", token_id=YES)).json() == {"neg_risk": False}
        asked = [{"token_id": YES, "side": "SELL"}, {"token_id": "12345", "side": "SELL"}]
        assert (await stage.post("/prices", asked)).json() == {YES: {"SELL": ask}}
        assert (await stage.get("/prices", token_ids=YES, sides="BUY")).json() == {YES: {"BUY": bid}}
        assert (await stage.post("/midpoints", asked)).json() == {YES: "0.46"}
        assert (await stage.post("/spreads", asked)).json() == {YES: "0.02"}
        parameters = (await stage.get(f"/clob-markets/{MARKET}")).json()
        assert (parameters["mts"], parameters["mos"], parameters["ao"]) == (0.01, 5.0, True)
        assert [each["t"] for each in parameters["t"]] == [YES, NO]
        by_token = (await stage.get(f"/markets-by-token/{NO}")).json()
        assert by_token == {"condition_id": MARKET, "primary_token_id": YES, "secondary_token_id": NO}
        assert (await stage.get("/version")).json() == {"version": 2} and (await stage.get("/ok")).json() == "OK"
        for path, params, status in (
            ("/book", {"token_id": "12345"}, 404),
            ("/book", {"token_id": "x"}, 400),
            ("/midpoint", {}, 400),
            ("/price", {"token_id": YES}, 400),
            ("/prices", {"token_ids": "1,2", "sides": "BUY"}, 400),
            ("/markets-by-token/1", {}, 404),
            ("/clob-markets/1", {}, 404),
        ):
            assert (await stage.get(path, **params)).status_code == status, path
        assert (await stage.post("/books", [{"token_id": "1"}] * 501)).status_code == 400
        assert (await stage.post("/books", {"token_id": "1"})).status_code == 400


async def test_the_last_trade_is_told_once_the_recording_told_it(tmp_path: Path) -> None:
    venue = VenueBook()
    dump, trade = [wire(venue.book("YES"))], wire(venue.trade("0.47", side="SELL"))
    async with staged(write(tmp_path / "a.jsonl", [dump, trade, wire(venue.set("bid", 30, 10))])) as stage:
        assert (await stage.get("/last-trade-price", token_id=NO)).json() == {"price": "0.5", "side": ""}
        await (await stage.subscribed([YES])).new()
        stage.pass_time(1.0)
        assert (await stage.get("/last-trade-price", token_id=NO)).json() == {"price": "0.470", "side": "SELL"}


async def test_nobody_can_trade_with_the_past(session: Path) -> None:
    async with staged(session) as stage, httpx.AsyncClient(base_url=str(stage.running.urls["clob_url"])) as http:
        for method, path in (
            ("POST", "/order"), ("POST", "/orders"), ("DELETE", "/order"), ("DELETE", "/orders"),
            ("DELETE", "/cancel-all"), ("DELETE", "/cancel-market-orders"),
        ):  # fmt: skip
            refusal = await http.request(method, path)
            assert refusal.status_code == 503 and "Trading is currently disabled" in refusal.json()["error"]


# Gamma


async def test_markets_are_described_by_what_the_recording_tells(session: Path) -> None:
    """Our own reader of Gamma takes the record, and the market it makes is the one that explains the hashes."""
    async with staged(session) as stage:
        gamma = GammaClient(str(stage.running.urls["gamma_url"]))
        markets, problems = await gamma.markets((MARKET,))
        await gamma.close()
        assert problems == [] and markets[0].tradable
        assert markets[0].instrument == stage.playback.markets[MARKET].instrument
        (raw,) = (await stage.get("/gamma/markets")).json()
        assert not {"liquidity", "volume", "endDate", "feesEnabled"} & raw.keys(), "nothing is made up"
        page = (await stage.get("/gamma/markets/keyset", clob_token_ids=NO)).json()
        assert page == {"markets": [raw]}
        assert (await stage.get("/gamma/markets", closed="true")).json() == []
        assert (await stage.get("/gamma/markets", condition_ids="0x1")).json() == []
        assert (await stage.get("/gamma/markets", limit="x")).status_code == 422
        assert (await stage.get("/gamma/markets/keyset", offset="1")).status_code == 422


async def test_markets_are_found_by_token_and_half_known_ones_are_not_listed(tmp_path: Path) -> None:
    """A market of which only one token was ever named cannot be described: a Gamma object has two."""
    other, half = (
        VenueBook(a_market(market="0x" + pair * 32, yes=yes, no=no))
        for pair, yes, no in (("cd", "3", "4"), ("ef", "5", "6"))
    )
    dump = [wire(VenueBook().book("YES")), wire(VenueBook().book("NO")), wire(half.book("YES"))]
    dump += [wire(other.book("YES")), wire(other.book("NO"))]
    async with staged(write(tmp_path / "a.jsonl", [dump])) as stage:
        listed = (await stage.get("/gamma/markets/keyset")).json()["markets"]
        assert [raw["conditionId"] for raw in listed] == [MARKET, other.instrument.market]
        assert (await stage.get("/gamma/markets", clob_token_ids="4")).json() == [listed[1]]
        first = (await stage.get("/gamma/markets/keyset", limit="1")).json()
        second = (await stage.get("/gamma/markets/keyset", limit="1", after_cursor=first["next_cursor"])).json()
        assert first["markets"] + second["markets"] == listed and "next_cursor" not in second
        assert (await stage.get("/book", token_id="5")).json()["hash"] == half.wire("YES")["hash"]


async def test_a_gamma_file_is_served_with_the_state_of_the_present_position(tmp_path: Path) -> None:
    """The file may be younger than the recording: what it calls closed was open then, until the recording says so."""
    venue = VenueBook()
    resolved = {"event_type": "market_resolved", "market": MARKET, "assets_ids": [YES, NO], "winning_asset_id": NO}
    dump = [wire(venue.book("YES")), wire(venue.book("NO"))]
    recording = write(tmp_path / "a.jsonl", [dump, resolved | {"timestamp": str(venue.ms + 1_000)}])
    told: dict[str, Any] = {
        "id": "512345", "conditionId": MARKET, "question": "Will it?", "slug": "will-it", "outcomes": '["Up", "Down"]',
        "clobTokenIds": json.dumps([YES, NO]), "orderPriceMinTickSize": 0.01, "orderMinSize": 5, "closed": True,
        "active": True, "acceptingOrders": False, "volumeNum": 12.5, "rewardsMinSize": 50, "rewardsMaxSpread": 4.5,
        "feesEnabled": True, "feeSchedule": {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25},
    }  # fmt: skip
    catalogue = tmp_path / "gamma.json"
    catalogue.write_text(json.dumps([told]))
    async with staged(recording, gamma=catalogue) as stage:
        await (await stage.subscribed([YES])).new()
        (raw,) = (await stage.get("/gamma/markets", slug="will-it", closed="false")).json()
        assert raw | told == raw | {"closed": True, "acceptingOrders": False}, "else as in the file"
        assert (raw["closed"], raw["acceptingOrders"]) == (False, True)
        parameters = (await stage.get(f"/clob-markets/{MARKET}")).json()
        assert [each["o"] for each in parameters["t"]] == ["Up", "Down"]
        assert parameters["fd"] == {"r": 0.04, "e": 1, "to": True} and parameters["r"]["mi"] == 50
        stage.pass_time(2.0)
        assert (await stage.get("/book", token_id=YES)).status_code == 404
        assert (await stage.get("/gamma/markets", closed="false")).json() == []
        (raw,) = (await stage.get("/gamma/markets", id="512345")).json()
        assert raw["closed"] is True and (await stage.get(f"/clob-markets/{MARKET}")).json()["ao"] is False


# Files and processes


def test_unreadable_files_are_clear_errors_and_problems_go_to_stderr(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*cannot be read"):
        build_playback(tmp_path / "nowhere", clock=ManualClock())
    with pytest.raises(UsageError, match="--gamma"):
        build_playback(session, clock=ManualClock(), gamma=tmp_path / "nowhere")
    damage(session)
    build_playback(session, clock=ManualClock())
    assert "line 12: " in capsys.readouterr().err


async def test_the_process_plays_at_the_machines_pace_and_tells_problems_on_stderr(session: Path) -> None:
    damage(session)
    command = (sys.executable, "-m", "core.exchange", "--recording", str(session), "--speed", "20")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1)
    assert process.stdin is not None and process.stdout is not None
    urls = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
    async with websockets.connect(urls["ws_market_url"]) as socket, asyncio.timeout(PATIENCE_S):
        await socket.send(json.dumps({"type": "market", "assets_ids": [NO]}))
        assert [await socket.recv() for _ in range(11)] == raws_of(session)
    process.stdin.close()
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0
    told = err.decode().splitlines()
    assert told[0].startswith("line 12: ") and told[1:] == ["end of the recording: 11 frames played, 1 problems"]


async def test_a_recording_that_cannot_be_read_ends_the_process_with_a_line(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "core.exchange", "--recording", str(tmp_path / "nowhere"))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert (process.returncode, out) == (UsageError.exit_code, b"")
    assert b"nowhere: cannot be read" in err and b"Traceback" not in err


async def test_our_own_program_runs_in_paper_mode_against_a_recording(tmp_path: Path) -> None:
    """Catalogue, first dump, channel and books: a whole session finds everything it needs, and proves the books."""
    (path,) = recorded(LOL)
    host = build_playback(path, clock=SystemClock(), speed=40.0, tell=lambda _: None)
    lenient = dict.fromkeys(("MIN_LIQUIDITY", "MIN_WEEKLY_VOLUME", "MIN_TREND", "MM_SCORE_MIN"), "0")
    async with RunningPlayback(host) as running:
        urls = {f"POLYMM_{name.upper()}": str(url) for name, url in running.urls.items() if name.endswith("_url")}
        env = environment(tmp_path, **urls, **lenient, POLYMM_MARKETS=next(iter(host.playback.markets)))
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "--mode", "paper", "--no-ui", "--json", "--duration", "7",
            cwd=ROOT, env=env, stdin=-3, stdout=-1, stderr=-1,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, err.decode()
    report = last_json(out.decode())
    assert host.playback.played == report["frames"] == 64, (
        "a book that was not believed would have been asked for again"
    )
    assert report["orders_placed"] > 0 and report["open_orders"] == 0
