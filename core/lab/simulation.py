"""The engine against the exchange in one process under a virtual clock, without sockets (market-making.md 4.4, 4.7).

Frames are the exchange's own texts, taken in as a live session does; orders go to the matching engine unsigned.
Everything takes its time: frames, requests and answers wait in one mailbox for the moment at which they arrive. Same
seed, settings and faults, same decisions.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import structs

from core.actions import (
    Action,
    Cancel,
    CancelAll,
    CancelMarket,
    Place,
    ReadAccount,
    ReadBooks,
    ReadOrder,
    ReadPayouts,
    ReadScoring,
    Reconnect,
    Resubscribe,
)
from core.config import Settings
from core.engine import Engine
from core.errors import MalformedMessage, UsageError
from core.events import (
    AccountSeen,
    BooksRead,
    Event,
    InstrumentAdded,
    MarketMessage,
    OrderSigned,
    StopRequested,
    Woken,
)
from core.exchange.crowd.participants import Population
from core.exchange.crowd.profiles import Name, Profile
from core.exchange.exchange import Exchange
from core.exchange.faults import verbs
from core.exchange.faults.director import Director
from core.exchange.faults.rules import Rule
from core.exchange.frames import Frame, MarketFrame
from core.exchange.limits import Limits
from core.lab.simulated_feed import MarketLine, UserLine
from core.lab.simulated_reads import Reads
from core.lab.simulated_requests import Requests
from core.lab.simulated_world import ACCOUNT, OWNER, START_UNIX, World
from core.profiles import Profiles
from core.runtime.courier import BATCH
from core.runtime.ingest import Ingest
from core.units import usd_from_float
from core.venue.user_channel import decode_user_frame

_FOREVER_S: Final = 1e9
_CARRIED_OUT: Final = (
    *(verbs.StreamVerb, verbs.MuteUser, verbs.Freeze, verbs.Say, verbs.SocketVerb, verbs.RequestVerb),
    *(verbs.StaleRest, verbs.GhostBook, verbs.CancelRace),
    *(verbs.Restart, verbs.Mode, verbs.Settle, verbs.StrangerTrade, verbs.DuplicateFill),
    *(verbs.TakerDelay, verbs.TickChange, verbs.PauseMarket, verbs.CloseMarket, verbs.Resolve),
)
"""The others need signatures, buckets or other reads, which there are none of here."""
_encode: Final = msgspec.json.Encoder().encode


class Onlooker:
    """Sees everything and changes nothing; for invariants and measurements."""

    def began(self, simulation: "Simulation") -> None:
        """Everything stands, nothing has happened yet."""

    def said(self, frame: Frame) -> None:
        """The exchange said something; no fault has touched it yet."""

    def looked(self) -> None:
        """All that the exchange has said so far has been seen."""

    def heard(self, text: str) -> None:
        """A text of the market channel reached us; the engine is about to get it."""

    def read(self, event: BooksRead) -> None:
        """Books read over REST reached us; the engine is about to get them."""

    def acted(self, actions: Sequence[Action]) -> None:
        """The engine wants something."""

    def settled(self) -> None:
        """Something happened to the engine, a whole frame for instance, and it has answered."""


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
        profiles: Profiles | None = None,
        markets: int | Sequence[int] = 1,
        profile: Name | Profile = "normal",
        speed: float = 1.0,
        baiter: bool = False,
        relabelled: bool = False,
        rules: Iterable[Rule] = (),
        onlooker: Onlooker | None = None,
    ) -> None:
        """Let everything begin.

        Args:
            settings: the engine's.
            seed: of the world.
            profiles: what single markets are quoted with; None quotes all with ``settings``.
            markets: how many, or which by number.
            profile: how lively they are.
            speed: that of the participants.
            baiter: somebody lures those who follow the touch blindly.
            relabelled: the engine takes every market's NO token for its YES token, and the other way round; the
                exchange and its participants do not know of it.
            rules: faults.
            onlooker: sees everything.

        Raises:
            UsageError: a rule cannot be carried out here, or names a market that is not listed.
            ValueError: there are no such markets.
        """
        self.exchange = Exchange(seed=seed, markets=markets, now_ms=START_UNIX * 1000)
        self.population = Population(self.exchange, profile=profile, speed=speed, baiter=baiter)
        self.director = Director(self.exchange, Limits())
        self.director.arm(_fitting(rules))
        self.engine = Engine(settings, own_in_book=True, profiles=profiles)
        self.ingest = Ingest(self._take, self.engine.data.find, None)
        self._unusable = 0
        self.onlooker = onlooker or Onlooker()
        self._relabelled = relabelled
        self._world = World(self.exchange, self.director, self._tell)
        self._decisions = sha256()
        self._requests = Requests(self._world)
        self._reads = Reads(self._world)
        self._market = MarketLine(
            self._world,
            self._hear_market,
            tokens_a_socket=settings.ws_tokens,
            copies=settings.ws_copies,
            recycle_s=settings.ws_recycle_sec,
        )
        self._user = UserLine(self._world, self._hear_user)
        self.onlooker.began(self)
        self._open(settings)

    @property
    def now_ms(self) -> int:
        """Virtual time, unix milliseconds."""
        return self._world.now_ms

    @property
    def now_s(self) -> float:
        """Seconds since the start; the engine's clock."""
        return self._world.now_s

    @property
    def unusable(self) -> int:
        """Frames and messages that the engine could not use."""
        return self.ingest.malformed + self._unusable

    @property
    def decisions_digest(self) -> str:
        """SHA-256 over every action taken so far and its time: equal for equal runs."""
        return self._decisions.hexdigest()

    def order_id(self, place: Place) -> str:
        """The id that the venue will give an order."""
        return self._requests.order_id(place)

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        until_ms = self.now_ms + round(seconds * 1000)
        while (at_ms := self._next_ms()) <= until_ms:
            self._pass_to(at_ms)
        self._pass_to(until_ms)

    def finish(self) -> None:
        """Stop as a session does, and let the last answers and settlements arrive."""
        self._do(StopRequested("the simulation is over"))
        self.run(30)

    # Time

    def _next_ms(self) -> int:
        """When something happens next."""
        mail_ms = self._world.next_ms
        soonest = min(self.exchange.next_due_ms, self._wake_ms())
        return soonest if mail_ms is None else min(soonest, mail_ms)

    def _wake_ms(self) -> int:
        """When the engine wants to be woken: the whole millisecond after, so never too early."""
        return max(self.now_ms, START_UNIX * 1000 + int(min(self.engine.next_wake(), _FOREVER_S) * 1000) + 1)

    def _pass_to(self, at_ms: int) -> None:
        self.exchange.step(at_ms)
        self._collect()
        while (mail_ms := self._world.next_ms) is not None and mail_ms <= at_ms:
            self._world.deliver_next()
            self._collect()
        if at_ms >= self._wake_ms():
            self._do(Woken(self.now_ms / 1000))

    # The channels

    def _open(self, settings: Settings) -> None:
        cash = usd_from_float(settings.paper_cash_usd)
        self.exchange.ledger.deposit(ACCOUNT, cash)
        for listing in self.exchange.listings.values():
            told = listing.instrument
            if self._relabelled:
                told = structs.replace(told, yes_token=told.no_token, no_token=told.yes_token)
            self._do(InstrumentAdded(told))
        self._collect()
        self._market.start(list(self.exchange.by_token))
        self._user.start()
        self._do(AccountSeen(cash=cash, holdings=()))

    def _collect(self) -> None:
        """Send what the exchange has said and what faults make of it, until nothing is left of this moment."""
        director = self.director
        while True:
            if director.armed:
                director.watch()
            made, said = director.outbox(), self.exchange.drain()
            if not made and not said:
                break
            for frame in said:
                self.onlooker.said(frame)
            for frame in [*made, *(director.route(said) if director.armed else said)]:
                (self._market if isinstance(frame, MarketFrame) else self._user).broadcast(frame)
        self.onlooker.looked()

    def _hear_market(self, text: str) -> bool:
        self.onlooker.heard(text)
        useful = self.ingest.frame(text.encode(), self.now_s)
        self.onlooker.settled()
        return useful

    def _take(self, message: MarketMessage, now: float) -> None:
        self._handle(message)

    def _hear_user(self, text: str) -> bool:
        try:
            for event in decode_user_frame(text, OWNER):
                self._handle(event)
        except MalformedMessage:
            self._unusable += 1
            return False
        finally:
            self.onlooker.settled()
        return True

    # The engine's wishes

    def _tell(self, event: Event) -> None:
        if isinstance(event, BooksRead):
            self.onlooker.read(event)
        self._do(event)

    def _do(self, event: Event) -> None:
        self._handle(event)
        self.onlooker.settled()

    def _handle(self, event: Event) -> None:
        actions = self.engine.handle(event, self.now_s)
        if actions:
            self._decisions.update(b"%d" % self.now_ms)
            self._decisions.update(_encode(actions))
            self.onlooker.acted(actions)
            self._carry_out(actions)

    def _carry_out(self, actions: Sequence[Action]) -> None:
        """Set requests on their way: as in a session, one for the cancels of a decision and one for 15 placements."""
        cancels = [action.order_id for action in actions if isinstance(action, Cancel)]
        if cancels:
            self._requests.cancel(cancels)
        places = [action for action in actions if isinstance(action, Place)]
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            for place in batch:
                self._handle(OrderSigned(intent=place.intent, order_id=self._requests.order_id(place)))
            self._requests.place(batch)
        for action in actions:
            match action:
                case CancelAll():
                    self._requests.cancel_all()
                case CancelMarket():
                    self._requests.cancel_market(action.market)
                case ReadAccount():
                    self._requests.read_account(action)
                case ReadOrder():
                    self._requests.read_order(action.order_id)
                case ReadScoring():
                    self._requests.read_scoring(action.order_ids)
                case ReadPayouts():
                    desks = [self.engine.desks[market] for market in action.markets if market in self.engine.desks]
                    self._requests.read_payouts([desk.instrument.yes_token for desk in desks])
                case ReadBooks():
                    self._reads.read(action.tokens)
                case Resubscribe():
                    self._market.resubscribe(action.tokens)
                case Reconnect():
                    self._market.reconnect(action.tokens)


def _fitting(rules: Iterable[Rule]) -> list[Rule]:
    fitting = list(rules)
    for rule in fitting:
        if not isinstance(rule.verb, _CARRIED_OUT):
            raise UsageError(f"{rule.place('do')}: do: wants keys, buckets or reads, which a simulation has not")
    return fitting
