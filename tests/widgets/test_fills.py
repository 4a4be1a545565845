"""Fills: everything about one on its line, and the line stays where it is while others come."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, NOON, a_fill, shares, some_fills, usd
from widgets.fills import Fills, fill_rows, fill_size, fill_words, summary

NOW = NOON + 3862


def rows(fills=None, selected=-1, skip=0, width=118, height=12):
    return fill_rows(some_fills() if fills is None else fills, selected, skip, width, height, NOW)


def test_no_fills_are_said_in_words():
    assert "no fills in this session yet" in "\n".join(texts(rows(fills=())))


def test_the_newest_stand_on_top_with_everything_that_is_known_of_them():
    header, newest, *_, oldest = texts(rows())
    assert header.split() == ["UTC", "MARKET", "SIDE", "PRICE", "SIZE", "LAYER", "TOKEN", "FEE", "STATUS",
                              "1s", "5s", "30s", "5m"]  # fmt: skip
    assert newest.split()[0] == "13:04:21"
    assert newest.split()[-11:] == ["41.3", "55.00", "1", "YES", "$0.00", "~", "provisional", "–", "–", "–", "–"]
    assert oldest.split()[-6:] == ["✓", "settled", "+0.11", "+0.09", "+0.02", "−0.03"]
    assert oldest.startswith(" 2d ago "), "a time of day would be taken for today's"


@pytest.mark.parametrize(
    ("status", "sign", "word"),
    [
        ("MATCHED", "~", "provisional"),
        ("MINED", "~", "provisional"),
        ("CONFIRMED", "✓", "settled"),
        ("RETRYING", "△", "retrying"),
        ("FAILED", "✕", "FAILED"),
        ("SOMETHING NEW", "?", "SOMETHING NEW"),
    ],
)
def test_how_far_a_fill_is_settled_has_a_sign_and_a_word(status, sign, word):
    fill = a_fill(status=status)
    assert f"{sign} {word}"[:12] in texts(rows((fill,)))[1]
    assert texts(rows((fill,), width=60))[1].split()[-2] == sign


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0.0042, "<0.01"),
        (0.31, "0.31"),
        (0.999, "0.99"),
        (43.1, "43.10"),
        (12_345, "12,345   "),
        (123_456_789, "123M   "),
    ],
)
def test_a_fill_of_less_than_a_share_is_not_said_to_be_nothing(size, said):
    """And points stand under points: 43.1 beside 55.25 reads as 4 and 3 of something else."""
    assert fill_size(shares(size), 10) == said and len(fill_size(shares(size), 9)) < 9


def test_bought_and_sold_have_a_word_and_a_sign_and_the_price_its_own_grid():
    lines = texts(rows(width=78))
    assert lines[6].split()[-9:] == ["ask", "64", "55.00", "1N", "✓", "−1.00", "−2.00", "−12.50", "+0.00"]
    assert lines[1].split()[-9:] == ["bid", "41.3", "55.00", "1", "~", "–", "–", "–", "–"]
    assert lines[6].index("64") == lines[1].index("41.3"), "points under points"


def test_a_taker_is_marked_on_any_width_and_pays_a_fee():
    narrow, wide = texts(rows(width=49))[4], texts(rows())[4]
    assert " T " in narrow and "taker" in wide.split() and "$0.42" in wide.split()
    assert " T " not in "".join(texts(rows(width=49))[1:4])


@pytest.mark.parametrize(("width", "horizons"), [(49, 0), (60, 1), (78, 4), (118, 4)])
def test_a_young_fill_has_dashes_where_it_will_be_judged(width, horizons):
    lines = texts(rows(width=width))
    assert lines[0].split()[-horizons:] == ["1s", "5s", "30s", "5m"][:horizons] or not horizons
    assert lines[2].count("–") == max(0, horizons - 2)


def test_huge_amounts_stay_in_their_columns():
    fill = a_fill(size=shares(9_999_999_999), fee=usd(99_999_999), markouts=(-1.0, 1.0, 9.99, 0.5), layer=12)
    for width in (49, 60, 78, 118, 200):
        header, line = fill_rows((fill,), -1, 0, width, 5, NOW)
        assert cell_len(header.text) == cell_len(line.text) <= width


@given(st.integers(30, 220), st.integers(1, 40), st.integers(0, 6))
def test_no_line_is_too_wide_and_none_too_many(width, height, skip):
    drawn = rows(skip=skip, width=max(width, 40), height=height)
    assert len(drawn) <= max(height, 1) and all(cell_len(line.text) <= max(width, 40) for line in drawn)


@pytest.mark.parametrize("title", HOSTILE, ids=HOSTILE_IDS)
@pytest.mark.parametrize("width", [49, 78, 118])
def test_texts_of_strangers_stay_in_their_columns(title, width):
    fill = a_fill(title=title, status=title)
    for line in fill_rows((fill,), 1, 0, width, 5, NOW):
        assert cell_len(line.text) == width and line.text.isprintable()
    assert fill_words(fill).isprintable()


def many(count, first=1):
    return tuple(a_fill(seq, size=shares(seq)) for seq in range(first, first + count))


async def test_the_cursor_stays_on_its_fill_and_its_fill_on_its_line_while_others_come():
    fills = Fills()
    async with WidgetApp(fills, lambda: fills.show(many(9), NOW)).run_test(size=(80, 6)) as pilot:
        await pilot.pause()
        assert fills.selected is None and " 9.00 1" in fills.rows[1].text
        fills.move(1)
        fills.move(1)
        assert fills.selected.seq == 8
        before = texts(fills.rows)
        fills.show(many(12), NOW)
        assert texts(fills.rows) == before and fills.selected.seq == 8
        assert str(fills.border_subtitle).endswith("3 newer above")
        assert str(fills.border_subtitle).startswith("bid 41.3c, layer 1 on YES, maker, fee $0.00, settled")
        fills.move(-9)
        assert fills.selected is None and " 12.00 1" in fills.rows[1].text
        fills.show(many(13), NOW)
        assert " 13.00 1" in fills.rows[1].text, "above the newest the list follows again"


async def test_the_cursor_is_kept_in_sight_down_to_the_oldest():
    fills = Fills()
    async with WidgetApp(fills, lambda: fills.show(many(30), NOW)).run_test(size=(80, 6)) as pilot:
        await pilot.pause()
        fills.move(99)
        assert fills.selected.seq == 1 and fills.rows[-1].ground == "cursor"
        fills.move(-6)
        assert fills.rows[1].ground == "cursor" and fills.selected.seq == 7
        fills.show(many(30, first=40), NOW)
        assert fills.selected is None, "the fill under the cursor has left the list"


def test_what_is_not_settled_or_failed_is_counted():
    assert summary(some_fills()) == "3 not settled, 1 FAILED, fees $0.42"
    assert summary(many(2)) == "all settled"


async def test_the_border_tells_how_things_stand():
    fills = Fills()
    both = (a_fill(1), a_fill(2, side="ask", status="MINED", fee=usd(0.3)))
    async with WidgetApp(fills, lambda: fills.show(both, NOW)).run_test(size=(80, 6)) as pilot:
        await pilot.pause()
        assert str(fills.border_title) == "Fills 2"
        assert str(fills.border_subtitle) == "1 not settled, fees $0.30 · newest first"
        fills.show((), NOW)
        assert str(fills.border_title) == "Fills" and str(fills.border_subtitle) == ""
        assert "no fills" in "\n".join(texts(fills.rows))
        fills.move(1)
        assert fills.selected is None


async def test_only_lines_that_differ_are_painted_again():
    fills = Fills()
    async with WidgetApp(fills, lambda: fills.show(some_fills(), NOW)).run_test(size=(120, 12)) as pilot:
        await pilot.pause()
        before = fills.rows
        settled = tuple(
            msgspec.structs.replace(fill, status="CONFIRMED") if fill.seq == 6 else fill for fill in some_fills()
        )
        fills.show(settled, NOW + 1)
        assert [old == new for old, new in zip(before, fills.rows, strict=True)].count(False) == 1


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
def test_picture_of_fills(snap_compare, theme):
    fills = Fills()

    def show():
        fills.show(some_fills(), NOW)
        fills.move(3)

    assert snap_compare(WidgetApp(fills, show, theme), terminal_size=(120, 10))


@pictures
def test_picture_of_fills_where_it_is_narrow(snap_compare):
    fills = Fills()
    assert snap_compare(WidgetApp(fills, lambda: fills.show(some_fills(), NOW)), terminal_size=(78, 10))
