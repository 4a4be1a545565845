"""What lasting verbs do to the messages of the channels: each takes a frame and says what arrives, and when."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.exchange.faults import verbs
from core.exchange.faults.effects import Dump, Effect, Link
from core.exchange.faults.verbs import Verb
from core.exchange.frames import Frame, MarketFrame, UserFrame

Arrivals = list[tuple[int, Frame]]
"""When each frame arrives, unix milliseconds, and the frame."""
_HASH: Final = re.compile(r'"hash":"([0-9a-f]*)"')


def kind_of(frame: Frame) -> str:
    """The kind of a frame in the script's words."""
    if isinstance(frame, UserFrame):
        return "trade" if '"event_type":"trade"' in frame.text else "order"
    return "dump" if isinstance(frame, Dump) else frame.kind


def split(frame: Frame, tokens: frozenset[str] | None) -> tuple[Frame | None, Frame | None]:
    """The part of a frame about some tokens and the part about the others; a price change speaks of two."""
    if tokens is None or isinstance(frame, UserFrame) or tokens.issuperset(frame.tokens):
        return frame, None
    if tokens.isdisjoint(frame.tokens):
        return None, frame
    if frame.kind != "price_change":
        return frame, None
    message: dict[str, Any] = msgspec.json.decode(frame.text)
    parts = []
    for inside in (True, False):
        entries = [entry for entry in message["price_changes"] if (entry["asset_id"] in tokens) == inside]
        text = msgspec.json.encode(message | {"price_changes": entries}).decode()
        named = tuple(entry["asset_id"] for entry in entries)
        parts.append(MarketFrame(kind=frame.kind, tokens=named, text=text))
    return parts[0], parts[1]


class StreamEffect(Effect):
    """A verb that does something to messages."""

    held: list[Frame] = msgspec.field(default_factory=list)

    def takes(self, frame: Frame) -> bool:
        """Whether a frame is one of those meant."""
        verb = self.verb
        if isinstance(verb, verbs.MuteUser):
            channel: str | None = "user"
            kinds: tuple[str, ...] = verb.kinds
        else:
            assert isinstance(verb, verbs.StreamVerb)
            channel, kinds = verb.channel, verb.kinds
            if isinstance(verb, verbs.Reorder) and isinstance(frame, Dump):
                return False
            if isinstance(verb, verbs.BadHash):
                kinds = kinds or tuple(verbs.HASHED_KINDS)
        if (channel == "user") != isinstance(frame, UserFrame):
            return False
        return (not kinds or kind_of(frame) in kinds) and self.scope.covers(frame)

    def work(self, now_ms: int, frame: Frame) -> Arrivals:
        """What becomes of a frame; frames not meant pass at once."""
        if self.over(now_ms) or not self.takes(frame):
            return [(now_ms, frame)]
        hit, rest = split(frame, self.scope.tokens)
        assert hit is not None
        self.spend()
        self.note(f"{kind_of(frame)} message")
        passing: Arrivals = [] if rest is None else [(now_ms, rest)]
        return passing + _WORKS[type(self.verb)](self, self.verb, now_ms, hit)

    def release(self) -> list[Frame]:
        """What it still holds, when it ends."""
        held, self.held = self.held, []
        return held


def _drop(effect: StreamEffect, verb: Verb, now_ms: int, frame: Frame) -> Arrivals:
    return []


def _duplicate(effect: StreamEffect, verb: verbs.Duplicate, now_ms: int, frame: Frame) -> Arrivals:
    return [(now_ms, frame)] * (1 + verb.copies)


def _reorder(effect: StreamEffect, verb: verbs.Reorder, now_ms: int, frame: Frame) -> Arrivals:
    effect.held = [*effect.held, frame]
    if len(effect.held) < verb.block and effect.left != 0:
        return []
    return [(now_ms, held) for held in reversed(effect.release())]


def _delay(effect: StreamEffect, verb: verbs.Delay, now_ms: int, frame: Frame) -> Arrivals:
    return [(now_ms + verb.ms, frame)]


def _burst(effect: StreamEffect, verb: Verb, now_ms: int, frame: Frame) -> Arrivals:
    assert effect.until_ms is not None
    return [(effect.until_ms, frame)]


def _bad_hash(effect: StreamEffect, verb: Verb, now_ms: int, frame: Frame) -> Arrivals:
    def wrong(found: re.Match[str]) -> str:
        return f'"hash":"{hashlib.sha1(found[1].encode(), usedforsecurity=False).hexdigest()}"'

    return [(now_ms, msgspec.structs.replace(frame, text=_HASH.sub(wrong, frame.text)))]


_WORKS: Final[dict[type[Verb], Callable[[StreamEffect, Any, int, Frame], Arrivals]]] = {
    verbs.Drop: _drop,
    verbs.MuteUser: _drop,
    verbs.Duplicate: _duplicate,
    verbs.Reorder: _reorder,
    verbs.Delay: _delay,
    verbs.Burst: _burst,
    verbs.BadHash: _bad_hash,
}


class FreezeEffect(Effect):
    """Silence per socket, because a new socket or a new subscription may end it."""

    healed: set[tuple[int, str]] = msgspec.field(default_factory=set)
    """Identity of a socket and a token (or no token for all of it)."""

    def hears(self, link: Link, frame: Frame, now_ms: int) -> Frame | None:
        """What a socket gets of a frame."""
        assert isinstance(self.verb, verbs.Freeze)
        mine = link.channel == self.verb.channel and self.scope.covers(frame)
        if not mine or self.over(now_ms) or (id(link), "") in self.healed:
            return frame
        tokens = self.scope.tokens
        if isinstance(frame, MarketFrame):
            healed = frozenset(token for token in frame.tokens if (id(link), token) in self.healed)
            tokens = frozenset(frame.tokens if tokens is None else tokens) - healed
        hit, rest = split(frame, tokens)
        if hit is not None:
            self.note(f"{kind_of(frame)} message")
        return rest

    def opened(self, link: Link) -> None:
        """A socket opened after it began."""
        assert isinstance(self.verb, verbs.Freeze)
        if self.verb.heals == "reconnect":
            self.healed.add((id(link), ""))

    def subscribed(self, link: Link, tokens: list[str]) -> None:
        """A socket took tokens up (again)."""
        assert isinstance(self.verb, verbs.Freeze)
        if self.verb.heals == "resubscribe":
            self.healed.update((id(link), token) for token in tokens)

    def closed(self, link: Link) -> None:
        """Forget a socket: another may get its identity."""
        self.healed = {pair for pair in self.healed if pair[0] != id(link)}
