"""The frame clock, the layouts, silence of the engine, the end of the app."""

import asyncio
import gc

import msgspec
import pytest

from polymm_tui.app import ConsoleApp
from polymm_tui.collector import QuietCollector
from polymm_tui.keymap import builtin_keymap
from polymm_tui.screens.dialogs import KillScreen
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_guarded_kill, a_kill, a_proven_kill, a_reasoned_market, a_view, usd


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
        app.page.ladder.show = lambda market: pytest.fail("the ladder is hidden")
        app.page.orders.show = lambda markets, selected: pytest.fail("the orders are hidden")
        app.show(a_view())
        await pilot.pause()


async def test_a_broken_widget_ends_the_app_with_code_one():
    app = app_of(FakeLink())
    with pytest.raises(ZeroDivisionError):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.page.markets.make_rows = lambda width, height: 1 // 0
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


# Layouts


async def test_at_80x24_one_key_switches_table_and_ladder():
    app = app_of(FakeLink())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.show(a_view())
        assert app.page.shown == {"markets"}
        await pilot.press("v")
        await pilot.pause()
        assert app.page.shown == {"ladder"}
        assert "PRICE" in screen_text(app) and "net +1,240 YES" in screen_text(app)
        await pilot.press("j")
        await pilot.pause()
        assert "Rain in NYC on Tuesday" in screen_text(app)
        await pilot.press("v")
        assert app.page.shown == {"markets"}


@pytest.mark.parametrize(
    ("key", "pane"),
    [
        ("1", "markets"),
        ("2", "ladder"),
        ("3", "orders"),
        ("4", "events"),
        ("5", "money"),
        ("6", "why"),
        ("7", "results"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_a_digit_shows_its_pane_at_every_size(key, pane, size):
    app = app_of(FakeLink())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.press(key)
        await pilot.pause()
        assert pane in app.page.shown


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_reasons_and_results_can_be_read_to_their_end_at_every_size(size):
    app = app_of(FakeLink())
    view = a_view(markets=(a_reasoned_market(), *a_view().markets[1:]), cancels_per_1000=210.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.show(view)
        for key, wanted in (
            (
                "6",
                ("= price", "= size", "ask 3 not placed: below min", "calendar half-spread x1.5", "halves every 60s"),
            ),
            ("7", ("±0.04", "share at least 3.1%", "per 1,000 filled shares; all markets 210")),
        ):
            await pilot.press(key)
            await pilot.pause()
            seen = screen_text(app)
            await pilot.press("pagedown", "pagedown", "pagedown")
            await pilot.pause()
            seen = " ".join((seen + screen_text(app)).replace("│", " ").split())
            assert not [text for text in wanted if text not in seen]


async def test_a_pane_of_the_whole_page_is_left_with_the_zoom_key():
    app = app_of(FakeLink())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.press("6", "z")
        await pilot.pause()
        assert {"markets", "ladder"} <= app.page.shown and "why" not in app.page.shown


async def test_tab_goes_round_the_panes():
    app = app_of(FakeLink())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        seen = []
        for _ in range(3):
            seen.append(app.page.focused.id)
            await pilot.press("tab")
            await pilot.pause()
        assert seen == ["markets", "ladder", "events"]
        await pilot.press("shift+tab")
        assert app.page.focused.id == "events"


async def test_zoom_gives_the_page_to_the_focused_pane_and_back():
    app = app_of(FakeLink())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.press("tab", "z")
        await pilot.pause()
        assert app.page.shown == {"ladder"}
        assert app.page.ladder.size.width > 110
        await pilot.press("z")
        await pilot.pause()
        assert "markets" in app.page.shown


async def test_page_keys_scroll_the_focused_pane_and_c_recentres():
    app = app_of(FakeLink())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.press("v")
        await pilot.pause()
        before = app.page.ladder.rows
        await pilot.press("pagedown")
        assert app.page.ladder.rows != before
        await pilot.press("c")
        assert app.page.ladder.rows == before


async def test_a_terminal_too_small_says_so_and_keeps_the_strip_and_the_kill_key():
    link = FakeLink()
    app = app_of(link)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.pause()
        shown = screen_text(app)
        assert shown.startswith(" DEMO")
        assert "60x12 is too small: 70x16 is the least." in shown
        await pilot.press("f12", "k")
        await pilot.pause()
        assert len(link.kills) == 1
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert "Why this quote" in screen_text(app)


async def test_growing_and_shrinking_shows_the_right_panes():
    app = app_of(FakeLink())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        app.show(a_view())
        for size, expected in (((80, 24), "BID/net"), ((120, 36), "Inventory"), ((200, 60), "Orders 8")):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            assert expected in screen_text(app)


async def test_the_chart_begins_when_the_account_is_known():
    app = app_of(FakeLink())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        for second, dollars in enumerate((0, 0, 50_000, 50_001)):
            app.show(a_view(seq=second, unix=a_view().unix + second, equity=usd(dollars)))
            await pilot.pause()
        shown = "\n".join(line.text for line in app.page.chart.rows)
        assert "$50,000.00" in shown and "$0.00" not in shown


async def test_the_second_ladder_shows_the_next_market():
    app = app_of(FakeLink())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.pause()
        assert app.page.second.border_title == "Rain in NYC on Tuesday"
        app.show(msgspec.structs.replace(a_view(), markets=a_view().markets[:1]))
        assert "no market selected" in "\n".join(line.text for line in app.page.second.rows)


async def test_a_click_in_the_table_selects_for_every_pane():
    app = app_of(FakeLink())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.pause()
        await pilot.click(app.page.markets, offset=(6, 4))
        await pilot.pause()
        assert app.page.ladder.border_title == "Rain in NYC on Tuesday"
