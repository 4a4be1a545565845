"""Where the panes stand, which one has the focus, and what the keys that only look do."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from textual import events
from textual.keys import _character_to_key

from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.operator import ACTS
from polymm_tui.screens.aim import MOVED_FOR_S
from polymm_tui.screens.dialogs import KillScreen, LeaderScreen
from polymm_tui.screens.filtering import FilterScreen
from polymm_tui.screens.layout import TABS, Pane
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import (
    a_reasoned_market,
    a_view,
    an_alarm,
    an_order,
    some_fills,
    usd,
)

SIZES = [(80, 24), (120, 36), (200, 60)]
LARGE = [(120, 36), (200, 60)]


class Clock:
    """Seconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def page(view=None, size=(120, 36), clock=None, link=None, **options):
    """A running console that has drawn a view, its page, its link, and a pilot."""
    link = link or FakeLink()
    app = ConsoleApp(link, builtin_keymap(), fps=0, clock=clock or Clock())
    async with app.run_test(size=size, **options) as pilot:
        await pilot.pause()
        app.show(view or a_view())
        await pilot.pause()
        yield app.page, link, pilot


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def in_one_packet(pilot, keys):
    """Keys that arrive together, as from a multiplexer or a fast typist: none waits for what the one before did."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(events.Key(name, key if len(key) == 1 else None))
    for _ in range(3):
        await pilot.pause()


def with_orders(count=3, **changes):
    """The usual view whose first market has this many orders."""
    first, *rest = a_view().markets
    orders = tuple(an_order(order_id=f"0x{number}", price=413 - number, **changes) for number in range(count))
    return a_view(markets=(msgspec.structs.replace(first, orders=orders), *rest))


# Where panes stand

PANE_KEYS = [(act.keys[0], act.id.partition(".")[2]) for act in ACTS if act.group == "pane"]


@pytest.mark.parametrize(("key", "pane"), PANE_KEYS)
@pytest.mark.parametrize("size", SIZES)
async def test_the_key_of_a_pane_shows_it_at_every_size(key, pane, size):
    async with page(size=size) as (main, _, pilot):
        await press(pilot, key)
        assert pane in main.shown
        assert pane == "money" or main._focused_pane() == pane


def test_every_pane_has_a_key():
    assert {name for _, name in PANE_KEYS} == set(Pane.__args__)


@pytest.mark.parametrize("size", LARGE)
async def test_a_tab_is_switched_in_place(size):
    """The rest of the page stays where it is."""
    async with page(size=size) as (main, _, pilot):
        before = main.shown
        assert {"tabs", "orders", "markets", "ladder", "money"} <= before
        await press(pilot, "h")
        assert main.shown == before - {"orders"} | {"fills"}
        assert "[h fills]" in screen_text(pilot.app) and " 3 orders 8 " in screen_text(pilot.app)


async def test_a_tab_has_the_whole_page_where_there_is_room_for_one_pane():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "t")
        assert main.shown == {"tape"}


async def test_the_log_is_open_beside_the_tabs_where_there_is_room():
    async with page(size=(200, 60)) as (main, _, pilot):
        assert {"orders", "log", "chart", "second"} <= main.shown
        await press(pilot, "4")
        assert {"orders", "log"} <= main.shown and main.focused is main.panes.log


async def test_tabs_count_what_wants_eyes():
    view = a_view(alarms=(an_alarm(), an_alarm(key="other", acknowledged=True)), fills=some_fills())
    async with page(view) as (_, _, pilot):
        shown = screen_text(pilot.app)
        assert "m alarms 1" in shown and f"h fills {len(some_fills())}" in shown


@pytest.mark.parametrize("pane", [key for key, name in PANE_KEYS if name in TABS])
async def test_a_tab_survives_a_resize(pane):
    async with page() as (main, _, pilot):
        await press(pilot, pane)
        before = main.shown
        for size in ((80, 24), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert main.shown == before


@pytest.mark.parametrize("key", ["6", "7", "8", "9", "0", "g"])
async def test_a_pane_of_the_whole_page_is_left_by_back_by_zoom_and_by_a_pane_of_the_page(key):
    async with page() as (main, _, pilot):
        whole = main.shown
        for leaving in ("escape", "z", "1"):
            await press(pilot, key)
            assert len(main.shown) == 1
            await press(pilot, leaving)
            assert main.shown == whole


async def test_back_leads_to_the_markets_where_there_is_room_for_one_pane():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "6", "escape")
        assert main.shown == {"markets"}


async def test_zoom_gives_the_page_to_the_pane_in_focus_and_back():
    async with page() as (main, _, pilot):
        await press(pilot, "tab", "z")
        assert main.shown == {"ladder"} and main.ladder.size.width > 110
        await press(pilot, "z")
        assert "markets" in main.shown and main.focused is main.ladder


@pytest.mark.parametrize(
    ("size", "panes"),
    [
        ((120, 36), ["markets", "ladder", "orders"]),
        ((200, 60), ["markets", "ladder", "orders", "log"]),
        ((80, 24), ["markets", "ladder", "money"]),
    ],
)
async def test_tab_goes_round_the_panes_and_back(size, panes):
    async with page(size=size) as (main, _, pilot):
        seen = []
        for _ in panes:
            seen.append(main._main_pane())
            await press(pilot, "tab")
        assert seen == panes
        await press(pilot, *["shift+tab"] * len(panes))
        assert main._main_pane() == panes[0]


async def test_one_key_switches_table_and_ladder_where_one_has_room():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "v")
        assert main.shown == {"ladder"}
        assert "PRICE" in screen_text(pilot.app) and "net +1,240 YES" in screen_text(pilot.app)
        await press(pilot, "v")
        assert main.shown == {"markets"}


async def test_focus_is_seen_by_the_border():
    async with page() as (main, _, pilot):
        colours = {main.panes.markets.styles.border_top[1].hex, main.ladder.styles.border_top[1].hex}
        assert len(colours) == 2
        await press(pilot, "2")
        assert {main.panes.markets.styles.border_top[1].hex, main.ladder.styles.border_top[1].hex} == colours


async def test_titles_say_the_keys_of_their_panes_as_they_are_bound():
    keymap = builtin_keymap()
    keymap = keymap._replace(keys={**keymap.keys, "pane.ladder": ("%",)})
    app = ConsoleApp(FakeLink(), keymap, fps=0)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.pause()
        assert "[%] Fed cuts rates" in screen_text(app)
        assert "[1] Markets" in screen_text(app)
        await press(pilot, "%")
        assert app.page.focused is app.page.ladder


async def test_growing_and_shrinking_shows_the_right_panes():
    async with page(size=(200, 60)) as (_, _, pilot):
        for size, expected in (((80, 24), "[1] Markets"), ((120, 36), "[5] Quote"), ((200, 60), "[4] ")):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            assert expected in screen_text(pilot.app)


async def test_a_terminal_too_small_says_so_and_keeps_strip_pause_all_and_kill():
    async with page(size=(60, 12)) as (main, link, pilot):
        shown = screen_text(pilot.app)
        assert shown.startswith(" DEMO")
        assert "60x12 is too small: 70x16 is the least." in shown
        assert "! all…   f12 KILL   ? help   q quit" in shown
        await press(pilot, "1", "3", "/", "tab", "z", "v")
        assert main.shown == frozenset() and pilot.app.screen is main
        await press(pilot, "!", "p")
        assert link.acts == [("pause_all", "")]
        await press(pilot, "f12", "k")
        assert len(link.kills) == 1
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert "Quote" in screen_text(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_reasons_and_results_can_be_read_to_their_end(size):
    view = a_view(markets=(a_reasoned_market(), *a_view().markets[1:]), cancels_per_1000=210.0)
    async with page(view, size) as (_, _, pilot):
        for key, wanted in (
            (
                "6",
                ("= price", "= size", "ask 3 not placed: below min", "calendar half-spread x1.5", "halves every 60s"),
            ),
            ("7", ("±0.04", "share at least 3.1%", "per 1,000 filled shares; all markets 210")),
        ):
            await press(pilot, key)
            seen = screen_text(pilot.app)
            for _ in range(4):
                await press(pilot, "pagedown")
                seen += screen_text(pilot.app)
            seen = " ".join(seen.replace("│", " ").split())
            assert not [text for text in wanted if text not in seen]


async def test_the_chart_begins_when_the_account_is_known():
    async with page(size=(200, 60)) as (main, _, pilot):
        for second, dollars in enumerate((0, 0, 50_000, 50_001)):
            pilot.app.show(a_view(seq=second, unix=a_view().unix + second, equity=usd(dollars)))
            await pilot.pause()
        shown = "\n".join(line.text for line in main.panes.chart.rows)
        assert "$50,000.00" in shown and "$0.00" not in shown


async def test_the_second_ladder_shows_the_next_market_and_its_book_is_asked_for():
    async with page(size=(200, 60)) as (main, _, pilot):
        assert "Rain in NYC on Tuesday" in str(main.panes.second.border_title)
        assert main.ladders == ("0xrain",)
        pilot.app.show(msgspec.structs.replace(a_view(), markets=a_view().markets[:1]))
        assert "no market selected" in "\n".join(line.text for line in main.panes.second.rows)


async def test_a_click_in_the_table_selects_for_every_pane():
    async with page() as (main, _, pilot):
        await pilot.click(main.panes.markets, offset=(6, 4))
        await pilot.pause()
        assert "Rain in NYC on Tuesday" in str(main.ladder.border_title)


# Selection and cursors


@pytest.mark.parametrize("focus", ["1", "2", "3", "h", "4", "6", "l"])
async def test_j_and_k_select_markets_whatever_has_the_focus(focus):
    async with page() as (main, _, pilot):
        await press(pilot, focus, "j", "j")
        assert main.market.market == "0xsenate"
        await press(pilot, "k")
        assert main.market.market == "0xrain"


async def test_markets_are_selected_in_the_order_of_the_table():
    async with page() as (main, _, pilot):
        await press(pilot, ">")
        order = main.panes.markets.order
        assert set(order) == {market.market for market in a_view().markets}
        await press(pilot, *["k"] * len(order))
        seen = [main.market.market]
        for _ in order[1:]:
            await press(pilot, "j")
            seen.append(main.market.market)
        assert tuple(seen) == order


async def test_the_order_of_the_table_holds_also_where_it_is_hidden():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "2")
        pilot.app.show(a_view(seq=9, markets=a_view().markets[1:]))
        await press(pilot, "j")
        assert main.market.market == "0xsenate"


async def test_sort_keys_go_through_the_orders_and_back_and_keep_the_selection():
    async with page() as (main, _, pilot):
        await press(pilot, "j")
        first = main.panes.markets.sort_name
        await press(pilot, ">")
        assert main.panes.markets.sort_name != first
        assert main.market.market == "0xrain"
        await press(pilot, "<")
        assert main.panes.markets.sort_name == first


async def test_arrows_move_the_cursor_of_the_pane_in_focus():
    """In the table they select; in the ladder and the lists they leave the selected market alone."""
    async with page(with_orders(3)) as (main, _, pilot):
        await press(pilot, "down")
        assert main.market.market == "0xrain"
        await press(pilot, "up", "2", "down")
        assert main.market.market == "0xfed" and main.ladder.cursor is not None
        before = main.ladder.cursor
        await press(pilot, "down")
        assert main.ladder.cursor == before - 1
        await press(pilot, "3", "down")
        assert main.selected_order is not None and main.market.market == "0xfed"


async def test_arrows_scroll_a_pane_without_a_cursor_by_a_line():
    view = a_view(markets=(a_reasoned_market(), *a_view().markets[1:]))
    async with page(view, size=(80, 24)) as (main, _, pilot):
        await press(pilot, "6")
        before = main.panes.why.rows
        await press(pilot, "down")
        assert main.panes.why.rows[:-1] == before[1:]


async def test_the_order_under_the_cursor_is_the_one_of_the_pane_in_focus():
    async with page(with_orders(3)) as (main, link, pilot):
        assert main.selected_order is None
        await press(pilot, "x")
        assert link.acts == [], "the table has no orders"
        await press(pilot, "3", "down", "down")
        market, order = main.panes.orders.selected
        assert main.selected_order == (market, order)
        await press(pilot, "x")
        assert [(command.act, command.subject) for command in link.sent] == [("cancel_order", order.order_id)]


async def test_the_order_under_the_cursor_of_the_ladder_is_cancelled():
    async with page(with_orders(3)) as (main, link, pilot):
        await press(pilot, "2", "down")
        while main.ladder.cursor != 412:
            await press(pilot, "down" if main.ladder.cursor > 412 else "up")
        await press(pilot, "x")
        assert [(command.act, command.subject) for command in link.sent] == [("cancel_order", "0x1")]


async def test_why_is_asked_of_the_order_under_the_cursor():
    """Its market is shown, also when another one was selected."""
    first, second, *rest = a_reasoned_market(), *a_view().markets[1:]
    view = a_view(markets=(first, second, *rest))
    async with page(view) as (main, _, pilot):
        asked = []
        show = main.panes.why.show
        main.panes.why.show = lambda market, order=None: (asked.append((market, order)), show(market, order))
        await press(pilot, "3", "down")
        market, order = main.selected_order
        await press(pilot, "6")
        assert asked[-1][0].market == market.market and asked[-1][1].order_id == order.order_id
        await press(pilot, "j")
        assert asked[-1][1] is None


async def test_depth_and_centre_are_for_both_ladders():
    async with page(size=(200, 60)) as (main, _, pilot):
        for ladder in (main.ladder, main.panes.second):
            ladder.calls = []
            for name in ("finer", "coarser", "recentre"):
                setattr(ladder, name, lambda ladder=ladder, name=name: ladder.calls.append(name))
        await press(pilot, "-", "+", "c")
        assert main.ladder.calls == main.panes.second.calls == ["coarser", "finer", "recentre"]


async def test_page_keys_scroll_the_focused_pane_and_c_recentres():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "v")
        before = main.ladder.rows
        await press(pilot, "pagedown")
        assert main.ladder.rows != before
        await press(pilot, "c")
        assert main.ladder.rows == before


async def test_the_alarm_to_acknowledge_is_the_uppermost_that_calls_unless_the_alarms_are_on_show():
    alarms = (an_alarm(key="one", acknowledged=True), an_alarm(key="two"), an_alarm(key="three"))
    async with page(a_view(alarms=alarms)) as (main, _, pilot):
        assert main.selected_alarm.key == "two"
        await press(pilot, "m", "down", "down")
        assert main.selected_alarm is main.panes.alarms.selected


# The filter


async def test_typing_filters_at_once_and_sends_nothing():
    """Every letter of it is a key of an act on the page."""
    async with page(notifications=True) as (main, link, pilot):
        await press(pilot, "/", *"rain")
        assert isinstance(pilot.app.screen, FilterScreen)
        assert main.panes.markets.order == ("0xrain",)
        assert "/ filter rain" in screen_text(pilot.app)
        await press(pilot, *"pdrwWxXFfbasoSReiqKZANL!?")
        assert link.sent == [] and isinstance(pilot.app.screen, FilterScreen)


async def test_enter_keeps_the_filter_and_selects_what_it_shows():
    async with page() as (main, _, pilot):
        await press(pilot, "/", *"rain", "enter")
        assert pilot.app.screen is main
        assert main.panes.markets.filter_text == "rain" and main.market.market == "0xrain"
        await press(pilot, "j", "k", "k")
        assert main.market.market == "0xrain"


async def test_a_kept_filter_can_be_changed_and_escape_ends_it():
    async with page() as (main, _, pilot):
        await press(pilot, "/", *"rain", "enter", "/", "backspace", "backspace")
        assert main.panes.markets.filter_text == "ra"
        await press(pilot, "escape")
        assert main.panes.markets.filter_text == "" and len(main.panes.markets.order) == len(a_view().markets)
        assert pilot.app.screen is main


async def test_a_filter_that_keeps_the_selected_market_does_not_move_the_selection():
    async with page() as (main, _, pilot):
        await press(pilot, "j", "/", *"r", "enter")
        assert main.market.market == "0xrain"


async def test_the_filter_goes_to_the_table_where_it_is_hidden():
    async with page(size=(80, 24)) as (main, _, pilot):
        await press(pilot, "2", "/", "r", "enter")
        assert main.shown == {"markets"}


async def test_the_kill_key_works_in_the_filter():
    async with page() as (_, link, pilot):
        await press(pilot, "/", "k", "f12")
        assert isinstance(pilot.app.screen, KillScreen)
        await press(pilot, "f12")
        assert len(link.kills) == 1


async def test_a_paste_into_the_filter_is_text_without_control_characters():
    async with page() as (_, link, pilot):
        await press(pilot, "/")
        pilot.app.screen.post_message(events.Paste("ra\x1b[2J\nin" * 20))
        await pilot.pause()
        assert "\x1b" not in screen_text(pilot.app) and link.sent == []
        assert len(pilot.app.screen.text) <= 60


@pytest.mark.parametrize("size", SIZES)
async def test_the_filter_leaves_strip_and_table_in_sight(size):
    async with page(size=size) as (_, _, pilot):
        before = screen_text(pilot.app).splitlines()
        await press(pilot, "/")
        after = screen_text(pilot.app).splitlines()
        assert before[:2] == after[:2]
        changed = [line for line, (old, new) in enumerate(zip(before, after, strict=False)) if old != new]
        assert len(changed) <= 1


# Keys that come together


async def test_what_is_typed_with_the_leader_key_does_not_act_on_the_market():
    """A multiplexer may deliver `!x` in one packet: x alone would cancel another order than was meant."""
    async with page() as (main, link, pilot):
        await in_one_packet(pilot, ["!", "p"])
        assert link.acts == [("pause_all", "")]
        assert pilot.app.screen is main


async def test_what_is_typed_with_the_filter_key_goes_into_the_filter():
    async with page() as (_, link, pilot):
        await in_one_packet(pilot, ["/", "p", "d", "X"])
        assert link.sent == []
        assert isinstance(pilot.app.screen, FilterScreen) and pilot.app.screen.text == "pdX"


async def test_what_is_typed_after_the_end_of_the_filter_acts_again():
    async with page() as (_, link, pilot):
        await press(pilot, "/")
        await in_one_packet(pilot, ["r", "enter", "p"])
        assert link.acts == [("pause", "0xfed")]


async def test_keys_that_come_together_act_in_their_order():
    async with page() as (_, link, pilot):
        await in_one_packet(pilot, ["j", "p", "k", "w"])
        assert link.acts == [("pause", "0xrain"), ("widen", "0xfed")]


# A page that has just moved


def without(market):
    """The usual view a moment later without one of its markets."""
    return a_view(seq=8, markets=tuple(each for each in a_view().markets if each.market != market))


@pytest.mark.parametrize("key", ["p", "d", "w", "W", "X", "f", "R", "b", "F", "r"])
async def test_an_act_on_a_market_is_dropped_when_another_has_just_taken_its_place(key):
    """The key was pressed on what was seen a moment before."""
    clock = Clock()
    async with page(clock=clock, notifications=True) as (main, link, pilot):
        pilot.app.show(without("0xfed"))
        await pilot.pause()
        assert main.market.market == "0xrain"
        clock.now += MOVED_FOR_S - 0.01
        await press(pilot, key)
        assert link.sent == [] and pilot.app.screen is main
        assert "has just changed by itself" in screen_text(pilot.app)


async def test_an_act_on_a_market_is_carried_out_when_the_page_has_stood_still_for_a_while():
    clock = Clock()
    async with page(clock=clock) as (_, link, pilot):
        pilot.app.show(without("0xfed"))
        clock.now += MOVED_FOR_S + 0.01
        await press(pilot, "p")
        assert link.acts == [("pause", "0xrain")]


async def test_what_stops_everything_is_never_dropped():
    clock = Clock()
    async with page(clock=clock) as (_, link, pilot):
        pilot.app.show(without("0xfed"))
        await press(pilot, "!", "p", "!", "x", "!", "d", "f12", "f12")
        assert [act for act, _ in link.acts] == ["pause_all", "cancel_all", "reduce_all"]
        assert len(link.kills) == 1


async def test_the_operators_own_moves_drop_nothing():
    clock = Clock()
    async with page(clock=clock) as (_, link, pilot):
        await press(pilot, "j", "p", ">", "p", "2", "p", "6", "p")
        assert [act for act, _ in link.acts] == ["pause"] * 4


async def test_a_step_from_a_market_that_has_just_changed_leads_to_no_act_either():
    """Who wanted the next market of the one that vanished gets the next but one."""
    clock = Clock()
    async with page(clock=clock) as (main, link, pilot):
        pilot.app.show(without("0xfed"))
        clock.now += 0.1
        await press(pilot, "j", "p")
        assert main.market.market == "0xsenate" and link.acts == []


async def test_an_act_is_dropped_when_the_table_was_put_into_another_order_by_itself():
    clock = Clock()
    async with page(clock=clock) as (main, link, pilot):
        await press(pilot, "j")
        pilot.app.show(without("0xfed"))
        await pilot.pause()
        assert main.market.market == "0xrain"
        await press(pilot, "p")
        assert link.acts == [], "the row under the eyes is another market's now"


async def test_the_cancel_of_an_order_is_dropped_when_another_has_just_taken_its_place():
    """Orders come and go under the cursor of the ladder; the market's own acts are not held up by that."""
    clock = Clock()
    view = with_orders(3)
    first, *rest = view.markets
    replaced = msgspec.structs.replace(first.orders[1], order_id="0xnew")
    newer = a_view(
        seq=8,
        markets=(msgspec.structs.replace(first, orders=(first.orders[0], replaced, first.orders[2])), *rest),
    )
    async with page(view, clock=clock) as (main, link, pilot):
        await press(pilot, "2", "down")
        while main.ladder.cursor != 412:
            await press(pilot, "down" if main.ladder.cursor > 412 else "up")
        pilot.app.show(newer)
        await press(pilot, "x")
        assert link.acts == []
        await press(pilot, "w")
        assert link.acts == [("widen", "0xfed")]
        clock.now += MOVED_FOR_S + 0.01
        await press(pilot, "x")
        assert link.sent[-1].subject == "0xnew"


async def test_the_leader_menu_stands_over_the_page_as_before():
    async with page() as (_, _, pilot):
        await press(pilot, "!")
        assert isinstance(pilot.app.screen, LeaderScreen)


# The bottom line


@pytest.mark.parametrize(
    ("pane", "words"),
    [
        ("1", ("/ filter", "> sort")),
        ("2", ("x cancel order", "c centre", "+ finer")),
        ("3", ("x cancel order", "6 why")),
        ("m", ("K acknowledge", "Z shelve…")),
        ("l", ("A approve…", "N reject…")),
    ],
)
@pytest.mark.parametrize("size", SIZES)
async def test_the_bottom_line_begins_with_the_keys_of_the_pane_in_focus(pane, words, size):
    async with page(size=size) as (_, _, pilot):
        await press(pilot, pane)
        line = screen_text(pilot.app).splitlines()[-1]
        assert not [word for word in words if word not in line]
        assert line.strip().startswith(words[0])
        for word in ("? help", "! all…", "p pause", "q quit"):
            assert word in line
