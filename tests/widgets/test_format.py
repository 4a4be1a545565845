import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, NOON, shares, usd
from widgets import format as text


@pytest.mark.parametrize(
    ("ticks", "grid_k", "decimals", "expected"),
    [
        (413, 1000, 3, "41.3"),
        (63, 100, 2, "63"),
        (5, 10, 1, "50"),
        (4125, 10_000, 4, "41.25"),
        (83, 200, 3, "41.5"),
        (165, 400, 4, "41.25"),
        (1, 1000, 3, "0.1"),
        (999, 1000, 3, "99.9"),
    ],
)
def test_price_is_shown_in_cents_with_the_decimals_of_its_grid(ticks, grid_k, decimals, expected):
    assert text.cents(ticks, grid_k, decimals) == expected


def test_model_prices_are_finer_than_the_grid():
    assert text.model_cents(0.41523, 3) == "41.52"
    assert text.model_cents(0.635, 2) == "63.50"
    assert text.model_cents(0.635, 4) == "63.500"
    assert text.model_cents(None, 2) == "–"
    assert text.signed_cents(-0.0007, 3) == "−0.07"
    assert text.signed_cents(0.0007, 3) == "+0.07"
    assert text.signed_cents(None, 3) == "–"


@pytest.mark.parametrize(
    ("micro", "expected"),
    [(0, "0"), (1_240_000_000, "1,240"), (7_500_000, "7.5"), (-80_000_000, "−80"), (9_999, "0"), (-9_999, "0")],
)
def test_shares_are_grouped_and_have_at_most_two_decimals(micro, expected):
    assert text.shares(micro) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0"), (40.51, "40.51"), (99.99, "99.99"), (534.69, "534"), (12_345.6, "12,345")]
)
def test_sizes_in_a_book_are_whole_from_a_hundred_on(count, expected):
    assert text.book_shares(shares(count)) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Will the central bank cut rates?", "central bank cut rates?"),
        ("Will Northbridge United win?", "Northbridge United win?"),
        ("A storm named Anna", "storm named Anna"),
        ("Thermal power", "Thermal power"),
        ("Will", "Will"),
        ("", ""),
    ],
)
def test_a_brief_title_leaves_out_how_most_titles_begin(title, expected):
    assert text.brief(title) == expected


def test_signed_shares_leave_zero_without_a_sign():
    assert [text.signed_shares(shares(count)) for count in (1, 0, -1)] == ["+1", "0", "−1"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (840, "840"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1234, "1.2k"),
        (84_000, "84k"),
        (3_100_000, "3.1M"),
        (2e9, ">999M"),
    ],
)
def test_short_shares_fit_five_cells(count, expected):
    assert text.short_shares(shares(count)) == expected


@given(st.integers(-(10**18), 10**18))
def test_short_shares_never_take_more_than_six_cells(micro):
    assert len(text.short_shares(micro)) <= 6


def test_dollars():
    assert text.usd(usd(7140)) == "$7,140.00"
    assert text.usd(usd(-1.5)) == "−$1.50"
    assert text.signed_usd(usd(18.42)) == "+18.42"
    assert text.signed_usd(usd(-0.42)) == "−0.42"
    assert text.signed_usd(usd(0.001)) == "0.00"
    assert text.signed_usd(usd(-0.001)) == "0.00"
    assert text.whole_usd(usd(-1904.4)) == "−$1,904"


@given(st.integers(-(10**15), 10**15))
def test_dollars_have_a_minus_exactly_when_they_are_a_cent_below_zero(micro):
    assert ("−" in text.usd(micro)) == ("−" in text.signed_usd(micro)) == (round(micro / 10_000) < 0)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "–"),
        (0.3, "0s"),
        (-1, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86_400 * 9, "9d"),
        (1e12, "old"),
    ],
)
def test_ages_are_whole_and_short(seconds, expected):
    assert text.age(seconds) == expected


def test_clock_is_utc():
    assert text.utc_clock(NOON + 3862) == "13:04:22"


@pytest.mark.parametrize("moment", [1e18, -1e18, float("inf"), float("nan")])
def test_a_moment_beyond_the_calendar_ends_no_console(moment):
    """A list that was kept with a broken clock tells one."""
    assert text.utc_clock(moment) == text.NOTHING
    assert text.age(moment) in ("old", "0s", text.NOTHING)


def test_superscript_raises_every_digit():
    assert text.superscript(12) == "¹²"


def test_a_number_too_long_for_its_cell_shows_no_digits():
    assert text.number("12345", 4) == "####"
    assert text.number("1234", 6) == "  1234"


@pytest.mark.parametrize("foreign", HOSTILE, ids=HOSTILE_IDS)
def test_cleaned_text_has_nothing_that_moves_turns_or_hides(foreign):
    cleaned = text.clean(foreign)
    assert cleaned.isprintable()
    assert cleaned == cleaned.strip()
    assert not set(cleaned) & set("\x1b\n\r\t\u200d\u200e\u200f\u202a\u202e\u2066\u2069\ufe0f")


def test_markup_stays_as_it_is():
    assert text.clean("Will X [YES] [/x]?") == "Will X [YES] [/x]?"


@given(st.text(max_size=80), st.integers(0, 60))
def test_fitted_text_has_exactly_the_width(foreign, width):
    assert cell_len(text.fit(text.clean(foreign), width)) == width


def test_cut_text_ends_with_an_ellipsis():
    assert text.fit("Fed cuts rates", 8) == "Fed cut…"


def test_a_wide_character_is_never_halved():
    assert text.fit("日本語", 4) == "日 …"


@given(st.text(max_size=120), st.integers(4, 40))
def test_wrapped_lines_are_never_too_wide_and_lose_nothing(foreign, width):
    clean = text.clean(foreign)
    lines = text.wrap_words(clean, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == clean.replace(" ", "")


def test_a_word_that_is_too_long_for_a_line_goes_on_in_the_next():
    """A path or an id that loses its end names nothing."""
    assert text.wrap_words("see /a/long/path or not", 8) == ["see", "/a/long/", "path or", "not"]
    assert text.wrap_words("日本語", 5) == ["日本", "語"]
    assert text.wrap_words("日本", 1) == ["…", "…"], "where not even one character has room"


@pytest.mark.parametrize(
    ("ticks", "grid_k", "decimals", "cells", "expected"),
    [(413, 1000, 3, 2, "41.3"), (63, 100, 2, 2, "63  "), (63, 100, 2, 0, "63"), (4125, 10_000, 4, 3, "41.25"),
     (413, 1000, 3, 3, "41.3 "), (5, 10, 1, 2, "50  ")],
)  # fmt: skip
def test_points_of_prices_on_different_grids_stand_under_each_other(ticks, grid_k, decimals, cells, expected):
    assert text.level_cents(ticks, grid_k, decimals, cells) == expected
    assert text.point_cells(decimals) == len(text.cents(ticks, grid_k, decimals).partition(".")[2]) + (decimals > 2)


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [(None, "–"), (0.0011, "+0.11"), (-0.125, "−12.50"), (0.0, "+0.00"), (-1.0, "−100.0"), (1.0, "+100.0")],
)
def test_what_a_share_was_worth_afterwards_has_a_sign_and_six_cells_at_most(dollars, expected):
    assert text.markout_cents(dollars) == expected


@given(st.floats(-1, 1))
def test_any_markout_keeps_its_column(dollars):
    assert len(text.markout_cents(dollars)) <= 6


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (float("nan"), "–"), (float("inf"), "–"), (0, "0"), (845.2, "845"), (12_345, "12.3k"),
     (1_210_000, "1.21M"), (-999.6, "−1.00k"), (4.2e15, "4e+15")],
)  # fmt: skip
def test_a_figure_of_any_size_is_short(value, expected):
    assert text.short_figure(value) == expected
