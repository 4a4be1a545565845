"""What filled-in fields mean, and what is wrong with them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import OperatorCommand
from core.quoting.adjust import AdjustmentRefused, Adjustments, adjusted
from polymm_tui.operator import ACTS
from polymm_tui.screens.form_parts import FormError
from polymm_tui.screens.forms import OPERATIONS, command_of, form_of, proposed_operation, subject_of
from polymm_tui.screens.typed_forms import flatten_all_form, rearm_form, shelve_form
from tests.widgets.view_builders import (
    a_control,
    a_job,
    a_kill,
    a_market,
    a_reasoned_market,
    a_view,
    an_account,
    an_adjustment,
    an_alarm,
    an_inventory,
    shares,
    some_controls,
    usd,
)

ACTS_WITH_FORMS = [act.command for act in ACTS if act.friction == "form" and act.scope == "main"]


def filled(act: Any, **texts: str) -> OperatorCommand:
    """The command of a form in which only some fields were touched."""
    form = form_of(act, a_reasoned_market(), an_account())
    return command_of(form, {field.name: field.text for field in form.fields} | texts, "0xfed", 7)


def test_every_act_with_a_form_has_one() -> None:
    for act in ACTS_WITH_FORMS:
        form = form_of(act, a_market(), an_account())
        assert form.title and form.fields and all(field.hint for field in form.fields)
        assert all(field.text in field.choices for field in form.fields if field.choices)


def test_acts_without_a_form_have_none() -> None:
    with pytest.raises(KeyError):
        form_of("kill", a_market(), an_account())


def test_fields_become_a_command_of_the_market_and_view_on_show() -> None:
    assert filled("widen", ticks="2.5", half_life="90s", **{"for": "5m"}) == OperatorCommand(
        act="widen", market="0xfed", view_seq=7, amount=2.5, half_life_s=90.0, for_s=300.0
    )
    assert filled("shift", ticks="-3", half_life="").amount == -3.0
    assert filled("one_side", sides="ask", **{"for": "2h"}) == OperatorCommand(
        act="one_side", market="0xfed", view_seq=7, sides="ask", for_s=7_200.0
    )
    assert filled("size", factor="0").amount == 0.0
    assert filled("set", profile="sports", changes=" K_VOL = 3 , inv_gamma=").changes == (
        ("k_vol", "3"), ("inv_gamma", ""),
    )  # fmt: skip


def test_a_negative_widening_is_a_tightening() -> None:
    command = filled("widen", ticks="-2")
    assert (command.act, command.amount) == ("tighten", 2.0)


def test_keeping_the_profile_is_no_choice_of_one() -> None:
    assert filled("set", changes="k_vol=3").profile == ""
    assert filled("set", profile="auto").profile == "auto"


@pytest.mark.parametrize(
    ("act", "texts", "field", "hint"),
    [
        ("widen", {"ticks": ""}, "ticks", "wants a number -40 .. 40"),
        ("widen", {"ticks": "nan"}, "ticks", "wants a number"),
        ("shift", {"ticks": "51"}, "ticks", "-50 .. 50"),
        ("size", {"factor": "6"}, "factor", "0 .. 5"),
        ("size", {"factor": "1.2.3"}, "factor", "wants a number"),
        ("widen", {"half_life": "0"}, "half_life", "wants a time as 90s"),
        ("widen", {"for": "31d"}, "for", "at most 30d"),
        ("one_side", {"for": "soon"}, "for", "wants a time"),
        ("set", {}, "changes", "nothing is changed"),
        ("set", {"changes": "k_vol 3"}, "changes", "'k_vol 3' is no change"),
        ("merge", {"shares": "1,000"}, "shares", "two decimals at most"),
        ("merge", {"shares": "-5"}, "shares", "wants shares"),
        ("merge", {"shares": "0.001"}, "shares", "two decimals at most"),
        ("split", {}, "shares", "a split wants a number"),
        ("split", {"shares": "0"}, "shares", "a split wants a number"),
        ("redeem", {"shares": "5"}, "shares", "takes all that is held"),
        ("pause", {"for": "tomorrow"}, "for", "wants a time as 90s"),
        ("pause", {"control": "resume", "for": "5m"}, "for", "a resume has no time"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field(act: Any, texts: dict[str, str], field: str, hint: str) -> None:
    with pytest.raises(FormError, match=hint) as caught:
        filled(act, **texts)
    assert caught.value.field == field


def test_forms_tell_what_holds_now() -> None:
    assert "now +3" in form_of("widen", a_reasoned_market(), an_account()).fields[0].hint
    shifted = a_market(adjustments=(an_adjustment(what="shift", amount=-2.0),))
    assert "now -2" in form_of("shift", shifted, an_account()).fields[0].hint
    assert "now x0.5" in form_of("size", a_reasoned_market(), an_account()).fields[0].hint
    one = a_market(adjustments=(an_adjustment(what="one_side", sides="ask"),))
    assert form_of("one_side", one, an_account()).fields[0].hint == "now ask"
    settings = form_of("set", a_reasoned_market(), an_account())
    assert settings.fields[0].choices[:3] == ("keep", "auto", "coarse")
    assert settings.notes == (
        "k_vol = 3.0 factor (profile sports, by its facts)", "k_fee_ticks = 3.0 ticks (profile fine, by its tick)",
    )  # fmt: skip


@given(st.sampled_from(["widen", "shift", "size", "one_side"]), st.text(max_size=8), st.text("0123456789.smhd -"))
def test_whatever_is_typed_gives_an_adjustment_in_bounds_or_a_word_at_a_field(act: Any, text: str, time: str) -> None:
    form = form_of(act, a_market(), an_account())
    texts = {field.name: field.choices[0] if field.choices else text for field in form.fields} | {"for": time}
    try:
        command = command_of(form, texts, "0xfed", 1)
    except FormError as error:
        assert error.field in texts and str(error)
        return
    assert not math.isnan(command.amount)
    try:
        adjusted(Adjustments(), command, 0.0, 1000)
    except AdjustmentRefused:
        assert command.act in ("widen", "tighten"), "only what is in force already can make a step too far"


# Control states, and what wants a typed word


def test_one_form_pauses_reduces_and_resumes_a_market_or_a_side() -> None:
    assert filled("pause", sides="ask", **{"for": "15m"}, reason=" news ") == OperatorCommand(
        act="pause", market="0xfed", view_seq=7, sides="ask", for_s=900.0, reason="news"
    )
    assert filled("pause", control="reduce").act == "reduce"
    assert filled("reduce", control="resume", sides="bid") == OperatorCommand(
        act="resume", market="0xfed", view_seq=7, sides="bid"
    )


def test_the_form_tells_the_states_that_concern_its_market() -> None:
    form = form_of("pause", a_market(), an_account(), some_controls())
    assert form.notes == (
        "now REDUCE ONLY, all markets, 12m left: news at noon, by operator",
        "now PAUSED, ask, 40s left: fill streak, by 6 fills in 30 s on the ask",
    )
    assert not form.previews, "stopping asks for nothing that the session would have to tell first"


@pytest.mark.parametrize("text", ["", "flatten", "FLATTE", "FLATTEN NOW", "yes"])
def test_flatten_all_takes_its_word_alone(text: str) -> None:
    form = flatten_all_form("Close everything\nat 1c", "token-1")
    assert form.lead == ("Close everything", "at 1c")
    with pytest.raises(FormError, match="type FLATTEN"):
        command_of(form, {"word": text}, "", 7)
    command = command_of(form, {"word": " FLATTEN "}, "", 7)
    assert (command.act, command.confirm) == ("flatten_all", "token-1")


def test_a_re_arm_wants_word_and_reason_and_tells_what_it_lifts() -> None:
    lost = a_control(source="loss", reason="1.2 % lost today", author="", left_s=None)
    form = rearm_form(a_kill(), a_view(controls=(*some_controls(), lost)))
    assert form.lead[1] == "orders: ZERO NOT PROVEN: sent 2, confirmed 21, left 3, unknown 1"
    assert form.lead[2] == "now REDUCE ONLY, all markets: 1.2 % lost today"
    for texts, field in (({"word": "rearm", "reason": "ok"}, "word"), ({"word": "REARM", "reason": "  "}, "reason")):
        with pytest.raises(FormError) as caught:
            command_of(form, texts, "", 7)
        assert caught.value.field == field
    command = command_of(form, {"word": "REARM", "reason": "checked by hand"}, "", 7)
    assert (command.act, command.market, command.reason) == ("rearm", "", "checked by hand")


def test_shelving_wants_minutes_and_a_reason_and_closes_when_the_alarm_is_gone() -> None:
    alarm = an_alarm()
    form = shelve_form(alarm)
    assert form.lead[0] == alarm.text
    for texts, field in (
        ({"minutes": "61", "reason": "known"}, "minutes"),
        ({"minutes": "0", "reason": "known"}, "minutes"),
        ({"minutes": "30", "reason": " "}, "reason"),
    ):
        with pytest.raises(FormError) as caught:
            command_of(form, texts, "", 7)
        assert caught.value.field == field
    command = command_of(form, {"minutes": "60", "reason": "known"}, "", 7)
    assert (command.act, command.subject, command.for_s, command.reason) == ("alarm_shelve", alarm.key, 3600.0, "known")
    assert form.about is not None
    stands = [form.about(a_view(alarms=each)) for each in ((alarm,), (), (an_alarm(shelved_s=60.0),))]
    assert stands == [True, False, False]


# Inventory operations


@pytest.mark.parametrize("act", OPERATIONS)
def test_one_form_serves_every_operation(act: Any) -> None:
    """The choice decides what leaves, whatever the form was opened with."""
    size = "" if act == "redeem" else "12.5"
    assert filled("merge", operation=act, shares=size) == OperatorCommand(
        act=act, market="0xfed", view_seq=7, amount=float(size or 0)
    )


@pytest.mark.parametrize("text", ["", "0", " 0 ", "0.00"])
def test_an_empty_size_and_zero_mean_all(text: str) -> None:
    assert filled("merge", shares=text).amount == 0.0


def test_what_is_likely_meant_is_proposed() -> None:
    assert proposed_operation(an_inventory()) == "merge"
    assert proposed_operation(an_inventory(pairs=shares(0))) == "split"
    assert proposed_operation(an_inventory(payout=usd(1))) == "redeem"


def test_the_form_tells_what_is_held_and_why_nothing_can_begin() -> None:
    notes = form_of("merge", a_market(), an_account()).notes
    assert notes[:2] == (
        "held 1,640 YES, 400 NO, 400 pairs", "settled and in no order 880 YES, 400 NO",
    )  # fmt: skip
    assert notes[-1] == "redeem: the market is not resolved yet"
    account = an_account(jobs_note="the relayer's quota is used up until 14:05:09 UTC")
    assert form_of("merge", a_market(), account).notes[0] == account.jobs_note


def test_a_question_about_all_rests_on_what_is_held_and_one_about_a_number_does_not() -> None:
    held, more = an_inventory(), an_inventory(pairs=shares(420))
    views = [a_view(markets=(a_market(inventory=each),)) for each in (held, more)]
    everything, some = filled("merge"), filled("merge", shares="100")
    assert subject_of(everything, views[0]) != subject_of(everything, views[1])
    assert subject_of(some, views[0]) == subject_of(some, views[1])
    begun = a_view(markets=(a_market(),), account=an_account(jobs=(a_job(job_id=99),)))
    assert subject_of(some, begun) != subject_of(some, views[0]), "another operation changes what is free"
    assert subject_of(some, a_view(markets=())) is None
