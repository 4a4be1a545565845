import pytest
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    a_cent_market,
    a_control,
    a_data,
    a_flattening,
    a_frozen,
    a_market,
    a_pnl,
    a_suspect,
    a_view,
    an_empty_book,
    an_inventory,
    an_unproven,
    levels,
    shares,
    usd,
)
from widgets.line_widget import Span
from widgets.market_table import MarketTable, lines_per_market, markets_visible, table_rows


def rows(markets=None, selected="0xfed", top=0, width=78, height=20):
    return table_rows(a_view().markets if markets is None else markets, selected, top, width, height)


def test_no_markets_are_said_in_words():
    assert "no markets yet" in "\n".join(texts(rows(markets=())))


def test_a_market_shows_touch_position_profit_and_age():
    first, second = texts(rows())[1:3]
    assert first.split()[-3:] == ["41.3", "41.6", "0s"]
    assert second.split()[-2:] == ["+1,240", "+3.10"]


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
        ({}, "quoting 3 bid 3 ask"),
        ({"widen_ticks": 2}, "quoting 3 bid 3 ask, wider by 2"),
        ({"widen_ticks": -1}, "quoting 3 bid 3 ask, tighter by 1"),
    ],
)
def test_the_state_is_said_in_words(changes, words):
    assert words in texts(rows(markets=(a_market(**changes),)))[2]


def test_an_unproven_market_without_prices_shows_dashes():
    market = a_market(data=an_empty_book(), bids=(), asks=())
    assert texts(rows(markets=(market,)))[1].split()[-3:] == ["–", "–", "–○"]


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
    assert "quoting 3 bid 3 ask" in state.text


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
    lines = texts(rows(width=150))
    assert lines[0].split() == ["MARKET", "STATE", "BID", "ASK", "FAIR", "ORDERS", "NET", "AT", "RISK", "PNL", "$",
                                "FILLS", "AGE"]  # fmt: skip
    assert lines[1].split()[-9:] == ["41.3", "41.6", "41.52", "6", "+1,240", "$512", "+3.10", "12", "0s"]
    assert len(lines) == 6


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
        assert "◐" in line or line.startswith("   reduce only")
        assert "reduce only: off the list, by market list" in line


@pytest.mark.parametrize("changes", [{"side": "ask"}, {"market": ""}, {"state": "PAUSED"}])
def test_what_is_not_about_the_whole_market_is_not_its_reason(changes):
    control = a_control(**({"market": "0xfed", "reason": "because"} | changes))
    lines = texts(table_rows((a_market(control="REDUCE_ONLY"),), "", 0, 78, 20, (control,)))
    assert lines[-1].startswith("   reduce only ") and "because" not in lines[-1]


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
