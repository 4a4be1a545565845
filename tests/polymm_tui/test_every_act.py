"""Every act of the operator table, by each of its keys, against a real engine; none may be missing here.

An entry says which acts lead there, what was so before, and what is to be seen afterwards: in the session for what the
session does, on the page for what only looks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from textual.command import CommandPalette

from core.orders.order import State
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.operator import ACT_BY_ID, ACTS, OperatorAct
from polymm_tui.screens.dialogs import KillScreen, LeaderScreen
from polymm_tui.screens.filtering import FilterScreen
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.help import HelpScreen
from polymm_tui.screens.question import ConfirmScreen
from polymm_tui.themes import DEFAULT_THEME
from tests.builders import MARKET
from tests.polymm_tui.engine_link import OTHER, EngineLink
from tests.polymm_tui.piloting import Clock, find, press, settle
from tests.widgets.harness import screen_text
from tests.widgets.view_builders import an_alarm


@dataclass
class World:
    """A console over an engine, after the keys."""

    app: ConsoleApp
    link: EngineLink
    pictures: Any
    resting: set[str]
    """Ids of the orders that rested before."""

    @property
    def market(self) -> Any:
        return self.link.view.markets[0]

    @property
    def states(self) -> set[tuple[str, str, str]]:
        return {(each.state, each.market, each.side) for each in self.link.view.controls}

    @property
    def last(self) -> Any:
        return self.link.sent[-1]

    def gone(self, market: str = MARKET) -> bool:
        """None of the orders of a market that rested before rests now."""
        live = {each.order_id for each in self.link.driver.orders(State.LIVE, State.PARTIAL, market=market)}
        return not live & self.resting

    def adjusted(self, what: str, amount: float) -> bool:
        return any((each.what, each.amount) == (what, amount) for each in self.market.adjustments)

    def sent(self, act: str, **fields: Any) -> bool:
        """The last command, which the session took."""
        taken = self.link.answers[-1].done and not self.last.preview
        return taken and self.last.act == act and all(getattr(self.last, name) == fields[name] for name in fields)

    def refused(self, act: str, words: str, **fields: Any) -> bool:
        """The last command, of which the engine said why not, in the form that asks for it."""
        told = self.link.answers[-1].text == words and words in screen_text(self.app)
        return told and self.last.act == act and all(getattr(self.last, name) == fields[name] for name in fields)

    def on(self, screen: type) -> bool:
        return isinstance(self.app.screen, screen)

    @property
    def on_page(self) -> bool:
        return self.app.screen is self.app.page

    @property
    def focus(self) -> Any:
        return self.app.page.focused

    @property
    def panes(self) -> Any:
        return self.app.page.panes


@dataclass(frozen=True)
class Try:
    """How an act is tried."""

    way: tuple[str, ...]
    """Ids of acts, ``"`` before typed characters, ``palette:`` before what is searched; the act itself is among them,
    or is found in the palette."""
    seen: Callable[[World], Any]
    """What is true afterwards."""
    given: tuple[tuple[str, str], ...] = ()
    """Acts of an operator before, with their markets."""
    size: tuple[int, int] = (120, 36)
    prepare: Callable[[EngineLink], Any] = lambda link: None


def pane(name: str, *, size: tuple[int, int] = (120, 36)) -> Try:
    """An act that shows a pane."""
    return Try((f"pane.{name}",), lambda world: name in world.app.page.shown, size=size)


ALARM = an_alarm()
PAUSED = (("pause", MARKET),)

TRIES: dict[str, Try] = {
    # The console as a whole
    "app.help": Try(("app.help",), lambda world: world.on(HelpScreen)),
    "app.leader": Try(("app.leader",), lambda world: world.on(LeaderScreen)),
    "app.kill": Try(("app.kill", "app.kill"), lambda world: world.link.kills == ["the operator's key"]),
    "app.rearm": Try(
        ("palette:re-arm", '"REARM', "form.next", '"checked', "form.preview"),
        lambda world: world.last.act == "rearm" and world.last.reason == "checked",
        given=(("kill", ""),),
    ),
    "app.palette": Try(("app.palette",), lambda world: world.on(CommandPalette)),
    "app.theme": Try(("palette:next theme",), lambda world: world.app.theme != DEFAULT_THEME),
    "app.screenshot": Try(
        ("palette:screenshot",), lambda world: [path.suffix for path in world.pictures.rglob("*.svg")] == [".svg"]
    ),
    "app.quit": Try(("app.quit", "confirm.yes"), lambda world: world.app.return_value == "quit"),
    # One market
    "market.pause": Try(("market.pause",), lambda world: ("PAUSED", MARKET, "") in world.states and world.gone()),
    "market.reduce": Try(("market.reduce",), lambda world: ("REDUCE_ONLY", MARKET, "") in world.states),
    "market.resume": Try(("market.resume", "confirm.yes"), lambda world: world.states == set(), given=PAUSED),
    "market.control": Try(
        ("market.control", "form.next", "form.choose", "form.preview"),
        lambda world: ("PAUSED", MARKET, "bid") in world.states,
    ),
    "market.widen": Try(("market.widen",), lambda world: world.market.widen_ticks == 1),
    "market.tighten": Try(
        ("market.tighten",), lambda world: world.market.widen_ticks == 1, given=(("widen", MARKET),) * 2
    ),
    "order.cancel": Try(
        ("pane.orders", "view.down", "order.cancel"),
        lambda world: world.sent("cancel_order") and world.last.subject in world.resting
        and not any(each.order_id == world.last.subject and each.state in (State.LIVE, State.PARTIAL)
                    for market in (MARKET, OTHER) for each in world.link.driver.orders(market=market)),
    ),
    "market.cancel": Try(
        ("market.cancel",), lambda world: world.gone() and not world.gone(OTHER) and not world.states
    ),
    "market.flatten": Try(("market.flatten", "confirm.yes"), lambda world: world.market.flattening),
    "market.flatten_stop": Try(
        ("market.flatten_stop",), lambda world: world.sent("flatten_stop"), prepare=lambda link: link.driver.flatten()
    ),
    "market.adjust": Try(
        ("market.adjust", '"3', "form.preview", "confirm.yes"), lambda world: world.market.widen_ticks == 3
    ),
    "market.shift": Try(
        ("market.shift", '"2', "form.preview", "confirm.yes"), lambda world: world.adjusted("shift", 2.0)
    ),
    "market.one_side": Try(
        ("market.one_side", "form.preview", "confirm.yes"),
        lambda world: [each.sides for each in world.market.adjustments] == ["bid"],
    ),
    "market.size": Try(("market.size", "form.preview", "confirm.yes"), lambda world: world.adjusted("size", 0.5)),
    "market.reset": Try(
        ("market.reset",), lambda world: world.market.adjustments == (), given=(("widen", MARKET),)
    ),
    "market.set": Try(
        ("market.set", "form.next", '"k_vol=3', "form.preview"),
        lambda world: world.refused("set", "this run has no profiles", changes=(("k_vol", "3"),)),
    ),
    "market.inventory": Try(
        ("market.inventory", "form.preview"),
        lambda world: world.refused("merge", "merge: nothing goes to the chain in replay", market=MARKET),
    ),
    "market.next": Try(("market.next",), lambda world: world.app.page.market.market == OTHER),
    "market.previous": Try(
        ("market.next", "market.previous"), lambda world: world.app.page.market.market == MARKET
    ),
    # Looking
    "view.down": Try(("view.down",), lambda world: world.app.page.market.market == OTHER),
    "view.up": Try(("market.next", "view.up"), lambda world: world.app.page.market.market == MARKET),
    "view.filter": Try(
        ("view.filter", '"that'), lambda world: world.on(FilterScreen) and world.panes.markets.order == (OTHER,)
    ),
    "view.sort_next": Try(("view.sort_next",), lambda world: world.panes.markets.sort_name != FIRST_SORT),
    "view.sort_previous": Try(
        ("view.sort_next", "view.sort_previous"), lambda world: world.panes.markets.sort_name == FIRST_SORT
    ),
    "view.switch": Try(
        ("view.switch",), lambda world: "ladder" in world.app.page.shown, size=(80, 24)
    ),
    "view.back": Try(
        ("pane.why", "view.back"), lambda world: {"markets", "ladder"} <= world.app.page.shown
    ),
    "view.zoom": Try(("view.zoom",), lambda world: world.app.page.shown == {"markets"}),
    "view.recentre": Try(
        ("pane.ladder", "view.page_down", "view.recentre"), lambda world: "46" in screen_text(world.app)
    ),
    "view.finer": Try(
        ("pane.ladder", "view.coarser", "view.finer"), lambda world: world.panes.ladder.rows == plain_ladder(world)
    ),
    "view.coarser": Try(
        ("pane.ladder", "view.coarser"), lambda world: world.panes.ladder.rows != plain_ladder(world)
    ),
    "view.page_down": Try(
        ("pane.ladder", "view.page_down"), lambda world: world.panes.ladder.rows != plain_ladder(world)
    ),
    "view.page_up": Try(
        ("pane.ladder", "view.page_up"), lambda world: world.panes.ladder.rows != plain_ladder(world)
    ),
    "view.next_pane": Try(("view.next_pane",), lambda world: world.focus is world.panes.ladder),
    "view.previous_pane": Try(
        ("view.next_pane", "view.previous_pane"), lambda world: world.focus is world.panes.markets
    ),
    **{f"pane.{name}": pane(name) for name in (
        "markets", "ladder", "orders", "log", "money", "why", "results", "findings", "account", "risk", "fills",
        "tape", "alarms", "list", "recordings", "charts",
    )},
    # What needs no market
    "alarm.ack": Try(("alarm.ack",), lambda world: world.sent("alarm_ack", subject=ALARM.key)),
    "alarm.shelve": Try(
        ("alarm.shelve", '"20', "form.next", '"known', "form.preview"),
        lambda world: world.sent("alarm_shelve", subject=ALARM.key, for_s=1200.0, reason="known"),
    ),
    "alarm.ack_all": Try(("palette:acknowledge all",), lambda world: world.sent("alarm_ack", subject="")),
    "alarm.unshelve": Try(
        ("palette:unshelve",), lambda world: world.sent("alarm_unshelve", subject=ALARM.key),
        prepare=lambda link: setattr(link, "alarms", (an_alarm(shelved_s=60.0),)),
    ),
    "list.approve": Try(
        ("list.approve", "confirm.yes"), lambda world: world.sent("list_approve", confirm="proposal-1")
    ),
    "list.reject": Try(
        ("list.reject", "confirm.yes"), lambda world: world.sent("list_reject", confirm="proposal-1")
    ),
    "list.refresh": Try(("list.refresh",), lambda world: world.sent("list_refresh")),
    "job.confirmed": Try(("palette:job done",), lambda world: world.last.act == "job_confirmed"),
    "job.failed": Try(("palette:job failed",), lambda world: world.last.act == "job_failed"),
    "record.start": Try(("palette:record start",), lambda world: world.sent("record_start")),
    "record.stop": Try(("palette:record stop",), lambda world: world.sent("record_stop")),
    # Everything
    "all.pause": Try(
        ("app.leader", "all.pause"),
        lambda world: ("PAUSED", "", "") in world.states and world.gone() and world.gone(OTHER),
    ),
    "all.reduce": Try(("app.leader", "all.reduce"), lambda world: ("REDUCE_ONLY", "", "") in world.states),
    "all.resume": Try(
        ("app.leader", "all.resume", "confirm.yes"), lambda world: world.states == set(), given=(("pause_all", ""),)
    ),
    "all.cancel": Try(("app.leader", "all.cancel"), lambda world: world.gone() and world.gone(OTHER)),
    "all.flatten": Try(
        ("app.leader", "all.flatten", '"FLATTEN', "form.preview"), lambda world: world.market.flattening
    ),
    "all.flatten_stop": Try(
        ("app.leader", "all.flatten_stop"), lambda world: world.sent("flatten_stop", market=""),
        prepare=lambda link: link.driver.flatten(),
    ),
    "all.kill": Try(("app.leader", "all.kill", "kill.again"), lambda world: len(world.link.kills) == 1),
    "all.back": Try(("app.leader", "all.back"), lambda world: world.on_page and not world.link.sent),
    # In dialogs
    "kill.again": Try(("app.kill", "kill.again"), lambda world: len(world.link.kills) == 1),
    "kill.back": Try(("app.kill", "kill.back"), lambda world: world.on_page and not world.link.kills),
    "confirm.yes": Try(("market.flatten", "confirm.yes"), lambda world: world.market.flattening),
    "confirm.no": Try(
        ("market.flatten", "confirm.no"), lambda world: world.on_page and not world.market.flattening
    ),
    "confirm.quit": Try(("app.quit", "confirm.quit"), lambda world: world.app.return_value == "quit"),
    "confirm.choose": Try(
        ("market.flatten", "confirm.choose", "confirm.enter"), lambda world: world.market.flattening
    ),
    "confirm.enter": Try(
        ("market.flatten", "confirm.enter"), lambda world: world.on_page and not world.market.flattening
    ),
    "form.preview": Try(("market.adjust", "form.preview"), lambda world: world.on(ConfirmScreen)),
    "form.next": Try(
        ("market.adjust", "form.next", '"60'), lambda world: world.app.screen.texts["half_life"] == "60"
    ),
    "form.previous": Try(
        ("market.adjust", "form.previous", '"60'), lambda world: world.app.screen.texts["for"] == "60"
    ),
    "form.choose": Try(
        ("market.one_side", "form.choose"), lambda world: world.app.screen.texts["sides"] == "ask"
    ),
    "form.erase": Try(("market.adjust", "form.erase"), lambda world: world.app.screen.texts["ticks"] == ""),
    "form.back": Try(("market.adjust", "form.back"), lambda world: world.on_page and not world.link.sent),
    "entry.keep": Try(
        ("view.filter", '"that', "entry.keep"), lambda world: world.on_page and world.panes.markets.order == (OTHER,)
    ),
    "entry.back": Try(
        ("view.filter", '"that', "entry.back"), lambda world: world.on_page and len(world.panes.markets.order) == 2
    ),
    "entry.erase": Try(
        ("view.filter", '"x', "entry.erase"), lambda world: world.on(FilterScreen) and world.app.screen.text == ""
    ),
}  # fmt: skip
FIRST_SORT = "list"


def plain_ladder(world: World) -> Any:
    """The ladder as it stands when nobody has moved it."""
    ladder = world.panes.ladder
    seen = ladder.rows
    ladder.finer()
    ladder.finer()
    ladder.recentre()
    plain = ladder.rows
    assert seen
    return plain


def test_no_act_of_the_table_is_missing() -> None:
    assert sorted(TRIES) == sorted(act.id for act in ACTS)
    for identity, each in TRIES.items():
        assert identity in each.way or not ACT_BY_ID[identity].keys, identity


CASES = [(act, key) for act in ACTS for key in (act.keys or ("",))]


@pytest.mark.parametrize(("act", "key"), CASES, ids=[f"{act.id} {key}" for act, key in CASES])
async def test_an_act_does_what_it_says(
    act: OperatorAct, key: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this key; acts on the way by their first one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    each = TRIES[act.id]
    link = EngineLink((ALARM,))
    for name, market in each.given:
        link.driver.command(name, market)
    link.driver.answer_cancels()
    each.prepare(link)
    resting = {
        order.order_id
        for market in (MARKET, OTHER)
        for order in link.driver.orders(State.LIVE, State.PARTIAL, market=market)
    }
    app = ConsoleApp(link, builtin_keymap(), fps=0, clock=Clock())
    async with app.run_test(size=each.size) as pilot:
        await pilot.pause()
        app.show(link.view)
        await settle(pilot)
        for step in each.way:
            if step.startswith('"'):
                await press(pilot, *step[1:])
            elif step.startswith("palette:"):
                await find(pilot, step.removeprefix("palette:"))
            else:
                await press(pilot, key if step == act.id else ACT_BY_ID[step].keys[0])
            await settle(pilot)
            if app.return_value is None and app.screen is app.page:
                app.show(link.view)
                await pilot.pause()
        assert each.seen(World(app, link, tmp_path, resting))
        is_refused = act.id in ("market.set", "market.inventory")
        assert is_refused or not isinstance(app.screen, FormScreen | KillScreen) or act.id.startswith("form.")
