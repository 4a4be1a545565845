"""Acts with figures: fields, what they would do, and only then the act."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from textual import events

from core.runtime.link import CommandResult
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.screens.dialogs import KillScreen
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.question import ConfirmScreen
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, a_reasoned_market, a_view, some_settings, with_title

PREVIEW = "2 of 6 orders would be re-quoted, 4 stay\nbid 41.3 -> 41.2, 300 sh"


class Clock:
    """Seconds that pass between two looks."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def a_page():
    first, *rest = a_view().markets
    return a_view(markets=(a_reasoned_market(market=first.market, title=first.title), *rest))


@asynccontextmanager
async def console(view=None, link=None, size=(120, 36)):
    link = link or FakeLink(result=CommandResult(True, PREVIEW))
    app = ConsoleApp(link, builtin_keymap(), fps=0, clock=Clock())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.show(view or a_page())
        await pilot.pause()
        yield app, link, pilot


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def test_nothing_is_done_before_the_question_is_answered():
    async with console() as (app, link, pilot):
        await press(pilot, "a", "backspace", "4", "tab", "6", "0", "enter")
        assert [(command.act, command.amount, command.half_life_s, command.preview) for command in link.sent] == [
            ("widen", 4.0, 60.0, True)
        ]
        assert isinstance(app.screen, ConfirmScreen)
        shown = screen_text(app)
        assert "2 of 6 orders would be re-quoted, 4 stay" in shown and "bid 41.3 -> 41.2, 300 sh" in shown
        await press(pilot, "enter")
        assert isinstance(app.screen, FormScreen) and len(link.sent) == 1, "the safe answer is marked"
        await press(pilot, "enter", "y")
        assert app.screen is app.page
        assert [command.preview for command in link.sent] == [True, True, False]
        assert (link.sent[-1].act, link.sent[-1].market, link.sent[-1].view_seq) == ("widen", "0xfed", 7)


@pytest.mark.parametrize(
    ("keys", "act", "fields"),
    [
        (("s", "minus", "2"), "shift", {"amount": -2.0}),
        (("o", "right"), "one_side", {"sides": "ask"}),
        (("S", "backspace", "2"), "size", {"amount": 0.2}),
        (("e", "right", "right", "down", *"k_vol=3"), "set", {"profile": "coarse", "changes": (("k_vol", "3"),)}),
        (("a", "backspace", "minus", "3"), "tighten", {"amount": 3.0}),
        (("a", "3"), "widen", {"amount": 3.0}),  # in place of the 1 that stands there
    ],
)
async def test_every_form_sends_its_act(keys, act, fields):
    async with console() as (_, link, pilot):
        await press(pilot, *keys, "enter", "y")
        assert [command.act for command in link.sent] == [act, act]
        assert {name: getattr(link.sent[-1], name) for name in fields} == fields


@pytest.mark.parametrize(
    ("keys", "act", "amount"),
    [
        (("i",), "merge", 0.0),  # there are pairs: all of them
        (("i", "tab", *"12.5"), "merge", 12.5),
        (("i", "right", "down", *"250"), "split", 250.0),
        (("i", "right", "right"), "redeem", 0.0),
        (("i", "right", "right", "right", "down", *"80"), "convert", 80.0),
    ],
)
async def test_operations_on_the_inventory_are_shown_and_then_asked_for(keys, act, amount):
    shown_first = "merge 400: cash +400 dollars, YES -400, NO -400; by relayer; free afterwards: 1,240 YES"
    async with console(link=FakeLink(result=CommandResult(True, shown_first))) as (app, link, pilot):
        await press(pilot, *keys, "enter")
        assert isinstance(app.screen, ConfirmScreen) and "cash +400 dollars" in screen_text(app)
        await press(pilot, "y")
        assert [(each.act, each.market, each.amount, each.preview) for each in link.sent] == [
            (act, "0xfed", amount, True), (act, "0xfed", amount, False),
        ]  # fmt: skip


async def test_escape_leaves_the_inventory_as_it_is():
    async with console() as (app, link, pilot):
        await press(pilot, "i", "tab", *"250", "escape")
        assert app.screen is app.page and link.sent == []


async def test_an_operation_that_cannot_be_done_says_why_in_the_form():
    link = FakeLink(result=CommandResult(False, "merge: no pairs: 0 are free; 880 YES settled, 400 of them in sells"))
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "i", "enter")
        assert isinstance(app.screen, FormScreen) and "no pairs: 0 are free" in screen_text(app)


async def test_the_question_about_all_closes_when_more_is_held():
    async with console() as (app, link, pilot):
        await press(pilot, "i", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        first, *rest = a_page().markets
        held = msgspec.structs.replace(first.inventory, pairs=first.inventory.pairs + 1)
        app.show(a_view(seq=8, markets=(msgspec.structs.replace(first, inventory=held), *rest)))
        await pilot.pause()
        assert isinstance(app.screen, FormScreen) and [command.preview for command in link.sent] == [True]


async def test_keys_that_come_in_one_packet_act_in_their_order():
    """A terminal far away sends a field's key and the digits after it together: they belong to the next field."""
    async with console() as (app, _, pilot):
        await press(pilot, "i")
        for key in ("right", "down", "1", "0", "backspace", "5"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        assert app.screen.texts == {"operation": "split", "shares": "15"}


async def test_reset_needs_no_figures():
    async with console() as (_, link, pilot):
        await press(pilot, "R")
        assert link.acts == [("reset", "0xfed")]


async def test_a_wrong_field_is_told_and_nothing_is_sent():
    async with console() as (app, link, pilot):
        await press(pilot, "a", *"99", "enter")
        assert link.sent == [] and isinstance(app.screen, FormScreen)
        assert "▲ wants a number -40 .. 40" in screen_text(app)
        await press(pilot, "backspace", "backspace")
        assert "wants a number -40" not in screen_text(app)


async def test_a_refusal_of_the_session_stays_in_the_form():
    link = FakeLink(result=CommandResult(False, "operator: k_vool: unknown setting 'k_vool'; did you mean k_vol?"))
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "e", "down", *"k_vool=3", "enter")
        assert isinstance(app.screen, FormScreen)
        assert "did you mean k_vol?" in screen_text(app)
        assert "pgdn" not in screen_text(app), "the sheet has grown with its text"
        assert app.screen.texts["changes"] == "k_vool=3"


async def test_an_answer_to_a_form_that_was_left_asks_nothing():
    link = FakeLink(result=CommandResult(True, PREVIEW))
    link.answers_at_once = False
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "a", "enter", "escape")
        link.futures[0].set_result(link.result)
        await pilot.pause()
        assert app.screen is app.page


async def test_an_answer_below_the_kill_question_waits_for_nobody():
    link = FakeLink(result=CommandResult(True, PREVIEW))
    link.answers_at_once = False
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "a", "enter", "f12")
        link.futures[0].set_result(link.result)
        await pilot.pause()
        assert isinstance(app.screen, KillScreen)
        await press(pilot, "f12")
        assert len(link.kills) == 1


async def test_letters_that_are_keys_elsewhere_are_typed():
    async with console() as (app, link, pilot):
        await press(pilot, "e", "tab", *"pq!?Xx")
        assert app.screen.texts["changes"] == "pq!?Xx"
        assert link.sent == []


async def test_what_is_no_figure_is_refused_and_never_made_into_another():
    """A comma that is dropped turns half into five times."""
    async with console() as (app, _, pilot):
        await press(pilot, "a", *"x7y", "space")
        app.screen.post_message(events.Paste("8\n9z"))
        await pilot.pause()
        assert app.screen.texts["ticks"] == "x7y 8 9z"
        await press(pilot, "enter")
        assert isinstance(app.screen, FormScreen) and "wants a number" in screen_text(app)


async def test_the_mark_goes_to_the_field_that_is_wrong():
    async with console() as (app, link, pilot):
        await press(pilot, "S", *"0,5", "tab", *"1m", "enter")
        assert link.sent == [] and "wants a number 0 .. 5, not '0,5'" in screen_text(app)
        await press(pilot, "backspace", "backspace", "backspace", *"0.5", "enter")
        assert [command.amount for command in link.sent] == [0.5]


async def test_the_question_closes_when_the_grid_changes_under_it():
    async with console() as (app, link, pilot):
        await press(pilot, "a", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        rest = a_page().markets[1:]
        app.show(a_view(seq=8, markets=(a_reasoned_market(tick_text="0.01", grid_k=100, decimals=2), *rest)))
        await pilot.pause()
        assert isinstance(app.screen, FormScreen) and [command.preview for command in link.sent] == [True]


async def test_a_long_preview_leaves_the_answers_in_sight():
    text = "\n".join(f"line {number}" for number in range(40))
    async with console(link=FakeLink(result=CommandResult(True, text)), size=(80, 24)) as (app, _, pilot):
        await press(pilot, "a", "enter")
        shown = screen_text(app)
        assert "and 28 lines more" in shown and "y  do it" in shown and "n  back to the form" in shown


@pytest.mark.parametrize("text", HOSTILE, ids=HOSTILE_IDS)
async def test_foreign_texts_do_not_break_forms(text):
    link = FakeLink(result=CommandResult(True, text))
    view = with_title(text)
    async with console(view, link, size=(80, 24)) as (app, _, pilot):
        await press(pilot, "e", "tab", *"a=1", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        await press(pilot, "n")
        link.result = CommandResult(False, text)
        await press(pilot, "enter")
        assert isinstance(app.screen, FormScreen)
        await press(pilot, "escape")
        assert app.screen is app.page


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_forms_fit_every_size(size):
    notes = tuple(some_settings()[0] for _ in range(40))
    view = a_view(markets=(a_reasoned_market(settings=notes),))
    async with console(view, size=size) as (app, _, pilot):
        for key in ("a", "s", "o", "S", "e", "i"):
            await press(pilot, key)
            shown = screen_text(app)
            assert "esc: back" in shown
            assert max(len(line) for line in shown.splitlines()) <= size[0]
            await press(pilot, "escape")


async def test_forms_need_a_market():
    async with console(a_view(markets=())) as (app, link, pilot):
        await press(pilot, "a", "s", "o", "S", "e", "R")
        assert app.screen is app.page and link.sent == []
