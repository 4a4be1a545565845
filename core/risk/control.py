"""What operators and rules allow: control states of everything, of a market, or of one side of a market.

Each has a source, and one source's states do not touch another's: what a protection lifts leaves an operator's pause
where it is. Of all that concern an order the strictest wins. States outlive a restart; a timer goes on by the wall
clock's word of how much of it is left, and by the monotonic clock from there.
"""

import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from core.units import Side
from core.views import ControlState

Source = Literal[
    "operator",
    "venue",
    "kill",
    "flatten",
    "loss",
    "drawdown",
    "repeat",
    "markout",
    "streak",
    "rejects",
    "selection",
]
"""Who or what sets states; every source has at most one of each scope."""
RESUMABLE: Final[tuple[Source, ...]] = ("operator", "venue", "flatten", "repeat", "markout", "streak", "rejects")
"""What an operator's resume lifts at once; the others ask for more (:meth:`core.stops.Stops.rearm`)."""
STEP_SEC: Final = 1.0
"""A wall clock that moves by more against the monotonic one was set, and timers are written down anew."""

_STRICTNESS: Final[dict[ControlState, int]] = {
    "ACTIVE": 0,
    "REDUCE_ONLY": 1,
    "PAUSED": 2,
    "CANCEL_ONLY": 3,
    "KILLED": 4,
}


class Control(msgspec.Struct, frozen=True, gc=False):
    """A control state, what it is about and where it comes from."""

    state: ControlState = "ACTIVE"
    reason: str = ""
    """In words, without the author."""
    source: Source = "operator"
    author: str = ""
    """The operator's name, or the rule's with its numbers; "" when the source says all."""
    market: str = ""
    """Condition id; "" for all markets."""
    side: Side | Literal[""] = ""
    """Of the YES book; "" for both."""
    since_unix: float = 0.0
    until_unix: float | None = None
    """When it ends by itself; None: it does not."""

    @property
    def scope(self) -> tuple[str, str, Source]:
        """What it replaces when it is set: the same market, side and source."""
        return self.market, self.side, self.source

    @property
    def strictness(self) -> int:
        """0 of ACTIVE, rising by one to 4 of KILLED."""
        return _STRICTNESS[self.state]

    @property
    def scope_words(self) -> str:
        """What it is about, for people who are told the market beside it; "" when that says all."""
        sides = {"": "", "bid": "bids", "ask": "asks"}[self.side]
        return " ".join(filter(None, ("" if self.market else "all markets", sides)))

    @property
    def state_words(self) -> str:
        """The state for people."""
        return self.state.lower().replace("_", "-")

    @property
    def words(self) -> str:
        """State, reason and author for people."""
        said = ", ".join(filter(None, (self.reason, self.author and f"by {self.author}")))
        return f"{self.state_words}: {said}" if said else self.state_words

    @property
    def told(self) -> str:
        """What is in which state and why, for people."""
        return f"{self.scope_words} {self.words}".lstrip()

    def concerns(self, market: str, side: Side) -> bool:
        """It is about orders of this market and side."""
        return self.market in ("", market) and self.side in ("", side)


ACTIVE: Final = Control()


def strictest(*controls: Control) -> Control:
    """The strictest of some states; of equally strict ones the first."""
    return max(controls, key=lambda control: control.strictness)


def allows_orders(state: ControlState) -> bool:
    """Some order may be placed in this state; cancels are allowed in every state."""
    return state in ("ACTIVE", "REDUCE_ONLY")


class Controls:
    """All states that are not ACTIVE. ``now`` is monotonic, ``unix`` the same moment in seconds since 1970."""

    __slots__ = ("_changes", "_ends_s", "_held")

    def __init__(self) -> None:
        self._held: dict[tuple[str, str, Source], Control] = {}
        self._ends_s: dict[tuple[str, str, Source], float] = {}
        """Monotonic end of those with a timer."""
        self._changes: list[Control] = []

    @property
    def has_changes(self) -> bool:
        """Something waits to be taken for the journal."""
        return bool(self._changes)

    def set(self, control: Control, now: float, unix: float, for_s: float | None = None) -> Control:
        """Set a state, in place of the one of the same scope; ``ACTIVE`` lifts it.

        Args:
            control: its times are set here.
            now: monotonic seconds.
            unix: the same moment.
            for_s: how long it holds; None: until it is lifted.

        Returns:
            What is in force for that scope and source now.
        """
        scope = control.scope
        if control.state == "ACTIVE" and scope not in self._held:
            return control
        until = None if for_s is None or control.state == "ACTIVE" else unix + for_s
        control = msgspec.structs.replace(control, since_unix=unix, until_unix=until)
        self._put(control, now, for_s)
        self._changes.append(control)
        return control

    def lift(self, sources: Iterable[Source], now: float, unix: float, *, market: str = "", side: str = "") -> int:
        """Lift the states of some sources that are about exactly this market and side; returns how many there were."""
        found = [(market, side, source) for source in sources if (market, side, source) in self._held]
        for scope in found:
            self.set(msgspec.structs.replace(self._held[scope], state="ACTIVE", reason="lifted"), now, unix)
        return len(found)

    def without(self, sources: Iterable[Source], market: str, sides: Iterable[str]) -> "Controls":
        """The states as they would stand if those of some sources about exactly this market and these sides were not.

        It is made to be asked, not to go on with: it has no timers, and tells the journal nothing.
        """
        chosen = tuple(sides)
        lifted = {(market, side, source) for source in sources for side in chosen}
        left = Controls()
        left._held = {scope: control for scope, control in self._held.items() if scope not in lifted}
        return left

    def expire(self, now: float, unix: float) -> list[Control]:
        """End those whose time is over; returns what they were."""
        over = [scope for scope, end_s in self._ends_s.items() if end_s <= now]
        ended = [self._held[scope] for scope in over]
        for control in ended:
            self.set(msgspec.structs.replace(control, state="ACTIVE", reason="its time is over"), now, unix)
        return ended

    def next_s(self) -> float:
        """When the next one ends by itself, monotonic seconds; infinity when none does."""
        return min(self._ends_s.values(), default=math.inf)

    def keep_time(self, now: float, unix: float) -> None:
        """Where the wall clock was set meanwhile, tell timers by what it says now: a restart goes by them."""
        for scope, end_s in self._ends_s.items():
            control, until = self._held[scope], unix + (end_s - now)
            moved = until - (control.until_unix or until)
            if abs(moved) > STEP_SEC:
                control = msgspec.structs.replace(control, since_unix=control.since_unix + moved, until_unix=until)
                self._held[scope] = control
                self._changes.append(control)

    def restore(self, controls: Iterable[Control], now: float, unix: float) -> None:
        """Go on with what an earlier session left, where nothing was set since.

        A timer that ran out meanwhile is over at the next :meth:`expire`; none gets longer than it was, however the
        wall clock was set.
        """
        for control in controls:
            if control.scope in self._held:
                continue
            left = None
            if control.until_unix is not None:
                left = max(0.0, min(control.until_unix - unix, control.until_unix - control.since_unix))
            self._put(control, now, left)

    def take_changes(self) -> list[Control]:
        """What was set or lifted since the last call, for the journal."""
        changes, self._changes = self._changes, []
        return changes

    def of(self, market: str) -> Control:
        """The strictest state of a market as a whole: its own and that of everything."""
        if not self._held:
            return ACTIVE
        held = [control for control in self._held.values() if control.market in ("", market) and not control.side]
        return strictest(ACTIVE, *held)

    def of_side(self, market: str, side: Side) -> Control:
        """The strictest state that holds for orders of one side of a market's YES book."""
        if not self._held:
            return ACTIVE
        return strictest(ACTIVE, *(one for one in self._held.values() if one.concerns(market, side)))

    def of_all(self) -> Control:
        """The strictest state of everything as a whole."""
        return strictest(ACTIVE, *(one for one in self._held.values() if not one.market and not one.side))

    def held(self) -> list[Control]:
        """All of them, oldest first."""
        return sorted(self._held.values(), key=lambda control: control.since_unix)

    def find(self, market: str, side: str, source: Source) -> Control | None:
        """The state of exactly this scope; None when there is none."""
        return self._held.get((market, side, source))

    def left_s(self, control: Control, now: float) -> float | None:
        """Seconds until a state ends by itself; None when it does not."""
        end_s = self._ends_s.get(control.scope)
        return None if end_s is None else max(0.0, end_s - now)

    def _put(self, control: Control, now: float, for_s: float | None) -> None:
        self._held.pop(control.scope, None)
        self._ends_s.pop(control.scope, None)
        if control.state != "ACTIVE":
            self._held[control.scope] = control
            if for_s is not None:
                self._ends_s[control.scope] = now + for_s
