"""What an act says of the orders it wanted gone: counted as they end, never told as done before they have."""

from typing import Any

import pytest

from core.actions import Note
from core.events import CancelAnswered, Killed, OperatorCommand, OrderSeen, Woken
from core.orders.order import State
from core.results import KEPT, WAIT_SEC
from core.views import ResultView
from tests.builders import MARKET, Driver, VenueBook, a_market, notes

OTHER = "0x" + "cd" * 32
ACTS = ("pause", "cancel_market", "pause_all", "cancel_all", "kill")


def results(driver: Driver) -> tuple[ResultView, ...]:
    return driver.engine.results.views(driver.now)


def counts(view: ResultView) -> tuple[int, int, int, int, int]:
    return view.wanted, view.cancelled, view.filled, view.refused, view.unknown


@pytest.mark.parametrize("act", ACTS)
def test_an_act_counts_what_it_cancelled_when_the_venue_has_confirmed_it(act: Any) -> None:
    """Until then everything is unknown: "sent" is never told as done."""
    driver = Driver(VenueBook()).quoting(yes=300)
    wanted = len(driver.orders())
    driver.command(act)
    [result] = results(driver)
    assert (result.act, result.who, result.done) == (act, "test", False)
    assert counts(result) == (wanted, 0, 0, 0, wanted)
    driver.now += 0.4
    before = len(driver.actions)
    driver.answer_cancels()
    [result] = results(driver)
    assert counts(result) == (wanted, wanted, 0, 0, 0) and result.done
    assert result.took_s == pytest.approx(0.4)
    told = [action for action in driver.actions[before:] if isinstance(action, Note)]
    name = act.replace("_", " ")
    text = f"{name}: {wanted} cancelled, 0 filled, 0 refused, 0 unknown in 0.4 s"
    assert [(note.severity, note.text) for note in told if name in note.text] == [("info", text)]


def test_an_order_that_fills_before_its_cancel_is_counted_as_filled() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("cancel_market")
    fast, *others = driver.orders(State.CANCEL_SENT)
    driver.fill(fast)
    assert counts(results(driver)[0]) == (len(others) + 1, 0, 1, 0, len(others))
    driver.answer_cancels()
    assert counts(results(driver)[0]) == (len(others) + 1, len(others), 1, 0, 0)


def test_what_the_venue_refuses_to_cancel_is_told_as_refused_and_warned_of() -> None:
    """It stands, and is tried again; if it goes after all it counts as gone."""
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("pause")
    stubborn, late, *_ = driver.orders(State.CANCEL_SENT)
    for order in driver.orders(State.CANCEL_SENT):
        outcome = "refused" if order in (stubborn, late) else "cancelled"
        driver.send(CancelAnswered(order_id=order.order_id, outcome=outcome))
    wanted = results(driver)[0].wanted
    assert counts(results(driver)[0]) == (wanted, wanted - 2, 0, 2, 0) and not results(driver)[0].done
    driver.send(CancelAnswered(order_id=late.order_id, outcome="cancelled"))
    begin = len(driver.actions)
    driver.pass_time(WAIT_SEC)
    [result] = results(driver)
    assert counts(result) == (wanted, wanted - 1, 0, 1, 0) and result.done
    assert any(note.severity == "warning" and "1 refused" in note.text for note in _notes(driver, begin))


def test_after_half_a_minute_what_nobody_has_told_of_is_unknown_for_good() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("cancel_all")
    begin, wanted = len(driver.actions), results(driver)[0].wanted
    driver.pass_time(WAIT_SEC - 1.5)
    assert not results(driver)[0].done
    driver.pass_time(2.5)
    [result] = results(driver)
    assert counts(result) == (wanted, 0, 0, 0, wanted) and result.done
    assert WAIT_SEC <= result.took_s < WAIT_SEC + 1.1
    assert any(note.severity == "warning" and f"{wanted} unknown" in note.text for note in _notes(driver, begin))


@pytest.mark.parametrize("now", [1_100.0, 65_512.9, 65_536.1])
def test_it_is_over_at_the_very_moment_it_was_due(now: float) -> None:
    """Due and over are one comparison: a rounded difference once let the engine ask to be woken for ever."""
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.now = now
    driver.command("cancel_all")
    due_s = driver.engine.results.due_s
    driver.engine.results.advance(due_s)
    assert not driver.engine.results.is_open and driver.engine.results.due_s > due_s


def test_an_act_that_finds_nothing_to_cancel_has_no_result() -> None:
    driver = Driver(VenueBook())
    driver.command("cancel_all")
    driver.command("pause")
    assert results(driver) == ()


def test_a_refused_act_and_a_preview_have_no_result() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("pause", market="0x0")
    driver.send(OperatorCommand(act="flatten", market=MARKET, preview=True))
    assert results(driver) == ()


def test_a_flattening_counts_the_quotes_that_it_pulls() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    wanted = len(driver.orders())
    driver.flatten()
    [result] = results(driver)
    assert (result.act, result.wanted) == ("flatten", wanted)


def test_a_side_that_is_paused_counts_its_own_orders_only() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    bids = sum(1 for order in driver.orders() if order.side == "bid")
    driver.send(OperatorCommand(act="pause", market=MARKET, sides="bid"))
    assert results(driver)[0].wanted == bids > 0


def test_reducing_counts_only_what_it_wants_gone() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("reduce")
    going = [order for order in driver.orders() if order.state is State.CANCEL_SENT]
    assert results(driver)[0].wanted == len(going) < len(driver.orders())


def test_a_kill_from_outside_is_counted_too() -> None:
    """Somebody else pulled the switch: the engine tells what it hears of the orders."""
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.send(Killed(by="watchdog", reason="hung"))
    assert [(one.act, one.who) for one in results(driver)] == [("kill", "watchdog")]
    for order in driver.orders():
        driver.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=order.filled))
    assert results(driver)[0].done and results(driver)[0].unknown == 0


def test_an_act_on_one_market_says_nothing_of_another() -> None:
    other = VenueBook(a_market(market=OTHER, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting(yes=300)
    driver.command("cancel_market", market=OTHER)
    [result] = results(driver)
    assert (result.market, result.wanted) == (OTHER, len(driver.orders(market=OTHER)))


def test_the_answer_to_an_act_is_its_last_word_even_when_another_result_ends_with_it() -> None:
    """Whoever asked is answered by the last line: a result that is over waits for the next event."""
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("cancel_market")
    for order in driver.orders(State.CANCEL_SENT):
        driver.engine.orders.cancel_answered(CancelAnswered(order_id=order.order_id, outcome="cancelled"), driver.now)
    answer = [action for action in driver.command("widen") if isinstance(action, Note)][-1]
    assert "cancelled" not in answer.text
    assert "cancelled, 0 filled" in notes(driver.send(Woken(driver.unix)))


def test_results_are_bounded() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    for _ in range(3 * KEPT):
        driver.command("cancel_all")
    kept = results(driver)
    assert [one.seq for one in kept] == list(range(2 * KEPT + 1, 3 * KEPT + 1))
    driver.answer_cancels()
    assert all(one.done and one.unknown == 0 for one in results(driver))
    assert results(driver) is results(driver)


def test_every_count_adds_up_at_every_moment() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.command("pause_all")
    for n, order in enumerate(driver.orders(State.CANCEL_SENT)):
        if n % 3 == 0:
            driver.fill(order)
        else:
            driver.send(CancelAnswered(order_id=order.order_id, outcome="cancelled" if n % 3 == 1 else "refused"))
        for one in results(driver):
            assert one.wanted == one.cancelled + one.filled + one.refused + one.unknown


def _notes(driver: Driver, begin: int) -> list[Note]:
    return [action for action in driver.actions[begin:] if isinstance(action, Note)]
