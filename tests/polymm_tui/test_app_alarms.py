"""Alarms at the console: the bell, acknowledging what is uppermost, and acts dropped when their aim moved by itself."""

import pytest

from tests.polymm_tui.piloting import Clock, changed_first, console, press, settle
from tests.widgets.harness import screen_text
from tests.widgets.view_builders import a_view, an_alarm


class Still(Clock):
    """Time that passes when told to."""

    def __call__(self) -> float:
        return self.now


async def test_the_bell_rings_once_for_every_call_and_not_for_every_view():
    async with console(a_view(alarms=(an_alarm(),), alarm_calls=1)) as (app, _, pilot):
        rung = []
        app.bell = lambda: rung.append(1)
        for seq, calls in ((8, 1), (9, 1), (10, 2), (11, 2), (12, 4)):
            app.show(a_view(seq=seq, alarms=(an_alarm(),), alarm_calls=calls))
            await pilot.pause()
        assert len(rung) == 2


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_uppermost_alarm_is_acknowledged_from_any_pane(size):
    seen, new = an_alarm(key="a", acknowledged=True), an_alarm(key="b")
    async with console(a_view(alarms=(seen, new)), size=size) as (_, link, pilot):
        await press(pilot, "2", "K")
        assert [(each.act, each.subject) for each in link.sent] == [("alarm_ack", "b")]


async def test_with_nothing_to_acknowledge_it_says_so():
    async with console(notifications=True) as (app, link, pilot):
        await press(pilot, "K", "Z")
        await settle(pilot)
        assert link.sent == [] and "There is no such alarm." in screen_text(app)


async def test_an_act_on_a_market_that_took_anothers_place_is_dropped_and_said_so():
    """The key was meant for what stood there when the finger moved."""
    clock = Still()
    async with console(clock=clock, notifications=True) as (app, link, pilot):
        app.show(a_view(seq=8, markets=a_view().markets[1:]))
        await settle(pilot)
        await press(pilot, "p")
        await settle(pilot)
        assert link.sent == [] and "just changed by itself" in screen_text(app)
        await press(pilot, "!", "x")
        assert link.acts == [("cancel_all", "")], "what is aimed at nothing is done"
        clock.now += 1.0
        await press(pilot, "p")
        assert link.acts[1:] == [("pause", a_view().markets[1].market)]


async def test_an_act_is_not_dropped_because_figures_moved():
    async with console(clock=Still()) as (app, link, pilot):
        app.show(changed_first(widen_ticks=3.0))
        await settle(pilot)
        await press(pilot, "p")
        assert link.acts == [("pause", "0xfed")] and link.sent[0].view_seq == 8


async def test_the_operators_own_kill_rings_no_bell_but_anything_else_does():
    async with console(clock=Still()) as (app, link, pilot):
        rung = []
        app.bell = lambda: rung.append(1)
        await press(pilot, "f12", "f12")
        assert link.kills
        killed = an_alarm(key="killed", code="killed", priority=1)
        app.show(a_view(seq=8, alarms=(killed,), alarm_calls=1))
        assert not rung
        other = an_alarm(key="books", code="books", priority=1)
        app.show(a_view(seq=9, alarms=(killed, other), alarm_calls=2))
        assert rung == [1]


async def test_a_kill_by_somebody_else_rings():
    async with console(clock=Still()) as (app, _, _):
        rung = []
        app.bell = lambda: rung.append(1)
        app.show(a_view(seq=8, alarms=(an_alarm(key="killed", code="killed", priority=1),), alarm_calls=1))
        assert rung == [1]


async def test_a_toast_over_the_filter_stands_once_and_not_over_the_table():
    async with console(a_view(alarms=()), size=(80, 24), notifications=True) as (app, _, pilot):
        await press(pilot, "K", "/")
        await settle(pilot)
        lines = screen_text(app).splitlines()
        places = [number for number, line in enumerate(lines) if "There is no such alarm." in line]
        assert len(places) == 1 and places[0] > 12
