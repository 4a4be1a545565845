"""A verb at work: what it is aimed at, how long it goes on, and whom it meets."""

from collections.abc import Callable, Set
from typing import Protocol

import msgspec

from core.errors import UsageError
from core.exchange.exchange import Exchange
from core.exchange.faults.rules import Rule
from core.exchange.faults.verbs import Channel, Verb
from core.exchange.frames import Frame, MarketFrame, UserFrame


class Dump(MarketFrame, frozen=True):
    """One book of the array that follows a subscription."""


class Link(Protocol):
    """One socket as faults see it; the wire server's channels are links, and so may be a simulation's."""

    channel: Channel

    @property
    def tokens(self) -> Set[str]:
        """Tokens subscribed to; none on the user channel."""
        ...

    @property
    def owner(self) -> str:
        """API key on the user channel; empty before the subscription."""
        ...

    def send(self, text: str) -> None:
        """Send a message."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close cleanly."""
        ...

    def reset(self) -> None:
        """End the TCP connection with a reset."""
        ...

    def stall(self) -> None:
        """Neither read nor write from now on."""
        ...


class Scope(msgspec.Struct, frozen=True):
    """What a verb is narrowed to, in ids; None for everything."""

    market: str | None = None
    tokens: frozenset[str] | None = None
    key: str | None = None

    def meets(self, link: Link) -> bool:
        """Whether a socket listens to something of this."""
        if self.key is not None and link.owner != self.key:
            return False
        return self.tokens is None or not self.tokens.isdisjoint(link.tokens)

    def covers(self, frame: Frame) -> bool:
        """Whether a frame concerns something of this."""
        if isinstance(frame, UserFrame):
            return self.key in (None, frame.owner) and self.market in (None, frame.market)
        return self.tokens is None or not self.tokens.isdisjoint(frame.tokens)


def scope_of(rule: Rule, exchange: Exchange) -> Scope:
    """The ids that a rule's verb means on this exchange.

    Raises:
        UsageError: a market or token it names is not listed.
    """
    verb = rule.verb
    market = _market_id(getattr(verb, "market", None), rule, exchange)
    named = getattr(verb, "tokens", None)
    wanted = [named] if isinstance(named, str) else list(named or ())
    tokens: set[str] = set()
    for token in wanted or (["both"] if market is not None else []):
        if token in ("yes", "no", "both"):
            assert market is not None
            instrument = exchange.listings[market].instrument
            tokens.update({instrument.yes_token} if token != "no" else ())
            tokens.update({instrument.no_token} if token != "yes" else ())
        elif token in exchange.by_token:
            tokens.add(token)
        else:
            raise UsageError(f"{rule.place('tokens')}: tokens: no token {token} is listed")
    return Scope(market=market, tokens=frozenset(tokens) if tokens else None, key=getattr(verb, "key", None))


def _market_id(named: int | str | None, rule: Rule, exchange: Exchange) -> str | None:
    if named is None:
        return None
    listed = list(exchange.listings)
    if isinstance(named, str):
        if named not in exchange.listings:
            raise UsageError(f"{rule.place('market')}: market: no market {named} is listed")
        return named
    if not 0 <= named < len(listed):
        raise UsageError(
            f"{rule.place('market')}: market: {named} is outside 0 .. {len(listed) - 1}, the markets listed"
        )
    return listed[named]


class Effect(msgspec.Struct):
    """A lasting verb at work."""

    number: int
    """The rule's, counted from 1."""
    verb: Verb
    scope: Scope
    until_ms: int | None
    left: int | None
    """Messages or requests it may still hit; None for any number."""
    note: Callable[[str], None]
    """Writes into the director's log."""

    def over(self, now_ms: int) -> bool:
        """Whether it has ended."""
        return self.left == 0 or (self.until_ms is not None and now_ms >= self.until_ms)

    def spend(self) -> None:
        """Count one hit."""
        if self.left is not None:
            self.left -= 1
