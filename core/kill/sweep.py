"""Which request of a kill comes next, and what the answers to it prove. Pure: no socket, no clock.

Cancel everything, at once and again after two seconds, because an order on its way lands behind the first cancel; read
what is open until a complete list has shown zero twice in a row. Nothing but that ends it (reliability.md 4.6).
"""

import math
from collections.abc import Set
from typing import Final, Literal

import msgspec

AGAIN_S: Final = 2.0
"""After the first cancel it is repeated."""
LOOK_S: Final = 1.0
"""Between two lists while nothing else is due."""
UNREAD_S: Final = 5.0
"""Without lists everything is cancelled again this often: nobody can say that it is not needed."""
PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0)
"""After the first, second, ... failure in a row; the last for all further ones."""
BUSY_S: Final = 1.0
"""Least pause when the venue says that it restarts or that we ask too much (polymarket-api.md 10.3)."""
MOST_WAIT_S: Final = 10.0
"""A longer wait that the venue asks for is not believed."""
DEADLINES_S: Final = (2.0, 4.0, 8.0, 10.0)
"""For an answer; the next one after every answer that did not come, so that a slow venue is heard out."""
MOST_IDS: Final = 100
"""Orders cancelled by their ids in one request."""
_BUSY: Final = frozenset({425, 429, 503})


class Step(msgspec.Struct, frozen=True):
    """A request and when it is due."""

    do: Literal["cancel_all", "cancel", "list"]
    at_s: float
    deadline_s: float
    """Longest wait for its answer."""
    ids: tuple[str, ...] = ()
    """Of ``cancel``."""


class Failure(msgspec.Struct, frozen=True):
    """No answer that can be used."""

    text: str
    status: int = 0
    """0 when none came."""
    retry_s: float = 0.0
    """How long the venue asks to wait."""


class Sweep:
    """One kill. ``now`` is steady seconds and does not go back."""

    def __init__(self, now: float) -> None:
        self.sent = 0
        self.trouble = ""
        """What the last request failed for; "" when it did not."""
        self._confirmed: set[str] = set()
        self._seen: set[str] = set()
        self._open: Set[str] | None = None
        self._nameless = 0
        self._again_s = math.inf
        self._is_repeated = False
        self._zeros = 0
        self._rounds = 0
        """Lists in a row that showed orders."""
        self._cancels = _Retries(now)
        self._lists = _Retries(math.inf)

    @property
    def confirmed(self) -> int:
        """Orders that the venue named as cancelled."""
        return len(self._confirmed)

    @property
    def left(self) -> int | None:
        """Open by the last complete list; None before the first."""
        return None if self._open is None else len(self._open) + self._nameless

    @property
    def unknown(self) -> int:
        """Seen, and neither confirmed nor open any more."""
        return len(self._seen - self._confirmed - (self._open or set()))

    @property
    def is_verified(self) -> bool:
        """Zero was seen twice in a row, the second time after the cancel was repeated."""
        return self._zeros >= 2 and self._is_repeated

    def next(self) -> Step:
        """What is to be sent, and when."""
        if self._lists.due_s < self._cancels.due_s:
            return Step(do="list", at_s=self._lists.due_s, deadline_s=self._lists.deadline_s)
        ids = tuple(sorted(self._open or ()))[:MOST_IDS]
        by_id = ids and self._cancels.failures % 3 == 2  # another road, now and then, when the short one is blocked
        return Step(
            do="cancel" if by_id else "cancel_all",
            at_s=self._cancels.due_s,
            deadline_s=self._cancels.deadline_s,
            ids=ids if by_id else (),
        )

    def sending(self, step: Step, now: float) -> None:
        """Note that a request is about to leave."""
        if step.do == "list":
            return
        self.sent += 1
        if self._again_s == math.inf:
            self._again_s = now + AGAIN_S
        elif now >= self._again_s and not self._is_repeated:
            self._is_repeated = True
            self._zeros = min(self._zeros, 1)

    def cancelled(self, done: Set[str], refused: Set[str], now: float) -> None:
        """Take the answer to a cancel: the orders it names."""
        self.trouble = ""
        self._confirmed |= done
        self._seen |= done | refused
        self._cancels.succeeded(math.inf if self._is_repeated else self._again_s)
        self._lists.due_s = now

    def listed(self, ids: Set[str], nameless: int, now: float) -> None:
        """Take a complete list: the ids of its rows, and how many rows have none."""
        self.trouble = ""
        self._open, self._nameless = ids, nameless
        self._seen |= ids
        self._lists.succeeded(now + LOOK_S)
        if ids or nameless:
            self._zeros = 0
            self._cancels.want(now + _pause(self._rounds))
            self._rounds += 1
        else:
            self._zeros += 1
            self._rounds = 0

    def failed(self, step: Step, failure: Failure, now: float) -> None:
        """Take that a request brought nothing."""
        self.trouble = failure.text
        if step.do == "list":
            self._zeros = 0
            self._lists.failed(failure, now)
            self._cancels.want(now + UNREAD_S)
        else:
            self._cancels.failed(failure, now)
            self._lists.want(now)


class _Retries:
    """When requests of one kind are due, however often they have failed."""

    def __init__(self, due_s: float) -> None:
        self.due_s = due_s
        self.failures = 0
        """In a row."""
        self._silences = 0
        """Answers that did not come, in all."""
        self._not_before_s = 0.0

    @property
    def deadline_s(self) -> float:
        return DEADLINES_S[min(self._silences, len(DEADLINES_S) - 1)]

    def succeeded(self, due_s: float) -> None:
        self.failures = 0
        self.due_s = due_s

    def failed(self, failure: Failure, now: float) -> None:
        asked_s = max(min(failure.retry_s, MOST_WAIT_S), BUSY_S if failure.status in _BUSY else 0.0)
        self._not_before_s = now + max(asked_s, _pause(self.failures))
        self.due_s = self._not_before_s
        self.failures += 1
        self._silences += failure.status == 0

    def want(self, due_s: float) -> None:
        """Let the next be due then, sooner than planned, but not before the pause after a failure is over."""
        self.due_s = max(min(self.due_s, due_s), self._not_before_s)


def _pause(number: int) -> float:
    return PAUSES_S[min(number, len(PAUSES_S) - 1)]
