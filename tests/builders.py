"""Builders of one line: markets, a venue's book that tells its own messages, and a driver of the engine."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from core.actions import Action, Cancel, CancelAll, Note, Place, ReadBooks
from core.config import Settings
from core.engine import Engine
from core.events import (
    AccountSeen,
    BooksRead,
    CancelAnswered,
    Event,
    FeedAlive,
    FeedChanged,
    FillSeen,
    InstrumentAdded,
    ListedOrder,
    MarketMessage,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    RestBook,
    RestTouch,
    TradesRead,
    WireChange,
    WireLevel,
    Woken,
)
from core.market.instrument import Instrument
from core.orders.order import Order, State
from core.units import MICRO, OUTCOMES, Shares, Side, Usd, grid_of, micro_text

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Real recordings beside the repository; tests that need them skip where they are absent."""
MARKET = "0x" + "ab" * 32
YES, NO = "1" * 77, "2" * 77
DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
"""Seconds since 1970 at which tests begin."""


def laws(examples: int) -> settings:
    """Profile of a property test: the same examples on every run."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def recorded(pattern: str) -> list[Path]:
    """Files of the real data; the test is skipped when there are none."""
    found = sorted(DATA.glob(pattern))
    if not found:
        pytest.skip(f"real data are not beside the repository: {pattern}")
    return found


def shares(number: float) -> Shares:
    return Shares(round(number * MICRO))


def usd(number: float) -> Usd:
    return Usd(round(number * MICRO))


def a_market(tick: str = "0.01", market: str = MARKET, yes: str = YES, no: str = NO, **over: Any) -> Instrument:
    plain = Instrument(market, yes, no, "Will it?", tick, shares(5))
    return msgspec.structs.replace(plain, **over)


def reference_hash(book: dict[str, Any]) -> str:
    """The venue's hash of a full book, written from its description and not from our code."""
    keys = [
        "market",
        "asset_id",
        "timestamp",
        "hash",
        "bids",
        "asks",
        "min_order_size",
        "tick_size",
        "neg_risk",
        "last_trade_price",
    ]
    text = json.dumps({key: (book | {"hash": ""})[key] for key in keys}, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class VenueBook:
    """A market at the venue: plain dicts of YES ticks, and the messages that tell what happens to them."""

    def __init__(self, instrument: Instrument | None = None, mid: int = 46, depth: int = 4, ms: int = NOON * 1000):
        self.instrument = instrument or a_market()
        self.bids = {mid - 1 - n: 200 * (n + 1) for n in range(depth)}
        self.asks = {mid + 1 + n: 200 * (n + 1) for n in range(depth)}
        """YES tick -> whole shares."""
        self.last_trade = "0.500"
        self.ms = ms

    def wire(self, outcome: str = "YES") -> dict[str, Any]:
        """A token's full book as the venue would serve it, hash included."""
        item, k = self.instrument, self.instrument.grid.k
        bids, asks = (self.bids, self.asks)
        if outcome == "NO":
            bids, asks = {k - t: s for t, s in self.asks.items()}, {k - t: s for t, s in self.bids.items()}
        text = item.grid.text
        book = {
            "market": item.market,
            "asset_id": item.yes_token if outcome == "YES" else item.no_token,
            "timestamp": str(self.ms),
            "bids": [{"price": text(t), "size": str(bids[t])} for t in sorted(bids)],
            "asks": [{"price": text(t), "size": str(asks[t])} for t in sorted(asks, reverse=True)],
            "min_order_size": item.min_size_text,
            "tick_size": item.tick_text,
            "neg_risk": item.neg_risk,
            "last_trade_price": self.last_trade,
        }
        return book | {"hash": reference_hash(book)}

    def book(self, outcome: str = "YES", **over: Any) -> MarketMessage:
        """The full book of a token, as the first dump tells it."""
        wire = self.wire(outcome)
        levels = {side: tuple(WireLevel(**level) for level in wire.pop(side)) for side in ("bids", "asks")}
        told = {key: wire[key] for key in ("market", "asset_id", "hash", "tick_size", "last_trade_price")}
        return MarketMessage(**({"event_type": "book", "timestamp": self.ms} | told | levels | over))

    def rest(self, outcome: str = "YES", **over: Any) -> RestBook:
        """The full book of a token as POST /books tells it."""
        return msgspec.convert(self.wire(outcome) | over, RestBook, strict=False)

    def rest_touch(self, outcome: str = "YES") -> RestTouch:
        """Best prices of a token as POST /prices tells them."""
        token = self.instrument.yes_token if outcome == "YES" else self.instrument.no_token
        return RestTouch(token, *self.touch(outcome))

    def touch(self, outcome: str = "YES") -> tuple[str, str]:
        """Stated best bid and ask; an absent side is "0" or "1"."""
        wire = self.wire(outcome)
        bids, asks = wire["bids"], wire["asks"]
        return bids[-1]["price"] if bids else "0", asks[-1]["price"] if asks else "1"

    def set(self, side: Side, tick: int, size: int, after_ms: int = 5) -> MarketMessage:
        """A level gets a new total; returns the message with its two entries."""
        self.ms += after_ms
        levels = self.bids if side == "bid" else self.asks
        levels.pop(tick, None)
        if size:
            levels[tick] = size
        return self.change([(side, tick, size)])

    def change(self, levels: Iterable[tuple[Side, int, int]]) -> MarketMessage:
        """A price_change that tells these levels, with touch and hash of the book as it is now."""
        grid, entries = self.instrument.grid, []
        for side, tick, size in levels:
            for outcome in ("YES", "NO"):
                bid, ask = self.touch(outcome)
                buys = (side == "bid") == (outcome == "YES")
                entries.append(
                    WireChange(
                        asset_id=self.instrument.yes_token if outcome == "YES" else self.instrument.no_token,
                        price=grid.text(tick if outcome == "YES" else grid.k - tick),
                        size=str(size),
                        side="BUY" if buys else "SELL",
                        hash=self.wire(outcome)["hash"],
                        best_bid=bid,
                        best_ask=ask,
                    )
                )
        market = self.instrument.market
        return MarketMessage(event_type="price_change", market=market, timestamp=self.ms, price_changes=tuple(entries))

    def trade(self, price: str, size: str = "10", outcome: str = "YES", side: str = "BUY") -> MarketMessage:
        """A trade of the tape; the hash carries its price from now on."""
        self.last_trade = f"{float(price):.3f}"
        return MarketMessage(
            event_type="last_trade_price",
            market=self.instrument.market,
            asset_id=self.instrument.yes_token if outcome == "YES" else self.instrument.no_token,
            timestamp=self.ms,
            price=price,
            size=size,
            side=side,
        )

    def retick(self, tick: str) -> MarketMessage:
        """The tick changes; levels keep their dollars."""
        old, new = self.instrument.grid.k, grid_of(tick).k
        was = self.instrument.tick_text
        self.instrument = msgspec.structs.replace(self.instrument, tick_text=tick)
        self.bids = {t * new // old: s for t, s in self.bids.items()}
        self.asks = {t * new // old: s for t, s in self.asks.items()}
        self.ms += 5
        return MarketMessage(
            event_type="tick_size_change",
            market=self.instrument.market,
            asset_id=self.instrument.yes_token,
            timestamp=self.ms,
            old_tick_size=was,
            new_tick_size=tick,
        )


class Driver:
    """The world around an engine: manual time, every action kept, orders signed at once and answered when asked."""

    def __init__(self, *books: VenueBook, own_in_book: bool = False, **over: Any) -> None:
        self.engine = Engine(Settings(**over), own_in_book=own_in_book)
        self.books = books
        self.now = 1000.0
        self.unix_offset = NOON - self.now
        self.actions: list[Action] = []
        self.events: list[tuple[float, Event]] = []
        self.rest_answers = True
        """Reads of books are answered with the truth a fifth of a second later."""
        self._reads: list[tuple[float, ReadBooks]] = []
        for book in books:
            self.send(InstrumentAdded(book.instrument))

    @property
    def unix(self) -> float:
        return self.now + self.unix_offset

    @property
    def desk(self) -> Any:
        return self.engine.desks[self.books[0].instrument.market]

    def send(self, event: Event) -> list[Action]:
        """Hand an event in; placements among the actions are signed at once, as the courier does."""
        self.events.append((self.now, event))
        actions = self.engine.handle(event, self.now)
        self.actions += actions
        for action in actions:
            if isinstance(action, Place):
                self.send(OrderSigned(intent=action.intent, order_id=f"id-{action.intent}"))
            elif isinstance(action, ReadBooks) and self.rest_answers:
                self._reads.append((self.now, action))
        return actions

    def answer_read(self, asked_s: float, tokens: Iterable[str], **over: Any) -> list[Action]:
        """Answer a read of books with the books as they are now; ``over`` replaces members of the event."""
        books = [(book, outcome) for book in self.books for outcome in OUTCOMES]
        wanted = [(book, o) for book, o in books if book.instrument.token_of(o) in tokens]
        told: dict[str, Any] = {
            "books": tuple([book.rest(outcome) for book, outcome in wanted]),
            "touches": tuple([book.rest_touch(outcome) for book, outcome in wanted]),
        }
        return self.send(BooksRead(**({"tokens": tuple(tokens), "asked_s": asked_s} | told | over)))

    def command(self, act: Any, market: str = MARKET) -> list[Action]:
        return self.send(OperatorCommand(act=act, market=market, who="test"))

    def flatten(self, market: str = MARKET, **over: Any) -> list[Action]:
        """Preview a flattening and confirm it; what was refused is told by the actions."""
        seen = self.send(OperatorCommand(act="flatten", market=market, who="test", preview=True, **over))
        words = [action.confirm for action in seen if isinstance(action, Note) and action.confirm]
        if not words:
            return seen
        return self.send(OperatorCommand(act="flatten", market=market, who="test", confirm=words[-1]))

    def feeds(self, up: bool = True) -> list[Action]:
        actions = [a for feed in ("market", "user") for a in self.send(FeedChanged(feed=feed, connected=up))]
        if up and self.engine.account.is_open:  # what the channel may have missed is read
            actions += self.read_account()
        return actions

    def account(self, cash: float = 50_000, **held: float) -> list[Action]:
        """Tell the account; ``held`` are shares by outcome of the first market."""
        item = self.books[0].instrument
        tokens = {"yes": item.yes_token, "no": item.no_token}
        holdings = tuple([(tokens[name], shares(size)) for name, size in held.items()])
        return self.send(AccountSeen(cash=usd(cash), holdings=holdings))

    def read_account(self, *fills: FillSeen) -> list[Action]:
        """Complete lists of the open orders (all that we believe to rest) and of the trades since the beginning."""
        resting = self.orders(State.LIVE, State.PARTIAL)
        rows = tuple(ListedOrder(order.order_id, order.market, matched=order.filled) for order in resting)
        actions = self.send(OpenOrdersRead(asked_s=self.now, orders=rows, complete=True))
        return actions + self.send(TradesRead(self.now, int(self.unix_offset), fills, complete=True))

    def pass_time(self, seconds: float, alive: bool = True) -> list[Action]:
        """Let time go on; wakes come when asked for, and the feeds are heard every second unless told otherwise."""
        actions: list[Action] = []
        end = self.now + seconds
        woken: Counter[float] = Counter()
        while self.engine.next_wake() <= end or self._answer_s() <= end or (alive and self.now + 1.0 <= end):
            wake = self.engine.next_wake()
            if self._answer_s() <= min(wake, end):
                self.now = max(self.now, self._answer_s())
                asked_s, read = self._reads.pop(0)
                actions += self.answer_read(asked_s, read.tokens)
                continue
            if alive and self.now + 1.0 < wake:
                self.now += 1.0
                self.send(FeedAlive("market"))
                continue
            self.now = max(self.now, wake)
            woken[self.now] += 1
            assert woken[self.now] < 100, "the engine asks to be woken at once, for ever"
            if alive:
                self.send(FeedAlive("market"))
            actions += self.send(Woken(self.unix))
        self.now = end
        return actions

    def _answer_s(self) -> float:
        return self._reads[0][0] + 0.2 if self._reads else float("inf")

    def quoting(self, **held: float) -> "Driver":
        """Everything up, orders placed and live."""
        self.feeds()
        self.account(**held)
        for book in self.books:
            self.send(book.book("YES"))
            self.send(book.book("NO"))
        self.pass_time(2.0)
        self.answer()
        return self

    def answer(self, outcome: Any = "live") -> None:
        """Answer every placement under way."""
        for order in [o for o in self.engine.orders.all_at_risk() if o.state is State.SENDING]:
            self.send(OrderAnswered(intent=order.intent, outcome=outcome))

    def answer_cancels(self, outcome: Any = "cancelled") -> None:
        """Answer every cancel; of a cancelled order the user channel tells what was matched before, as it does."""
        for order in [o for o in self.engine.orders.all_at_risk() if o.state is State.CANCEL_SENT]:
            self.send(CancelAnswered(order_id=order.order_id, outcome=outcome))
            if outcome == "cancelled":
                self.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=order.filled))

    def fill(
        self, order: Order, size: float | None = None, settlement: Any = "matched", trade: str = ""
    ) -> list[Action]:
        amount = order.remaining if size is None else shares(size)
        trade = trade or f"trade-{order.intent}-{order.filled}"
        return self.send(
            FillSeen(trade_id=trade, order_id=order.order_id, size=amount, settlement=settlement, unix=self.unix)
        )

    def orders(self, *states: State, market: str = "") -> list[Order]:
        """Orders at risk, those in the given states when any are given."""
        market = market or self.books[0].instrument.market
        return [o for o in self.engine.orders.at_risk(market) if not states or o.state in states]


def kinds(actions: Iterable[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def placed(actions: Iterable[Action]) -> list[Place]:
    return [action for action in actions if isinstance(action, Place)]


def cancelled(actions: Iterable[Action]) -> list[Cancel | CancelAll]:
    return [action for action in actions if isinstance(action, Cancel | CancelAll)]


def notes(actions: Iterable[Action]) -> str:
    return " | ".join(action.text for action in actions if hasattr(action, "text"))


def size_text(size: Shares) -> str:
    return micro_text(size)
