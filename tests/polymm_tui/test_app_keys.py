"""What leaves for the session when keys are pressed; and what never does."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot

from core.runtime.link import CommandResult
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import KeymapResult, builtin_keymap
from polymm_tui.operator import ACTS
from polymm_tui.screens.dialogs import ConfirmScreen, HelpScreen, KillScreen, LeaderScreen
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    a_foreign_order,
    a_market,
    a_view,
    an_inventory,
    flat_inventory,
    shares,
)


class Clock:
    """Seconds that move when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@asynccontextmanager
async def console(view=None, keymap=None, size=(120, 36), link=None, clock=None, **options):
    """A running console that has drawn a view, its link, and a pilot."""
    link = link or FakeLink()
    app = ConsoleApp(link, keymap or builtin_keymap(), fps=0, clock=clock or Clock())
    async with app.run_test(size=size, **options) as pilot:
        await pilot.pause()
        app.show(view or a_view())
        await pilot.pause()
        yield app, link, pilot


async def press(pilot: Pilot, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


@pytest.mark.parametrize(
    ("key", "act"),
    [("p", "pause"), ("r", "resume"), ("w", "widen"), ("W", "tighten"), ("X", "cancel_market"), ("R", "reset")],
)
async def test_a_market_key_sends_its_command_with_the_view_it_was_decided_on(key, act):
    async with console() as (_, link, pilot):
        await press(pilot, key)
        assert link.acts == [(act, "0xfed")]
        assert link.sent[0].view_seq == 7


async def test_commands_go_to_the_selected_market():
    async with console() as (_, link, pilot):
        await press(pilot, "j", "p", "down", "p", "k", "p", "up", "up", "up", "p")
        assert [market for _, market in link.acts] == ["0xrain", "0xsenate", "0xrain", "0xfed"]


@pytest.mark.parametrize(
    ("key", "act"),
    [("p", "pause_all"), ("r", "resume_all"), ("x", "cancel_all"), ("d", "job_confirmed"), ("f", "job_failed")],
)
async def test_the_leader_key_acts_on_everything(key, act):
    async with console() as (app, link, pilot):
        await press(pilot, "!", key)
        assert link.acts == [(act, "")]
        assert not isinstance(app.screen, LeaderScreen)


async def test_kill_needs_two_keys():
    async with console() as (app, link, pilot):
        await press(pilot, "!", "k")
        assert isinstance(app.screen, KillScreen)
        assert link.acts == []
        await press(pilot, "k")
        assert link.acts == [("kill", "")]


async def test_the_kill_key_works_alone_and_twice():
    async with console() as (app, link, pilot):
        await press(pilot, "f12")
        assert link.acts == []
        await press(pilot, "f12")
        assert link.acts == [("kill", "")]
        assert app.screen is app.page


@pytest.mark.parametrize("opener", ["?", "!", "F", "q", "ctrl+p"])
async def test_the_kill_key_works_through_every_dialog(opener):
    async with console() as (app, link, pilot):
        await press(pilot, opener)
        assert app.screen is not app.page
        await press(pilot, "f12", "f12")
        assert link.acts == [("kill", "")]


async def test_kill_can_be_left():
    async with console() as (app, link, pilot):
        await press(pilot, "f12", "escape")
        await press(pilot, "f12", "x")
        assert app.screen is app.page
        assert link.acts == []


async def test_kill_and_stopping_work_before_the_first_view():
    link = FakeLink()
    app = ConsoleApp(link, builtin_keymap(), fps=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "starting …" in screen_text(app)
        await press(pilot, "p", "F", "f12", "k", "!", "x")
        assert link.acts == [("kill", ""), ("cancel_all", "")]
        assert [command.view_seq for command in link.sent] == [0, 0]


async def test_flatten_asks_and_the_safe_answer_is_marked():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        assert isinstance(app.screen, ConfirmScreen)
        shown = screen_text(app)
        assert "Flatten: Fed cuts rates in December?" in shown
        assert "Close 1,240 YES shares, average 40.96c, $512.12 at risk." in shown
        await press(pilot, "enter")
        assert link.acts == []
        assert app.screen is app.page


@pytest.mark.parametrize("keys", [("y",), ("tab", "enter"), ("right", "enter"), ("tab", "tab", "tab", "enter")])
async def test_flatten_goes_out_after_a_yes(keys):
    async with console() as (_, link, pilot):
        await press(pilot, "F", *keys)
        assert link.acts == [("flatten", "0xfed")]


@pytest.mark.parametrize("keys", [("n",), ("escape",), ("tab", "tab", "enter"), ("z",), ("q",), ("F",)])
async def test_flatten_stays_unsent_after_anything_else(keys):
    async with console() as (app, link, pilot):
        await press(pilot, "F", *keys)
        assert link.acts == []
        assert app.screen is app.page


async def test_a_yes_typed_before_the_question_stood_is_not_heard():
    async with console(clock=lambda: 5.0) as (app, link, pilot):
        await press(pilot, "F", "y")
        assert link.acts == []
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_question_closes_when_its_position_turns():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        short = a_market(inventory=an_inventory(net=shares(-5)))
        app.show(a_view(seq=8, markets=(short, *a_view().markets[1:])))
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == []


async def test_a_question_stays_while_its_position_only_changes_size():
    async with console() as (app, _, pilot):
        await press(pilot, "F")
        less = a_market(inventory=an_inventory(net=shares(900)))
        app.show(a_view(seq=8, markets=(less, *a_view().markets[1:])))
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_question_whose_time_is_over_waits_below_the_kill_dialog():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        question = app.screen
        await press(pilot, "f12")
        question.give_up()
        await pilot.pause()
        assert isinstance(app.screen, KillScreen)
        await press(pilot, "escape")
        assert app.screen is question
        question.give_up()
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == []


async def test_a_flat_market_is_not_flattened():
    flat = a_market(inventory=flat_inventory())
    async with console(a_view(markets=(flat,))) as (app, link, pilot):
        await press(pilot, "F", "y")
        assert link.acts == []
        assert app.screen is app.page


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


async def test_quit_can_be_taken_back():
    async with console() as (app, _, pilot):
        await press(pilot, "q", "n")
        assert app.screen is app.page
        assert app.is_running


HARMLESS = ("escape", "enter", "up", "down", "left", "right", "tab", "shift+tab", "space", "home", "end",
            "pageup", "pagedown", "backspace", "delete", "ctrl+c", "ctrl+z", "ctrl+s")  # fmt: skip


async def test_keys_of_movement_send_nothing_anywhere():
    async with console() as (app, link, pilot):
        await press(pilot, *HARMLESS)
        for opener in ("!", "?", "f12"):
            for key in ("enter", "tab", "down", "space", "ctrl+c"):
                if app.screen is app.page:
                    await press(pilot, opener)
                await press(pilot, key)
            await press(pilot, *["escape"] * (len(app.screen_stack) - 1))
        assert link.acts == []


async def test_a_paste_sends_nothing():
    async with console() as (app, link, pilot):
        app.post_message(events.Paste("pXFy!kkq"))
        await pilot.pause()
        assert link.acts == []
        assert app.screen is app.page


async def test_an_unknown_key_closes_the_leader_menu():
    async with console() as (app, link, pilot):
        await press(pilot, "!", "Z")
        assert app.screen is app.page
        await press(pilot, "!", "escape")
        assert app.screen is app.page
        assert link.acts == []


async def test_help_tells_the_live_keys_and_any_key_closes():
    async with console(size=(120, 60)) as (app, link, pilot):
        await press(pilot, "?")
        assert isinstance(app.screen, HelpScreen)
        shown = screen_text(app)
        assert "Stop quoting this market and cancel its orders." in shown
        assert "! x         cancel all" in shown
        assert shown.splitlines()[0].startswith(" DEMO")
        await press(pilot, "p")
        assert app.screen is app.page
        assert link.acts == []


async def test_help_scrolls_on_a_low_terminal():
    async with console(size=(80, 24)) as (app, _, pilot):
        await press(pilot, "?")
        before = screen_text(app)
        await press(pilot, "pagedown")
        assert screen_text(app) != before
        assert isinstance(app.screen, HelpScreen)


async def test_the_answer_is_shown_when_it_comes():
    link = FakeLink()
    link.answers_at_once = False
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "X")
        assert "6 orders cancelled" not in screen_text(app)
        link.futures[0].set_result(CommandResult(True, "6 orders cancelled [/x]"))
        await pilot.pause()
        await pilot.pause()
        shown = screen_text(app)
        assert "6 orders cancelled [/x]" in shown
        assert "cancel: Fed cuts rates in December?" in shown


@pytest.mark.parametrize("foreign", HOSTILE, ids=HOSTILE_IDS)
async def test_toasts_survive_foreign_text(foreign):
    link = FakeLink(result=CommandResult(False, foreign))
    markets = (a_market(title=foreign),)
    async with console(a_view(markets=markets), link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "p", "F", "n", "j")
        app.show(a_view(seq=9, markets=markets))
        await pilot.pause()
        assert app.is_running
        assert len(link.sent) == 1


async def test_without_a_market_its_acts_are_dimmed_and_send_nothing():
    async with console(a_view(markets=())) as (app, link, pilot):
        await press(pilot, "p", "F", "X", "j")
        assert link.acts == []
        states = {active.binding.id: active.enabled for active in app.screen.active_bindings.values()}
        assert not states["market.pause"]
        assert states["app.leader"]


async def test_nothing_is_done_to_a_market_that_cannot_be_seen():
    async with console(size=(60, 12)) as (_, link, pilot):
        await press(pilot, "p", "X", "F", "y")
        assert link.acts == []
        await press(pilot, "!", "p")
        assert link.acts == [("pause_all", "")]


async def test_the_selection_survives_a_market_that_leaves():
    async with console() as (app, link, pilot):
        await press(pilot, "j")
        app.show(a_view(seq=8, markets=a_view().markets[:1]))
        await press(pilot, "p")
        assert link.acts == [("pause", "0xfed")]


async def test_the_palette_offers_the_acts_of_the_table():
    async with console() as (_, link, pilot):
        await press(pilot, "ctrl+p")
        await press(pilot, *"widen")
        await pilot.app.workers.wait_for_complete()
        await press(pilot, "enter")
        await pilot.pause()
        assert link.acts == [("widen", "0xfed")]


async def test_the_theme_key_goes_round():
    async with console() as (app, _, pilot):
        seen = []
        for _ in range(4):
            seen.append(app.theme)
            await press(pilot, "t")
        assert seen == ["polymm-dark", "polymm-light", "polymm-contrast", "polymm-mono"]
        assert app.theme == "polymm-dark"


PRINTABLE = sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-*/=,.;:?!#$%&<>@_~'\"|()"))


@st.composite
def keymaps(draw):
    """A legal map: within each scope every act with a printable key gets another one."""
    keys = dict(builtin_keymap().keys)
    for scopes in (("app", "main"), ("leader",), ("kill",), ("confirm",)):
        acts = [act for act in ACTS if act.scope in scopes and any(len(key) == 1 for key in act.keys)]
        chosen = draw(st.permutations(PRINTABLE))
        for act, key in zip(acts, chosen, strict=False):
            keys[act.id] = (key, *[other for other in act.keys if len(other) > 1])
    return KeymapResult(keys, dict.fromkeys(keys, "test"), ())


@given(keymap=keymaps())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_legal_permutation_of_keys_triggers_the_right_acts(keymap):
    import asyncio

    async def run() -> None:
        async with console(keymap=keymap, size=(80, 24)) as (app, link, pilot):
            key = {identity: keys[0] for identity, keys in keymap.keys.items()}
            for act in ACTS:
                if act.scope == "main" and act.command and act.friction == "none":
                    await press(pilot, key[act.id])
            await press(pilot, key["market.flatten"], key["confirm.yes"])
            for identity in ("all.pause", "all.resume", "all.cancel"):
                await press(pilot, key["app.leader"], key[identity])
            await press(pilot, key["app.leader"], key["all.kill"], key["kill.again"])
            assert [act for act, _ in link.acts] == [
                "pause", "resume", "widen", "tighten", "cancel_market", "reset", "flatten",
                "pause_all", "resume_all", "cancel_all", "kill",
            ]  # fmt: skip
            await press(pilot, key["app.help"], "escape", key["app.quit"], key["confirm.quit"])
        assert app.return_value == "quit"

    asyncio.run(run())


async def test_a_bad_key_map_is_told_and_the_defaults_work():
    keymap = builtin_keymap(["keymap.toml:3: market.widen has the key 'p' [/x] of market.pause"])
    async with console(keymap=keymap, notifications=True) as (app, link, pilot):
        assert "keymap.toml:3: market.widen" in screen_text(app)
        await press(pilot, "p")
        assert link.acts == [("pause", "0xfed")]


async def test_commands_keep_the_view_of_the_moment():
    async with console() as (app, link, pilot):
        app.show(msgspec.structs.replace(a_view(), seq=99))
        await press(pilot, "p")
        assert link.sent[0].view_seq == 99
