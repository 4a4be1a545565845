"""Acts on one order, previews of a resume, and acts that are not the engine's."""

import re
from typing import Any, get_args

import msgspec
import pytest

from core.actions import Action, Cancel, Note
from core.decision import CANCEL_GRACE_SEC
from core.events import Act, CancelAnswered, OperatorCommand
from core.orders.manager import MOST_CANCELS
from core.orders.order import State
from core.units import MICRO
from core.viewing import Stage, console_view
from tests.builders import MARKET, Driver, VenueBook, a_market, cancelled, kinds, notes, placed

OTHER = "0x" + "cd" * 32


def cancel(driver: Driver, order_id: str, market: str = MARKET) -> list[Action]:
    return driver.send(OperatorCommand(act="cancel_order", market=market, subject=order_id, who="test"))


def answer(actions: list[Action]) -> Note:
    return [action for action in actions if isinstance(action, Note)][-1]


def preview(driver: Driver, act: Any = "resume", **over: Any) -> Note:
    market = "" if act == "resume_all" else MARKET
    return answer(driver.send(OperatorCommand(act=act, market=market, who="test", preview=True, **over)))


# One order


def test_cancelling_an_order_cancels_exactly_that_one() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    others = driver.orders()
    order = others.pop(2)
    actions = cancel(driver, order.order_id)
    assert [action.order_id for action in cancelled(actions) if isinstance(action, Cancel)] == [order.order_id]
    assert all(one.state is State.LIVE for one in others)
    [result] = driver.engine.results.views(driver.now)
    assert (result.act, result.wanted) == ("cancel_order", 1)
    driver.answer_cancels()
    assert driver.engine.results.views(driver.now)[0].cancelled == 1


def test_quoting_goes_on_after_an_order_was_cancelled() -> None:
    """As after cancelling the market: its layer may be placed again by the decisions that follow."""
    driver = Driver(VenueBook()).quoting(yes=300)
    cancel(driver, driver.orders()[0].order_id)
    driver.answer_cancels()
    assert placed(driver.pass_time(30)) != []
    assert driver.engine.controls.of(MARKET).state == "ACTIVE"


def test_an_order_of_unknown_outcome_can_be_cancelled() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    driver.answer("unknown")
    order = driver.orders(State.UNKNOWN)[0]
    assert "Cancel" in kinds(cancel(driver, order.order_id))


@pytest.mark.parametrize("order_id", ["", "0xdead"])
def test_an_order_that_is_not_ours_is_refused(order_id: str) -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    actions = cancel(driver, order_id)
    assert kinds(actions) == ["Note"] and answer(actions).refused
    assert "no order of ours here has that id" in notes(actions)


def test_an_order_of_another_market_is_refused() -> None:
    """A view may be old: what was under the cursor is in the market that was pressed on, or nothing is done."""
    other = VenueBook(a_market(market=OTHER, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting(yes=300)
    order = driver.orders(market=MARKET)[0]
    assert answer(cancel(driver, order.order_id, OTHER)).refused and order.state is State.LIVE


def test_an_order_that_is_ending_or_over_or_not_there_yet_is_refused_in_words() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    order = driver.orders(State.SENDING)[0]
    assert "not at the venue yet" in answer(cancel(driver, order.order_id)).text
    driver.answer()
    cancel(driver, order.order_id)
    again = answer(cancel(driver, order.order_id))
    assert again.refused and "under way" in again.text
    driver.send(CancelAnswered(order_id=order.order_id, outcome="cancelled"))
    over = answer(cancel(driver, order.order_id))
    assert over.refused and "it is over: cancelled" in over.text
    assert len(driver.engine.results.views(driver.now)) == 1


def test_an_order_of_unknown_outcome_is_cancelled_again_however_often_that_was_tried() -> None:
    """What is told as being cancelled has a cancel on its way."""
    driver = Driver(VenueBook()).quoting(yes=300)
    order = driver.orders()[0]
    order.state, order.unknown_s, order.cancels = State.UNKNOWN, driver.now, MOST_CANCELS
    actions = cancel(driver, order.order_id)
    assert [type(action) for action in cancelled(actions)] == [Cancel] and not answer(actions).refused


def test_a_cancel_that_nobody_answers_can_be_asked_for_again() -> None:
    """At once it is under way; when its answer is overdue another one goes out."""
    driver = Driver(VenueBook()).quoting(yes=300)
    order = driver.orders()[0]
    cancel(driver, order.order_id)
    soon = cancel(driver, order.order_id)
    assert answer(soon).refused and not cancelled(soon)
    driver.now += CANCEL_GRACE_SEC + 1.0
    again = cancel(driver, order.order_id)
    assert [action.order_id for action in cancelled(again) if isinstance(action, Cancel)] == [order.order_id]
    assert not answer(again).refused


# Acts of the session


@pytest.mark.parametrize(
    "act",
    [act for act in get_args(Act) if act.startswith(("alarm_", "record_", "list_")) or act == "stop"],
)
def test_acts_of_the_session_are_refused_by_the_engine(act: Any) -> None:
    """Whoever hands them on by mistake must not see a market cancelled."""
    driver = Driver(VenueBook()).quoting(yes=300)
    actions = driver.command(act)
    assert kinds(actions) == ["Note"] and answer(actions).refused
    assert not driver.engine.stopping and all(order.state is State.LIVE for order in driver.orders())


# What a resume would do


def test_a_resume_says_what_it_would_place_and_places_it() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("pause")
    driver.answer_cancels()
    driver.pass_time(3)
    told = preview(driver).text
    driver.command("resume")
    orders = placed(driver.pass_time(1))
    grid = driver.desk.instrument.grid
    dollars = sum(grid.notional(order.price, order.size) for order in orders) / MICRO
    assert told.splitlines()[0] == f"will place {len(orders)} orders, ${dollars:,.0f}"
    assert len(orders) > 1


def test_resuming_all_says_the_sums_and_which_markets_stay_out() -> None:
    other = VenueBook(a_market(market=OTHER, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting(yes=300)
    driver.command("pause_all")
    driver.command("pause", market=OTHER)
    driver.answer_cancels()
    driver.pass_time(3)
    first, kept = preview(driver, "resume_all").text.splitlines()
    driver.command("resume_all")
    assert first.startswith(f"will place {len(placed(driver.pass_time(1)))} orders, ")
    assert first.endswith(", in 1 of 2 markets") and "paused: by test" in kept


@pytest.mark.parametrize("count", [3, 12, 40])
def test_resuming_all_counts_what_the_markets_before_have_taken(count: int) -> None:
    """Caps and cash are everybody's: no more is promised than all together may place, and who gets none is named."""
    others = [
        VenueBook(a_market(market="0x" + f"{i:02x}" * 32, yes="3" * 75 + str(10 + i), no="4" * 75 + str(10 + i)))
        for i in range(1, count)
    ]
    driver = Driver(VenueBook(), *others)
    driver.feeds()
    driver.account(cash=50_000.0)
    for book in driver.books:
        driver.send(book.book())
    driver.command("pause_all")
    driver.pass_time(1)
    first, *kept = preview(driver, "resume_all").text.splitlines()
    driver.command("resume_all")
    orders = placed(driver.pass_time(1))
    grid = driver.desk.instrument.grid
    dollars = sum(grid.notional(order.price, order.size) for order in orders) / MICRO
    told = re.fullmatch(r"will place (\d+) orders, \$([\d,]+), in (\d+) of (\d+) markets", first)
    assert told is not None
    number, usd, quoting, all_of_them = (int(part.replace(",", "")) for part in told.groups())
    assert abs(number - len(orders)) <= 1 and usd == pytest.approx(dollars, rel=0.02)
    assert (quoting, all_of_them) == (len({order.market for order in orders}), count)
    assert bool(kept) == (quoting < count)


def test_a_resume_that_would_not_quote_says_why() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("pause_all")
    driver.command("pause")
    driver.answer_cancels()
    first, why = preview(driver).text.splitlines()
    assert first == "will place 0 orders, $0" and "all markets" not in first
    assert why == "paused: by test"
    driver.command("resume_all")
    driver.feeds(up=False)
    assert preview(driver).text.splitlines()[1] == "user feed is down"


def test_a_side_that_is_resumed_is_previewed_alone() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    for side in ("bid", "ask"):
        driver.send(OperatorCommand(act="pause", market=MARKET, sides=side))  # type: ignore[arg-type]
    driver.answer_cancels()
    driver.pass_time(3)
    told = preview(driver, sides="bid").text
    driver.send(OperatorCommand(act="resume", market=MARKET, sides="bid"))
    orders = placed(driver.pass_time(1))
    assert {order.side for order in orders} == {"bid"}
    assert told.startswith(f"will place {len(orders)} orders, ") and "no ask: paused" in told


@pytest.mark.parametrize("act", ["resume", "resume_all"])
def test_a_preview_of_a_resume_changes_nothing(act: Any) -> None:
    """The same session with and without it: every action, every order and all that is shown stay the same."""
    runs = []
    for looks in (False, True):
        driver = Driver(VenueBook()).quoting(yes=300)
        driver.command("pause_all")
        driver.command("pause")
        driver.answer_cancels()
        driver.pass_time(2)
        seen = len(driver.actions)
        if looks:
            preview(driver, act)
            driver.actions = driver.actions[:seen]
            assert driver.engine.controls.of(MARKET).state == "PAUSED"
        driver.pass_time(5)
        for lifted in ("resume", "resume_all"):
            driver.command(lifted)
        driver.pass_time(20)
        view = console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))
        runs.append((driver.actions, msgspec.json.encode(view)))
    assert runs[0] == runs[1]
