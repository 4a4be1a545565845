"""What the parts of a simulation share: the exchange, what goes wrong with it, and the mail under way.

Everything that takes time waits in one mailbox for the moment of its arrival, first sent first arrived, so nothing here
depends on anything but the exchange's seed and the order of what happened.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Final

from core.events import Event
from core.exchange.exchange import Exchange
from core.exchange.faults.director import Director
from core.exchange.faults.requests import Asked, Plan

START_UNIX: Final = 1_790_000_000
"""Virtual time begins here."""
FEED_MS: Final = 80
"""From the exchange to us, both channels (market-making.md 4.2)."""
ENTRY_MS: Final = 150
"""From us to the exchange."""
ANSWER_MS: Final = 80
"""From the exchange back."""
OWNER: Final = "51300000-0000-4000-8000-000000000001"
"""The API key of the engine under test."""
ACCOUNT: Final = "0x" + "51" * 20


class World:
    """One exchange, its director, the mailbox, and the ear of the engine."""

    def __init__(self, exchange: Exchange, director: Director, tell: Callable[[Event], None]) -> None:
        """``tell`` hands an event to the engine."""
        self.exchange = exchange
        self.director = director
        self.tell = tell
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._stamps = itertools.count()

    @property
    def now_ms(self) -> int:
        """Virtual time, unix milliseconds."""
        return self.exchange.now_ms

    @property
    def now_s(self) -> float:
        """Seconds since the start; the engine's clock."""
        return (self.now_ms - START_UNIX * 1000) / 1000

    @property
    def next_ms(self) -> int | None:
        """When the next mail arrives; None while there is none."""
        return self._mail[0][0] if self._mail else None

    def later(self, wait_ms: int, arrive: Callable[[], None]) -> None:
        """Have ``arrive`` called after so much time."""
        heapq.heappush(self._mail, (self.now_ms + wait_ms, next(self._stamps), arrive))

    def deliver_next(self) -> None:
        """Let the next mail arrive, whatever the time."""
        heapq.heappop(self._mail)[2]()

    def after(self, wait_ms: int, act: Callable[[], None]) -> None:
        """Call ``act`` after so much time; without a wait at once, so that nothing else comes between."""
        if wait_ms:
            self.later(wait_ms, act)
        else:
            act()

    def plan(self, method: str, path: str, body: bytes) -> Plan:
        """What faults will do to a request of ours."""
        if not self.director.armed:
            return Plan()
        return self.director.request(Asked(method, path, {}, {"poly_api_key": OWNER}, body))
