"""What became of the orders that an act wanted gone: counted as they end, never told as done before they have.

A result is over when every order of it has ended, or after :data:`WAIT_SEC` with the rest unknown. At every moment
``cancelled + filled + refused + unknown == wanted``.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final, Literal

from core.actions import Note
from core.orders.order import TERMINAL, Order, State
from core.views import ResultView

WAIT_SEC: Final = 30.0
"""So long a result waits for its orders."""
KEPT: Final = 20
"""Results that are told."""

_Fate = Literal["cancelled", "filled", "refused", "unknown"]


class _Result:
    """One act and its orders."""

    def __init__(self, seq: int, act: str, market: str, who: str, orders: list[Order], now: float, unix: float) -> None:
        self.seq, self.act, self.market, self.who = seq, act, market, who
        self.wanted = len(orders)
        self.unix, self.began_s = unix, now
        self.due_s = now + WAIT_SEC
        """When it is over whatever is left; compared with as it is, for a difference may round to less."""
        self.left = {order.intent: order for order in orders}
        """Those that have not ended."""
        self.refused: set[int] = set()
        """Of these, intents whose cancel the venue refused last."""
        self.counts: dict[_Fate, int] = {"cancelled": 0, "filled": 0, "refused": 0, "unknown": 0}
        """Of those that have ended; in the end, of all."""
        self.is_done = False
        self.took_s = 0.0

    def advance(self, now: float) -> bool:
        """Count what has ended; True when nothing more is waited for."""
        for order in [order for order in self.left.values() if order.state in TERMINAL]:
            del self.left[order.intent]
            self.counts[_fate_of(order)] += 1
        if self.left and now < self.due_s:
            return False
        refused = sum(1 for intent in self.left if intent in self.refused)
        self.counts["refused"], self.counts["unknown"] = refused, len(self.left) - refused
        self.left, self.is_done, self.took_s = {}, True, now - self.began_s
        return True

    def view(self, now: float) -> ResultView:
        """As it stands."""
        refused = self.counts["refused"] + sum(1 for intent in self.left if intent in self.refused)
        cancelled, filled = self.counts["cancelled"], self.counts["filled"]
        return ResultView(
            seq=self.seq,
            unix=self.unix,
            act=self.act,
            market=self.market,
            who=self.who,
            wanted=self.wanted,
            cancelled=cancelled,
            filled=filled,
            refused=refused,
            unknown=self.wanted - cancelled - filled - refused,
            done=self.is_done,
            took_s=self.took_s if self.is_done else now - self.began_s,
        )

    def note(self) -> Note:
        """How it ended, for people; it may be worth a warning."""
        counts = self.counts
        told = ", ".join(f"{count} {fate}" for fate, count in counts.items())
        is_clean = not counts["refused"] and not counts["unknown"]
        text = f"{self.act.replace('_', ' ')}: {told} in {self.took_s:.1f} s"
        return Note("info" if is_clean else "warning", self.market, text)


class Results:
    """The results of one engine's acts. ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._kept: deque[_Result] = deque(maxlen=KEPT)
        self._open: list[_Result] = []
        self._seq = 0
        self._views: tuple[ResultView, ...] = ()
        """Of all that are kept, as long as none of them is open."""

    @property
    def is_open(self) -> bool:
        """Something is waited for."""
        return bool(self._open)

    @property
    def due_s(self) -> float:
        """When the oldest one ends at the latest; infinity without one."""
        return self._open[0].due_s if self._open else math.inf

    def begin(self, act: str, market: str, who: str, orders: Iterable[Order], now: float, unix: float) -> None:
        """An act wants these orders gone; nothing is told of one that finds none."""
        wanted = [order for order in orders if order.state not in TERMINAL]
        if not wanted:
            return
        self._seq += 1
        result = _Result(self._seq, act, market, who, wanted, now, unix)
        self._kept.append(result)
        self._open = [one for one in self._open if one in self._kept]
        self._open.append(result)
        self._views = ()

    def answered(self, order: Order, is_refused: bool) -> None:
        """The venue answered the cancel of an order."""
        for result in self._open:
            if order.intent in result.left:
                (result.refused.add if is_refused else result.refused.discard)(order.intent)

    def advance(self, now: float) -> list[Note]:
        """Count what has ended; returns a line for every result that is over."""
        over = [result for result in self._open if result.advance(now)]
        if over:
            self._open = [result for result in self._open if not result.is_done]
            self._views = ()
        return [result.note() for result in over]

    def views(self, now: float) -> tuple[ResultView, ...]:
        """The last :data:`KEPT`, oldest first."""
        if self._open or len(self._views) != len(self._kept):
            self._views = tuple([result.view(now) for result in self._kept])
        return self._views


def _fate_of(order: Order) -> _Fate:
    """What became of an order that has ended: matched whole, or gone with what was left of it."""
    return "filled" if order.state in (State.MATCHED, State.DONE) else "cancelled"
