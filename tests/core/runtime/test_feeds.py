"""What a session hears reaches the engine once, in order, with its time; what the engine wants reaches the venue."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, Literal

import pytest

from core.actions import Action, ReadBooks, Reconnect, Resubscribe, Unsubscribe
from core.clock import ManualClock
from core.config import Settings
from core.engine import Engine
from core.events import BooksRead, Event, FeedAlive, FeedChanged, FillSeen, InstrumentAdded, MarketMessage
from core.runtime import user_feed as module
from core.runtime.feeds import Feeds
from core.runtime.user_feed import UserFeed
from core.units import MICRO
from core.venue.public_rest import PublicRest
from tests.core.runtime.fakes import INSTRUMENT, NOBODY, FakeGateway

LEVELS = {"bids": [{"price": "0.4", "size": "25"}], "asks": [{"price": "0.6", "size": "30"}]}


class SeeingGateway(FakeGateway):
    """Notes what passes by, and whether the engine had it first."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.seen: list[tuple[str, int]] = []

    def see(self, message: MarketMessage) -> None:
        self.seen.append((message.event_type, self.engine.tally.messages))


class FakeSession:
    """Remembers what it is told, and when."""

    def __init__(self) -> None:
        self.settings = Settings(mode="paper", ws_market_url=NOBODY, ws_user_url=NOBODY, clob_url="http://127.0.0.1:9")
        self.engine = Engine(self.settings, own_in_book=False)
        self.engine.handle(InstrumentAdded(instrument=INSTRUMENT), 0.0)
        self.clock = ManualClock(unix=1_790_000_000.0, monotonic=50.0)
        self.events: list[tuple[Event, float | None]] = []
        self.journaled: list[Event] = []
        self.notes: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.gateway = SeeingGateway(self.engine)
        self.user = UserFeed(self, NOBODY, lambda: b"{}", "me", "0xwallet")
        self.rest = PublicRest(self.settings.clob_url)
        self.feeds = Feeds(self, self.settings, self.gateway, self.rest, self.user)

    def emit(self, event: Event, now: float | None = None) -> list[Action]:
        self.events.append((event, now))
        return self.engine.handle(event, self.clock.monotonic() if now is None else now)

    def emit_quietly(self, event: Event) -> None:
        self.journaled.append(event)
        self.emit(event)

    def note(self, severity: Literal["info", "fill", "warning", "alarm"], text: str, market: str = "") -> None:
        self.notes.append(f"{severity}: {text}")

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks[name] = asyncio.create_task(work, name=name)

    async def stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def a_frame(*messages: dict[str, Any]) -> bytes:
    return json.dumps(messages if len(messages) > 1 else messages[0]).encode()


def a_book(token: str = "11") -> dict[str, Any]:
    return {
        "event_type": "book", "market": INSTRUMENT.market, "asset_id": token, "timestamp": "1790000000000", "hash": "h",
        "tick_size": "0.01", **LEVELS,
    }  # fmt: skip


async def test_a_message_reaches_the_engine_with_the_time_of_its_frame_and_then_the_gateway(
    session: FakeSession,
) -> None:
    """A simulated venue must never be ahead of the engine's book."""
    frame = a_frame(a_book(), {"event_type": "last_trade_price", "market": "0xother"})
    assert session.feeds._on_frame(frame)
    assert [(type(event), now) for event, now in session.events] == [(MarketMessage, 50.0)] * 2
    assert session.gateway.seen == [("book", 1), ("last_trade_price", 1)]
    assert session.feeds.frames == 1 and session.journaled == []


async def test_a_message_that_cannot_be_used_costs_only_itself(session: FakeSession) -> None:
    bad = a_book() | {"bids": [{"price": "0.433", "size": "1"}]}
    assert session.feeds._on_frame(a_frame(bad, a_book("22")))
    assert not session.feeds._on_frame(a_frame(bad))
    assert not session.feeds._on_frame(b"{nonsense")
    assert [kind for kind, _ in session.gateway.seen] == ["book"]


async def test_coverage_is_told_by_token_and_journaled(session: FakeSession) -> None:
    session.feeds._on_coverage(("11", "22"), True, "")
    session.feeds._on_coverage(("11", "22"), False, "reset")
    assert session.journaled == [
        FeedChanged(feed="market", connected=True, tokens=("11", "22")),
        FeedChanged(feed="market", connected=False, detail="reset", tokens=("11", "22")),
    ]
    session.feeds._on_alive()
    assert session.events[-1][0] == FeedAlive(feed="market") and len(session.journaled) == 2


async def test_wishes_of_the_engine_go_to_reader_and_feed(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(session.feeds.market, "resubscribe", lambda tokens: told.append(("again", tokens)))
    monkeypatch.setattr(session.feeds.market, "reconnect", lambda tokens: told.append(("anew", tokens)))
    session.feeds.carry_out(Resubscribe(tokens=("11",), reason="test"))
    session.feeds.carry_out(Reconnect(tokens=("22",), reason="test"))
    session.feeds.carry_out(ReadBooks(tokens=("11", "22"), reason="test"))
    assert told == [("again", ("11",)), ("anew", ("22",))] and session.feeds.reader.waiting == 2


async def test_a_read_that_fails_comes_back_as_an_event_and_is_not_journaled(session: FakeSession) -> None:
    """Books by the hundred every few seconds are no matter for the database."""
    session.feeds.start(["11", "22"])
    session.feeds.carry_out(ReadBooks(tokens=("11",), reason="test"))
    async with asyncio.timeout(5):
        while not (found := [event for event, _ in session.events if isinstance(event, BooksRead)]):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await session.stop()
    assert found[0].tokens == ("11",) and found[0].detail == "/books: ConnectError"
    assert not [event for event in session.journaled if isinstance(event, BooksRead)]


async def test_everything_that_runs_is_owned_by_the_session_and_ends_with_it(session: FakeSession) -> None:
    session.feeds.start(["11", "22"])
    assert set(session.tasks) == {"market-feed", "books-reader", "user-feed"}
    assert [one.tokens for one in session.feeds.market.sockets] == [2]
    await asyncio.sleep(0)
    await session.stop()
    assert session.rest._client.is_closed


async def test_without_a_user_channel_it_counts_as_connected(session: FakeSession) -> None:
    """Paper: fills come from the simulated venue."""
    UserFeed(session, NOBODY, None, "", "").start()
    assert session.events[-1][0] == FeedChanged(feed="user", connected=True)
    assert session.engine.user_feed.connected and session.user.frames == 0


async def test_the_user_channel_tells_what_it_can_and_complains_seldom(session: FakeSession) -> None:
    """A venue that talks nonsense at length must not fill log and console, nor hide the fills beside it."""
    good = {"event_type": "order", "id": "0xa", "status": "LIVE", "type": "PLACEMENT", "size_matched": "0"}
    assert session.user._on_frame(a_frame(good))
    assert session.user._on_frame(a_frame(good, {"event_type": "order", "id": None})), "one of them was valid"
    for _ in range(50):
        assert not session.user._on_frame(b"{nonsense")
    assert len(session.notes) == 1 and session.notes[0].startswith("alarm: a message of the user channel")
    assert session.user.malformed == 51 and len(session.journaled) == 2
    session.clock.advance_to(50.0 + module.COMPLAINT_SEC)
    session.user._on_frame(b"{nonsense")
    assert len(session.notes) == 2


async def test_a_fill_that_names_the_wallet_only_is_ours(session: FakeSession) -> None:
    """An order placed with a key that was renewed since; and what cannot be read of a trade names it."""
    entry = {"order_id": "0xa", "owner": "old key", "maker_address": "0xWALLET", "matched_amount": "3"}
    trade = {"event_type": "trade", "id": "t1", "status": "MATCHED", "trader_side": "MAKER", "maker_orders": [entry]}
    assert session.user._on_frame(a_frame(trade))
    [fill] = session.journaled
    assert isinstance(fill, FillSeen) and (fill.order_id, fill.size, fill.owned) == ("0xa", 3 * MICRO, True)
    assert not session.user._on_frame(a_frame(trade | {"maker_orders": [entry | {"matched_amount": "x"}]}))
    assert "trade 't1': maker 0" in session.notes[0]


async def test_a_channel_that_comes_back_is_told_to_the_engine_which_asks_for_what_was_missed(
    session: FakeSession,
) -> None:
    """The channel has no history (polymarket-api.md 6); reading it is the engine's wish, in one place."""
    session.user._on_state(False, "reset")
    session.user._on_state(True, "")
    assert session.journaled == [
        FeedChanged(feed="user", connected=False, detail="reset"),
        FeedChanged(feed="user", connected=True),
    ]
    assert session.tasks == {}


async def test_a_market_that_is_over_is_heard_no_more() -> None:
    """Resolved markets would otherwise stay on their sockets for ever."""
    session = FakeSession()
    session.feeds.market.subscribe(["11", "22", "33", "44"])
    session.feeds.carry_out(Unsubscribe(tokens=("11", "22")))
    assert [socket.tokens for socket in session.feeds.market.sockets] == [2]
