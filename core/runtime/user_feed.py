"""Our own orders and fills as the user channel tells them; what it missed the engine reads (``ReadAccount``)."""

from collections.abc import Callable
from typing import Final

from core.errors import MalformedMessage
from core.events import FeedAlive, FeedChanged
from core.runtime.listener import Listener
from core.venue.channel import Channel, ChannelOwner
from core.venue.user_channel import decode_user_frame

COMPLAINT_SEC: Final = 20.0
"""Least time between two complaints about unreadable messages; all are counted."""


class UserFeed:
    """The user channel, where there is one."""

    def __init__(
        self, listener: Listener, url: str, first_frame: Callable[[], bytes] | None, owner: str, wallet: str
    ) -> None:
        """Prepare it.

        Args:
            listener: takes the events.
            url: of the user channel.
            first_frame: None when there is no such channel (paper): it counts as connected then.
            owner: API key id, and
            wallet: funder's address, whose fills are ours.
        """
        self.malformed = 0
        """Frames that could not be used, or not to their end."""
        self._listener = listener
        self._owner = owner
        self._wallet = wallet
        self._complained_s = -COMPLAINT_SEC
        self._channel: Channel | None = None
        if first_frame is not None:
            told = ChannelOwner(self._on_frame, self._on_state, self._on_alive)
            seed = listener.settings.seed
            self._channel = Channel("user", url, first_frame, told, listener.clock, seed)

    @property
    def frames(self) -> int:
        """Frames so far."""
        return 0 if self._channel is None else self._channel.frames

    def start(self) -> None:
        """Connect."""
        if self._channel is None:
            self._listener.emit(FeedChanged(feed="user", connected=True))
        else:
            self._listener.own(self._channel.run(), "user-feed")

    def _on_frame(self, frame: bytes) -> bool:
        valid = False
        try:
            for event in decode_user_frame(frame, self._owner, self._wallet):
                valid = True
                self._listener.emit_quietly(event)
        except MalformedMessage as error:
            self.malformed += 1
            self._complain(error)
            return valid
        return True

    def _complain(self, error: MalformedMessage) -> None:
        now = self._listener.clock.monotonic()
        if now - self._complained_s >= COMPLAINT_SEC:
            self._complained_s = now
            self._listener.note("alarm", f"a message of the user channel cannot be read: {error}")

    def _on_state(self, connected: bool, detail: str) -> None:
        self._listener.emit_quietly(FeedChanged(feed="user", connected=connected, detail=detail))

    def _on_alive(self) -> None:
        self._listener.emit(FeedAlive(feed="user"))
