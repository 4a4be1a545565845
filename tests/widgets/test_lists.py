"""Orders, events, the key bar and the chart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.units import Ticks
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    NOON,
    a_cent_market,
    a_market,
    a_view,
    an_event,
    an_order,
    an_unknown_order,
    shares,
    usd,
)
from widgets.chart import Chart, chart_rows
from widgets.events import EventLog, event_rows
from widgets.key_bar import KeyBar, KeyHint, key_bar_row
from widgets.notice import Notice
from widgets.orders import Orders, order_lines, order_rows, route_words

TITLES = {"0xfed": "Fed cuts rates in December?"}


# Orders


def test_no_orders_are_said_in_words():
    assert "no open orders" in "\n".join(texts(order_rows((), "", 0, 100, 5)))


def test_an_order_tells_age_state_place_and_reason():
    market = a_market(orders=(an_order(state="PARTIAL", remaining=shares(85), on_no=True),))
    line = texts(order_rows((market,), "0xfed", 0, 140, 5))[1]
    assert line.split()[:2] == ["1m", "PARTIAL"]
    assert "bid   41.3        85/300   1   sell NO    ~10  keep: in tolerance" in line


@pytest.mark.parametrize(
    ("side", "on_no", "route"),
    [("bid", False, "buy YES"), ("ask", False, "sell YES"), ("bid", True, "sell NO"), ("ask", True, "buy NO")],
)
def test_the_route_says_what_is_really_bought_or_sold(side, on_no, route):
    """A bid in the YES book may be an offer of NO."""
    assert route_words(an_order(side=side, on_no=on_no)) == route


def test_unknown_orders_come_first_then_those_in_flight_then_market_by_market():
    fed = a_market(
        orders=(
            an_order(order_id="live"),
            an_unknown_order(order_id="new doubt", unknown_s=1.0),
            an_order(order_id="", state="SENDING", age_s=0.1),
            an_order(order_id="going", state="CANCEL_SENT", age_s=9.0),
        )
    )
    rain = a_cent_market(orders=(an_order(order_id="rain"), an_unknown_order(order_id="old doubt", unknown_s=60.0)))
    lines = [line.order.order_id for line in order_lines((fed, rain), "0xrain") if not line.is_evidence]
    assert lines == ["old doubt", "new doubt", "going", "", "rain", "live"]


def test_no_orders_of_a_stopped_market_say_why():
    market = a_market(orders=(), control="KILLED", quoting=False)
    shown = "\n".join(texts(order_rows((market,), "0xfed", 0, 100, 5)))
    assert "no open orders" in shown and "killed: cancels repeat" in shown
    assert "no market is made" in "\n".join(texts(order_rows((), "", 0, 100, 5)))


def test_orders_of_the_selected_market_come_first():
    lines = texts(order_rows(a_view().markets, "0xrain", 0, 140, 12))
    assert "SENDING" in lines[1], "in flight"
    assert "Rain in NYC" in lines[2] and "Fed cuts" in lines[4]


def test_a_cancel_under_way_is_a_word_of_its_own():
    market = a_market(orders=(an_order(state="CANCEL_SENT", ahead=None),))
    assert "CANCELLING" in texts(order_rows((market,), "", 0, 100, 5))[1]


def test_an_unknown_order_tells_for_how_long_and_what_has_been_found():
    """Issue 6: the local state says UNKNOWN with its evidence and age; at 80 columns there is room for it too."""
    row, evidence = order_rows((a_market(orders=(an_unknown_order(),)),), "", 0, 78, 5)[1:]
    assert row.text.startswith("   13s UNKNOWN 12s ") and ("UNKNOWN 12s ", "warn") in row.spans
    assert evidence.text == "       └ may be at the venue: read 1 of 2, list wanted, trades wanted"


def test_a_cancel_does_not_end_what_is_unknown():
    order = an_unknown_order(state="CANCEL_SENT", evidence="")
    row, evidence = texts(order_rows((a_market(orders=(order,)),), "", 0, 78, 5))[1:]
    assert "UNKNOWN 12s" in row and "CANCELLING" not in row
    assert evidence.strip() == "└ may be at the venue, cancelling: nobody has looked yet"


async def test_lines_of_evidence_are_counted_when_scrolling():
    orders = Orders()
    market = a_market(orders=tuple(an_unknown_order(price=Ticks(400 + number)) for number in range(10)))
    async with WidgetApp(orders, lambda: orders.show((market,), "0xfed")).run_test(size=(100, 6)) as pilot:
        await pilot.pause()
        assert orders.border_title == "Orders 10, 10 unknown"
        orders.scroll_lines(99)
        assert "40.9" in orders.rows[-2].text and "└" in orders.rows[-1].text


@pytest.mark.parametrize("width", [66, 70, 78, 90, 110, 198])
def test_orders_fit_the_width(width):
    market = a_market(
        title="日本 " * 50,
        orders=(
            an_order(size=shares(1e8), remaining=shares(99_999_999), price=Ticks(999), reason="r" * 500),
            an_unknown_order(unknown_s=1e9, evidence="e" * 500),
        ),
    )
    for line in order_rows((market,), "0xfed", 0, width, 5):
        assert cell_len(line.text) <= width


async def test_orders_scroll_under_their_header():
    orders = Orders()
    market = a_market(orders=tuple(an_order(price=Ticks(400 + number)) for number in range(20)))
    async with WidgetApp(orders, lambda: orders.show((market,), "0xfed")).run_test(size=(100, 6)) as pilot:
        await pilot.pause()
        orders.scroll_lines(3)
        assert "40.3" in orders.rows[1].text
        orders.scroll_lines(99)
        assert "41.9" in orders.rows[-1].text
        assert orders.border_title == "Orders 20"
        assert orders.page_lines() == 4


# The cursor in the orders


def some_orders(*ids):
    return (a_market(orders=tuple(an_order(order_id=each, price=Ticks(400 + n)) for n, each in enumerate(ids))),)


async def test_the_cursor_stays_on_its_order_while_others_come_and_go():
    orders = Orders()
    async with WidgetApp(orders, lambda: orders.show(some_orders("a", "b", "c"), "0xfed")).run_test() as pilot:
        await pilot.pause()
        assert orders.selected is None
        orders.move(1)
        orders.move(1)
        assert orders.selected[1].order_id == "b" and orders.rows[2].text.startswith("›")
        orders.show(some_orders("x", "y", "b"), "0xfed")
        assert orders.selected[1].order_id == "b" and orders.rows[3].text.startswith("›")
        orders.move(-99)
        assert orders.selected[1].order_id == "x"


async def test_an_order_that_is_gone_hands_the_cursor_to_no_other():
    """A cancel pressed as its order fills must not reach the neighbour; the next move begins where it was."""
    orders = Orders()
    async with WidgetApp(orders, lambda: orders.show(some_orders("a", "b", "c"), "0xfed")).run_test() as pilot:
        await pilot.pause()
        orders.move(1)
        orders.move(1)
        orders.show(some_orders("a", "c", "d"), "0xfed")
        assert orders.selected is None and not any("›" in row.text for row in orders.rows)
        orders.move(1)
        assert orders.selected[1].order_id == "c"


async def test_an_order_without_an_id_is_told_apart_by_its_place():
    orders = Orders()
    sent = (a_market(orders=(an_order(order_id=""), an_order(order_id="", price=Ticks(412), layer=1))),)
    async with WidgetApp(orders, lambda: orders.show(sent, "0xfed")).run_test() as pilot:
        await pilot.pause()
        orders.move(1)
        orders.move(1)
        assert orders.selected[1].price == 412
        assert sum(row.text.startswith("›") for row in orders.rows) == 1


async def test_the_cursor_scrolls_the_list():
    orders = Orders()
    many = some_orders(*[f"order{n}" for n in range(20)])
    async with WidgetApp(orders, lambda: orders.show(many, "0xfed")).run_test(size=(100, 6)) as pilot:
        await pilot.pause()
        for _ in range(9):
            orders.move(1)
        assert orders.selected[1].order_id == "order8" and orders.rows[-1].text.startswith("›")
        orders.move(-8)
        assert orders.rows[1].text.startswith("›")


async def test_no_orders_have_no_cursor():
    orders = Orders()
    async with WidgetApp(orders, lambda: orders.show((), "")).run_test() as pilot:
        await pilot.pause()
        orders.move(1)
        assert orders.selected is None


# Events


def test_nothing_happened_is_said_in_words():
    assert "nothing has happened yet" in "\n".join(texts(event_rows((), {}, 0, 60, 5)))


def test_the_newest_event_is_on_top_with_time_and_kind():
    lines = texts(event_rows(a_view().events, TITLES, 0, 60, 3))
    assert lines[0] == "12:01:30 !                 order unknown for 30 s: 0x12ab…"
    assert lines[1].startswith("12:01:01 ▲                 book hash differs")
    assert len(lines) == 3


def test_a_wide_log_names_the_market():
    lines = texts(event_rows((an_event(),), TITLES, 0, 100, 3))
    assert lines[0] == "12:00:01   Fed cuts rates in Decemb… ask L2 41.8 -> 41.7"


async def test_a_log_scrolled_back_stays_where_it_is():
    log = EventLog()
    events = tuple(an_event(number, text=f"event {number}") for number in range(1, 31))
    async with WidgetApp(log, lambda: log.show(events, {})).run_test(size=(60, 6)) as pilot:
        await pilot.pause()
        log.scroll_lines(4)
        before = log.rows
        assert "event 26" in before[0].text
        log.show((*events, an_event(31, text="event 31")), {})
        assert log.rows == before
        assert log.border_subtitle == "5 newer above"
        log.scroll_lines(-99)
        assert "event 31" in log.rows[0].text
        assert log.border_subtitle == "newest first, UTC"


# Key bar

HINTS = [KeyHint("?", "help", 1), KeyHint("p", "pause", 3, False), KeyHint("q", "quit", 2)]


def test_keys_stand_in_order_and_the_forbidden_are_muted():
    line = key_bar_row(HINTS, 80)
    assert line.text.split() == ["?", "help", "p", "pause", "q", "quit"]
    assert {span.text.strip(): span.role for span in line.spans}["p"] == "muted"


def test_the_highest_rank_is_left_out_first():
    assert key_bar_row(HINTS, 18).text.split() == ["?", "help", "q", "quit"]
    assert key_bar_row(HINTS, 9).text.split() == ["?", "help"]
    assert key_bar_row(HINTS, 3).text.split() == []


@given(st.lists(st.builds(KeyHint, st.sampled_from("abcXYZ?!"), st.sampled_from(["pause", "go", "flatten"]),
                          st.integers(1, 20), st.booleans()), max_size=20), st.integers(1, 100))  # fmt: skip
def test_the_key_bar_stays_on_its_line(hints, width):
    assert len(key_bar_row(hints, width).text) <= max(1, width)


# Chart


def test_a_chart_needs_two_points():
    assert "second value" in "\n".join(texts(chart_rows([(0.0, 1)], 40, 6)))


def test_a_chart_rises_with_its_values_and_labels_its_extremes():
    lines = texts(chart_rows([(float(second), usd(50_000 + second)) for second in range(20)], 40, 5))
    assert lines[0].startswith("  $50,019.00 ")
    assert lines[3].startswith("  $50,000.00 ▁")
    assert lines[0].endswith("█")
    assert lines[-1].strip() == "from 19s ago"


def test_a_dip_is_never_averaged_away():
    points = [(float(second), usd(100)) for second in range(600)]
    points[300] = (300.0, usd(0))
    lines = texts(chart_rows(points, 40, 5))
    assert "$0.00" in lines[3]
    assert "▁" in lines[3]


def test_a_flat_line_stands_in_the_middle():
    lines = texts(chart_rows([(0.0, 5), (1.0, 5)], 40, 5))
    assert "█" in lines[3] and "█" not in lines[0]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=300), st.integers(14, 90), st.integers(2, 20))
def test_any_values_can_be_drawn(values, width, height):
    lines = chart_rows([(float(second), value) for second, value in enumerate(values)], width, height)
    assert len(lines) == height


async def test_a_chart_keeps_one_value_a_second():
    chart = Chart()
    async with WidgetApp(chart, lambda: None).run_test(size=(60, 8)) as pilot:
        await pilot.pause()
        for tenth in range(30):
            chart.note(NOON + tenth / 10, usd(tenth))
        chart.update_rows()
        assert sum(character != " " for character in chart.rows[-2].text[13:]) == 3


# Pictures


@pictures
def test_picture_of_orders(snap_compare):
    orders = Orders()
    assert snap_compare(WidgetApp(orders, lambda: orders.show(a_view().markets, "0xrain")), terminal_size=(120, 12))


@pictures
def test_picture_of_events(snap_compare):
    log = EventLog()
    assert snap_compare(WidgetApp(log, lambda: log.show(a_view().events, TITLES)), terminal_size=(100, 8))


@pictures
def test_picture_of_the_key_bar(snap_compare):
    bar = KeyBar()
    assert snap_compare(WidgetApp(bar, lambda: bar.show(HINTS)), terminal_size=(80, 1))


@pictures
def test_picture_of_the_chart(snap_compare):
    chart = Chart()

    def show():
        for second in range(120):
            chart.note(NOON + second, usd(50_000 + (second * 37 % 50) - second / 3))
        chart.update_rows()

    assert snap_compare(WidgetApp(chart, show), terminal_size=(70, 12))


@pictures
def test_picture_of_the_notice(snap_compare):
    notice = Notice((70, 16))
    assert snap_compare(WidgetApp(notice, lambda: notice.show("60x12")), terminal_size=(60, 12))


def test_orders_that_score_for_rewards_have_a_star():
    market = a_market(orders=(an_order(scoring=True), an_order(scoring=False), an_order()))
    rows = texts(order_rows([market], "0xfed", 0, 118, 8))
    assert [("1★" in line) for line in rows[1:4]] == [True, False, False]
