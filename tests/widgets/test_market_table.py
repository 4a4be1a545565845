from contextlib import asynccontextmanager

import msgspec
import pytest
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    a_cent_market,
    a_control,
    a_data,
    a_day_view,
    a_flattening,
    a_frozen,
    a_killed_view,
    a_market,
    a_pnl,
    a_risky_view,
    a_suspect,
    a_troubled_account,
    a_view,
    an_empty_book,
    an_inventory,
    an_order,
    an_unproven,
    levels,
    shares,
    some_rewards,
    usd,
    with_title,
)
from widgets.line_widget import Span
from widgets.market_rows import lines_per_market, markets_visible, reward_sign, table_rows, wide_columns
from widgets.market_table import MarketTable


def rows(markets=None, selected="0xfed", top=0, width=78, height=20):
    return table_rows(a_view().markets if markets is None else markets, selected, top, width, height)


def test_no_markets_are_said_in_words():
    assert "no markets yet" in "\n".join(texts(rows(markets=())))


def test_a_market_shows_touch_position_profit_and_age():
    first, second = texts(rows(markets=a_day_view().markets, width=60))[1:3]
    assert first.split()[-5:] == ["41.3", "41.6", "41.52", "+1,240", "0s"]
    assert second.split()[-4:] == ["41.3", "41.6", "0.3", "+3.10"], "own bid, own ask, spread, day"


def test_a_day_that_is_not_known_is_not_said_to_be_zero():
    assert texts(rows(markets=(a_market(),), width=60))[2].split()[-1] == "–"
    assert texts(rows(markets=(a_market(day=usd(0)),), width=60))[2].split()[-1] == "0.00"


@pytest.mark.parametrize("width", [49, 60, 78])
def test_what_keeps_a_market_from_quoting_takes_the_room_of_its_own_prices(width):
    blocked = a_market(quoting=False, blocked_by="soft cap reached on both sides", orders=())
    quoting, held = (texts(rows(markets=(market,), width=width))[2] for market in (a_market(), blocked))
    assert "41.3" in quoting.split() and "soft cap reached on both" in held and "41.3" not in held.split()


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({}, " "),
        ({"reward_band": (400, 430)}, "☆"),
        ({"reward_band": (400, 430), "orders": (an_order(scoring=False), an_order(scoring=True))}, "★"),
        ({"rewards": some_rewards(), "orders": (an_order(scoring=False),)}, "☆"),
    ],
)
def test_rewards_have_a_sign_of_their_own(changes, sign):
    market = a_market(**changes)
    assert reward_sign(market) == sign
    for width in (49, 120):
        assert texts(table_rows((market,), "", 0, width, 9))[1][2] == sign


def test_prices_of_different_grids_stand_point_under_point():
    lines = texts(rows())
    assert lines[1].index("41.3") == lines[3].index("63")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control": "KILLED"}, "killed: cancels repeat until nothing is open"),
        ({"control": "CANCEL_ONLY"}, "cancel only: nothing is placed"),
        ({"control": "PAUSED"}, "paused: nothing is placed"),
        ({"control": "PAUSED", "blocked_by": "paused: by the operator"}, "paused: by the operator"),
        ({"control": "PAUSED", "data": an_empty_book()}, "paused: nothing is placed"),
        ({"data": an_empty_book()}, "no book: waiting for the first book"),
        ({"data": a_suspect(state="SUSPECT", reason="")}, "   suspect "),
        ({"data": a_suspect()}, "suspect: book hash differs from"),
        ({"data": a_frozen()}, "frozen: REST shows 44c/46c"),
        ({"data": an_unproven()}, "unproven: REST shows 1c/99c while prices say"),
        ({"data": a_suspect(), "blocked_by": "market feed is down"}, "market feed is down"),
        (
            {"data": a_suspect(), "blocked_by": "book resyncing: book hash differs from the venue's"},
            "   suspect: book hash differs",
        ),
        ({"control": "REDUCE_ONLY"}, "reduce only"),
        ({"flattening": True, "quoting": False, "blocked_by": ""}, "flattening: position is being closed"),
        (
            {"flattening": True, "flatten": a_flattening(), "quoting": False, "blocked_by": "reduce-only"},
            "flattening, 620 left: selling 620 YES at 41.6c",
        ),
        ({"quoting": False, "blocked_by": "soft cap reached"}, "soft cap reached"),
        ({}, "  3 bid 3 ask"),
        ({"widen_ticks": 2}, "  3 bid 3 ask, wider by 2"),
        ({"widen_ticks": -1}, "  3 bid 3 ask, tighter by 1"),
    ],
)
def test_the_state_is_said_in_words(changes, words):
    assert words in texts(rows(markets=(a_market(**changes),)))[2]


def test_an_unproven_market_without_prices_shows_dashes():
    market = a_market(data=an_empty_book(), bids=(), asks=())
    assert texts(rows(markets=(market,)))[1].split()[-6:] == ["–", "–", "41.52", "+1,240", "–", "–○"]


@pytest.mark.parametrize("width", [60, 150])
@pytest.mark.parametrize(
    ("data", "sign"),
    [(a_suspect(), "▲"), (a_frozen(), "■"), (an_unproven(), "?")],
    ids=["suspect", "frozen", "unproven"],
)
def test_prices_that_are_not_believed_ask(data, sign, width):
    """Impossible to miss, also without colour: the sign of the market, a mark at the age, and prices that ask."""
    line = table_rows((a_market(data=data),), "0xfed", 0, width, 9)[1]
    words = line.text.split()
    assert words[0] == f"›{sign}" and words[-1].endswith(f"s{sign}")
    assert {"?41.3", "?41.6"} < set(words)
    assert not {"bid", "ask"} & {span.role for span in line.spans if "41." in span.text}
    assert {line.spans[1], line.spans[-1]._replace(text=sign)} == {Span(sign, "warn")}


def test_a_quiet_market_that_was_verified_does_not_look_broken():
    """Silence is no fault where REST shows the same book; the age of the last message stays what it is."""
    line, state = table_rows((a_market(data=a_data(freshness="quiet", age_s=700.0, proven_s=3.0)),), "", 0, 60, 9)[1:3]
    assert line.text.split()[:1] == ["●"] and line.text.endswith(" 11m✓")
    assert {"bid", "ask"} < {span.role for span in line.spans} and "warn" not in {span.role for span in line.spans}
    assert "  3 bid 3 ask" in state.text


def test_a_book_whose_hashes_do_not_fit_is_marked_and_still_shown_as_good():
    line = table_rows((a_market(data=a_data(check_every=0)),), "", 0, 60, 9)[1]
    assert line.text.endswith("0s△") and "41.3" in line.text.split()


def test_the_selected_market_stands_on_the_cursor():
    assert [line.ground for line in rows(selected="0xrain")[:5]] == ["", "", "", "cursor", "cursor"]
    assert rows(selected="0xrain")[3].text.startswith("›")


@pytest.mark.parametrize("width", [50, 62, 78, 99, 100, 120, 198])
def test_every_line_fits_the_width(width):
    huge = a_market(
        title="日本 " * 80,
        inventory=an_inventory(net=shares(-123_456_789)),
        pnl=a_pnl(total=usd(-98_765_432.1), fills=123_456),
        bids=a_market().bids,
    )
    for line in rows(markets=(huge, a_cent_market()), width=width):
        assert cell_len(line.text) <= width


def test_one_line_each_where_there_is_room():
    assert (lines_per_market(99), lines_per_market(100)) == (2, 1)
    scores = {"0xfed": 1234.0}
    lines = texts(table_rows(a_day_view().markets, "0xfed", 0, 198, 20, (), scores))
    assert lines[0].split() == ["MARKET", "STATE", "BID", "ASK", "SPR", "OWN", "B", "OWN", "A", "FAIR", "ORDERS",
                                "POS", "AT", "RISK", "DAY", "PNL", "FILLS", "SCORE", "AGE"]  # fmt: skip
    assert lines[1].split()[-14:] == ["41.3", "41.6", "0.3", "41.3", "41.6", "41.52", "6", "+1,240", "$512", "+3.10",
                                      "+3.10", "12", "1.23k", "0s"]  # fmt: skip
    assert len(lines) == 6


@pytest.mark.parametrize("width", range(100, 201, 10))
def test_the_narrower_the_table_the_fewer_columns_and_those_that_matter_most_stay(width):
    names, wider = ([column.name for column in wide_columns(each, True)] for each in (width, width + 10))
    assert {"BID", "ASK", "POS", "DAY", "AGE", "OWN B", "OWN A"} <= set(names) <= set(wider)
    assert {"FAIR", "SPR", "SCORE"} <= set(names) or width < 120
    assert "SCORE" not in [column.name for column in wide_columns(width, False)], "no list, no column of dashes"


def test_markets_visible_counts_whole_markets():
    assert markets_visible(78, 18) == 8
    assert markets_visible(150, 18) == 17
    assert markets_visible(78, 1) == 1


def many(count):
    return tuple(a_market(market=f"0x{number}", title=f"Market {number}") for number in range(count))


async def test_the_selected_market_is_kept_in_sight():
    table = MarketTable()
    markets = many(30)
    async with WidgetApp(table, lambda: table.show(markets, "0x0")).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        table.show(markets, "0x17")
        assert any("Market 17" in line.text for line in table.rows)
        table.show(markets, "0x2")
        assert "Market 2" in table.rows[1].text
        await pilot.resize_terminal(80, 5)
        await pilot.pause()
        assert "Market 2" in table.rows[1].text


async def test_scrolling_moves_the_window_and_stops_at_the_ends():
    table = MarketTable()
    markets = many(9)
    async with WidgetApp(table, lambda: table.show(markets, "0x0")).run_test(size=(80, 9)) as pilot:
        await pilot.pause()
        table.scroll_lines(3)
        assert "Market 3" in table.rows[1].text
        table.scroll_lines(99)
        assert "Market 8" in table.rows[-2].text
        table.scroll_lines(-99)
        assert "Market 0" in table.rows[1].text
        assert table.border_subtitle == "1–4 of 9, 9 quoting"


async def test_a_click_picks_the_market_under_the_pointer():
    table = MarketTable()
    picked = []
    app = WidgetApp(table, lambda: table.show(many(3), "0x0"))
    async with app.run_test(
        size=(80, 10), message_hook=lambda message: picked.append(getattr(message, "market", None))
    ) as pilot:
        await pilot.pause()
        await pilot.click(table, offset=(5, 4))
        await pilot.pause()
        await pilot.click(table, offset=(5, 0))
        await pilot.pause()
    assert {market for market in picked if market} == {"0x1"}


def test_a_tick_of_a_quarter_cent_is_shown_in_full():
    market = a_market(tick_text="0.0025", grid_k=400, decimals=4, bids=levels((165, 10)), asks=())
    assert "41.25" in texts(rows(markets=(market,)))[1]


async def test_the_border_counts_books_that_are_not_believed():
    table = MarketTable()
    markets = (a_market(), a_cent_market(data=an_unproven(), quoting=False))
    async with WidgetApp(table, lambda: table.show(markets, "0xfed")).run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert table.border_subtitle == "1 of 2 quoting, 1 not proven"


@pictures
def test_picture_of_two_lines_each(snap_compare):
    table = MarketTable()
    view = a_view()
    assert snap_compare(WidgetApp(table, lambda: table.show(view.markets, "0xfed")), terminal_size=(60, 16))


@pictures
def test_picture_of_one_line_each(snap_compare):
    table = MarketTable()
    view = a_view()
    assert snap_compare(WidgetApp(table, lambda: table.show(view.markets, "0xrain")), terminal_size=(140, 10))


# A market that is only reduced


def reduced(**changes):
    """The line of state of a market that may only be reduced."""
    control = a_control(
        market="0xfed", source="selection", reason="off the list", author="market list", left_s=None, **changes
    )
    markets = (a_market(control="REDUCE_ONLY"),)
    return [texts(table_rows(markets, "", 0, width, 20, (control,)))[-1] for width in (78, 190)]


def test_a_draining_market_tells_its_state_and_why():
    for line in reduced():
        assert "◐" in line or line.startswith("    reduce only")
        assert "reduce only: off the list, by market list" in line


@pytest.mark.parametrize("changes", [{"side": "ask"}, {"market": ""}, {"state": "PAUSED"}])
def test_what_is_not_about_the_whole_market_is_not_its_reason(changes):
    control = a_control(**({"market": "0xfed", "reason": "because"} | changes))
    lines = texts(table_rows((a_market(control="REDUCE_ONLY"),), "", 0, 78, 20, (control,)))
    assert lines[-1].startswith("    reduce only ") and "because" not in lines[-1]


def test_of_several_reasons_the_oldest_is_told_and_a_stricter_state_goes_before():
    controls = tuple(a_control(market="0xfed", reason=reason, author="") for reason in ("news", "off the list"))
    assert "reduce only: news" in texts(table_rows((a_market(control="REDUCE_ONLY"),), "", 0, 78, 20, controls))[-1]
    paused = texts(table_rows((a_market(control="PAUSED"),), "", 0, 78, 20, controls))[-1]
    assert "paused: nothing is placed" in paused and "news" not in paused


def test_words_that_only_repeat_the_state_give_way_to_what_is_behind_it():
    control = a_control(market="0xfed", source="selection", reason="off the list", author="market list")

    def told(blocked_by):
        market = a_market(control="REDUCE_ONLY", blocked_by=blocked_by, quoting=False)
        return texts(table_rows((market,), "", 0, 78, 20, (control,)))[-1]

    assert "reduce only: off the list, by market list" in told("bid: reduce only; ask: reduce only")
    assert "market feed is down" in told("market feed is down"), "what is stricter goes before"


async def test_the_widget_is_handed_the_states():
    table = MarketTable()
    controls = (a_control(market="0xfed", source="selection", reason="off the list", author="market list"),)
    markets = (a_market(control="REDUCE_ONLY"),)
    async with WidgetApp(table, lambda: table.show(markets, "0xfed", controls)).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert any("off the list" in line.text for line in table.rows)


# Sorted and filtered

DAYS = tuple(
    a_market(market=f"0x{place}", title=title, day=usd(worth))
    for place, (title, worth) in enumerate((("Fed cuts", 5), ("Rain in NYC", -3), ("Fed raises", -9), ("Team A", 1)))
)


@asynccontextmanager
async def a_table(markets=DAYS, selected="0x0", size=(80, 12)):
    table = MarketTable()
    async with WidgetApp(table, lambda: table.show(markets, selected, (), {}, 100.0)).run_test(size=size) as pilot:
        await pilot.pause()
        yield table


def by(table, name):
    while not table.sort_name.startswith(name):
        table.sort_by(1)


async def test_the_title_says_the_order_and_the_filter():
    async with a_table() as table:
        assert str(table.border_title) == "Markets"
        by(table, "day")
        table.filter_by("fed")
        assert str(table.border_title) == "Markets by day, worst first · /fed"
        assert table.filter_text == "fed"
        assert str(table.border_subtitle) == "2 of 4 fit, 4 of 4 quoting"


async def test_a_filter_shows_what_fits_and_says_that_the_selected_market_is_hidden():
    """What is acted on and not seen must be told."""
    async with a_table(selected="0x1") as table:
        table.filter_by("fed")
        assert table.order == ("0x0", "0x2")
        assert "selected one is hidden" in str(table.border_subtitle)
        assert [line.text.split()[1] for line in table.rows[1::2]] == ["Fed", "Fed"]
        table.filter_by("")
        assert table.order == ("0x0", "0x1", "0x2", "0x3") and "hidden" not in str(table.border_subtitle)


async def test_a_filter_that_fits_nothing_says_so():
    async with a_table() as table:
        table.filter_by("[/x] \x1b[31m")
        assert "no title of 4 has" in "\n".join(texts(table.rows)) and table.order == ()
        assert all(line.text.isprintable() for line in table.rows)


async def test_updates_move_no_row_and_two_seconds_later_the_order_is_right_again():
    changed = tuple(msgspec.structs.replace(market, day=-market.day) for market in DAYS)
    async with a_table() as table:
        by(table, "day")
        assert table.order == ("0x2", "0x1", "0x3", "0x0")
        table.show(changed, "0x0", (), {}, 101.9)
        assert table.order == ("0x2", "0x1", "0x3", "0x0")
        table.show(changed, "0x0", (), {}, 102.1)
        assert table.order == ("0x0", "0x3", "0x1", "0x2")


async def test_a_sort_keeps_the_selected_market_in_sight():
    markets = tuple(a_market(market=f"0x{n}", title=f"Market {n:02}", day=usd(-n)) for n in range(30))
    async with a_table(markets, "0x29", (80, 9)) as table:
        assert any("Market 29" in line.text for line in table.rows)
        by(table, "day")
        assert "Market 29" in table.rows[1].text
        table.show(markets, "0x0", (), {}, 100.5)
        assert any("Market 00" in line.text for line in table.rows)


async def test_scores_are_shown_and_sorted_by():
    async with a_table(size=(140, 12)) as table:
        table.show(DAYS, "0x0", (), {"0x3": 1_500.0, "0x1": 20.0}, 100.1)
        by(table, "score")
        assert table.order == ("0x3", "0x1", "0x0", "0x2")
        assert "1.50k" in table.rows[1].text and "SCORE" in table.rows[0].text


async def test_a_click_picks_what_stands_there_now():
    picked = []
    table = MarketTable()
    app = WidgetApp(table, lambda: table.show(DAYS, "0x0", (), {}, 100.0))
    async with app.run_test(
        size=(80, 12), message_hook=lambda message: picked.append(getattr(message, "market", None))
    ) as pilot:
        await pilot.pause()
        by(table, "day")
        await pilot.click(table, offset=(5, 1))
        await pilot.pause()
    assert {market for market in picked if market} == {"0x2"}


@pytest.mark.parametrize("width", [56, 62, 69, 70, 99, 120, 200])
def test_scores_are_shown_beside_other_panes_too(width):
    """The table of a large terminal is narrow: it shares its width with the ladders."""
    drawn = texts(table_rows(DAYS, "0x0", 0, width, 24, (), {"0x0": 1_500.0, "0x3": 118e6}))
    assert {"SCORE", "SCR/risk", "AGE/scr"} & set(drawn[0].split())
    assert any("1.50k" in line for line in drawn) and any("118M" in line for line in drawn)
    assert all(cell_len(line) <= width for line in drawn)


@pytest.mark.parametrize("width", [49, 80, 120, 200])
@pytest.mark.parametrize("view", [a_day_view(), a_killed_view(), a_risky_view(), a_troubled_account()])
def test_every_state_of_a_session_fits_and_is_told_in_words(view, width):
    drawn = table_rows(view.markets, "0xfed", 0, width, 24, view.controls)
    assert all(cell_len(line.text) <= width for line in drawn)
    signs = [line.text[1] for line in drawn[1:] if line.text[1] != " "]
    assert len(signs) == len(view.markets), "a sign for every market, without colour"


@pytest.mark.parametrize("title", HOSTILE, ids=HOSTILE_IDS)
@pytest.mark.parametrize("width", [49, 78, 120])
def test_titles_and_reasons_of_strangers_stay_in_their_columns(title, width):
    view = with_title(title)
    for line in table_rows(view.markets, "0xfed", 0, width, 24, view.controls, {"0xfed": float("nan")}):
        assert cell_len(line.text) == width or not line.text.strip()
        assert line.text.isprintable()


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
def test_picture_of_a_table_that_is_sorted_and_filtered(snap_compare, theme):
    table = MarketTable()
    view = a_day_view()

    def show():
        table.show(view.markets, "0xrain", view.controls, {"0xfed": 1_500.0, "0xrain": 87.0}, view.unix)
        by(table, "state")
        table.filter_by("a")

    assert snap_compare(WidgetApp(table, show, theme), terminal_size=(120, 10))
