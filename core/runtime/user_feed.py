"""Our own orders and fills as the venue tells them: on the user channel, and by reading what the channel missed."""

from collections.abc import Callable
from typing import Final

from core.errors import MalformedMessage, PolymmError
from core.events import FeedAlive, FeedChanged
from core.runtime.listener import Listener
from core.venue.channel import Channel, ChannelOwner
from core.venue.gateway import Gateway
from core.venue.user_channel import decode_user_frame

FILLS_OVERLAP_SEC: Final = 600.0
"""Fills are read again from so long before the last reading: settlement takes minutes at worst."""
COMPLAINT_SEC: Final = 20.0
"""Least time between two complaints about unreadable messages; all are counted."""


class UserFeed:
    """The user channel, where there is one."""

    def __init__(
        self, listener: Listener, gateway: Gateway, url: str, first_frame: Callable[[], bytes] | None, owner: str
    ) -> None:
        """Prepare it; fills from now on are ours to hear.

        Args:
            listener: takes the events.
            gateway: where missed fills are read.
            url: of the user channel.
            first_frame: None when there is no such channel (paper): it counts as connected then.
            owner: API key id whose fills are ours.
        """
        self.malformed = 0
        """Frames that could not be used, or not to their end."""
        self._listener = listener
        self._gateway = gateway
        self._owner = owner
        self._fills_unix = listener.clock.unix()
        """Fills matched before this have been read."""
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

    async def recover_fills(self) -> None:
        """The channel has no history: what it may have missed is read (polymarket-api.md 6)."""
        try:
            began = self._listener.clock.unix()
            fills = await self._gateway.fills_since(int(self._fills_unix))
        except PolymmError as error:
            self._listener.note("alarm", f"fills could not be read, inventory may be wrong: {error}")
            return
        for fill in fills:
            self._listener.emit_quietly(fill)
        self._fills_unix = max(self._fills_unix, began - FILLS_OVERLAP_SEC)

    def _on_frame(self, frame: bytes) -> bool:
        valid = False
        try:
            for event in decode_user_frame(frame, self._owner):
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
        if connected:
            self._listener.own(self.recover_fills(), "recover-fills")

    def _on_alive(self) -> None:
        self._listener.emit(FeedAlive(feed="user"))
