"""What leaves for the session when keys are pressed; and what never does."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events

from core.runtime.link import CommandResult
from polymm_tui.keymap import KeymapResult, builtin_keymap
from polymm_tui.operator import ACTS
from polymm_tui.screens.dialogs import LeaderScreen
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.help import HelpScreen
from polymm_tui.themes import DEFAULT_THEME, THEME_NAMES
from tests.polymm_tui.piloting import console, find, press
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, a_killed_view, a_market, a_risky_view, a_view


@pytest.mark.parametrize(
    ("key", "act"),
    [
        ("p", "pause"),
        ("d", "reduce"),
        ("w", "widen"),
        ("W", "tighten"),
        ("X", "cancel_market"),
        ("f", "flatten_stop"),
        ("R", "reset"),
    ],
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
    [
        ("p", "pause_all"),
        ("d", "reduce_all"),
        ("x", "cancel_all"),
        ("f", "flatten_stop"),
    ],
)
async def test_the_leader_key_acts_on_everything(key, act):
    async with console() as (app, link, pilot):
        await press(pilot, "!", key)
        assert link.acts == [(act, "")]
        assert not isinstance(app.screen, LeaderScreen)


# Control states


async def test_a_side_is_paused_for_a_time_with_a_reason():
    async with console(a_risky_view()) as (app, link, pilot):
        await press(pilot, "b")
        assert "now PAUSED, ask, 40s left: fill streak, by 6 fills in 30 s on the ask" in screen_text(app)
        await press(pilot, "down", "right", "down", *"15m", "down", *"news [x]", "enter")
        (command,) = link.sent
        assert (command.act, command.sides, command.for_s, command.reason) == ("pause", "bid", 900.0, "news [x]")
        assert command.market == "0xfed" and not command.preview
        assert app.screen is app.page


async def test_re_arming_is_found_in_the_palette_and_wants_word_and_reason():
    async with console(a_killed_view(), size=(80, 24)) as (app, link, pilot):
        await find(pilot, "re-arm")
        assert isinstance(app.screen, FormScreen)
        assert "orders: ZERO NOT PROVEN: sent 2, confirmed 21, left 3, unknown 1" in screen_text(app)
        await press(pilot, *"REARM", "enter")
        assert link.acts == [] and "say in a few words" in screen_text(app)
        await press(pilot, *"venue answered", "enter")
        assert link.acts == [("rearm", "")]
        assert link.sent[-1].reason == "venue answered"


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
    async with console(size=(120, 120)) as (app, link, pilot):
        await press(pilot, "?")
        assert isinstance(app.screen, HelpScreen)
        shown = screen_text(app)
        assert "Stop quoting this market and cancel its orders." in shown
        assert "cancel all" in shown and "! x" in shown
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
        assert "cancel market: Fed cuts rates in December?" in shown


@pytest.mark.parametrize("foreign", HOSTILE, ids=HOSTILE_IDS)
async def test_toasts_survive_foreign_text(foreign):
    link = FakeLink(result=CommandResult(False, foreign))
    markets = (a_market(title=foreign),)
    async with console(a_view(markets=markets), link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "p", "F", "n", "j")
        app.show(a_view(seq=9, markets=markets))
        await pilot.pause()
        assert app.is_running
        assert len(link.acts) == 1


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


async def test_the_themes_go_round():
    async with console() as (app, _, pilot):
        seen = []
        for _ in THEME_NAMES:
            seen.append(app.theme)
            await pilot.app.run_action("app.next_theme")
        assert sorted(seen) == sorted(THEME_NAMES)
        assert app.theme == DEFAULT_THEME


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
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_legal_permutation_of_keys_triggers_the_right_acts(keymap):
    import asyncio

    async def run() -> None:
        async with console(keymap=keymap, size=(80, 24)) as (app, link, pilot):
            key = {identity: keys[0] for identity, keys in keymap.keys.items() if keys}
            for act in ACTS:
                if act.scope == "main" and act.command and act.friction == "none" and act.id != "order.cancel":
                    await press(pilot, key[act.id])
            for identity in ("market.flatten", "market.resume"):
                await press(pilot, key[identity], key["confirm.yes"])
            for identity in ("all.pause", "all.cancel"):
                await press(pilot, key["app.leader"], key[identity])
            await press(pilot, key["app.leader"], key["all.kill"], key["kill.again"])
            assert [act for act, _ in link.acts] == [
                "pause", "reduce", "widen", "tighten", "cancel_market", "flatten_stop", "reset", "flatten", "resume",
                "pause_all", "cancel_all",
            ]  # fmt: skip
            assert len(link.kills) == 1
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
