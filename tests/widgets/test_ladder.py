import msgspec
import pytest

from core.views import LevelView
from tests.widgets.harness import WidgetApp, pictures
from tests.widgets.view_builders import a_cent_market, a_frozen, a_market, a_suspect, an_empty_book, an_unproven
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
        assert first_price(ladder) == "73"
        assert ladder.border_title == "Rain in NYC on Tuesday"
        assert ladder.border_subtitle == "cents · tick 1c"


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
        lines = [line.text for line in ladder.rows[1:-2]]
        assert len(lines) == 29
        assert "41.5" in lines[14]


@pictures
def test_picture(snap_compare):
    ladder = Ladder()
    assert snap_compare(app_of(ladder, a_market()), terminal_size=(70, 24))


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
    ladder = Ladder()
    app = WidgetApp(ladder, lambda: ladder.show(a_market()), theme="polymm-mono")
    assert snap_compare(app, terminal_size=(70, 24))
