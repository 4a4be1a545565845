"""The operator table and what is made from it agree."""

from typing import get_args

from core.events import Act
from polymm_tui.keymap import builtin_keymap, default_keymap_path, load_keymap
from polymm_tui.operator import ACTIVE_TOGETHER, ACTS, acts_in
from polymm_tui.screens.dialogs import KillScreen, LeaderScreen
from polymm_tui.screens.filtering import FilterScreen
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.layout import PANES
from polymm_tui.screens.main import MainScreen
from polymm_tui.screens.question import ConfirmScreen
from tests.widgets.harness import FakeLink


def test_ids_are_unique():
    assert len({act.id for act in ACTS}) == len(ACTS)


def test_every_command_of_the_session_can_be_given():
    assert {act.command for act in ACTS if act.command} | {one for act in ACTS for one in act.choices} == set(
        get_args(Act)
    )


def test_every_scope_is_in_a_set_of_keys_that_work_together():
    together = frozenset().union(*ACTIVE_TOGETHER)
    assert {act.scope for act in ACTS} == together


def test_every_act_says_what_it_does():
    assert all(act.word and act.sentence.endswith(".") for act in ACTS)


def test_stopping_is_protected_and_kill_works_everywhere():
    protected = {act.id for act in ACTS if act.protected}
    assert {"app.kill", "all.kill", "kill.again", "all.cancel", "all.pause", "app.quit", "app.help"} <= protected
    kill = next(act for act in ACTS if act.id == "app.kill")
    assert kill.priority and all(len(key) > 1 for key in kill.keys)


def test_nothing_that_trades_has_a_key_of_movement():
    dangerous = {"escape", "enter", "tab", "space", "up", "down", "left", "right", "pageup", "pagedown"}
    assert not [act.id for act in ACTS if act.command and dangerous & set(act.keys)]


def test_what_cannot_be_undone_asks_first():
    friction = {act.id: act.friction for act in ACTS if act.command}
    assert friction["market.flatten"] == "confirm"
    assert friction["all.flatten"] == friction["app.rearm"] == "typed"
    assert friction["app.kill"] == friction["all.kill"] == "chord"


def test_stopping_asks_nothing():
    friction = {act.id: act.friction for act in ACTS if act.command}
    stops = ("market.pause", "market.reduce", "market.cancel", "market.flatten_stop", "all.pause", "all.reduce",
             "all.cancel", "all.flatten_stop")  # fmt: skip
    assert {friction[identity] for identity in stops} == {"none"}


def test_what_is_rare_or_lets_trading_go_on_is_looked_for_by_its_name_and_never_hit():
    assert {act.id for act in ACTS if not act.keys} == {
        "app.rearm", "app.theme", "app.screenshot", "alarm.ack_all", "alarm.unshelve", "job.confirmed", "job.failed",
        "record.start", "record.stop",
    }  # fmt: skip


def test_friction_grows_with_what_an_act_can_do():
    """Stopping, and what one takes back with one key, asks nothing; trading on asks; all at once wants a word."""
    friction = {act.id: act.friction for act in ACTS if act.command}
    assert {friction[one] for one in ("order.cancel", "market.widen", "market.tighten", "alarm.ack")} == {"none"}
    assert {friction[one] for one in ("market.resume", "all.resume", "market.flatten", "app.quit")} == {"confirm"}
    assert {friction[one] for one in ("all.flatten", "app.rearm")} == {"typed"}
    assert friction["alarm.shelve"] == "form"


def test_capitals_and_the_leader_act_on_more_than_small_letters():
    """A small letter never acts on more than its capital: x one order, X a market, behind the leader everything."""
    keys = {act.id: act.keys for act in ACTS}
    assert keys["order.cancel"] == keys["all.cancel"] == ("x",)
    assert keys["market.cancel"] == ("X",)
    assert keys["market.flatten"] == keys["all.flatten"] == ("F",)


def test_no_default_is_a_key_that_terminals_and_multiplexers_take():
    taken = {"ctrl+a", "ctrl+b", "ctrl+c", "ctrl+q", "ctrl+s", "ctrl+z", "ctrl+backslash"}
    keys = {key for act in ACTS for key in act.keys}
    assert not keys & taken
    assert not [key for key in keys if "alt+" in key]
    assert {act.action for act in ACTS if "escape" in act.keys} <= {"back", "answer(False)"}


def test_acts_on_what_is_selected_are_those_that_are_dropped_when_the_page_moves():
    """What stops everything is never dropped."""
    aimed = {act.id for act in ACTS if act.is_aimed}
    assert {"market.pause", "market.cancel", "order.cancel", "alarm.ack", "alarm.shelve"} <= aimed
    assert not [one for one in aimed if one.startswith(("all.", "app.", "kill.", "list.", "record.", "job."))]
    assert "alarm.ack_all" not in aimed


def test_panes_have_their_own_acts_in_the_bar():
    for pane, acts in (
        ("markets", {"view.filter", "view.sort_next"}),
        ("ladder", {"order.cancel", "view.recentre", "view.finer", "view.coarser", "pane.why"}),
        ("orders", {"order.cancel", "pane.why"}),
        ("alarms", {"alarm.ack", "alarm.shelve"}),
        ("list", {"list.approve", "list.reject", "list.refresh"}),
    ):
        assert {act.id for act in ACTS if pane in act.panes} == acts
    assert {pane for act in ACTS for pane in act.panes} <= set(PANES)


def test_every_binding_of_every_screen_is_an_act_of_the_table():
    for kind, scope in (
        (MainScreen, "main"),
        (LeaderScreen, "leader"),
        (KillScreen, "kill"),
        (ConfirmScreen, "confirm"),
        (FormScreen, "form"),
        (FilterScreen, "entry"),
    ):
        assert {binding.id for binding in kind.BINDINGS} == {act.id for act in acts_in(scope) if act.keys}


def test_acts_with_figures_show_what_they_do_first():
    friction = {act.id: act.friction for act in ACTS if act.command}
    for identity in (
        "market.adjust",
        "market.shift",
        "market.one_side",
        "market.size",
        "market.set",
        "market.inventory",
    ):
        assert friction[identity] == "form"


async def test_textual_adds_no_key_of_its_own():
    from polymm_tui.app import ConsoleApp

    app = ConsoleApp(FakeLink(), builtin_keymap(), fps=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert {active.binding.id for active in app.screen.active_bindings.values()} <= {act.id for act in ACTS}


def shipped_text() -> str:
    """The operator table as the text of ``keymap.toml``."""
    lines = [
        "# Keys of the polymm-tui console. Copy to $XDG_CONFIG_HOME/polymm-tui/keymap.toml and change what you like;",
        "# what is left out keeps its default. One key as a text, several as a list. A map with an error is not used.",
    ]
    for group in dict.fromkeys(act.group for act in ACTS if act.keys):
        lines += ["", f"[{group}]"]
        for act in ACTS:
            if act.group == group and act.keys:
                keys = ", ".join(f'"{key}"' for key in act.keys)
                value = keys if len(act.keys) == 1 else f"[{keys}]"
                lines.append(f"{act.id.partition('.')[2]} = {value}  # {act.sentence}")
    return "\n".join(lines) + "\n"


def test_the_shipped_map_is_the_table(request):
    path = default_keymap_path()
    assert path is not None
    if request.config.getoption("--snapshot-update"):
        path.write_text(shipped_text(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shipped_text()
    shipped = load_keymap(None, path)
    assert shipped.messages == ()
    assert shipped.keys == builtin_keymap().keys


def test_at_80_cells_help_all_quit_and_stopping_keys_are_in_the_bar():
    from widgets.key_bar import KeyHint, key_bar_row

    hints = [KeyHint(act.keys[0], act.word, act.rank) for act in ACTS if act.rank and act.scope in ("app", "main")]
    words = key_bar_row(hints, 80).text
    for word in ("help", "all…", "quit", "pause", "resume", "cancel", "flatten"):
        assert word in words
