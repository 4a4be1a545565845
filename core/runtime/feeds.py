"""What a session hears: the market feed, the user channel, and books read over REST.

Owns these connections and carries their messages to the engine; decides nothing. A frame is decoded and handled inside
the receive loop of its socket.
"""

import logging
from collections.abc import Sequence

from core.actions import ReadBooks, Reconnect, Resubscribe, Unsubscribe
from core.config import Settings
from core.events import FeedAlive, FeedChanged, MarketMessage
from core.runtime.ingest import Ingest
from core.runtime.listener import Listener
from core.runtime.reader import BooksReader, Rest
from core.runtime.user_feed import UserFeed
from core.store.recorder import Recorder
from core.venue.gateway import Gateway
from core.venue.market_feed import FeedOwner, MarketFeed

log = logging.getLogger(__name__)


class Feeds:
    """The session's ears."""

    def __init__(self, listener: Listener, urls: Settings, gateway: Gateway, rest: Rest, user: UserFeed) -> None:
        """Prepare everything; :meth:`start` connects.

        Args:
            listener: takes the events.
            urls: settings with the addresses in use.
            gateway: sees each market message after the engine has it.
            rest: where books are read; it is closed with the session.
            user: the user channel.
        """
        self.user = user
        self.url = urls.ws_market_url
        """Of the market channel."""
        self.ingest = Ingest(self._take, listener.engine.data.find, None)
        self._listener = listener
        self._clock = listener.clock
        self._gateway = gateway
        self._recorder: Recorder | None = None
        self.reader = BooksReader(rest, self._clock, listener.emit)
        self.market = MarketFeed(
            urls.ws_market_url,
            FeedOwner(self._on_frame, self._on_coverage, self._on_alive),
            self._clock,
            urls.seed,
            tokens_a_socket=urls.ws_tokens,
            copies=urls.ws_copies,
            recycle_s=urls.ws_recycle_sec,
        )

    @property
    def frames(self) -> int:
        """Frames of both channels so far."""
        return self.ingest.frames + self.user.frames

    def start(self, tokens: Sequence[str]) -> None:
        """Connect, with these tokens first; those of a market beside each other."""
        self.market.subscribe(tokens)
        self._listener.own(self.market.run(), "market-feed")
        self._listener.own(self.reader.run(), "books-reader")
        self.user.start()

    def carry_out(self, action: ReadBooks | Resubscribe | Unsubscribe | Reconnect) -> None:
        """Do what the engine wants of the market data; what comes of it comes back as events."""
        match action:
            case ReadBooks():
                self.reader.take(action)
            case Unsubscribe():
                self.market.unsubscribe(action.tokens)
            case Resubscribe():
                log.info("resubscribe", extra={"tokens": len(action.tokens), "why": action.reason})
                self.market.resubscribe(action.tokens)
            case Reconnect():
                log.info("reconnect", extra={"tokens": len(action.tokens), "why": action.reason})
                self.market.reconnect(action.tokens)

    def record(self, recorder: Recorder | None, tokens: Sequence[str] = ()) -> None:
        """Hand every frame of the market channel to ``recorder`` from now on; None ends it.

        A recording is worth nothing without the books it begins with, and those come with a new socket: that of each of
        these tokens gives way to an heir, and no token is without one meanwhile.
        """
        self._recorder = recorder
        self.ingest.recorder = None if recorder is None else recorder.take
        self.market.reconnect(tokens)

    def _on_frame(self, frame: bytes) -> bool:
        return self.ingest.frame(frame, self._clock.monotonic())

    def _take(self, message: MarketMessage, now: float) -> None:
        self._listener.emit(message, now)
        self._gateway.see(message)

    def _on_coverage(self, tokens: tuple[str, ...], connected: bool, detail: str) -> None:
        if self._recorder is not None and not connected:
            self._recorder.note_gap(f"the connection was lost: {detail}", tokens, self._clock.monotonic())
        self._listener.emit_quietly(FeedChanged(feed="market", connected=connected, detail=detail, tokens=tokens))

    def _on_alive(self) -> None:
        self._listener.emit(FeedAlive(feed="market"))
