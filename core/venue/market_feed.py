"""The market channel over as many sockets as its tokens need.

Tokens are carried in bundles, each on a socket of its own. A socket is replaced by opening its heir beside it and
closing it once the heir has delivered, so that no token is without a socket meanwhile. What is told to the owner is
coverage: tokens that gained their first socket, or lost their last one.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from core.clock import Clock
from core.venue.channel import Channel, ChannelOwner, market_operation_frame, receive_limit, subscribe_market_frame

log = logging.getLogger(__name__)

STAGGER_SEC: Final = 0.25
"""Least time between two attempts to connect; bursts of connects are answered 429 (polymarket-api.md 5.1)."""
OVERLAP_SEC: Final = 10.0
"""Longest wait for the books of a socket that replaces another."""
SETTLE_SEC: Final = 5.0
"""Least age at which a socket is replaced on request, so that many requests make one new socket."""
RETRY_SEC: Final = 60.0
"""Pause after a replacement that delivered nothing."""
RECYCLE_SPREAD: Final = 0.1
"""Fraction by which the ages at which sockets are recycled differ."""


class FeedOwner(NamedTuple):
    """What the feed tells its owner: plain functions, called on the loop."""

    on_frame: Callable[[bytes], bool]
    """A frame that looks like JSON; returns whether anything in it was valid."""
    on_coverage: Callable[[tuple[str, ...], bool, str], None]
    """Tokens that are covered now, or that no socket covers any more and why."""
    on_alive: Callable[[], None]
    """Text that is no JSON came, a PONG mostly."""


class SocketStats(msgspec.Struct, frozen=True):
    """One socket of the feed at one moment; the counts are those since it was first opened."""

    name: str
    connected: bool
    tokens: int
    age_s: float
    """Since it was subscribed; 0 while it is not connected."""
    frames: int
    bytes: int
    reconnects: int
    oversized: int
    """Ends because of a frame over the limit."""


class Turnstile:
    """Keeps attempts to connect apart."""

    def __init__(self, clock: Clock, dice: random.Random) -> None:
        self._clock = clock
        self._random = dice
        self._free_s = -math.inf

    def reserve(self, now: float) -> float:
        """Seconds until the turn of whoever asks at ``now``, at least ``STAGGER_SEC`` after the one before."""
        turn_s = max(now, self._free_s)
        self._free_s = turn_s + STAGGER_SEC * (1 + self._random.random() / 2)
        return turn_s - now

    async def turn(self) -> None:
        """Wait for a turn."""
        await asyncio.sleep(self.reserve(self._clock.monotonic()))


class _Link:
    """One socket and what came through it since it was last opened."""

    __slots__ = ("channel", "delivered", "heard", "task")

    def __init__(self) -> None:
        self.channel: Channel
        self.task: asyncio.Task[None] | None = None
        self.heard = False
        """Something valid came."""
        self.delivered = False
        """An array came: the books of the tokens that were subscribed to (polymarket-api.md 5.1)."""


class _Bundle:
    """Tokens that share a socket, and for a while its heir."""

    __slots__ = ("lane", "links", "replace_s", "tokens")

    def __init__(self, lane: int) -> None:
        self.lane = lane
        self.tokens: dict[str, None] = {}
        self.links: list[_Link] = []
        """The socket in use; behind it the one that is to replace it."""
        self.replace_s = math.inf
        """When the socket in use is to be replaced."""

    def post(self, frame: bytes) -> None:
        """Send an operation to the sockets that are open; the others ask for the right tokens when they are."""
        for link in self.links:
            link.channel.post(frame)


class MarketFeed:
    """All sockets of the market channel."""

    def __init__(
        self,
        url: str,
        owner: FeedOwner,
        clock: Clock,
        seed: int,
        *,
        tokens_a_socket: int,
        copies: int,
        recycle_s: float,
    ) -> None:
        """Prepare a feed; :meth:`run` opens it.

        Args:
            url: of the market channel.
            owner: hears what comes.
            clock: tells ages.
            seed: of pauses and ages.
            tokens_a_socket: most tokens on one socket, at least 2; an odd number counts as the even one below. Above
                500 the venue sends no first books (polymarket-api.md 5.1).
            copies: sockets that carry each token.
            recycle_s: age at which a socket is replaced; 0 is never.
        """
        self._url = url
        self._owner = owner
        self._clock = clock
        self._seed = seed
        self._most = tokens_a_socket - tokens_a_socket % 2
        self._copies = copies
        self._recycle_s = recycle_s
        self._random = random.Random(f"{seed}|market feed")
        self._turnstile = Turnstile(clock, self._random)
        self.replaced = 0
        """Sockets that gave way to an heir."""
        self._bundles: list[_Bundle] = []
        self._carriers: dict[str, tuple[_Bundle, ...]] = {}
        """One bundle in each lane; the copies of a token are in different lanes, and lanes share no socket."""
        self._covered: set[str] = set()
        self._opened = 0
        self._group: asyncio.TaskGroup | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep all sockets up until cancelled. What the owner raises ends the feed and is raised here."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for bundle in self._bundles:
                    for link in bundle.links:
                        self._start(link)
                await self._keep_house()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._group = None

    @property
    def sockets(self) -> tuple[SocketStats, ...]:
        """All sockets, whatever their state."""
        now = self._clock.monotonic()
        return tuple(_stats(link.channel, len(b.tokens), now) for b in self._bundles for link in b.links)

    # What is wanted

    def subscribe(self, tokens: Sequence[str]) -> None:
        """Carry these tokens too; those of a market must be neighbours (0 and 1, 2 and 3, ...) to share a socket."""
        wanted = [tokens[n : n + 2] for n in range(0, len(tokens), 2)]
        units = [tuple(t for t in dict.fromkeys(pair) if t not in self._carriers) for pair in wanted]
        touched: dict[_Bundle, list[str]] = {}
        for unit in filter(None, units):
            bundles = tuple(self._room(lane, len(unit)) for lane in range(self._copies))
            for bundle in bundles:
                bundle.tokens.update(dict.fromkeys(unit))
                touched.setdefault(bundle, []).extend(unit)
            self._carriers.update(dict.fromkeys(unit, bundles))
        for bundle, added in touched.items():
            if bundle.links:
                bundle.post(market_operation_frame("subscribe", added))
            else:
                self._open(bundle)
        self._cover([t for unit in units for t in unit])

    def unsubscribe(self, tokens: Iterable[str]) -> None:
        """Carry these tokens no more; that they are no longer covered is not told."""
        for bundle, gone in self._by_bundle(tokens).items():
            for token in gone:
                del bundle.tokens[token]
                self._carriers.pop(token, None)
            self._covered.difference_update(gone)
            if bundle.tokens:
                bundle.post(market_operation_frame("unsubscribe", gone))
                continue
            self._bundles.remove(bundle)
            while bundle.links:
                self._drop(bundle, bundle.links[0])

    def resubscribe(self, tokens: Iterable[str]) -> None:
        """Have the books of these tokens sent anew where they are: a second subscription alone would be ignored."""
        for bundle, asked in self._by_bundle(tokens).items():
            bundle.post(market_operation_frame("unsubscribe", asked))
            bundle.post(market_operation_frame("subscribe", asked))

    def reconnect(self, tokens: Iterable[str]) -> None:
        """Replace the sockets of these tokens, with an overlap; what is not connected is on its way already."""
        now = self._clock.monotonic()
        for bundle in self._by_bundle(tokens):
            opened_s = bundle.links[0].channel.opened_s
            if opened_s is not None:
                bundle.replace_s = min(bundle.replace_s, max(now, opened_s + SETTLE_SEC))
        self._changed.set()

    def _by_bundle(self, tokens: Iterable[str]) -> dict[_Bundle, list[str]]:
        """The known ones of some tokens, once each, by the bundle that carries them."""
        found: dict[_Bundle, list[str]] = {}
        for token in dict.fromkeys(tokens):
            for bundle in self._carriers.get(token, ()):
                found.setdefault(bundle, []).append(token)
        return found

    def _room(self, lane: int, count: int) -> _Bundle:
        """A bundle of a lane with room for so many tokens."""
        for bundle in self._bundles:
            if bundle.lane == lane and len(bundle.tokens) + count <= self._most:
                return bundle
        self._bundles.append(_Bundle(lane))
        return self._bundles[-1]

    # Sockets

    def _open(self, bundle: _Bundle) -> None:
        """Give a bundle a socket, or an heir to the one it has."""
        link = _Link()
        self._opened += 1
        link.channel = Channel(
            f"market-{self._opened}",
            self._url,
            lambda: subscribe_market_frame(list(bundle.tokens)),
            ChannelOwner(
                partial(self._on_frame, bundle, link), partial(self._on_state, bundle, link), self._owner.on_alive
            ),
            self._clock,
            self._seed,
            limit=receive_limit(self._most),
            turn=self._turnstile.turn,
        )
        bundle.links.append(link)
        self._start(link)

    def _start(self, link: _Link) -> None:
        if self._group is not None:
            link.task = self._group.create_task(link.channel.run(), name=link.channel.name)

    def _drop(self, bundle: _Bundle, link: _Link) -> None:
        bundle.links.remove(link)
        if link.task is not None:
            link.task.cancel()

    def _on_frame(self, bundle: _Bundle, link: _Link, frame: bytes) -> bool:
        valid = self._owner.on_frame(frame)
        if valid and not link.delivered:
            link.heard = True
            if frame[:1] == b"[":
                link.delivered = True
                if link in bundle.links[1:]:
                    self._succeed(bundle)
        return valid

    def _on_state(self, bundle: _Bundle, link: _Link, connected: bool, detail: str) -> None:
        if link not in bundle.links:
            return
        in_use = link is bundle.links[0]
        if connected:
            self._cover(bundle.tokens)
        else:
            had_delivered, link.heard, link.delivered = link.delivered, False, False
            if in_use and len(bundle.links) > 1:
                self._drop(bundle, link)
            self._uncover(bundle.tokens, detail, had_delivered=had_delivered)
        if in_use:
            bundle.replace_s = self._recycle_at(bundle)
        self._changed.set()

    def _recycle_at(self, bundle: _Bundle) -> float:
        opened_s = bundle.links[0].channel.opened_s
        if opened_s is None or not self._recycle_s:
            return math.inf
        return opened_s + self._recycle_s * (1 + RECYCLE_SPREAD * (2 * self._random.random() - 1))

    # Coverage

    def _cover(self, tokens: Iterable[str]) -> None:
        """Tell which of these tokens a socket covers that none covered."""
        fresh = tuple(t for t in tokens if t not in self._covered and self._is_carried(t, delivered=False))
        if fresh:
            self._covered.update(fresh)
            self._owner.on_coverage(fresh, True, "")

    def _uncover(self, tokens: Iterable[str], detail: str, *, had_delivered: bool) -> None:
        """Tell which of these tokens lost their last socket.

        One whose other socket is open and has not delivered has lost it too, and is covered anew at once: nobody can
        say from when on that socket speaks.
        """
        gone = tuple(t for t in tokens if t in self._covered and not self._is_carried(t, delivered=had_delivered))
        if gone:
            self._covered.difference_update(gone)
            self._owner.on_coverage(gone, False, detail)
            self._cover(gone)

    def _is_carried(self, token: str, *, delivered: bool) -> bool:
        links = (link for bundle in self._carriers.get(token, ()) for link in bundle.links)
        return any(link.channel.connected and (link.delivered or not delivered) for link in links)

    # Replacement

    async def _keep_house(self) -> None:
        """Replace sockets when their time has come."""
        while True:
            self._changed.clear()
            now = self._clock.monotonic()
            for bundle in tuple(self._bundles):
                self._tend(bundle, now)
            due_s = min((_due_s(bundle) for bundle in self._bundles), default=math.inf)
            try:
                async with asyncio.timeout(None if due_s == math.inf else max(0.0, due_s - now)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _tend(self, bundle: _Bundle, now: float) -> None:
        if _due_s(bundle) > now:
            return
        if len(bundle.links) == 1:
            self._open(bundle)
        elif bundle.links[1].heard:
            self._succeed(bundle)
        else:
            heir = bundle.links[1]
            log.warning("replacement_given_up", extra={"feed": heir.channel.name, "tokens": len(bundle.tokens)})
            self._drop(bundle, heir)
            bundle.replace_s = now + RETRY_SEC

    def _succeed(self, bundle: _Bundle) -> None:
        """Close the old socket of a bundle; its heir is in use from now on."""
        log.info("socket_replaced", extra={"feed": bundle.links[0].channel.name, "by": bundle.links[1].channel.name})
        self.replaced += 1
        self._drop(bundle, bundle.links[0])
        bundle.replace_s = self._recycle_at(bundle)
        self._changed.set()


def _due_s(bundle: _Bundle) -> float:
    """When something is to be decided about a bundle's sockets."""
    if len(bundle.links) == 1:
        return bundle.replace_s
    opened_s = bundle.links[1].channel.opened_s
    return math.inf if opened_s is None else opened_s + OVERLAP_SEC


def _stats(channel: Channel, tokens: int, now: float) -> SocketStats:
    return SocketStats(
        name=channel.name,
        connected=channel.connected,
        tokens=tokens,
        age_s=0.0 if channel.opened_s is None else now - channel.opened_s,
        frames=channel.frames,
        bytes=channel.bytes,
        reconnects=channel.reconnects,
        oversized=channel.oversized,
    )
