"""A session that is not heard of: the page says that it is old, acts say at once that nobody answers."""

import pytest

from core.events import OperatorCommand
from core.runtime.link import CommandResult
from polymm_tui.console.results import LOST_S
from polymm_tui.console.waiting import SLOW_S, Waiting
from tests.polymm_tui.piloting import console, press, settle
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_view

SIZES = [(80, 24), (120, 36), (200, 60)]


def unanswering():
    link = FakeLink()
    link.answers_at_once = False
    return link


@pytest.mark.parametrize("size", SIZES)
async def test_every_pane_says_that_it_is_old_and_is_drawn_muted(size):
    async with console(size=size) as (app, _, pilot):
        app.show_health(8.0, "")
        await settle(pilot)
        assert "[1] OLD 8s · Markets" in screen_text(app)
        assert app.page.has_class("-old") and app.page.panes.markets.styles.opacity < 1.0
        app.show_health(0.0, "")
        await settle(pilot)
        assert "OLD" not in screen_text(app) and app.page.panes.markets.styles.opacity == 1.0


@pytest.mark.parametrize("key", ["r", "W", "F", "S", "e"])
async def test_what_opens_something_is_refused_with_the_reason_at_once(key):
    async with console(link=unanswering(), notifications=True) as (app, link, pilot):
        app.show_health(8.0, "")
        await press(pilot, key)
        await settle(pilot)
        assert link.sent == [] and app.screen is app.page
        assert "does not answer, what is shown is 8s old" in " ".join(screen_text(app).split())


async def test_what_opens_something_is_dimmed_and_what_stops_is_not():
    async with console() as (app, _, pilot):
        app.show_health(8.0, "")
        await settle(pilot)
        states = {active.binding.id: active.enabled for active in app.screen.active_bindings.values()}
        assert not states["market.resume"] and not states["market.flatten"]
        assert states["market.pause"] and states["order.cancel"] and states["app.kill"] and states["market.widen"]


async def test_a_stop_pressed_then_is_sent_and_the_silence_is_said_at_once():
    async with console(link=unanswering(), notifications=True) as (app, link, pilot):
        app.show_health(8.0, "")
        await press(pilot, "p")
        app.tell_waiting(app._clock())
        await settle(pilot)
        assert link.acts == [("pause", "0xfed")]
        assert "asked; the session has not answered yet" in screen_text(app)


async def test_what_goes_out_names_the_view_on_show_when_it_goes_out():
    """A question is followed by views: its yes is not the yes of the view on which the key was pressed."""
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        app.show(a_view(seq=60))
        await press(pilot, "y")
        assert [each.view_seq for each in link.sent] == [7, 60]


def test_an_answer_that_is_late_is_said_once_and_a_prompt_one_never():
    waiting = Waiting()
    first = waiting.sent("widen: X", OperatorCommand(act="widen"), 10.0)
    waiting.sent("pause: X", OperatorCommand(act="pause"), 10.0)
    waiting.answered(first)
    assert waiting.news(10.0 + SLOW_S / 2, 0.0) == []
    (told,) = waiting.news(10.01 + SLOW_S, 0.0)
    assert (told.title, told.text) == ("pause: X", "asked; the session has not answered yet")
    assert waiting.news(11.0, 1.0) == []


def test_without_a_word_the_outcome_is_called_unknown_once():
    waiting = Waiting()
    waiting.sent("widen: X", OperatorCommand(act="widen"), 10.0)
    waiting.sent("pause: X", OperatorCommand(act="pause"), 10.0)  # Outcomes tells of this one
    assert len(waiting.news(10.1, 3.0)) == 2
    (told,) = waiting.news(10.01 + LOST_S, LOST_S)
    assert told.title == "widen: X" and told.text.startswith("unknown: the session has not answered")
    assert waiting.news(99.0, 99.0) == []


async def test_an_answer_after_all_is_told():
    async with console(link=unanswering(), notifications=True) as (app, link, pilot):
        await press(pilot, "w")
        link.futures[0].set_result(CommandResult(True, "half-spread widened"))
        await settle(pilot)
        app.tell_waiting(app._clock() + 60.0)
        await settle(pilot)
        assert "half-spread widened" in screen_text(app) and "not answered" not in screen_text(app)
