"""The tape: every trade on its line, newest first, and the line stays where it is while others come."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.units import Ticks
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    NOON,
    a_fill,
    a_market,
    a_taped_market,
    shares,
    some_trades,
)
from widgets.tape import TapeLog, tape_rows

NOW = NOON + 3862


def rows(market=None, skip=0, width=60, height=12, ours=()):
    return tape_rows(market or a_taped_market(), skip, width, height, NOW, ours)


@pytest.mark.parametrize(
    ("market", "words"),
    [
        (None, "no market selected"),
        (a_market(), "on its way …"),
        (a_market(detailed=True), "no trade since the session began"),
    ],
)
def test_an_empty_tape_says_why(market, words):
    assert words in "\n".join(texts(tape_rows(market, 0, 60, 12, NOW)))


def test_the_newest_stands_on_top_with_time_price_taker_and_size():
    header, newest, second, *_, oldest = texts(rows())
    assert header.split() == ["UTC", "PRICE", "TAKER", "SIZE", "VOLUME"]
    assert newest.split()[:5] == ["13:04:21", "41.4", "▾sold", "95", "345"]
    assert second.split()[:5] == ["13:04:18", "41.2", "▴bought", "80", "250"]
    assert oldest.split()[:5] == ["13:04:06", "41.3", "▴bought", "20", "20"]


def test_the_volume_runs_over_the_whole_session_where_that_is_counted():
    market = a_taped_market(volumes=((Ticks(412), shares(1_000)), (Ticks(413), shares(345))))
    lines = texts(rows(market))
    assert [line.split()[4] for line in (lines[1], lines[-1])] == ["1,345", "1,020"]


def test_trades_at_the_price_and_time_of_a_fill_of_ours_are_marked():
    fills = (
        a_fill(1, unix=NOW - 1.5, price=Ticks(414), size=shares(90)),
        a_fill(2, unix=NOW - 60, price=Ticks(412)),
        a_fill(3, market="0xother", unix=NOW - 4, price=Ticks(412)),
    )
    assert [line[0] for line in texts(rows(ours=fills))[1:]] == ["●", " ", " ", " ", " ", " "]


def test_a_tape_does_not_repaint_because_time_passes():
    """Ages would change every line every second; times of day change none."""
    market = a_taped_market()
    older = tuple(msgspec.structs.replace(trade, age_s=trade.age_s + 1.25) for trade in market.tape)
    later = msgspec.structs.replace(market, tape=older)
    assert tape_rows(later, 0, 60, 12, NOW + 1.25) == rows(market)


@given(st.integers(1, 60), st.integers(48, 200), st.integers(1, 30), st.integers(0, 59))
def test_no_line_is_too_wide_and_none_too_many(count, width, height, skip):
    drawn = rows(a_taped_market(count), min(skip, count - 1), width, height)
    assert len(drawn) <= max(1, height) and all(cell_len(line.text) <= width for line in drawn)


def test_huge_sizes_stay_in_their_columns():
    trade = msgspec.structs.replace(some_trades(1)[0], size=shares(99_999_999_999))
    line = rows(a_taped_market(tape=(trade,)), width=50)[1].text
    assert line.split()[3:] == [">999M", ">999M"]


async def test_a_tape_that_is_scrolled_back_stays_on_its_line():
    tape = TapeLog()
    async with WidgetApp(tape, lambda: tape.show(a_taped_market(20), NOW)).run_test(size=(60, 6)) as pilot:
        await pilot.pause()
        assert str(tape.border_title) == "Tape · Fed cuts rates in December?"
        assert str(tape.border_subtitle).endswith("newest first")
        tape.scroll_lines(4)
        before = [line.split()[3] for line in texts(tape.rows)[1:]]
        tape.show(a_taped_market(23), NOW)
        assert [line.split()[3] for line in texts(tape.rows)[1:]] == before
        assert str(tape.border_subtitle).endswith("7 newer above")
        tape.show(a_taped_market(20, market="0xother"), NOW)
        assert str(tape.border_subtitle).endswith("newest first"), "another market's tape begins at its newest"
        tape.show(None, NOW)
        assert str(tape.border_title) == "Tape" and "no market selected" in "\n".join(texts(tape.rows))


@pytest.mark.parametrize("title", HOSTILE, ids=HOSTILE_IDS)
async def test_titles_of_strangers_are_harmless(title):
    tape = TapeLog()
    market = a_taped_market(title=title)
    async with WidgetApp(tape, lambda: tape.show(market, NOW)).run_test(size=(60, 6)) as pilot:
        await pilot.pause()
        assert str(tape.border_title).isprintable()


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
def test_picture_of_a_tape(snap_compare, theme):
    tape = TapeLog()
    ours = (a_fill(1, unix=NOW - 4, price=Ticks(412)),)
    app = WidgetApp(tape, lambda: tape.show(a_taped_market(30), NOW, ours), theme)
    assert snap_compare(app, terminal_size=(100, 12))
