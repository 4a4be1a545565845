"""From a frame of the market channel to the messages in it: the one hot path of session, benchmark and fuzz.

Everything here happens inside the receive loop. What a frame may hold is decided in :mod:`core.venue.wire`, what a
message does by whoever takes it.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from core.errors import MalformedMessage
from core.events import MarketMessage
from core.market.continuity import TrackedBook
from core.venue.wire import FRAME, UNREADABLE, salvage_frame

log = logging.getLogger(__name__)

DECODE_EVERY: Final = 16
"""Of the books that are recognised as the one we have, one in so many is decoded and compared all the same."""
LOG_SEC: Final = 1.0
"""Least time between two lines about what could not be used."""
SHORTEST_BOOK: Final = 700
"""Characters; a shorter frame is decoded sooner than it is looked at."""
_TOKEN: Final = '"asset_id":"'
_STATED: Final = '"hash":"'
_DIGITS: Final = 40
_decode: Final = FRAME.decode


class Ingest:
    """Takes frames, hands out their messages, and counts what came of them."""

    __slots__ = ("_find", "_logged_s", "_recognised", "_take", "bytes", "frames", "malformed", "recorder", "repeated")

    def __init__(
        self,
        take: Callable[[MarketMessage, float], object],
        find: Callable[[str], TrackedBook | None],
        recorder: Callable[[bytes | str, float], None] | None,
    ) -> None:
        """Connect it.

        Args:
            take: gets each message; may refuse it with MalformedMessage.
            find: the book that a token belongs to.
            recorder: gets each frame first, as it came.
        """
        self._take = take
        self._find = find
        self.recorder = recorder
        """May be changed between two frames."""
        self.frames = 0
        self.bytes = 0
        """Characters, where frames come as text."""
        self.repeated = 0
        """Full books that were not decoded, because a change has stated their hash just before."""
        self.malformed = 0
        """Frames and messages that could not be used."""
        self._recognised = 0
        self._logged_s = float("-inf")

    def frame(self, raw: bytes | str, now: float) -> bool:
        """Take one frame that came at ``now``, monotonic seconds; returns whether anything in it was of use."""
        size = len(raw)
        self.frames += 1
        self.bytes += size
        if self.recorder is not None:
            self.recorder(raw, now)
        if size >= SHORTEST_BOOK and self._is_repeated(raw, now):
            return True
        try:
            decoded = _decode(raw)
        except UNREADABLE as error:
            messages, bad = salvage_frame(raw)
            self._refuse(bad, "frame", error, now)
            return self._hand_out(messages, now)
        if type(decoded) is list:
            return self._hand_out(decoded, now)
        try:
            self._take(decoded, now)
        except MalformedMessage as error:
            self._refuse(1, decoded.event_type, error, now)
            return False
        return True

    def _hand_out(self, messages: Iterable[MarketMessage], now: float) -> bool:
        """Let each message be taken; returns whether one was."""
        useful = False
        for message in messages:
            try:
                self._take(message, now)
            except MalformedMessage as error:
                self._refuse(1, message.event_type, error, now)
            else:
                useful = True
        return useful

    def _is_repeated(self, raw: bytes | str, now: float) -> bool:
        """Whether the frame is a full book that the newest change proved before, as after each trade (real-data.md 8).

        Its hash says so. A book that only claims that hash is not looked at, which is all that it deserves.
        """
        text = raw if isinstance(raw, str) else raw.decode("latin-1")
        if not text.startswith("{") or text.rfind('"event_type":"book"') < 0:
            return False
        begin = text.find(_TOKEN) + len(_TOKEN)
        token = text[begin : text.find('"', begin)]
        begin = text.rfind(_STATED) + len(_STATED)
        stated = text[begin : begin + _DIGITS]
        book = self._find(token)
        if book is None or not book.has_stated(token, stated, now):
            return False
        self._recognised += 1
        if self._recognised % DECODE_EVERY == 0:
            return False
        self.repeated += 1
        return True

    def _refuse(self, count: int, what: str, error: Exception, now: float) -> None:
        self.malformed += count
        if now - self._logged_s >= LOG_SEC:
            self._logged_s = now
            log.warning("malformed_message", extra={"type": what[:40], "detail": str(error), "so_far": self.malformed})
