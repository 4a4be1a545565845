"""The channels of a simulation: sockets that live, fall silent, break and come back (polymarket-api.md 5.1).

The venue's end is a link as the director sees it; our end decides what :mod:`core.venue.market_feed` and
:mod:`core.venue.channel` decide, with the same constants: PING with a deadline, pauses that grow with each loss, heirs
that overlap with what they replace, and coverage as what is told.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from core.events import FeedAlive, FeedChanged
from core.exchange.faults.effects import Dump
from core.exchange.faults.verbs import Channel
from core.exchange.frames import Frame, MarketFrame
from core.lab.simulated_world import ENTRY_MS, FEED_MS, OWNER, World
from core.venue.channel import CHECK_SEC, FIRST_BACKOFF_SEC, LAST_BACKOFF_SEC, PING_SEC, SILENCE_SEC
from core.venue.market_feed import OVERLAP_SEC, RECYCLE_SPREAD, RETRY_SEC, SETTLE_SEC, STAGGER_SEC

CONNECT_MS: Final = 3 * ENTRY_MS
"""From the wish for a socket to its first frame: TCP, TLS and the upgrade."""
LAG_MS: Final = 45
"""How much later the second socket of a token tells everything."""


class Socket:
    """One socket: the venue's end, which faults strike, and whether ours still reads."""

    def __init__(self, world: World, slot: "Slot", line: "Line") -> None:
        self.channel: Channel = line.channel
        self.owner = line.owner
        self.tokens: set[str] = set()
        """Subscribed to at the venue."""
        self.serves = True
        """The venue still sends."""
        self.listens = True
        """We still read."""
        self.opened_ms = self.heard_ms = world.now_ms
        self._world, self._slot, self._line = world, slot, line

    def send(self, text: str) -> None:
        """Set a message on its way to us."""
        if self.serves:
            self._world.later(self._slot.lag_ms, partial(self._arrive, text))

    def close(self, code: int, reason: str) -> None:
        """Close cleanly: what is under way still arrives."""
        self._end(f"closed by the venue: {code} {reason}")

    def reset(self) -> None:
        """End at once: what is under way is lost."""
        self.listens = False
        self._end("connection reset")

    def stall(self) -> None:
        """Neither send nor answer from now on; we find out by the missing PONG."""
        self.serves = False

    def leave(self) -> None:
        """Close our end; the venue notices."""
        self.serves = self.listens = False
        self._world.director.closed(self)

    def keep_alive(self) -> None:
        """Send PINGs and listen for silence, until this is not the slot's socket any more."""
        self._world.later(_ms(CHECK_SEC), self._check)
        self._world.later(_ms(PING_SEC), self._ping)

    def _end(self, detail: str) -> None:
        if self.serves:
            self.serves = False
            self._world.later(self._slot.lag_ms, partial(self._line.lost, self._slot, self, detail))

    def _arrive(self, text: str) -> None:
        if self.listens:
            self.heard_ms = self._world.now_ms
            self._line.arrived(self._slot, text)

    def _check(self) -> None:
        if self._slot.socket is not self:
            return
        if self._world.now_ms - self.heard_ms > _ms(SILENCE_SEC):
            self._line.lost(self._slot, self, f"nothing was heard for {SILENCE_SEC:g} s")
        else:
            self._world.later(_ms(CHECK_SEC), self._check)

    def _ping(self) -> None:
        if self._slot.socket is self:
            if self.serves:
                self._world.later(2 * self._slot.lag_ms, self._pong)
            self._world.later(_ms(PING_SEC), self._ping)

    def _pong(self) -> None:
        if self.listens:
            self.heard_ms = self._world.now_ms
            self._world.tell(FeedAlive(self.channel))


class Slot:
    """The place of one socket: filled again after each loss until it is given up."""

    def __init__(self, lag_ms: int) -> None:
        self.lag_ms = lag_ms
        self.socket: Socket | None = None
        self.given_up = False
        self.heard = False
        """Something came through the socket in use."""
        self.delivered = False
        """An array came: the books of what was subscribed to."""
        self.backoff_s = FIRST_BACKOFF_SEC


class Line(ABC):
    """All sockets of one channel."""

    channel: Channel
    owner = ""

    def __init__(self, world: World, hear: Callable[[str], bool]) -> None:
        """``hear`` takes every text that arrives, PONG excepted, and tells whether anything in it was valid."""
        self._world = world
        self._hear = hear
        self._random = random.Random(f"{world.exchange.seed}/{self.channel}")

    @property
    @abstractmethod
    def slots(self) -> list[Slot]:
        """All that are not given up."""

    def broadcast(self, frame: Frame) -> None:
        """Send what the exchange says to every socket that is to get it, as far as faults let it."""
        for slot in self.slots:
            socket = slot.socket
            if socket is not None and socket.serves and self._concerns(socket, frame):
                heard = self._world.director.hears(socket, frame)
                if heard is not None and self._concerns(socket, heard):
                    socket.send(heard.text)

    def connect(self, slot: Slot) -> None:
        """Fill a slot with a new socket, if the venue lets it in."""
        if slot.given_up:
            return
        director = self._world.director
        if not director.admits(self.channel):
            self._went(slot, "no new connections")
            self._try_again(slot)
            return
        socket = slot.socket = Socket(self._world, slot, self)
        director.opened(socket)
        self._subscribe_first(slot, socket)
        self._came(slot)
        socket.keep_alive()

    def arrived(self, slot: Slot, text: str) -> bool:
        """A text came; returns whether it was valid."""
        valid = self._hear(text)
        if valid:
            slot.backoff_s = FIRST_BACKOFF_SEC
        return valid

    def lost(self, slot: Slot, socket: Socket, detail: str) -> None:
        """We noticed that a socket is gone."""
        if slot.socket is not socket:
            return
        socket.leave()
        slot.socket = None
        self._went(slot, detail)
        self._try_again(slot)

    @abstractmethod
    def _subscribe_first(self, slot: Slot, socket: Socket) -> None:
        """Send the first frame."""

    @abstractmethod
    def _came(self, slot: Slot) -> None:
        """A socket is up."""

    @abstractmethod
    def _went(self, slot: Slot, detail: str) -> None:
        """A socket is gone, or did not come."""

    @abstractmethod
    def _concerns(self, socket: Socket, frame: Frame) -> bool:
        """Whether a socket is to get a frame."""

    def _turn_ms(self) -> int:
        """Wait for a turn to connect."""
        return 0

    def _try_again(self, slot: Slot) -> None:
        pause_s = slot.backoff_s * (0.5 + self._random.random())
        slot.backoff_s = min(2 * slot.backoff_s, LAST_BACKOFF_SEC)
        self._world.later(_ms(pause_s), lambda: self._connect_later(slot))

    def _connect_later(self, slot: Slot) -> None:
        self._world.later(self._turn_ms() + CONNECT_MS, partial(self.connect, slot))


class UserLine(Line):
    """The user channel of our key: one socket."""

    channel: Channel = "user"
    owner = OWNER

    def __init__(self, world: World, hear: Callable[[str], bool]) -> None:
        super().__init__(world, hear)
        self._slot = Slot(FEED_MS)

    @property
    def slots(self) -> list[Slot]:
        """The one."""
        return [self._slot]

    def start(self) -> None:
        """Connect at once."""
        self.connect(self._slot)

    def _subscribe_first(self, slot: Slot, socket: Socket) -> None:
        self._world.director.subscribed(socket, [])

    def _came(self, slot: Slot) -> None:
        self._world.tell(FeedChanged(feed="user", connected=True))

    def _went(self, slot: Slot, detail: str) -> None:
        self._world.tell(FeedChanged(feed="user", connected=False, detail=detail))

    def _concerns(self, socket: Socket, frame: Frame) -> bool:
        return not isinstance(frame, MarketFrame) and frame.owner == OWNER


class Bundle:
    """Tokens that share a socket, and for a while its heir."""

    def __init__(self, tokens: Sequence[str], lag_ms: int) -> None:
        self.tokens = tuple(tokens)
        self.lag_ms = lag_ms
        self.links: list[Slot] = [Slot(lag_ms)]
        """The socket in use; behind it the one that is to replace it."""
        self.replace_ms: float = math.inf
        """When the socket in use is to be replaced."""

    @property
    def due_ms(self) -> float:
        """When something is to be decided about its sockets."""
        if len(self.links) == 1:
            return self.replace_ms
        heir = self.links[1].socket
        return math.inf if heir is None else heir.opened_ms + _ms(OVERLAP_SEC)


class MarketLine(Line):
    """The market channel: sockets with a share of the tokens each, any token on one or two of them."""

    channel: Channel = "market"

    def __init__(
        self, world: World, hear: Callable[[str], bool], *, tokens_a_socket: int, copies: int, recycle_s: float
    ) -> None:
        """``recycle_s``: age at which a socket is replaced; 0 for never."""
        super().__init__(world, hear)
        self.bundles: list[Bundle] = []
        self._most = tokens_a_socket - tokens_a_socket % 2
        self._copies = copies
        self._recycle_s = recycle_s
        self._covered: set[str] = set()
        self._free_ms = 0

    @property
    def slots(self) -> list[Slot]:
        """All sockets and their heirs."""
        return [link for bundle in self.bundles for link in bundle.links]

    def start(self, tokens: Sequence[str]) -> None:
        """Connect, one socket after another; both tokens of a market stand beside each other and stay together."""
        for lag_ms in range(FEED_MS, FEED_MS + LAG_MS * self._copies, LAG_MS):
            shares = [tokens[first : first + self._most] for first in range(0, len(tokens), self._most)]
            self.bundles += [Bundle(share, lag_ms) for share in shares]
        for slot in self.slots:
            self._world.after(self._turn_ms(), partial(self.connect, slot))

    def resubscribe(self, tokens: Iterable[str]) -> None:
        """Unsubscribe and subscribe tokens on the sockets they are on."""
        wanted = set(tokens)
        for bundle in self.bundles:
            mine = [token for token in bundle.tokens if token in wanted]
            for link in bundle.links if mine else ():
                if link.socket is not None:
                    self._world.later(ENTRY_MS, partial(self._subscribe_anew, link.socket, mine))

    def reconnect(self, tokens: Iterable[str]) -> None:
        """Give the sockets of these tokens heirs; what is not connected is on its way already."""
        wanted = set(tokens)
        for bundle in self.bundles:
            socket = bundle.links[0].socket
            if socket is not None and not wanted.isdisjoint(bundle.tokens):
                soonest_ms = max(self._world.now_ms, socket.opened_ms + _ms(SETTLE_SEC))
                self._plan_replacement(bundle, min(bundle.replace_ms, soonest_ms))

    def arrived(self, slot: Slot, text: str) -> bool:
        """A text came; the first books of an heir relieve what it replaces."""
        valid = super().arrived(slot, text)
        if not valid or slot.delivered:
            return valid
        slot.heard = True
        if text.startswith("["):
            slot.delivered = True
            bundle = self._bundle_of(slot)
            if slot in bundle.links[1:]:
                self._succeed(bundle)
        return valid

    def _subscribe_first(self, slot: Slot, socket: Socket) -> None:
        slot.heard = slot.delivered = False
        self._subscribe(socket, self._bundle_of(slot).tokens)

    def _subscribe(self, socket: Socket, tokens: Iterable[str]) -> None:
        """Subscribe tokens; their books come in one array."""
        exchange, director = self._world.exchange, self._world.director
        fresh = [token for token in tokens if token not in socket.tokens]
        socket.tokens.update(fresh)
        director.subscribed(socket, fresh)
        places = [(token, *exchange.by_token[token]) for token in fresh]
        books = [
            Dump(kind="book", tokens=(token,), text=exchange.faces[market].socket_book(outcome, initial=True))
            for token, market, outcome in places
            if not exchange.is_over(market)
        ]
        arriving = director.dump(socket, books)
        if arriving:
            socket.send(f"[{','.join(arriving)}]")

    def _subscribe_anew(self, socket: Socket, tokens: Sequence[str]) -> None:
        if socket.serves:
            socket.tokens.difference_update(tokens)
            self._subscribe(socket, tokens)

    def _concerns(self, socket: Socket, frame: Frame) -> bool:
        if not isinstance(frame, MarketFrame) or not socket.tokens:
            return False
        return not frame.tokens or not socket.tokens.isdisjoint(frame.tokens)

    def _turn_ms(self) -> int:
        now_ms = self._world.now_ms
        turn_ms = max(now_ms, self._free_ms)
        self._free_ms = turn_ms + _ms(STAGGER_SEC * (1 + self._random.random() / 2))
        return turn_ms - now_ms

    # Coverage

    def _came(self, slot: Slot) -> None:
        bundle = self._bundle_of(slot)
        self._cover(bundle)
        if slot is bundle.links[0]:
            self._plan_recycling(bundle)
        else:
            self._tend_later(bundle)

    def _went(self, slot: Slot, detail: str) -> None:
        bundle = self._bundle_of(slot)
        had_delivered, slot.heard, slot.delivered = slot.delivered, False, False
        in_use = slot is bundle.links[0]
        if in_use and len(bundle.links) > 1:
            self._drop(bundle, slot)
        gone = [t for t in bundle.tokens if t in self._covered and not self._is_carried(t, delivered=had_delivered)]
        if gone:
            self._covered.difference_update(gone)
            self._tell(gone, False, detail)
            self._cover(bundle)
        if in_use:
            self._plan_recycling(bundle)

    def _cover(self, bundle: Bundle) -> None:
        fresh = [t for t in bundle.tokens if t not in self._covered and self._is_carried(t, delivered=False)]
        if fresh:
            self._covered.update(fresh)
            self._tell(fresh, True, "")

    def _is_carried(self, token: str, *, delivered: bool) -> bool:
        links = [link for bundle in self.bundles if token in bundle.tokens for link in bundle.links]
        return any(link.socket is not None and (link.delivered or not delivered) for link in links)

    def _tell(self, tokens: Sequence[str], connected: bool, detail: str) -> None:
        self._world.tell(FeedChanged(feed="market", connected=connected, detail=detail, tokens=tuple(tokens)))

    # Replacement

    def _plan_recycling(self, bundle: Bundle) -> None:
        socket, at_ms = bundle.links[0].socket, math.inf
        if socket is not None and self._recycle_s:
            age_s = self._recycle_s * (1 + RECYCLE_SPREAD * (2 * self._random.random() - 1))
            at_ms = socket.opened_ms + _ms(age_s)
        self._plan_replacement(bundle, at_ms)

    def _plan_replacement(self, bundle: Bundle, at_ms: float) -> None:
        bundle.replace_ms = at_ms
        self._tend_later(bundle)

    def _tend_later(self, bundle: Bundle) -> None:
        if bundle.due_ms < math.inf:
            self._world.later(max(0, round(bundle.due_ms) - self._world.now_ms), partial(self._tend, bundle))

    def _tend(self, bundle: Bundle) -> None:
        if bundle.due_ms > self._world.now_ms:
            return
        if len(bundle.links) == 1:
            heir = Slot(bundle.lag_ms)
            bundle.links.append(heir)
            self._connect_later(heir)
        elif bundle.links[1].heard:
            self._succeed(bundle)
        else:
            self._drop(bundle, bundle.links[1])
            self._plan_replacement(bundle, self._world.now_ms + _ms(RETRY_SEC))

    def _succeed(self, bundle: Bundle) -> None:
        self._drop(bundle, bundle.links[0])
        self._plan_recycling(bundle)

    def _drop(self, bundle: Bundle, slot: Slot) -> None:
        bundle.links.remove(slot)
        slot.given_up = True
        if slot.socket is not None:
            slot.socket.leave()
            slot.socket = None

    def _bundle_of(self, slot: Slot) -> Bundle:
        return next(bundle for bundle in self.bundles if slot in bundle.links)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
