"""The frame clock, the layouts, silence of the engine, the end of the app."""

import asyncio
import gc

import pytest

from polymm_tui.app import ConsoleApp
from polymm_tui.collector import QuietCollector
from polymm_tui.keymap import builtin_keymap
from polymm_tui.screens.dialogs import KillScreen
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_guarded_kill, a_kill, a_proven_kill, a_reasoned_market, a_view


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def app_of(link, **options):
    return ConsoleApp(link, builtin_keymap(), fps=options.pop("fps", 0), **options)


async def until(pilot, condition):
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.01)
        await pilot.pause()
    raise AssertionError("condition never came true")


async def test_the_first_content_stands_before_any_view():
    app = app_of(FakeLink())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert screen_text(app).startswith(" starting …\n waiting for the session")


async def test_the_clock_draws_a_view_that_appears():
    link = FakeLink()
    app = app_of(link, fps=50)
    async with app.run_test(size=(80, 24)) as pilot:
        link.view = a_view()
        await until(pilot, lambda: "Fed cuts" in screen_text(app))


async def test_an_ended_session_closes_the_console():
    link = FakeLink(a_view())
    app = app_of(link, fps=50)
    async with app.run_test(size=(80, 24)) as pilot:
        link.ended = True
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == "ended"
    assert app.return_code == 0


async def test_a_silent_engine_inverts_the_strip_and_a_living_one_restores_it():
    clock = Clock()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        clock.now += 5
        await until(pilot, lambda: "NO ENGINE for 5s" in screen_text(app))
        clock.now += 1
        link.view = a_view(seq=8, unix=a_view().unix + 1)
        await until(pilot, lambda: "NO ENGINE" not in screen_text(app))


async def test_the_kill_switch_is_drawn_from_its_own_words_while_the_engine_is_silent():
    """A hanging session makes no views: what became of the orders must not wait for one."""
    clock = Clock()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        link.kill_view = a_kill()
        await until(pilot, lambda: "KILLED  ZERO NOT PROVEN  sent 2, confirmed 21, left 3" in screen_text(app))
        clock.now += 5
        link.kill_view = a_proven_kill()
        await until(pilot, lambda: "KILLED  ZERO PROVEN  sent 2, confirmed 25, left 0" in screen_text(app))
        await until(pilot, lambda: "NO ENGINE for 5s" in screen_text(app))
        link.kill_view = a_guarded_kill()
        await until(pilot, lambda: "KILLED" not in screen_text(app))


async def test_a_watchdog_that_dies_is_told_between_two_views_and_ages_alone_are_no_news():
    clock = Clock()
    link = FakeLink(a_view())
    link.kill_view = a_guarded_kill()
    app = app_of(link, fps=50, clock=clock)
    drawn = []
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        show = app.page.show
        app.page.show = lambda view, **parts: (drawn.append(view.seq), show(view, **parts))
        link.kill_view = a_guarded_kill(watchdog_age_s=0.7)
        await asyncio.sleep(0.1)
        assert drawn == []
        link.kill_view = a_guarded_kill(watchdog_up=False)
        await until(pilot, lambda: "NO WATCHDOG" in screen_text(app))


async def test_the_chord_of_kill_lasts_two_seconds_of_the_apps_clock():
    clock = Clock()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        await pilot.press("f12")
        await asyncio.sleep(0.1)
        assert isinstance(app.screen, KillScreen), "the clock stands still"
        clock.now += 2.1
        await until(pilot, lambda: app.screen is app.page)
        assert link.kills == []


async def test_an_unchanged_view_is_not_drawn_again():
    clock = Clock()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, clock=clock)
    drawn = []
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        app.page.show = lambda view, **parts: drawn.append((view.seq, parts))
        await asyncio.sleep(0.1)
        assert drawn == []
        clock.now += 0.2
        link.view = a_view(seq=8)
        await until(pilot, lambda: drawn)
        assert drawn == [(8, {"table": False, "money": False})]
        clock.now += 1.0
        await until(pilot, lambda: len(drawn) == 2)
        assert drawn[1] == (8, {"table": True, "money": True})


async def test_the_session_is_told_which_market_is_looked_at_and_its_details_are_drawn_when_they_come():
    clock = Clock()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: link.watched == ["0xfed"])
        await pilot.press("6")
        await until(pilot, lambda: "on its way" in screen_text(app))
        clock.now += 0.2
        link.view = a_view(seq=8, markets=(a_reasoned_market(), *a_view().markets[1:]))
        await until(pilot, lambda: "= price" in screen_text(app))
        await pilot.press("j")
        await until(pilot, lambda: link.watched == ["0xfed", "0xrain"])


async def test_hidden_panes_get_nothing():
    app = app_of(FakeLink())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for name in (
            "ladder",
            "orders",
            "fills",
            "tape",
            "alarms",
            "log",
            "quote",
            "why",
            "results",
            "account",
            "risk",
        ):
            getattr(app.page.panes, name).show = lambda *parts, name=name: pytest.fail(f"the {name} is hidden")
        app.page.panes.charts.show = lambda *parts: pytest.fail("the charts are hidden")
        app.show(a_view())
        await pilot.pause()


async def test_charts_have_no_gaps_though_they_are_hidden():
    app = app_of(FakeLink())
    noted = []
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.page.panes.charts.note = lambda view: noted.append(view.seq)
        for seq in (1, 2):
            app.show(a_view(seq=seq))
        await pilot.pause()
    assert noted == [1, 2]


async def test_a_key_that_changes_what_is_shown_draws_all_of_it_at_once():
    """Nobody waits a second for the money of the market just selected."""
    clock = Clock()
    app = app_of(FakeLink(a_view()), fps=50, clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Fed cuts" in screen_text(app))
        await pilot.press("j")
        await pilot.pause()
        shown = screen_text(app)
        assert "[2] Rain in NYC on Tuesday" in shown and "−80 NO" in shown


async def test_a_broken_widget_ends_the_app_with_code_one():
    app = app_of(FakeLink())
    with pytest.raises(ZeroDivisionError):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.page.panes.markets.make_rows = lambda width, height: 1 // 0
            app.call_later(app.show, a_view())
            await pilot.pause()
    assert app.return_code == 1
    assert app.return_value is None


async def test_the_collector_takes_over_after_the_first_view_and_lets_go_at_the_end():
    collector = QuietCollector()
    link = FakeLink(a_view())
    app = app_of(link, fps=50, collector=collector)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: not gc.isenabled())
            await until(pilot, lambda: collector.runs)
        assert gc.isenabled()
    finally:
        collector.restore()
