"""The director: armed with rules, it decides what goes wrong, when, and remembers it.

Pure: driven by the exchange's clock and by what it is told of (frames, requests, sockets). The wire server asks it
about every message and request once a rule is armed; a simulation without sockets may ask the same questions.
Everything follows from the exchange's seed, the rules and what the clients do.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec

from core.errors import UsageError
from core.exchange.exchange import Exchange
from core.exchange.faults import acts, verbs
from core.exchange.faults.answers import ExpiredEffect
from core.exchange.faults.effects import Dump, Effect, Link, Scope, scope_of
from core.exchange.faults.lasting import work_of
from core.exchange.faults.requests import Asked, Plan
from core.exchange.faults.rules import Facts, Rule, When
from core.exchange.faults.streams import Arrivals, FreezeEffect, StreamEffect, kind_of
from core.exchange.frames import Frame, UserFrame
from core.exchange.limits import Limits

LOG_LIMIT: Final = 10_000
"""Lines of the log that are kept."""


class Happened(msgspec.Struct, frozen=True):
    """One line of the log."""

    at_ms: int
    rule: int
    """Number of the rule, from 1."""
    do: str
    what: str


class Armed(msgspec.Struct):
    """A rule and what became of it."""

    number: int
    rule: Rule
    scope: Scope
    seen: int = 0
    """Occasions so far."""
    fired: int = 0
    held: bool = False
    """Whether its predicate held when last looked at."""

    @property
    def do(self) -> str:
        """The verb's name."""
        return str(self.rule.verb.__struct_config__.tag)

    @property
    def spent(self) -> bool:
        """Whether it can never go off again."""
        limit = self.rule.trigger.limit
        return limit is not None and self.fired >= limit


class Director:
    """Rules, what they have set going, and the log.

    Example::

        director = Director(exchange, Limits())
        director.arm(load(path))
        for at_ms, frame in director.frames(now_ms, frame):
            ...
    """

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.armed = False
        """Whether there is any rule; nothing else need be asked while there is none."""
        self.rules: list[Armed] = []
        self.log: deque[Happened] = deque(maxlen=LOG_LIMIT)
        self.links: dict[Link, None] = {}
        """Open sockets in the order they came."""
        self.broken: UsageError | None = None
        """A script's own function failed; whoever runs the exchange ends it with this."""
        self._exchange = exchange
        self._limits = limits
        self._born_ms = exchange.now_ms
        self._effects: list[Effect] = []
        self._outbox: list[Frame] = []
        self._changed: dict[tuple[type[verbs.Verb], str], acts.Changed] = {}
        self._requests = 0
        self._matched = ""

    # Arming

    def arm(self, rules: Iterable[Rule], *, from_now: bool = False) -> list[int]:
        """Add rules; returns their numbers. ``from_now`` counts their times from now, not from the start.

        Raises:
            UsageError: a rule names a market or token that is not listed; none of them is armed then.
        """
        exchange = self._exchange
        since = exchange.now_ms if from_now else self._born_ms
        fresh = [
            Armed(number=len(self.rules) + place, rule=rule, scope=scope_of(rule, exchange))
            for place, rule in enumerate(rules, 1)
        ]
        for armed in fresh:
            self.rules.append(armed)
            trigger = armed.rule.trigger
            if trigger.on is None and (trigger.when is None or trigger.at is not None or trigger.every is not None):
                first = trigger.at if trigger.at is not None else trigger.every or 0.0
                exchange.schedule(since + round(first * 1000), partial(self._struck, armed))
        self.armed = bool(self.rules)
        return [armed.number for armed in fresh]

    @property
    def active(self) -> list[Effect]:
        """What is going on now."""
        now_ms = self._exchange.now_ms
        self._effects = [effect for effect in self._effects if not effect.over(now_ms)]
        return self._effects

    # What the wire tells and asks

    def frames(self, now_ms: int, frame: Frame) -> Arrivals:
        """When and how a frame arrives: none, one or several times, now or later."""
        self._heard(frame)
        arrivals: Arrivals = [(now_ms, frame)]
        for effect in self.active:
            if isinstance(effect, StreamEffect):
                arrivals = [
                    (max(at, later), changed)
                    for at, each in arrivals
                    for later, changed in (effect.work(now_ms, each) if at <= now_ms else [(at, each)])
                ]
        return arrivals

    def route(self, frames: Iterable[Frame]) -> list[Frame]:
        """The frames that arrive now; later ones come out of the outbox when their time has come."""
        now_ms = self._exchange.now_ms
        arriving = []
        for frame in frames:
            for at_ms, each in self.frames(now_ms, frame):
                if at_ms <= now_ms:
                    arriving.append(each)
                else:
                    self._exchange.schedule(at_ms, partial(self._let_out, each))
        return arriving

    def _let_out(self, late: Frame, now_ms: int) -> None:
        self._outbox.append(late)

    def dump(self, link: Link, books: Iterable[Dump]) -> list[str]:
        """The books of a subscription's first array that one socket gets now; later ones follow one by one."""
        now_ms = self._exchange.now_ms
        arriving = []
        for book in books:
            for at_ms, frame in self.frames(now_ms, book):
                heard = self.hears(link, frame)
                if heard is not None and at_ms <= now_ms:
                    arriving.append(heard.text)
                elif heard is not None:
                    self._exchange.schedule(at_ms, partial(_send_late, link, heard.text))
        return arriving

    def hears(self, link: Link, frame: Frame) -> Frame | None:
        """What one socket gets of a frame that arrives."""
        heard: Frame | None = frame
        for effect in self._effects:
            if isinstance(effect, FreezeEffect) and heard is not None:
                heard = effect.hears(link, heard, self._exchange.now_ms)
        return heard

    def outbox(self) -> list[Frame]:
        """Frames to be sent as they are: what a fault made up, and what one let go of."""
        out, self._outbox = self._outbox, []
        return out

    def request(self, asked: Asked) -> Plan:
        """What is to happen to a request."""
        self._requests += 1
        self._occasion("request", lambda on: asked.fits(on.removeprefix("request:")))
        plan = Plan()
        for effect in list(self.active):
            planner = getattr(effect, "plan", None)
            if planner is not None:
                planner(asked, plan, self._exchange.now_ms)
        return plan

    def admits(self, channel: verbs.Channel) -> bool:
        """Whether a new connection is let in."""
        for effect in self.active:
            verb = effect.verb
            if isinstance(verb, verbs.Disconnect) and verb.channel in ("both", channel) and effect.scope == Scope():
                effect.note(f"{channel} connection refused")
                return False
        return True

    def refuses_key(self, key: str) -> bool:
        """Whether a key is refused on the user channel."""
        now_ms = self._exchange.now_ms
        return any(
            isinstance(effect, ExpiredEffect)
            and isinstance(effect.verb, verbs.ExpireCredentials)
            and effect.verb.paths == "all"
            and effect.refuses(key, now_ms)
            for effect in self.active
        )

    @property
    def clock_offset_s(self) -> float:
        """How far the venue's clock is off."""
        return sum(effect.verb.seconds for effect in self.active if isinstance(effect.verb, verbs.ClockOffset))

    def opened(self, link: Link) -> None:
        """A socket was accepted."""
        self.links[link] = None
        if self.armed:
            for effect in self.active:
                if isinstance(effect, FreezeEffect):
                    effect.opened(link)
            self._occasion("connect", lambda on: on == f"connect:{link.channel}")
            self._meet(link)

    def subscribed(self, link: Link, tokens: list[str]) -> None:
        """A socket subscribed, or took up more tokens."""
        for effect in self.active:
            if isinstance(effect, FreezeEffect):
                effect.subscribed(link, tokens)
        self._occasion("subscribe", lambda on: on == f"subscribe:{link.channel}")
        self._meet(link)

    def closed(self, link: Link) -> None:
        """A socket is gone."""
        self.links.pop(link, None)
        for effect in self._effects:
            if isinstance(effect, FreezeEffect):
                effect.closed(link)

    def watch(self) -> None:
        """Look at the predicates that set off faults by themselves; called after everything that happened."""
        for armed in self.rules:
            trigger = armed.rule.trigger
            alone = trigger.on is None and trigger.at is None and trigger.every is None
            if alone and trigger.when is not None and not armed.spent:
                holds, before = self._holds(armed), armed.held
                armed.held = holds
                if holds and not before:
                    self._fire(armed)

    # Triggers

    def _struck(self, armed: Armed, now_ms: int) -> None:
        """A rule's time has come."""
        trigger = armed.rule.trigger
        if armed.spent:
            return
        armed.seen += 1
        if self._lucky(armed) and self._holds(armed):
            self._fire(armed)
        if trigger.every is not None:
            self._exchange.schedule(now_ms + round(trigger.every * 1000), partial(self._struck, armed))

    def _heard(self, frame: Frame) -> None:
        """Count a frame as an occasion for rules about frames and trades."""
        kind = kind_of(frame)
        if isinstance(frame, UserFrame):
            message: dict[str, Any] = msgspec.json.decode(frame.text)
            state = message["status"] if kind == "trade" else message["type"]
            names = ["user", f"user:{kind}", f"user:{kind}:{state}"]
            if kind == "trade" and state == "MATCHED" and message["id"] != self._matched:
                self._matched = message["id"]
                names.append("trade")
        else:
            names = ["frame", f"frame:{kind}"]
        for armed in self.rules:
            if armed.rule.trigger.on in names and armed.scope.covers(frame):
                self._count(armed)

    def _occasion(self, prefix: str, fits: Callable[[str], bool]) -> None:
        for armed in self.rules:
            on = armed.rule.trigger.on
            if on is not None and on.startswith(prefix) and fits(on):
                self._count(armed)

    def _count(self, armed: Armed) -> None:
        if armed.spent:
            return
        armed.seen += 1
        if armed.seen % armed.rule.trigger.nth == 0 and self._lucky(armed) and self._holds(armed):
            self._fire(armed)

    def _lucky(self, armed: Armed) -> bool:
        chance = armed.rule.trigger.chance
        if chance is None:
            return True
        return random.Random(f"fault/{self._exchange.seed}/{armed.number}/{armed.seen}").random() < chance

    def _holds(self, armed: Armed) -> bool:
        when = armed.rule.trigger.when
        if when is None:
            return True
        if isinstance(when, When):
            return _agrees(when, self._facts())
        try:
            return bool(when(self._facts()))
        except Exception as error:
            self.broken = UsageError(f"{armed.rule.place('when')}: when: {type(error).__name__}: {error}")
            raise self.broken from error

    def _facts(self) -> Facts:
        exchange = self._exchange
        return Facts(
            elapsed_s=(exchange.now_ms - self._born_ms) / 1000,
            open_orders=sum(1 for held in exchange.engine.open.values() for order in held.values() if order.new.owner),
            trades=len(exchange.trades),
            requests=self._requests,
            market_sockets=sum(1 for link in self.links if link.channel == "market"),
            user_sockets=sum(1 for link in self.links if link.channel == "user"),
        )

    # Faults

    def _fire(self, armed: Armed) -> None:
        armed.fired += 1
        verb, now_ms = armed.rule.verb, self._exchange.now_ms
        what = "begins"
        if type(verb) in acts.INSTANT:
            stage = acts.Stage(
                exchange=self._exchange,
                limits=self._limits,
                links=self.links,
                say=self._outbox.append,
                scope=armed.scope,
                seed=f"{self._exchange.seed}/{armed.number}/{armed.fired}",
                changed=self._changed,
            )
            what = acts.act(verb, stage)
        self._note(armed, what)
        lasts = not isinstance(verb, verbs.SocketVerb) or verb.for_s is not None
        if lasts and (type(verb) not in acts.INSTANT or isinstance(verb, verbs.SocketVerb)):
            self._begin(armed, now_ms)

    def _begin(self, armed: Armed, now_ms: int) -> None:
        verb = armed.rule.verb
        for_s, count = getattr(verb, "for_s", None), getattr(verb, "count", None)
        if count is None and for_s is None and hasattr(verb, "count"):
            count = verb.block if isinstance(verb, verbs.Reorder) else 1
        until = None if for_s is None else now_ms + round(for_s * 1000)
        kind, more = work_of(verb, armed.scope, self._exchange)
        effect = kind(
            number=armed.number,
            verb=verb,
            scope=armed.scope,
            until_ms=until,
            left=count,
            note=partial(self._note, armed),
            **more,
        )
        self._effects.append(effect)
        if until is not None:
            self._exchange.schedule(until, partial(self._end, armed, effect))

    def _end(self, armed: Armed, effect: Effect, now_ms: int) -> None:
        if isinstance(effect, StreamEffect):
            self._outbox.extend(effect.release())
        self._note(armed, "ends")

    def _meet(self, link: Link) -> None:
        """Let faults that wait for new sockets meet one."""
        for effect in self.active:
            if isinstance(effect.verb, verbs.SocketVerb) and acts.aims_at(effect.verb, effect.scope, link):
                effect.note(f"new {link.channel} socket")
                acts.strike(effect.verb, link)

    def _note(self, armed: Armed, what: str) -> None:
        self.log.append(Happened(at_ms=self._exchange.now_ms, rule=armed.number, do=armed.do, what=what))


def _send_late(link: Link, book: str, now_ms: int) -> None:
    link.send(f"[{book}]")


def _agrees(when: When, facts: Facts) -> bool:
    """Whether every predicate that is given holds."""
    for name in when.__struct_fields__:
        bound = getattr(when, name)
        if bound is None:
            continue
        value = getattr(facts, name.removesuffix("_at_least").removesuffix("_at_most"))
        if value > bound if name.endswith("_at_most") else value < bound:
            return False
    return True
