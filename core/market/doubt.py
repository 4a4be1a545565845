"""What stands between a book and its proof: changes of one millisecond, hashes that do not fit, messages kept aside.

Within one millisecond the order of arrival counts (polymarket-api.md 4.4, 5.3): a healthy stream often writes a level
twice in it, and no hash tells two such orders apart.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from core.events import MarketMessage, WireChange
from core.market.lens import Lenses
from core.units import Outcome

DOUBT_SEC: Final = 0.5
"""Longest time that a book waits for the message that settles a doubt."""
STALE_RUN: Final = 25
"""Messages in a row older than the book that say it is the book that is wrong; 4 were the most seen (real-data.md)."""
STALE_SEC: Final = 3.0
"""Time that such a run must have lasted: a second socket may lag."""
KEPT_MESSAGES: Final = 4_096
"""Messages kept while the book is not believed."""

Changes = tuple[WireChange, ...]


class Unexplained(NamedTuple):
    """A stated hash that our book does not have."""

    timestamp_ms: int
    outcome: Outcome
    hash: str


class Doubt:
    """What is not proven about a book."""

    __slots__ = ("held", "since_s", "unexplained")

    def __init__(self) -> None:
        self.since_s: float | None = None
        """Since when there is any doubt, monotonic seconds; None while there is none."""
        self.unexplained: list[Unexplained] = []
        self.held: list[MarketMessage] = []
        """Changes of the full book's own millisecond, not applied: they may be in it already."""

    @property
    def words(self) -> str:
        """What the doubt is about; "" without one."""
        if self.unexplained:
            return "book hash differs from the venue's"
        return "a change of the book's own millisecond may be in it already" if self.held else ""

    def older_than(self, timestamp_ms: int) -> bool:
        """A hash of an earlier millisecond is unexplained."""
        return any(one.timestamp_ms < timestamp_ms for one in self.unexplained)

    def pass_to(self, timestamp_ms: int) -> None:
        """The book was proven as of this time: what was unclear about an earlier one does not matter any more."""
        self.unexplained = [one for one in self.unexplained if one.timestamp_ms >= timestamp_ms]

    def settle(self, now: float) -> None:
        """Begin or end the doubt as what is left of it says."""
        if self.unexplained or self.held:
            self.since_s = now if self.since_s is None else self.since_s
        else:
            self.since_s = None

    def forget(self) -> None:
        """The book was proven or lost: nothing of this matters any more."""
        self.since_s = None
        self.unexplained.clear()
        self.held.clear()


class Moment:
    """The changes applied in one millisecond when there are several."""

    __slots__ = ("_told",)

    def __init__(self, first: Changes) -> None:
        self._told: dict[Changes, None] = {first: None}

    @property
    def is_full(self) -> bool:
        """More came in this millisecond than can be kept apart."""
        return len(self._told) >= KEPT_MESSAGES

    @property
    def told(self) -> Iterable[Changes]:
        """All of them, in order of arrival."""
        return self._told

    def has(self, changes: Changes) -> bool:
        """The very same was applied."""
        return changes in self._told

    def states(self, token: str, hash_text: str) -> bool:
        """A change stated this hash of a token's book."""
        return any(one.asset_id == token and one.hash == hash_text for changes in self._told for one in changes)

    def touches(self, touch: tuple[int, int], lenses: Lenses) -> bool:
        """A change stated this best bid and ask."""
        return any(entry.touch == touch for changes in self._told for entry in lenses.changes(changes))

    def take(self, changes: Changes) -> None:
        """Remember a change."""
        self._told[changes] = None


class StaleRun:
    """Messages in a row that are older than the book: now and then one is late, all of them mean a false stamp."""

    __slots__ = ("_count", "_newest_ms", "_since_s")

    def __init__(self) -> None:
        self._count, self._since_s, self._newest_ms = 0, 0.0, 0

    def end(self) -> None:
        """A message was not stale."""
        self._count = 0

    def add(self, timestamp_ms: int, now: float) -> int:
        """Take one more; returns 0, or the newest stamp of the run when the run says that the book's is false."""
        if not self._count:
            self._since_s, self._newest_ms = now, 0
        self._count += 1
        self._newest_ms = max(self._newest_ms, timestamp_ms)
        if self._count < STALE_RUN or now - self._since_s < STALE_SEC:
            return 0
        self._count = 0
        return self._newest_ms


class Backlog:
    """Changes that came while the book was not believed or in doubt, to be replayed on a fresh one."""

    __slots__ = ("_messages", "lost_ms")

    def __init__(self) -> None:
        self._messages: deque[MarketMessage] = deque()
        self.lost_ms = 0
        """Newest stamp among those that there was no room for; 0 when there are none."""

    def keep(self, message: MarketMessage) -> None:
        """Add one; the oldest makes room."""
        if len(self._messages) >= KEPT_MESSAGES:
            self.lost_ms = max(self.lost_ms, self._messages.popleft().timestamp)
        self._messages.append(message)

    def since(self, timestamp_ms: int) -> list[MarketMessage]:
        """Those not older than this, in order of arrival."""
        return [message for message in self._messages if message.timestamp >= timestamp_ms]

    def cut(self, timestamp_ms: int) -> None:
        """Drop those newer than this: their stamps are false."""
        self._messages = deque(message for message in self._messages if message.timestamp <= timestamp_ms)

    def clear(self) -> None:
        """They are needed no more."""
        self._messages.clear()
        self.lost_ms = 0
