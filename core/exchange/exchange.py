"""The whole exchange without a socket: step it, submit to it, drain the frames it would have sent.

Everything that happens later (tape entries, settlement, expiry, heartbeat sweeps, participants) waits in one queue by
due time, so the outcome does not depend on how often ``step`` is called.
"""

import hashlib
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from core.exchange import frames, refusals
from core.exchange.auth import KeyRing
from core.exchange.deadman import SWEEP_MS, Deadman
from core.exchange.face import Face
from core.exchange.frames import Frame
from core.exchange.ledger import Ledger
from core.exchange.listing import Listing, listings
from core.exchange.matching import RECORD_LIMIT, MatchingEngine
from core.exchange.orders import NewOrder, Order, Report, Trade
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, Usd

GTD_LEAD_S: Final = 60
"""The venue removes a GTD order this long before its stated expiration (polymarket-api.md 2.5)."""
_STRANGERS_KEPT: Final = 1_000
"""Trades kept in which nobody from outside took part."""
_FORCER: Final = "0x" + "f0" * 20


class Delays(msgspec.Struct, frozen=True):
    """How long the venue takes, as (least, most) milliseconds."""

    tape: tuple[int, int] = (70, 230)
    """From a match to its ``last_trade_price`` (polymarket-api.md 4.4)."""
    mined: tuple[int, int] = (1_500, 4_000)
    """From a match to MINED."""
    confirmed: tuple[int, int] = (1_500, 4_000)
    """From MINED to CONFIRMED."""


AUTO_CASH: Final = Usd(50_000 * MICRO)
"""What an unknown outside account finds on arrival."""
USUAL_DELAYS: Final = Delays()


class Received(msgspec.Struct, frozen=True):
    """One order as it came in from outside, accepted or not."""

    at_ms: int
    order_id: str
    """Empty when the request was too broken to have one."""
    owner: str
    error: str
    order: NewOrder | None


class Exchange:
    """Markets, money, matching, settlement and public frames under one clock that only the caller moves.

    Example::

        exchange = Exchange(seed=1, markets=4, now_ms=0)
        population = Population(exchange)
        exchange.step(1_000)
        report = exchange.submit(new_order, 1_000)
        frames = exchange.drain()
    """

    def __init__(
        self, *, seed: int, markets: int, now_ms: int, auto_cash: Usd = AUTO_CASH, delays: Delays = USUAL_DELAYS
    ) -> None:
        self.seed = seed
        self.now_ms = now_ms
        self.auto_cash = auto_cash
        self.ledger = Ledger()
        self.engine = MatchingEngine(self.ledger, seed)
        self.keys = KeyRing(seed)
        self.deadman = Deadman(seed)
        self.listings: dict[str, Listing] = {}
        self.faces: dict[str, Face] = {}
        self.by_token: dict[str, tuple[str, Outcome]] = {}
        """Token id to its market and outcome."""
        self.received: deque[Received] = deque(maxlen=RECORD_LIMIT)
        self.trades: dict[str, Trade] = {}
        """Trades in which an outside owner took part, by id, oldest first."""
        self.strangers: deque[Trade] = deque(maxlen=_STRANGERS_KEPT)
        self.traded: dict[str, int] = {}
        """Micro-shares traded per market since the start."""
        self._delays = delays
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._ticket = itertools.count()
        self._dice = itertools.count()
        self._frames: list[Frame] = []
        self._accounts: dict[str, set[str]] = {}
        for listing in listings(seed, markets, now_ms // 1000):
            self._list(listing)
        self.schedule(now_ms + SWEEP_MS, self._sweep)

    def step(self, now_ms: int) -> None:
        """Let everything due up to ``now_ms`` happen, in order of its due time."""
        now_ms = max(self.now_ms, now_ms)
        while self._queue and self._queue[0][0] <= now_ms:
            due, _, action = heapq.heappop(self._queue)
            self.now_ms = max(self.now_ms, due)
            action(self.now_ms)
        self.now_ms = now_ms

    @property
    def next_due_ms(self) -> int:
        """When the next thing is due; there always is one."""
        return self._queue[0][0]

    def schedule(self, due_ms: int, action: Callable[[int], None]) -> None:
        """Have ``action(now_ms)`` called by the ``step`` that reaches its time."""
        heapq.heappush(self._queue, (due_ms, next(self._ticket), action))

    def drain(self) -> list[Frame]:
        """The frames that became due since the last call, in order."""
        out, self._frames = self._frames, []
        return out

    def admit(self, address: str) -> None:
        """Open the account of an unknown address with the automatic funding."""
        if address.lower() not in self.ledger.accounts:
            self.ledger.deposit(address, self.auto_cash)

    def submit(self, new: NewOrder, now_ms: int) -> Report:
        """Take an order at ``now_ms``, after everything that was due before it."""
        self.step(now_ms)
        return self.place(new)

    def place(self, new: NewOrder) -> Report:
        """Take an order at the present moment; for what runs inside ``step``."""
        if new.owner:
            self.admit(new.account)
            self._accounts.setdefault(new.owner, set()).add(new.account)
        report = self.engine.submit(new, self.now_ms)
        if new.owner:
            self.note_received(new.owner, new.order_id, report.error, new)
        if report.order is not None:
            self._publish(report)
            if new.order_type == "GTD":
                self.schedule((new.expiration - GTD_LEAD_S) * 1000, partial(self._expire, new.order_id))
        return report

    def note_received(self, owner: str, order_id: str, error: str, order: NewOrder | None = None) -> None:
        """Write an incoming order into the record of everything ever received."""
        self.received.append(Received(at_ms=self.now_ms, order_id=order_id, owner=owner, error=error, order=order))

    def cancel(self, owner: str, order_ids: Iterable[str], now_ms: int) -> tuple[list[str], dict[str, str]]:
        """Cancel orders of one API key; returns the cancelled ids and the others with their reasons (4.2)."""
        self.step(now_ms)
        done: list[str] = []
        failed: dict[str, str] = {}
        for order_id in dict.fromkeys(order_ids):
            order = self.engine.orders.get(order_id)
            mine = order is not None and order.new.owner == owner
            error = self.withdraw(order_id) if mine else refusals.NOT_CANCELED
            if error:
                failed[order_id] = error
            else:
                done.append(order_id)
        return done, failed

    def withdraw(self, order_id: str, status: str = "CANCELED") -> str:
        """Cancel an order at the present moment, whoever owns it; returns the reason if that is impossible."""
        report = self.engine.cancel(order_id, status)
        if not report.error:
            self._publish(report)
        return report.error

    def open_orders(self, owner: str) -> list[Order]:
        """Resting orders of an API key, oldest first."""
        accounts = sorted(self._accounts.get(owner, ()))
        found = [o for account in accounts for o in self.engine.open_orders(account) if o.new.owner == owner]
        return sorted(found, key=lambda order: order.created_ms)

    def trades_of(self, owner: str) -> list[Trade]:
        """Trades with a part of an API key, newest first."""
        return [t for t in reversed(self.trades.values()) if any(owner == o for o, _ in _parties(t))]

    def force_trade(self, market: str, outcome: Outcome, side: OrderSide, size: Shares, now_ms: int) -> Report:
        """Have a stranger with deep pockets take ``size`` at any price (test and demo aid)."""
        self.step(now_ms)
        if _FORCER not in self.ledger.accounts:
            self.ledger.deposit(_FORCER, Usd(1_000_000 * MICRO * len(self.listings)))
            for each in self.listings:
                self.ledger.split(_FORCER, each, Shares(500_000 * MICRO))
        grid = self.engine.instrument(market).grid
        new = NewOrder(
            order_id="0x" + hashlib.sha256(f"force/{self.seed}/{next(self._dice)}".encode()).hexdigest(),
            account=_FORCER,
            owner="",
            market=market,
            outcome=outcome,
            side=side,
            price=Ticks(grid.k - 1 if side == "BUY" else 1),
            size=size,
            order_type="FAK",
        )
        return self.place(new)

    def _list(self, listing: Listing) -> None:
        instrument = listing.instrument
        market = instrument.market
        self.listings[market] = listing
        self.engine.add_market(instrument, listing.plot.fee_bps)
        first = Ticks(round(listing.plot.start * instrument.grid.k))
        self.faces[market] = Face(instrument, first, self.now_ms)
        self.by_token[instrument.yes_token] = (market, "YES")
        self.by_token[instrument.no_token] = (market, "NO")
        self.traded[market] = 0

    def _publish(self, report: Report) -> None:
        assert report.order is not None
        market = report.order.new.market
        face = self.faces[market]
        face.advance(self.now_ms)
        trade = report.trade
        if trade is not None:
            face.set_last_trade(trade.last_price, trade.taker.new.side)
        for change in report.changes:
            before = face.top("YES")
            face.set_level(change.side, change.price, change.size)
            self._frames.append(frames.price_change(face, change))
            if face.top("YES") != before:
                self._frames.extend((frames.best_bid_ask(face, "YES"), frames.best_bid_ask(face, "NO")))
        for update in report.updates:
            if update.order.new.owner:
                shown = self.ledger.accounts[update.order.new.account].shown
                self._frames.append(frames.order_event(face.instrument, update, shown, self.now_ms))
        if trade is not None:
            self._frames.extend(frames.books(face))
            self._keep(trade)

    def _keep(self, trade: Trade) -> None:
        self.traded[trade.market] += trade.size
        if any(owner for owner, _ in _parties(trade)):
            self.trades[trade.trade_id] = trade
            if len(self.trades) > RECORD_LIMIT:
                del self.trades[next(iter(self.trades))]
        else:
            self.strangers.append(trade)
        self._tell(trade)
        self.schedule(self.now_ms + self._draw(self._delays.tape), partial(self._print, trade))
        self.schedule(self.now_ms + self._draw(self._delays.mined), partial(self._mine, trade))

    def _print(self, trade: Trade, now_ms: int) -> None:
        self._frames.append(frames.last_trade_price(self.engine.instrument(trade.market), trade, now_ms))

    def _mine(self, trade: Trade, now_ms: int) -> None:
        self.ledger.settle(trade.market, trade.movements)
        self._advance(trade, "MINED", now_ms)
        self.schedule(now_ms + self._draw(self._delays.confirmed), partial(self._advance, trade, "CONFIRMED"))

    def _advance(self, trade: Trade, status: str, now_ms: int) -> None:
        trade.status = status
        trade.updated_ms = now_ms
        self._tell(trade)

    def _tell(self, trade: Trade) -> None:
        parties = [(owner, account) for owner, account in _parties(trade) if owner]
        if not parties:
            return
        accounts = {trade.taker.new.account, *(fill.order.new.account for fill in trade.fills)}
        shown = {account: self.ledger.accounts[account].shown for account in accounts}
        instrument = self.engine.instrument(trade.market)
        for owner, account in parties:
            self._frames.append(frames.trade_event(instrument, trade, owner, account, shown, self.now_ms))

    def _expire(self, order_id: str, now_ms: int) -> None:
        self.withdraw(order_id, "CANCELED_EXPIRED_ORDER")

    def _sweep(self, now_ms: int) -> None:
        for owner in self.deadman.silent(now_ms):
            for order in self.open_orders(owner):
                self.withdraw(order.new.order_id)
        self.schedule(now_ms + SWEEP_MS, self._sweep)

    def _draw(self, span: tuple[int, int]) -> int:
        return random.Random(f"delay/{self.seed}/{next(self._dice)}").randint(*span)


def _parties(trade: Trade) -> list[tuple[str, str]]:
    """Owner and account of everyone in a trade, the taker first, each owner once."""
    seen: dict[str, str] = {trade.taker.new.owner: trade.taker.new.account}
    for fill in trade.fills:
        seen.setdefault(fill.order.new.owner, fill.order.new.account)
    return list(seen.items())
