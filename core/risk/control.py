"""What an operator or a rule allows: one state for all, one for each market; the strictest wins.

A state says who set it and why, because that is what the console shows.
"""

from typing import Final

import msgspec

from core.views import ControlState

_STRICTNESS: Final[dict[ControlState, int]] = {
    "ACTIVE": 0,
    "REDUCE_ONLY": 1,
    "PAUSED": 2,
    "CANCEL_ONLY": 3,
    "KILLED": 4,
}


class Control(msgspec.Struct, frozen=True, gc=False):
    """A control state and its origin."""

    state: ControlState = "ACTIVE"
    reason: str = ""


def strictest(*controls: Control) -> Control:
    """The strictest of some states; of equally strict ones the first."""
    return max(controls, key=lambda control: _STRICTNESS[control.state])


def allows_orders(state: ControlState) -> bool:
    """Some order may be placed in this state; cancels are allowed in every state."""
    return state in ("ACTIVE", "REDUCE_ONLY")
