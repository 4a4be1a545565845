"""What leaves for the session when keys are pressed; and what never does."""

import threading
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot

from core.clock import SystemClock
from core.kill.switch import KillSwitch
from core.runtime.host import SessionHost
from core.runtime.link import CommandResult
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import KeymapResult, builtin_keymap
from polymm_tui.operator import ACTS
from polymm_tui.screens.dialogs import ConfirmScreen, FormScreen, HelpScreen, KillScreen, LeaderScreen
from tests.widgets.harness import PREVIEW, FakeLink, screen_text
from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    a_foreign_order,
    a_guarded_kill,
    a_kill,
    a_killed_view,
    a_market,
    a_proven_kill,
    a_risky_view,
    a_suspect,
    a_view,
    an_inventory,
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
    [
        ("p", "pause"),
        ("d", "reduce"),
        ("r", "resume"),
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
        ("r", "resume_all"),
        ("x", "cancel_all"),
        ("s", "flatten_stop"),
        ("c", "job_confirmed"),
        ("n", "job_failed"),
    ],
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


@pytest.mark.parametrize("opener", ["?", "!", "F", "q", "ctrl+p", "b"])
async def test_the_kill_key_works_through_every_dialog(opener):
    async with console() as (app, link, pilot):
        await press(pilot, opener)
        assert app.screen is not app.page
        await press(pilot, "f12", "f12")
        assert len(link.kills) == 1


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


# Flattening


async def test_flatten_shows_its_preview_and_the_safe_answer_is_marked():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        assert [(each.act, each.market, each.preview) for each in link.sent] == [("flatten", "0xfed", True)]
        assert isinstance(app.screen, ConfirmScreen)
        shown = screen_text(app)
        assert "Flatten: Fed cuts rates in December?" in shown
        assert all(line in shown for line in PREVIEW.split("\n"))
        await press(pilot, "enter")
        assert link.acts == []
        assert app.screen is app.page


@pytest.mark.parametrize("keys", [("y",), ("tab", "enter"), ("right", "enter"), ("tab", "tab", "tab", "enter")])
async def test_flatten_goes_out_after_a_yes_with_what_its_preview_gave(keys):
    async with console() as (_, link, pilot):
        await press(pilot, "F", *keys)
        assert link.acts == [("flatten", "0xfed")]
        assert link.sent[-1].confirm == "token-1"


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


def changed_first(**changes):
    """The usual view, a moment later, with its first market changed."""
    first, *rest = a_view().markets
    return a_view(seq=8, markets=(msgspec.structs.replace(first, **changes), *rest))


@pytest.mark.parametrize(
    "changes",
    [
        {"inventory": an_inventory(yes=shares(1641))},
        {"inventory": an_inventory(no=shares(399))},
        {"bids": a_market().bids[2:]},
        {"asks": a_market().asks[2:]},
        {"bids": ()},
        {"data": a_suspect()},
        {"tick_text": "0.01"},
    ],
    ids=["yes", "no", "bid", "ask", "no bids", "unproven", "tick"],
)
async def test_the_question_closes_when_what_its_preview_rests_on_has_moved(changes):
    """A cost that was shown for another position, another touch or a proven book is no answer any more."""
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        app.show(changed_first(**changes))
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == []


async def test_the_question_stays_while_the_touch_moves_by_a_tick():
    async with console() as (app, _, pilot):
        await press(pilot, "F")
        app.show(changed_first(bids=a_market().bids[1:]))
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_question_closes_when_its_time_is_over_but_not_below_the_kill_dialog():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        question = app.screen
        app.expire_dialog(50.0)
        await press(pilot, "f12")
        app.expire_dialog(59.0)
        app.expire_dialog(60.9)
        assert isinstance(app.screen, KillScreen)
        app.expire_dialog(61.0)
        await pilot.pause()
        assert app.screen is question
        app.expire_dialog(61.1)
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == [] and link.kills == []


async def test_a_refused_preview_is_told_and_asks_nothing():
    link = FakeLink(result=CommandResult(False, "nothing is held here"))
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "F", "y")
        assert link.acts == []
        assert app.screen is app.page
        assert "nothing is held here" in screen_text(app)


async def test_a_preview_that_comes_while_something_else_is_asked_asks_nothing():
    link = FakeLink()
    link.answers_at_once = False
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "F", "q")
        question = app.screen
        link.futures[0].set_result(link.preview)
        await pilot.pause()
        assert app.screen is question
        await press(pilot, "y")
    assert link.acts == []


async def test_flatten_all_wants_its_word_typed():
    """The largest act of all: no key, however often it is hit, does it."""
    async with console() as (app, link, pilot):
        await press(pilot, "!", "f")
        assert isinstance(app.screen, FormScreen)
        assert all(line in screen_text(app) for line in PREVIEW.split("\n"))
        await press(pilot, "enter", *"flatten", "enter")
        assert link.acts == [] and "type FLATTEN in capitals" in screen_text(app)
        await press(pilot, *["backspace"] * 7, *"FLATTEN", "enter")
        assert link.acts == [("flatten_all", "")]
        assert link.sent[-1].confirm == "token-1"
        assert app.screen is app.page


async def test_flatten_all_that_is_refused_shows_what_holds_now_and_keeps_the_word():
    """Positions of a market that trades move while the word is typed: nobody should have to begin anew."""
    link = FakeLink(result=CommandResult(False, "a position has moved; ask again"))
    link.preview = CommandResult(True, PREVIEW, confirm="token-1")
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "!", "f", *"FLATTEN")
        link.preview = CommandResult(True, "Close 1,300 YES.", confirm="token-2")
        await press(pilot, "enter")
        await pilot.pause()
        assert isinstance(app.screen, FormScreen)
        assert "a position has moved; ask again" in screen_text(app)
        assert "Close 1,300 YES." in screen_text(app) and "Close 1,240 YES" not in screen_text(app)
        link.result = CommandResult(True, "flattening 1 market")
        await press(pilot, "enter")
        assert [command.confirm for command in link.sent if not command.preview] == ["token-1", "token-2"]
        assert app.screen is app.page


async def test_a_form_that_is_refused_says_why_and_stays():
    link = FakeLink(result=CommandResult(False, "there is no such market"))
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "b", "enter")
        assert isinstance(app.screen, FormScreen)
        assert "there is no such market" in screen_text(app)


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
        await press(pilot, "ctrl+p", *"re-arm")
        await app.workers.wait_for_complete()
        await press(pilot, "enter")
        await pilot.pause()
        assert isinstance(app.screen, FormScreen)
        assert "orders: ZERO NOT PROVEN: sent 2, confirmed 21, left 3, unknown 1" in screen_text(app)
        await press(pilot, *"REARM", "enter")
        assert link.acts == [] and "say in a few words" in screen_text(app)
        await press(pilot, *"venue answered", "enter")
        assert link.acts == [("rearm", "")]
        assert link.sent[-1].reason == "venue answered"


# Kill


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
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_legal_permutation_of_keys_triggers_the_right_acts(keymap):
    import asyncio

    async def run() -> None:
        async with console(keymap=keymap, size=(80, 24)) as (app, link, pilot):
            key = {identity: keys[0] for identity, keys in keymap.keys.items() if keys}
            for act in ACTS:
                if act.scope == "main" and act.command and act.friction == "none":
                    await press(pilot, key[act.id])
            await press(pilot, key["market.flatten"], key["confirm.yes"])
            for identity in ("all.pause", "all.resume", "all.cancel"):
                await press(pilot, key["app.leader"], key[identity])
            await press(pilot, key["app.leader"], key["all.kill"], key["kill.again"])
            assert [act for act, _ in link.acts] == [
                "pause", "reduce", "resume", "widen", "tighten", "cancel_market", "flatten_stop", "reset", "flatten",
                "pause_all", "resume_all", "cancel_all",
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
