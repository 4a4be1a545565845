"""KILL is one chord away from everywhere: behind dialogs, inside inputs, before the first view, over a dead session."""

import asyncio
import threading

import pytest
from hypothesis import HealthCheck, given, settings

from core.clock import SystemClock
from core.kill.switch import KillSwitch
from core.runtime.host import SessionHost
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.screens.dialogs import KillScreen
from tests.polymm_tui.piloting import console, press, settle
from tests.polymm_tui.test_app_keys import keymaps
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_foreign_order, a_guarded_kill, a_kill, a_proven_kill, a_view, an_alarm


async def test_kill_needs_two_keys():
    async with console() as (app, link, pilot):
        await press(pilot, "!", "k")
        assert isinstance(app.screen, KillScreen)
        assert link.kills == []
        await press(pilot, "k")
        assert link.kills == ["the operator's key"]


async def test_the_kill_key_works_alone_and_twice():
    async with console() as (app, link, pilot):
        await press(pilot, "f12")
        assert link.kills == []
        await press(pilot, "f12")
        assert len(link.kills) == 1 and link.sent == []
        assert app.screen is app.page


WAYS = {
    "help": ("?",),
    "leader menu": ("!",),
    "question": ("F",),
    "question about quitting": ("q",),
    "palette": ("ctrl+p",),
    "palette, typing": ("ctrl+p", *"widen"),
    "form": ("b",),
    "form, inside a field": ("a", "down", *"5m"),
    "typed word": ("!", "F", *"FLAT"),
    "filter entry": ("/",),
    "filter entry, typing": ("/", *"fed"),
    "shelving an alarm": ("Z", "down", *"known"),
}
"""Keys that lead where something else takes the keys."""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_kill_key_works_through_everything_that_takes_keys(way, size):
    async with console(a_view(alarms=(an_alarm(),)), size=size) as (app, link, pilot):
        await press(pilot, *way)
        assert app.screen is not app.page
        await press(pilot, "f12", "f12")
        assert len(link.kills) == 1 and link.acts == []


@pytest.mark.parametrize("pane", [*"1234567890", "h", "t", "m", "l", "u", "g"])
async def test_the_kill_key_works_in_every_pane(pane):
    async with console(size=(80, 24)) as (_app, link, pilot):
        await press(pilot, pane, "f12", "k")
        assert len(link.kills) == 1


async def test_both_halves_in_one_packet_kill():
    """A slow line brings both keys together."""
    async with console() as (_app, link, pilot):
        await pilot.press("!", "k", "k")
        await settle(pilot)
        assert len(link.kills) == 1


@pytest.mark.parametrize("access", ["own", "attached"])
async def test_the_kill_key_works_wherever_the_session_is(access):
    link = FakeLink()
    link.access = access
    async with console(link=link) as (_app, _, pilot):
        await press(pilot, "f12", "f12")
        assert len(link.kills) == 1


async def test_a_console_that_only_watches_names_the_command_that_kills():
    link = FakeLink()
    link.access = "watching"
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "f12", "f12", "!", "k")
        await settle(pilot)
        assert link.kills == [] and "polymm-tui kill" in screen_text(app)


async def test_the_second_half_says_how_much_goes_and_how_long_it_waits():
    async with console(a_view(foreign_orders=(a_foreign_order(),) * 2)) as (app, _, pilot):
        await press(pilot, "f12")
        shown = screen_text(app)
        assert "8 open orders of ours ($1,141), and 2 orders not ours" in shown
        assert "Positions stay as they are" in shown and "closes in 2s" in shown


@given(keymap=keymaps())
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_key_map_takes_the_kill_key_away(keymap):
    """Whatever else a map moves, the chord works from the page, from a form and from a question."""

    async def run() -> None:
        key = {identity: keys[0] for identity, keys in keymap.keys.items() if keys}
        assert key["app.kill"] and len(key["app.kill"]) > 1, "no character: it works inside inputs"
        for way in ((), (key["market.adjust"],), (key["market.flatten"],), (key["app.leader"],)):
            async with console(keymap=keymap, size=(80, 24)) as (_, link, pilot):
                await press(pilot, *way, key["app.kill"], key["kill.again"])
                assert len(link.kills) == 1, way
                assert link.acts == []

    asyncio.run(run())


async def test_kill_can_be_left():
    async with console() as (app, link, pilot):
        await press(pilot, "f12", "escape")
        await press(pilot, "f12", "x")
        assert app.screen is app.page
        assert link.kills == link.acts == []


async def test_kill_and_stopping_work_before_the_first_view():
    link = FakeLink()
    app = ConsoleApp(link, builtin_keymap(), fps=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "starting …" in screen_text(app)
        await press(pilot, "p", "F", "f12", "k", "!", "x")
        assert len(link.kills) == 1
        assert screen_text(app).startswith(" starting … │ KILLED  ZERO NOT PROVEN")
        assert link.acts == [("cancel_all", "")]
        assert [command.view_seq for command in link.sent] == [0]


async def test_a_kill_shows_its_report_though_the_session_hangs():
    """No view comes any more; what the switch itself says is drawn, and what was sent is never called done."""
    async with console() as (app, link, pilot):
        await press(pilot, "f12", "f12")
        assert "KILLED  ZERO NOT PROVEN  no report yet" in screen_text(app)
        link.kill_view = a_kill()
        app.show(a_view())
        await pilot.pause()
        assert "KILLED  ZERO NOT PROVEN  sent 2, confirmed 21, left 3, unknown 1" in screen_text(app)
        link.kill_view = a_proven_kill()
        app.show(a_view())
        await pilot.pause()
        assert "KILLED  ZERO PROVEN  sent 2, confirmed 25, left 0, unknown 0" in screen_text(app)


async def test_a_switch_that_was_not_pulled_is_not_said_to_be():
    link = FakeLink()
    link.kill_view = a_guarded_kill()
    link.kill = lambda reason: None
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "f12", "f12")
        assert "The kill switch did not answer" in screen_text(app)
        assert "KILLED" not in screen_text(app)


async def test_kill_works_while_the_session_hangs(tmp_path):
    """The real link over a session's thread that never comes to its loop: the gate is shut at once all the same."""
    tmp_path.chmod(0o700)
    hangs = threading.Event()

    def make():
        hangs.wait()
        raise RuntimeError("the test is over")

    switch = KillSwitch.open(tmp_path, SystemClock())
    host = SessionHost(make, switch)
    host.start()
    try:
        app = ConsoleApp(host, builtin_keymap(), fps=0)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await press(pilot, "f12", "f12")
            assert switch.is_closed
            assert switch.killed.reason == "the operator's key"
            assert screen_text(app).startswith(" starting … │ KILLED  ZERO NOT PROVEN  no report yet")
    finally:
        hangs.set()
        assert host.wait(10)
        switch.close()
