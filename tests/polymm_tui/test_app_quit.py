"""Leaving: what becomes of the session is asked, and a console that only watches can do nothing to it."""

import pytest

from core.runtime.link import CommandResult
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.operator import ACTS
from polymm_tui.screens.question import ConfirmScreen
from tests.polymm_tui.piloting import console, find, press, settle
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_foreign_order, a_killed_view, a_view, an_alarm


def a_link(access, **options):
    link = FakeLink(**options)
    link.access = access
    return link


@pytest.mark.parametrize("answer", ["q", "y"])
async def test_quit_asks_once(answer):
    async with console() as (app, link, pilot):
        await press(pilot, "q")
        assert isinstance(app.screen, ConfirmScreen)
        assert "cancels 8 open orders ($1,141)" in screen_text(app)
        assert app.return_value is None
        await press(pilot, answer)
    assert app.return_value == "quit"
    assert app.return_code == 0
    assert link.acts == []


async def test_quit_says_what_stays_on_the_account():
    """ "Zero open orders" at the end speaks of ours; somebody who leaves must know of the others."""
    async with console(a_view(foreign_orders=(a_foreign_order(),) * 2)) as (app, _, pilot):
        await press(pilot, "q")
        assert "Orders on the account that are not ours stay too: 2." in screen_text(app)


async def test_a_killed_session_does_not_go_on_trading_when_it_is_not_quit():
    async with console(a_killed_view()) as (app, _, pilot):
        await press(pilot, "q")
        assert "go on watching" in screen_text(app) and "go on trading" not in screen_text(app)


async def test_quit_can_be_taken_back():
    async with console() as (app, _, pilot):
        await press(pilot, "q", "n")
        assert app.screen is app.page
        assert app.is_running


# Of another process's session


async def test_a_console_of_another_process_detaches_unless_told_otherwise():
    """The safe answer is marked: the session goes on."""
    async with console(link=a_link("attached")) as (app, link, pilot):
        await press(pilot, "q")
        shown = screen_text(app)
        assert "the session goes on trading without this console" in shown
        assert "cancels 8 open orders ($1,141)" in shown
        assert "q  detach" in shown and "y  stop the session" in shown and "n  stay here" in shown
        await press(pilot, "enter")
    assert app.return_value == "detached" and link.sent == []


async def test_the_key_that_asks_detaches():
    async with console(link=a_link("attached")) as (app, link, pilot):
        await press(pilot, "q", "q")
    assert app.return_value == "detached" and link.sent == []


@pytest.mark.parametrize("keys", [("y",), ("tab", "enter")])
async def test_another_processs_session_is_stopped_after_a_yes_and_seen_to_its_end(keys):
    link = a_link("attached", result=CommandResult(True, "stopping"))
    app = ConsoleApp(link, builtin_keymap(), fps=50)
    link.view = a_view()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await press(pilot, "q")
        app.screen._opened -= 1.0  # it has stood a moment
        await press(pilot, *keys)
        assert link.acts == [("stop", "")] and app.return_value is None, "its end is waited for"
        link.ended = True
        for _ in range(100):
            if app.return_value is not None:
                break
            await pilot.pause(0.02)
    assert app.return_value == "ended"


@pytest.mark.parametrize("keys", [("n",), ("escape",), ("z",), ("tab", "tab", "enter")])
async def test_leaving_another_processs_session_can_be_taken_back(keys):
    async with console(link=a_link("attached")) as (app, link, pilot):
        await press(pilot, "q", *keys)
        assert app.screen is app.page and app.is_running and link.sent == []


# Watching


async def test_a_console_that_only_watches_leaves_at_once():
    async with console(link=a_link("watching")) as (app, link, pilot):
        await press(pilot, "q")
    assert app.return_value == "detached" and link.sent == []


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_no_key_of_a_console_that_only_watches_does_anything_to_the_session(size):
    """Every act of the table that changes the session, by its own key; each is dimmed and answered with words."""
    link = a_link("watching")
    async with console(a_view(alarms=(an_alarm(),)), link=link, size=size, notifications=True) as (app, _, pilot):
        states = {active.binding.id: active.enabled for active in app.screen.active_bindings.values()}
        for act in ACTS:
            if act.command is None or act.id == "app.quit" or act.scope not in ("app", "main"):
                continue
            for key in act.keys:
                assert not states[act.id], act.id
                await press(pilot, key)
                await settle(pilot)
                assert app.screen is app.page, act.id
                assert "only watches" in screen_text(app), act.id
                app.clear_notifications()
        for act in ACTS:
            if act.scope == "leader" and act.command is not None:
                await press(pilot, "!", act.keys[0], "escape")
                await press(pilot, *["escape"] * (len(app.screen_stack) - 1))
        await press(pilot, "f12", "f12")
        assert link.sent == [] and link.kills == []


async def test_the_palette_of_a_console_that_only_watches_changes_nothing():
    async with console(link=a_link("watching"), notifications=True) as (app, link, pilot):
        await find(pilot, "re-arm")
        await press(pilot, *["escape"] * (len(app.screen_stack) - 1))
        assert link.sent == []


async def test_looking_works_in_a_console_that_only_watches():
    async with console(link=a_link("watching")) as (app, _link, pilot):
        await press(pilot, "j", "6")
        assert app.page.market.market == "0xrain" and "why" in app.page.shown
        await press(pilot, "?")
        assert app.screen is not app.page
