"""Control states: the strictest wins, and what is shown is the one that decides."""

from itertools import permutations

import pytest

from core.risk.control import Control, allows_orders, strictest
from core.views import ControlState

RISING: tuple[ControlState, ...] = ("ACTIVE", "REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED")


def test_strictest_state_wins_whatever_the_order() -> None:
    for few in permutations(RISING, 3):
        wanted = max(few, key=RISING.index)
        assert strictest(*(Control(state, state) for state in few)) == Control(wanted, wanted)


def test_first_of_equally_strict_states_gives_the_reason() -> None:
    assert strictest(Control("PAUSED", "all"), Control("PAUSED", "market")).reason == "all"


@pytest.mark.parametrize("state", RISING)
def test_orders_are_allowed_in_the_two_mildest_states_only(state: ControlState) -> None:
    assert allows_orders(state) == (state in ("ACTIVE", "REDUCE_ONLY"))
