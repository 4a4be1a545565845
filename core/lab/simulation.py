"""The engine against the exchange in one process under a virtual clock, without sockets (market-making.md 4.4, 4.7).

Frames are the exchange's own texts, read by the decoders of a live session; orders go to the matching engine unsigned.
Everything takes its time: frames, orders and answers wait in one mailbox for the moment at which they arrive. Same
seed, settings and faults, same decisions.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final

import msgspec

from core.actions import Action, Cancel, CancelAll, Latch, Note, Place, ReadOrder, Resync
from core.config import Settings
from core.engine import Engine
from core.errors import MalformedMessage
from core.events import (
    AccountSeen,
    CancelAnswered,
    Event,
    FeedAlive,
    FeedChanged,
    InstrumentAdded,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    StopRequested,
    Woken,
)
from core.exchange.crowd.participants import Population
from core.exchange.crowd.profiles import Name
from core.exchange.exchange import Exchange
from core.exchange.faults.director import Director
from core.exchange.faults.requests import Asked, Plan
from core.exchange.faults.rules import Rule
from core.exchange.frames import CUSTOM_KINDS, Frame, MarketFrame
from core.exchange.limits import Limits
from core.exchange.orders import NewOrder, Report
from core.units import Shares, Usd, usd_from_float
from core.venue.channel import PING_SEC
from core.venue.user_channel import decode_user_frame, order_seen
from core.venue.wire import decode_frame

OWNER: Final = "51300000-0000-4000-8000-000000000001"
"""The API key of the engine under test."""
ACCOUNT: Final = "0x" + "51" * 20
_FOREVER_S: Final = 1e9
_encode: Final = msgspec.json.Encoder().encode


class Latency(msgspec.Struct, frozen=True):
    """How long things are under way, milliseconds (market-making.md 4.2)."""

    feed: int = 80
    """From the exchange to us, both channels."""
    entry: int = 150
    """From us to the matching engine."""
    answer: int = 80
    """From the matching engine back."""


USUAL: Final = Latency()


class Simulation:
    """One engine making one exchange's markets.

    Example::

        simulation = Simulation(Settings(), seed=1, markets=1)
        simulation.run(3_600)
        simulation.finish()
        simulation.decisions_digest
    """

    def __init__(
        self,
        settings: Settings,
        *,
        seed: int,
        markets: int = 1,
        profile: Name = "normal",
        speed: float = 1.0,
        rules: Iterable[Rule] = (),
        latency: Latency = USUAL,
        start_unix: int = 1_790_000_000,
        cash: Usd | None = None,
    ) -> None:
        """``speed`` is that of the participants; ``cash`` is the paper cash of the settings when not given."""
        self.exchange = Exchange(seed=seed, markets=markets, now_ms=start_unix * 1000)
        self.population = Population(self.exchange, profile=profile, speed=speed)
        self.director = Director(self.exchange, Limits())
        self.director.arm(rules)
        self.engine = Engine(settings, own_in_book=True)
        self.unusable = 0
        """Frames the engine could not use."""
        self.after_event: Callable[[], None] = lambda: None
        """Called after everything that happened to the engine; for invariants."""
        self._latency = latency
        self._start_ms = start_unix * 1000
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._stamps = itertools.count()
        self._heard_s = 0.0
        self._decisions = sha256()
        self._open(usd_from_float(settings.paper_cash_usd) if cash is None else cash)

    @property
    def now_ms(self) -> int:
        """Virtual time, unix milliseconds."""
        return self.exchange.now_ms

    @property
    def now_s(self) -> float:
        """Seconds since the start; the engine's clock."""
        return (self.exchange.now_ms - self._start_ms) / 1000

    @property
    def decisions_digest(self) -> str:
        """SHA-256 over every action taken so far and its time: equal for equal runs."""
        return self._decisions.hexdigest()

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        until_ms = self.now_ms + round(seconds * 1000)
        while True:
            at_ms = min(self.exchange.next_due_ms, self._mail[0][0] if self._mail else until_ms + 1, self._wake_ms())
            if at_ms > until_ms:
                break
            self._pass_to(at_ms)
        self._pass_to(until_ms)

    def finish(self) -> None:
        """Stop as a session does, and let the last answers and settlements arrive."""
        self._do(StopRequested("the simulation is over"))
        self.run(30)

    # Time

    def _due_ms(self, at_s: float) -> int:
        """The millisecond after a moment of the engine's clock: a whole one, and never too early."""
        return self._start_ms + int(min(at_s, _FOREVER_S) * 1000) + 1

    def _wake_ms(self) -> int:
        """When the engine is to be handed something besides messages: its own wake-up, or a keep-alive."""
        return max(self.now_ms, self._due_ms(min(self.engine.next_wake(), self._heard_s + PING_SEC)))

    def _pass_to(self, at_ms: int) -> None:
        self.exchange.step(at_ms)
        self._collect()
        while self._mail and self._mail[0][0] <= at_ms:
            heapq.heappop(self._mail)[2]()
        if at_ms >= self._due_ms(self._heard_s + PING_SEC):
            self._heard_s = self.now_s
            self._do(FeedAlive("market"))
            self._do(FeedAlive("user"))
        if at_ms >= self._due_ms(self.engine.next_wake()):
            self._do(Woken(self.now_ms / 1000))

    def _later(self, wait_ms: int, arrive: Callable[[], None]) -> None:
        heapq.heappush(self._mail, (self.now_ms + wait_ms, next(self._stamps), arrive))

    # The channels

    def _open(self, cash: Usd) -> None:
        self.exchange.ledger.deposit(ACCOUNT, cash)
        for listing in self.exchange.listings.values():
            self._do(InstrumentAdded(listing.instrument))
        for feed in ("market", "user"):
            self._do(FeedChanged(feed=feed, connected=True))
        self._do(AccountSeen(cash=cash, holdings=()))
        self._subscribe(self.exchange.by_token)

    def _subscribe(self, tokens: Iterable[str]) -> None:
        """Have the books of some tokens sent, as a subscription does."""
        self._collect()
        places = [(token, self.exchange.by_token[token]) for token in tokens]
        books = [self.exchange.faces[market].socket_book(outcome, initial=True) for _, (market, outcome) in places]
        dump = MarketFrame(kind="book", tokens=tuple(token for token, _ in places), text=f"[{','.join(books)}]")
        self._send(dump)

    def _collect(self) -> None:
        frames = self.exchange.drain()
        if self.director.armed:
            frames = [*self.director.outbox(), *self.director.route(frames)]
            self.director.watch()
        for frame in frames:
            self._send(frame)

    def _send(self, frame: Frame) -> None:
        if isinstance(frame, MarketFrame):
            if frame.kind not in CUSTOM_KINDS:
                self._later(self._latency.feed, lambda: self._hear_market(frame.text))
        elif frame.owner == OWNER:
            self._later(self._latency.feed, lambda: self._hear_user(frame.text))

    def _hear_market(self, text: str) -> None:
        self._heard_s = self.now_s
        try:
            for message in decode_frame(text):
                self._do(message)
        except MalformedMessage:
            self.unusable += 1

    def _hear_user(self, text: str) -> None:
        try:
            for event in decode_user_frame(text, OWNER):
                self._do(event)
        except MalformedMessage:
            self.unusable += 1

    # The engine's wishes

    def _do(self, event: Event) -> None:
        actions = self.engine.handle(event, self.now_s)
        if actions:
            self._decisions.update(b"%d" % self.now_ms)
            self._decisions.update(_encode(actions))
            for action in actions:
                self._carry_out(action)
        self.after_event()

    def _carry_out(self, action: Action) -> None:
        match action:
            case Place():
                order = self._signed(action)
                self._do(OrderSigned(intent=action.intent, order_id=order.order_id))
                self._later(self._latency.entry, lambda: self._place(action.intent, order))
            case Cancel():
                self._later(self._latency.entry, lambda: self._cancel([action.order_id]))
            case CancelAll():
                self._later(self._latency.entry, self._cancel_all)
            case ReadOrder():
                self._later(self._latency.entry, lambda: self._read(action.order_id))
            case Resync():
                self._later(self._latency.entry, lambda: self._subscribe(action.tokens))
            case Note() | Latch():
                pass

    def _signed(self, place: Place) -> NewOrder:
        market, outcome = self.exchange.by_token[place.token]
        return NewOrder(
            order_id="0x" + sha256(f"{self.exchange.seed}/{place.intent}".encode()).hexdigest(),
            account=ACCOUNT,
            owner=OWNER,
            market=market,
            outcome=outcome,
            side=place.order_side,
            price=place.price,
            size=place.size,
            post_only=True,
        )

    def _ask(self, method: str, path: str) -> Plan:
        asked = Asked(method=method, path=path, query={}, headers={}, body=b"")
        return self.director.request(asked) if self.director.armed else Plan()

    def _place(self, intent: int, order: NewOrder) -> None:
        plan = self._ask("POST", "/orders")
        if plan.lost == "before" or plan.reply is not None:
            self._answer(OrderAnswered(intent=intent, outcome="unknown", detail="no answer to use"), plan)
            return
        report = self._on_the_grid(order)
        if plan.lost:
            self._answer(OrderAnswered(intent=intent, outcome="unknown", detail="the answer was lost"), plan)
        elif report.order is None:
            self._answer(OrderAnswered(intent=intent, outcome="refused", detail=report.error), plan)
        else:
            self._answer(OrderAnswered(intent=intent, outcome="live"), plan)

    def _on_the_grid(self, order: NewOrder) -> Report:
        """Take an order whose price may be of a grid that is no more."""
        grid = self.exchange.engine.instrument(order.market).grid
        if not 0 < order.price < grid.k:
            return Report(error="Price breaks minimum tick size rule")
        return self.exchange.place(order)

    def _cancel(self, order_ids: list[str]) -> None:
        plan = self._ask("DELETE", "/orders")
        if plan.lost == "before" or plan.reply is not None:
            answers = [CancelAnswered(order_id=each, outcome="unknown") for each in order_ids]
        else:
            done, failed = self.exchange.cancel(OWNER, order_ids, self.now_ms)
            answers = [CancelAnswered(order_id=each, outcome="cancelled") for each in done]
            answers += [CancelAnswered(order_id=each, outcome="gone", detail=why) for each, why in failed.items()]
            if plan.lost:
                answers = [CancelAnswered(order_id=each, outcome="unknown") for each in order_ids]
        for answer in answers:
            self._answer(answer, plan)

    def _cancel_all(self) -> None:
        self._cancel([order.new.order_id for order in self.exchange.open_orders(OWNER)])

    def _read(self, order_id: str) -> None:
        plan = self._ask("GET", f"/data/order/{order_id}")
        if plan.lost or plan.reply is not None:
            return
        order = self.exchange.engine.orders.get(order_id)
        if order is None:
            self._answer(OrderSeen(order_id=order_id, status="absent"), plan)
            return
        seen = order_seen(order_id, order.status, None)
        self._answer(msgspec.structs.replace(seen, matched=Shares(order.matched)), plan)

    def _answer(self, event: Event, plan: Plan) -> None:
        self._later(self._latency.answer + plan.wait_before_ms + plan.wait_after_ms, lambda: self._do(event))
