"""What became of orders that an act wanted gone: told once, never "sent", and unknown when nobody says."""

import msgspec
import pytest

from core.runtime.link import CommandResult
from core.views import ResultView
from polymm_tui.console.results import LOST_S, Outcomes, outcome_words
from tests.polymm_tui.piloting import console, press, settle
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import NOON, a_view


def a_result(**changes):
    base = ResultView(seq=4, unix=NOON, act="cancel_market", market="0xfed", who="operator", wanted=6, took_s=0.42)
    return msgspec.structs.replace(base, **changes)


DONE = a_result(cancelled=6, done=True)


def waiting(results=()):
    outcomes = Outcomes()
    outcomes.await_("cancel_market", "0xfed", "cancel market: Fed cuts", results, 100.0)
    return outcomes


def test_an_outcome_is_told_once_when_it_is_known():
    outcomes = waiting()
    assert outcomes.told((a_result(unknown=6),), 100.2, 0.0) == []
    assert outcomes.told((DONE,), 100.6, 0.0) == [
        ("cancel market: Fed cuts", "6 cancelled, 0 filled, 0 refused, 0 unknown, 0.4 s", False)
    ]
    assert outcomes.told((DONE,), 100.7, 0.0) == []


@pytest.mark.parametrize("changes", [{"refused": 1, "cancelled": 5}, {"unknown": 2, "cancelled": 4}])
def test_refused_and_unknown_are_a_warning(changes):
    ((_, text, is_bad),) = waiting().told((a_result(done=True, **changes),), 101.0, 0.0)
    assert is_bad and str(changes[next(iter(changes))]) in text


@pytest.mark.parametrize(
    "other", [{"market": "0xrain"}, {"act": "pause"}, {"seq": 3}], ids=["another market", "another act", "an older act"]
)
def test_what_others_did_is_not_told_as_ours(other):
    before = (a_result(seq=3, done=True),)
    assert waiting(before).told((*before, msgspec.structs.replace(DONE, **other)), 101.0, 0.0) == []


def test_two_acts_have_two_outcomes():
    outcomes = waiting()
    outcomes.await_("cancel_market", "0xfed", "again", (), 100.1)
    first = outcomes.told((DONE,), 100.6, 0.0)
    second = outcomes.told((DONE, a_result(seq=5, cancelled=2, done=True)), 101.0, 0.0)
    assert [each.title for each in (*first, *second)] == ["cancel market: Fed cuts", "again"]
    assert second[0].text.startswith("2 cancelled")


def test_a_lost_session_leaves_the_outcome_unknown():
    """ "Sent" is not done: nobody knows whether the orders stand."""
    outcomes = waiting()
    assert outcomes.told((a_result(),), 105.0, LOST_S - 0.1) == []
    ((_, text, is_bad),) = outcomes.told((a_result(),), 111.0, LOST_S)
    assert is_bad and text.startswith("unknown")
    assert outcomes.told((a_result(),), 112.0, LOST_S + 1) == []


def test_a_refused_act_and_one_without_orders_are_not_waited_for():
    outcomes = waiting()
    outcomes.refused("cancel_market", "0xfed")
    assert outcomes.told((), 150.0, LOST_S) == []
    assert waiting().told((), 161.0, 0.0) == []


def test_words_of_an_outcome_name_every_kind():
    mixed = a_result(wanted=1_200, cancelled=1_195, filled=2, refused=2, unknown=1, took_s=12.04, done=True)
    assert outcome_words(mixed) == "1,195 cancelled, 2 filled, 2 refused, 1 unknown, 12.0 s"


async def test_the_first_answer_is_what_was_asked_and_the_outcome_takes_its_place():
    link = FakeLink(result=CommandResult(True, "cancelling 6 orders"))
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "X")
        await settle(pilot)
        assert "cancelling 6 orders" in screen_text(app)
        app.show(a_view(seq=8, results=(a_result(unknown=6),)))
        await settle(pilot)
        assert "6 cancelled" not in screen_text(app)
        app.show(a_view(seq=9, results=(DONE,)))
        await settle(pilot)
        shown = screen_text(app)
        assert "6 cancelled, 0 filled, 0 refused, 0 unknown, 0.4 s" in shown
        assert "cancelling 6 orders" not in shown, "one toast for one cause"
        assert shown.startswith(" DEMO"), "never over the strip"
