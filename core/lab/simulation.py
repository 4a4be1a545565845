"""The engine against the exchange in one process under a virtual clock, without sockets (market-making.md 4.4, 4.7).

Frames are the exchange's own texts, read by the decoders of a live session; orders go to the matching engine unsigned.
Everything takes its time: frames, requests and answers wait in one mailbox for the moment at which they arrive. Same
seed, settings and faults, same decisions.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence, Set
from functools import partial
from hashlib import sha256
from typing import Any, Final

import msgspec

from core.actions import Action, Cancel, CancelAll, Place, ReadOrder, Resync
from core.config import Settings
from core.engine import Engine
from core.errors import MalformedMessage, UsageError
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
from core.exchange.faults import verbs
from core.exchange.faults.director import Director
from core.exchange.faults.effects import Dump
from core.exchange.faults.requests import Asked, Plan
from core.exchange.faults.rules import Rule
from core.exchange.frames import Frame, MarketFrame
from core.exchange.limits import Limits
from core.exchange.orders import NewOrder, Report
from core.runtime.courier import BATCH
from core.units import Shares, UnitError, usd_from_float
from core.venue.channel import PING_SEC
from core.venue.user_channel import decode_user_frame, order_seen
from core.venue.wire import decode_frame

OWNER: Final = "51300000-0000-4000-8000-000000000001"
"""The API key of the engine under test."""
ACCOUNT: Final = "0x" + "51" * 20
START_UNIX: Final = 1_790_000_000
"""Virtual time begins here."""
FEED_MS: Final = 80
"""From the exchange to us, both channels (market-making.md 4.2)."""
ENTRY_MS: Final = 150
"""From us to the matching engine."""
ANSWER_MS: Final = 80
"""From the matching engine back."""
_FOREVER_S: Final = 1e9
_CARRIED_OUT: Final = (
    *(verbs.StreamVerb, verbs.MuteUser, verbs.Freeze, verbs.Say, verbs.RequestVerb, verbs.CancelRace),
    *(verbs.Restart, verbs.Mode, verbs.Settle, verbs.StrangerTrade, verbs.DuplicateFill),
    *(verbs.TakerDelay, verbs.TickChange, verbs.PauseMarket, verbs.CloseMarket, verbs.Resolve),
)
"""The others need sockets, signatures, buckets or reads, which there are none of here."""
_encode: Final = msgspec.json.Encoder().encode


class _Line:
    """One of our two subscriptions, as the director sees a socket."""

    def __init__(
        self, channel: verbs.Channel, send: Callable[[str], None], *, tokens: Set[str] = frozenset(), owner: str = ""
    ) -> None:
        self.channel = channel
        self.send = send
        self.tokens = tokens
        self.owner = owner

    def close(self, code: int, reason: str) -> None:
        """Never asked for: no verb about sockets is carried out."""
        raise NotImplementedError

    def reset(self) -> None:
        """Never asked for."""
        raise NotImplementedError

    def stall(self) -> None:
        """Never asked for."""
        raise NotImplementedError


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
    ) -> None:
        """``speed`` is that of the participants.

        Raises:
            UsageError: a rule cannot be carried out without sockets, or names a market that is not listed.
        """
        self.exchange = Exchange(seed=seed, markets=markets, now_ms=START_UNIX * 1000)
        self.population = Population(self.exchange, profile=profile, speed=speed)
        self.director = Director(self.exchange, Limits())
        self.director.arm(_fitting(rules))
        self.engine = Engine(settings, own_in_book=True)
        self.unusable = 0
        """Frames the engine could not use."""
        self.after_event: Callable[[], None] = lambda: None
        """Called after everything that happened to the engine; for invariants."""
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._stamps = itertools.count()
        self._decisions = sha256()
        self._market = _Line("market", self._under_way(self._hear_market), tokens=self.exchange.by_token.keys())
        self._user = _Line("user", self._under_way(self._hear_user), owner=OWNER)
        self._open(settings)

    @property
    def now_ms(self) -> int:
        """Virtual time, unix milliseconds."""
        return self.exchange.now_ms

    @property
    def now_s(self) -> float:
        """Seconds since the start; the engine's clock."""
        return self.now_ms / 1000 - START_UNIX

    @property
    def decisions_digest(self) -> str:
        """SHA-256 over every action taken so far and its time: equal for equal runs."""
        return self._decisions.hexdigest()

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        until_ms = self.now_ms + round(seconds * 1000)
        while (at_ms := min(self.exchange.next_due_ms, self._mail[0][0], self._wake_ms())) <= until_ms:
            self._pass_to(at_ms)
        self._pass_to(until_ms)

    def finish(self) -> None:
        """Stop as a session does, and let the last answers and settlements arrive."""
        self._do(StopRequested("the simulation is over"))
        self.run(30)

    # Time

    def _wake_ms(self) -> int:
        """When the engine wants to be woken: the whole millisecond after, so never too early."""
        return max(self.now_ms, START_UNIX * 1000 + int(min(self.engine.next_wake(), _FOREVER_S) * 1000) + 1)

    def _pass_to(self, at_ms: int) -> None:
        self.exchange.step(at_ms)
        self._collect()
        while self._mail[0][0] <= at_ms:
            heapq.heappop(self._mail)[2]()
            self._collect()
        if at_ms >= self._wake_ms():
            self._do(Woken(self.now_ms / 1000))

    def _later(self, wait_ms: int, arrive: Callable[[], None]) -> None:
        heapq.heappush(self._mail, (self.now_ms + wait_ms, next(self._stamps), arrive))

    # The channels

    def _open(self, settings: Settings) -> None:
        cash = usd_from_float(settings.paper_cash_usd)
        self.exchange.ledger.deposit(ACCOUNT, cash)
        for listing in self.exchange.listings.values():
            self._do(InstrumentAdded(listing.instrument))
        for line in (self._market, self._user):
            self._do(FeedChanged(feed=line.channel, connected=True))
            self.director.opened(line)
        self._do(AccountSeen(cash=cash, holdings=()))
        self._subscribe(list(self._market.tokens))
        self.director.subscribed(self._user, [])
        self._later(round(PING_SEC * 1000), self._pong)

    def _pong(self) -> None:
        """Both channels answer our PING, whatever else they send."""
        self._do(FeedAlive("market"))
        self._do(FeedAlive("user"))
        self._later(round(PING_SEC * 1000), self._pong)

    def _subscribe(self, tokens: Sequence[str]) -> None:
        """Have the books of some tokens sent, as a subscription does."""
        self._collect()
        self.director.subscribed(self._market, list(tokens))
        places = [(token, *self.exchange.by_token[token]) for token in tokens]
        books = [
            Dump(kind="book", tokens=(token,), text=self.exchange.faces[market].socket_book(outcome, initial=True))
            for token, market, outcome in places
            if not self.exchange.is_over(market)
        ]
        arriving = self.director.dump(self._market, books)
        if arriving:
            self._market.send(f"[{','.join(arriving)}]")

    def _collect(self) -> None:
        """Send what the exchange has said and what faults make of it, until nothing is left of this moment."""
        director = self.director
        while True:
            if director.armed:
                director.watch()
            made, said = director.outbox(), self.exchange.drain()
            if not made and not said:
                return
            for frame in [*made, *(director.route(said) if director.armed else said)]:
                self._send(frame)

    def _send(self, frame: Frame) -> None:
        if not isinstance(frame, MarketFrame) and frame.owner != OWNER:
            return
        line = self._market if isinstance(frame, MarketFrame) else self._user
        heard = self.director.hears(line, frame)
        if heard is not None:
            line.send(heard.text)

    def _under_way(self, hear: Callable[[str], None]) -> Callable[[str], None]:
        return lambda text: self._later(FEED_MS, partial(hear, text))

    def _hear_market(self, text: str) -> None:
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
            self._carry_out(actions)
        self.after_event()

    def _carry_out(self, actions: Sequence[Action]) -> None:
        """Set requests on their way: as in a session, one for the cancels of a decision and one for 15 placements."""
        cancels = [action.order_id for action in actions if isinstance(action, Cancel)]
        if cancels:
            self._later(ENTRY_MS, partial(self._cancel, cancels))
        places = [action for action in actions if isinstance(action, Place)]
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            for place in batch:
                self._do(OrderSigned(intent=place.intent, order_id=self._id_of(place)))
            self._later(ENTRY_MS, partial(self._place, batch))
        for action in actions:
            match action:
                case CancelAll():
                    self._later(ENTRY_MS, self._cancel_all)
                case ReadOrder():
                    self._later(ENTRY_MS, partial(self._read, action.order_id))
                case Resync():
                    self._later(ENTRY_MS, partial(self._subscribe, action.tokens))

    def _id_of(self, place: Place) -> str:
        return "0x" + sha256(f"{self.exchange.seed}/{place.intent}".encode()).hexdigest()

    def _request(
        self, method: str, path: str, act: Callable[[], list[Event]], lost: list[Event], body: Any = None
    ) -> None:
        """Have the exchange do what a request asks, or do to it what faults want.

        Args:
            method: of the request.
            path: of the request.
            act: does it; returns what the answer tells.
            lost: what is known without an answer.
            body: of the request.
        """
        plan = Plan()
        if self.director.armed:
            headers = {"poly_api_key": OWNER}
            plan = self.director.request(Asked(method, path, {}, headers, _encode(body)))

        def serve() -> None:
            told = lost
            if plan.lost != "before" and plan.reply is None:
                for happening in plan.first:
                    happening()
                told = act()
            for event in lost if plan.lost else told:
                self._later(ANSWER_MS + plan.wait_after_ms, partial(self._do, event))

        if plan.wait_before_ms:
            self._later(plan.wait_before_ms, serve)
        else:
            serve()

    def _place(self, batch: list[Place]) -> None:
        def unknown(why: str) -> list[Event]:
            return [OrderAnswered(intent=place.intent, outcome="unknown", detail=why) for place in batch]

        def act() -> list[Event]:
            refusal = self.exchange.mode.refusal(post_only=True)
            return unknown(refusal) if refusal else [self._placed(place) for place in batch]

        self._request("POST", "/orders", act, unknown("no answer to use"))

    def _placed(self, place: Place) -> OrderAnswered:
        market, outcome = self.exchange.by_token[place.token]
        try:
            price = self.exchange.engine.instrument(market).grid.ticks(place.price_text)
        except UnitError:
            report = Report(error="Price breaks minimum tick size rule")
        else:
            report = self.exchange.place(
                NewOrder(
                    order_id=self._id_of(place),
                    account=ACCOUNT,
                    owner=OWNER,
                    market=market,
                    outcome=outcome,
                    side=place.order_side,
                    price=price,
                    size=place.size,
                    post_only=True,
                )
            )
        if report.order is None:
            return OrderAnswered(intent=place.intent, outcome="refused", detail=report.error)
        return OrderAnswered(intent=place.intent, outcome="live")

    def _cancel(self, order_ids: list[str]) -> None:
        unknown: list[Event] = [CancelAnswered(order_id=each, outcome="unknown") for each in order_ids]

        def act() -> list[Event]:
            return self._cancelled(order_ids) if self.exchange.mode.cancels else unknown

        self._request("DELETE", "/orders", act, unknown, order_ids)

    def _cancel_all(self) -> None:
        def act() -> list[Event]:
            if not self.exchange.mode.cancels:
                return []
            return self._cancelled([order.new.order_id for order in self.exchange.open_orders(OWNER)])

        self._request("DELETE", "/cancel-all", act, [])

    def _cancelled(self, order_ids: list[str]) -> list[Event]:
        done, failed = self.exchange.cancel(OWNER, order_ids, self.now_ms)
        return [
            *(CancelAnswered(order_id=each, outcome="cancelled") for each in done),
            *(CancelAnswered(order_id=each, outcome="gone", detail=why) for each, why in failed.items()),
        ]

    def _read(self, order_id: str) -> None:
        def act() -> list[Event]:
            if self.exchange.mode.state == "restarting":
                return []
            order = self.exchange.engine.orders.get(order_id)
            if order is None:
                return [OrderSeen(order_id=order_id, status="absent")]
            seen = order_seen(order_id, order.status, None)
            return [msgspec.structs.replace(seen, matched=Shares(order.matched))]

        self._request("GET", f"/data/order/{order_id}", act, [])


def _fitting(rules: Iterable[Rule]) -> list[Rule]:
    fitting = list(rules)
    for rule in fitting:
        if not isinstance(rule.verb, _CARRIED_OUT):
            raise UsageError(f"{rule.place('do')}: do: wants sockets, keys or reads, which a simulation has not")
    return fitting
