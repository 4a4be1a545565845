"""``preview`` on every act: it is told, or done because it only stops, or refused; never told and left undone."""

from typing import get_args

import msgspec
import pytest

from core.actions import Action, Cancel, CancelAll, CancelMarket, Kill, Note, Place
from core.events import OPENING_ACTS, PREVIEWABLE, STOPPING_ACTS, Act, OperatorCommand
from tests.builders import MARKET, Driver, VenueBook

ACTS: tuple[Act, ...] = get_args(Act)
OF_ENGINE = STOPPING_ACTS - {"stop"}


def asked(driver: Driver, act: Act, *, preview: bool) -> list[Action]:
    orders = driver.orders()
    command = OperatorCommand(
        act=act, market=MARKET, subject=orders[0].order_id if orders else "", preview=preview, reason="test"
    )
    return driver.send(command)


def sent(actions: list[Action]) -> list[str]:
    """What goes to the venue or is kept, by its kind."""
    return sorted(type(each).__name__ for each in actions if not isinstance(each, Note))


@pytest.mark.parametrize("act", sorted(OF_ENGINE))
def test_what_only_stops_is_carried_out_whatever_is_said_of_a_preview(act: Act) -> None:
    """No order is told as being cancelled whose cancel is left out; no kill is told that was not done."""
    plain, previewed = (Driver(VenueBook()).quoting(yes=300) for _ in range(2))
    wanted, got = asked(plain, act, preview=False), asked(previewed, act, preview=True)
    assert sent(got) == sent(wanted)
    assert [order.state for order in previewed.orders()] == [order.state for order in plain.orders()]
    assert previewed.engine.is_killed == plain.engine.is_killed == (act == "kill")


@pytest.mark.parametrize("act", sorted(set(ACTS) - STOPPING_ACTS))
def test_any_other_act_changes_nothing(act: Act) -> None:
    """It tells what it would do, or is refused because there is no telling."""
    driver = Driver(VenueBook()).quoting(yes=300)
    before = [(order.state, order.cancel_wanted) for order in driver.orders()]
    got = asked(driver, act, preview=True)
    assert not any(isinstance(each, Place | Cancel | CancelAll | CancelMarket | Kill) for each in got)
    assert [(order.state, order.cancel_wanted) for order in driver.orders()] == before
    notes = [each for each in got if isinstance(each, Note)]
    assert notes
    if act not in PREVIEWABLE:
        assert notes[-1].refused and notes[-1].text == f"{act}: there is no preview of it; nothing was done"


def test_no_act_both_stops_and_has_a_preview() -> None:
    """The three sets are of different things: what stops neither opens nor is only told."""
    assert not STOPPING_ACTS & (PREVIEWABLE | OPENING_ACTS)
    command = OperatorCommand(act="rearm", preview=True)
    assert command.opens and not msgspec.structs.replace(command, act="resume").opens
