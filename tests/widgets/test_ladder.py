import msgspec
import pytest

from core.units import Ticks
from core.views import LevelView
from tests.widgets.harness import WidgetApp, pictures
from tests.widgets.view_builders import (
    NOON,
    a_cent_market,
    a_frozen,
    a_laddered_market,
    a_market,
    a_suspect,
    an_empty_book,
    an_order,
    an_unproven,
    shares,
)
from widgets.ladder import Ladder


def moved(market, ticks):
    def shift(side):
        return tuple(LevelView(level.price + ticks, level.size) for level in side)

    return msgspec.structs.replace(market, bids=shift(market.bids), asks=shift(market.asks))


def first_price(ladder):
    return ladder.rows[1].text.split()[0]


def prices(ladder):
    return [word for line in ladder.rows[1:-2] for word in line.text.split() if word.count(".") == 1]


async def ladder_of(pilot, ladder):
    await pilot.pause()
    return first_price(ladder)


def app_of(ladder, market):
    return WidgetApp(ladder, lambda: ladder.show(market))


async def test_the_axis_stands_still_while_the_market_moves():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        before = await ladder_of(pilot, ladder)
        ladder.show(moved(a_market(), 3))
        assert first_price(ladder) == before


async def test_the_axis_follows_a_market_that_leaves_it():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        before = await ladder_of(pilot, ladder)
        ladder.show(moved(a_market(), 40))
        assert first_price(ladder) != before
        assert "45.5" in "\n".join(line.text for line in ladder.rows)


async def test_own_orders_beyond_the_axis_are_counted_in_the_border():
    """What is not seen and may fill must be told."""
    ladder = Ladder()
    orders = tuple(an_order(price=Ticks(tick), order_id=f"0x{tick}") for tick in (900, 413, 20, 10))
    async with app_of(ladder, a_market()).run_test(size=(100, 22)):
        assert "own" not in ladder.border_subtitle
        ladder.show(a_market(orders=orders))
        assert str(ladder.border_subtitle).startswith("1 own above, 2 own below · ")


async def test_recentre_puts_the_middle_into_the_middle():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        before = await ladder_of(pilot, ladder)
        ladder.show(moved(a_market(), 3))
        ladder.recentre()
        assert float(first_price(ladder)) == round(float(before) + 0.3, 1)


async def test_a_scrolled_axis_stays_until_recentred():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        before = await ladder_of(pilot, ladder)
        ladder.scroll_lines(100)
        scrolled = first_price(ladder)
        assert float(scrolled) == round(float(before) - 10.0, 1)
        ladder.show(moved(a_market(), 1))
        assert first_price(ladder) == scrolled
        ladder.recentre()
        assert float(first_price(ladder)) == round(float(before) + 0.1, 1)


async def test_another_market_is_centred():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.scroll_lines(100)
        ladder.show(a_cent_market())
        assert first_price(ladder) == "72"
        assert ladder.border_title == "Rain in NYC on Tuesday"
        assert ladder.border_subtitle == "−80 NO at 37.00, open −0.42 · tick 1c"


async def test_another_tick_size_is_centred_too():
    ladder = Ladder()
    async with app_of(ladder, a_cent_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        finer = a_cent_market(grid_k=1000, decimals=3, tick_text="0.001", bids=a_market().bids, asks=a_market().asks)
        ladder.show(finer)
        assert "41.5" in "\n".join(line.text for line in ladder.rows)


async def test_a_market_without_any_price_can_be_shown():
    ladder = Ladder()
    empty = a_market(
        bids=(), asks=(), fair=None, reservation=None, last_price=None, last_size=None, last_buy=None,
        data=an_empty_book(), orders=(),
    )  # fmt: skip
    async with app_of(ladder, empty).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        assert "no book yet" in "\n".join(line.text for line in ladder.rows)
        ladder.show(None)
        assert "no market selected" in "\n".join(line.text for line in ladder.rows)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (a_suspect(), "▲ SUSPECT"),
        (a_frozen(), "■ FROZEN"),
        (an_unproven(), "? UNPROVEN"),
        (an_empty_book(), "○ NO BOOK"),
    ],
)
async def test_the_title_begins_with_what_keeps_the_book_from_being_believed(data, word):
    """The title is read first and has no colour to rely on."""
    ladder = Ladder()
    async with app_of(ladder, a_market(data=data)).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        assert ladder.border_title == f"{word} · Fed cuts rates in December?"
        ladder.show(a_market())
        assert ladder.border_title == "Fed cuts rates in December?"


async def test_a_higher_terminal_shows_more_and_stays_centred():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 12)) as pilot:
        await pilot.pause()
        await pilot.resize_terminal(70, 32)
        await pilot.pause()
        lines = [line.text for line in ladder.rows[1:-4]]
        assert len(lines) == 27
        assert "41.5" in lines[13]


# Depth


async def test_depth_goes_through_its_presets_and_says_what_a_line_is():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.coarser()
        assert "FROM×5" in ladder.rows[0].text and "5 ticks a line" in ladder.border_subtitle
        ladder.coarser()
        ladder.coarser()
        assert "FROM×10" in ladder.rows[0].text
        for _ in range(3):
            ladder.finer()
        assert "PRICE" in ladder.rows[0].text and "ticks a line" not in ladder.border_subtitle


async def test_the_depth_stays_when_another_market_is_shown():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.coarser()
        ladder.show(a_cent_market())
        assert "FROM×5" in ladder.rows[0].text
        assert first_price(ladder) == "95", "the axis ends at its uppermost line"


# Cursor


def cursor_line(ladder):
    return next((y for y, line in enumerate(ladder.rows) if "›" in line.text), None)


async def test_the_cursor_begins_in_the_middle_and_moves_by_lines():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        assert ladder.cursor is None and ladder.order_at_cursor is None and cursor_line(ladder) is None
        ladder.move(1)
        assert ladder.cursor == 415
        ladder.move(2)
        assert ladder.cursor == 413 and "› 41.3" in ladder.rows[cursor_line(ladder)].text
        ladder.move(-3)
        assert ladder.cursor == 416


async def test_the_cursor_names_the_order_on_its_line():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        assert ladder.order_at_cursor is None
        ladder.move(2)
        assert ladder.order_at_cursor == a_market().orders[0]


async def test_of_several_orders_the_innermost_is_meant_and_one_being_cancelled_last():
    """Pressed twice, the cancel key takes the next order, not the same one again."""
    ladder = Ladder()
    inner, outer = an_order(order_id="a"), an_order(order_id="b", layer=1)
    async with app_of(ladder, a_market(orders=(outer, inner))).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        ladder.move(2)
        assert ladder.order_at_cursor == inner
        going = msgspec.structs.replace(inner, state="CANCEL_SENT")
        ladder.show(a_market(orders=(outer, going)))
        assert ladder.order_at_cursor == outer


async def test_the_cursor_stays_at_its_price_while_the_market_moves():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        before = cursor_line(ladder)
        ladder.show(moved(a_market(), 3))
        assert (ladder.cursor, cursor_line(ladder)) == (415, before)


async def test_the_axis_follows_the_cursor_to_the_ends_of_the_grid():
    ladder = Ladder()
    async with app_of(ladder, a_cent_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        ladder.move(99)
        assert ladder.cursor == 1 and cursor_line(ladder) is not None
        ladder.move(-999)
        assert ladder.cursor == 99 and cursor_line(ladder) == 1


async def test_a_cursor_out_of_sight_is_none_so_that_no_unseen_order_is_meant():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        ladder.move(2)
        assert ladder.order_at_cursor is not None
        ladder.show(moved(a_market(), 40))
        assert ladder.cursor is None and ladder.order_at_cursor is None
        ladder.move(1)
        ladder.scroll_lines(100)
        assert ladder.cursor is None


async def test_another_market_and_another_tick_take_the_cursor_away():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        ladder.show(a_cent_market())
        assert ladder.cursor is None


async def test_the_depth_keeps_the_cursor_on_its_line():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        ladder.move(2)
        before = cursor_line(ladder)
        ladder.coarser()
        assert (ladder.cursor, cursor_line(ladder)) == (410, before)
        assert ladder.order_at_cursor == a_market().orders[0], "the innermost of four"
        ladder.finer()
        assert (ladder.cursor, cursor_line(ladder)) == (413, before)


async def test_where_there_is_a_list_only_there_is_no_cursor():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(50, 22)) as pilot:
        await pilot.pause()
        ladder.move(1)
        assert ladder.cursor is None and ladder.order_at_cursor is None


async def test_no_market_has_neither_cursor_nor_depth_to_fail_on():
    ladder = Ladder()
    async with app_of(ladder, None).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        for act in (ladder.coarser, ladder.finer, ladder.recentre, lambda: ladder.move(1)):
            act()
        assert ladder.cursor is None and ladder.order_at_cursor is None


# Fills


async def test_a_fill_flashes_for_a_second_and_moves_no_row():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        usual = a_market().pnl
        before = [line.text for line in ladder.rows]
        filled = a_market(pnl=msgspec.structs.replace(usual, bought=usual.bought + shares(20)))
        ladder.show(filled, NOON + 0.1)
        after = [line.text for line in ladder.rows]
        assert [a.replace("◆", " ") for a in after[:-3]] == before[:-3]
        assert sum("◆" in line for line in after[1:-3]) == 1
        ladder.show(filled, NOON + 1.0)
        assert any("◆" in line.text for line in ladder.rows[1:-3])
        ladder.show(filled, NOON + 1.2)
        assert not any("◆" in line.text for line in ladder.rows[1:-3])


async def test_only_lines_that_changed_are_painted_again():
    ladder = Ladder()
    async with app_of(ladder, a_market()).run_test(size=(70, 22)) as pilot:
        await pilot.pause()
        painted = []
        ladder.refresh = lambda *regions, **_: painted.extend(region.y for region in regions)
        bids = a_market().bids
        ladder.show(a_market(bids=(bids[0], msgspec.structs.replace(bids[1], size=shares(2_600)), *bids[2:])))
        assert [ladder.rows[y].text.split()[3] for y in painted] == ["41.2"]


# Pictures


@pictures
def test_picture(snap_compare):
    ladder = Ladder()
    assert snap_compare(app_of(ladder, a_laddered_market()), terminal_size=(78, 24))


@pictures
def test_picture_of_an_unproven_book(snap_compare):
    ladder = Ladder()
    market = a_market(data=a_suspect(), quoting=False, orders=())
    assert snap_compare(app_of(ladder, market), terminal_size=(70, 24))


@pictures
def test_picture_of_a_frozen_book_in_mono(snap_compare):
    ladder = Ladder()
    market = a_market(data=a_frozen(), quoting=False, orders=())
    app = WidgetApp(ladder, lambda: ladder.show(market), theme="polymm-mono")
    assert snap_compare(app, terminal_size=(70, 24))


@pictures
def test_picture_in_mono(snap_compare):
    """Cursor, fill, marks and states are readable without a colour."""
    ladder = Ladder()

    def show():
        ladder.show(a_laddered_market(), NOON)
        pnl = a_laddered_market().pnl
        ladder.show(a_laddered_market(pnl=msgspec.structs.replace(pnl, sold=pnl.sold + shares(10))), NOON + 0.1)

    async def move(pilot):
        await pilot.pause()
        ladder.move(1)
        ladder.move(2)

    app = WidgetApp(ladder, show, theme="polymm-mono")
    assert snap_compare(app, terminal_size=(67, 32), run_before=move)


@pictures
def test_picture_of_five_ticks_a_line(snap_compare):
    ladder = Ladder()

    def show():
        ladder.show(a_laddered_market())
        ladder.coarser()

    assert snap_compare(WidgetApp(ladder, show), terminal_size=(58, 24))
