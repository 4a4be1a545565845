"""Integer money: every conversion exact, every hostile text refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import (
    MICRO,
    SIZE_QUANTUM,
    Grid,
    Shares,
    Ticks,
    UnitError,
    floor_size,
    grid_of,
    micro_text,
    parse_micro,
    shares_from_float,
    usd_from_float,
)
from tests.builders import laws

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
HOSTILE = (
    "",
    ".",
    " ",
    "-1",
    "+1",
    "1e5",
    "1E-2",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "0x10",
    "1,5",
    "1_000",
    " 1",
    "1 ",
    "1\n",
    "1.2.3",
    "--1",
    "١٢",
    "½",
    "²",
    "１",
    "0.0000001",
    "1.0000000000000000000000000000001",
    "9" * 14,
    "9" * 5000,
    "0." + "0" * 5000,
    "\x00",
    "1\x00",
)
grids = st.sampled_from(TICKS).map(grid_of)


@laws(300)
@given(st.integers(0, 2**63 - 1))
def test_text_of_an_amount_is_read_back_exactly(micro: int) -> None:
    assert parse_micro(micro_text(micro)) == micro
    assert Decimal(micro_text(micro)) * MICRO == micro


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0", 0),
        ("7.555554", 7_555_554),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("007", 7_000_000),
        ("0.1000000000", 100_000),
    ],
)
def test_spellings_of_the_venue_are_read(text: str, micro: int) -> None:
    assert parse_micro(text) == micro


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_is_no_plain_amount_is_refused_by_everything_that_reads_one(text: str) -> None:
    for read in (parse_micro, grid_of("0.01").ticks, grid_of("0.0001").ticks):
        with pytest.raises(UnitError):
            read(text)


@pytest.mark.parametrize(("micro", "text"), [(-1, "-0.000001"), (-1_500_000, "-1.5"), (0, "0"), (10 * MICRO, "10")])
def test_amount_is_written_in_the_shortest_way(micro: int, text: str) -> None:
    assert micro_text(micro) == text


@pytest.mark.parametrize("tick", TICKS)
def test_every_tick_of_a_grid_is_read_and_written_exactly(tick: str) -> None:
    grid = grid_of(tick)
    assert grid.k == round(1 / float(tick))
    for number in range(1, grid.k):
        text = grid.text(number)
        assert Decimal(text) == number * Decimal(tick)
        assert grid.ticks(text) == number
        assert not text.endswith("0") and len(text.partition(".")[2]) <= grid.decimals
        assert grid.complement(grid.complement(Ticks(number))) == number
        assert Decimal(grid.text(grid.complement(Ticks(number)))) + Decimal(text) == 1


@pytest.mark.parametrize("tick", TICKS)
def test_price_at_the_ends_or_between_ticks_is_refused(tick: str) -> None:
    grid = grid_of(tick)
    between = micro_text(grid.tick_usd + grid.tick_usd // 2)
    for text in ("0", "1", "0.0", "1.000", "2", between, "0.4300000444600143"):
        with pytest.raises(UnitError):
            grid.ticks(text)


@pytest.mark.parametrize(
    "tick", ["", "0", "0.0", "1", "2", "-0.01", "0.3", "0.03", "0.0000001", "nan", "inf", "x", "1e-9999"]
)
def test_tick_that_does_not_divide_a_dollar_is_refused(tick: str) -> None:
    with pytest.raises(UnitError):
        Grid(tick)


def test_grid_is_one_instance_a_tick_and_spelled_in_the_shortest_way() -> None:
    assert grid_of("0.01") is grid_of("0.01")
    assert Grid("0.0100").tick_text == "0.01"


@laws(200)
@given(grids, st.data())
def test_model_price_on_a_tick_is_that_tick_whatever_binary_noise_says(grid: Grid, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, grid.k))
    for dollars in (number / grid.k, number * float(grid.tick_text), 1 - (grid.k - number) / grid.k):
        assert grid.floor_t(dollars) == grid.ceil_t(dollars) == number


def test_noise_of_a_subtraction_does_not_cost_a_tick() -> None:
    assert grid_of("0.01").floor_t(0.31 - 0.02) == 29


@laws(200)
@given(grids, st.floats(0, 1))
def test_rounding_outwards_brackets_a_model_price(grid: Grid, dollars: float) -> None:
    low, high = grid.floor_t(dollars), grid.ceil_t(dollars)
    assert 0 <= high - low <= 1
    assert low / grid.k - 1e-8 <= dollars <= high / grid.k + 1e-8


@laws(200)
@given(grids, st.data(), st.integers(0, 10**9))
def test_notional_of_an_order_is_exact(grid: Grid, data: st.DataObject, hundredths: int) -> None:
    ticks = data.draw(st.integers(1, grid.k - 1))
    size = Shares(hundredths * SIZE_QUANTUM)
    exact = Decimal(grid.text(ticks)) * Decimal(hundredths) / 100 * MICRO
    assert grid.notional(ticks, size) == exact
    assert grid.notional(ticks, size) + grid.notional(grid.k - ticks, size) == size


def test_size_is_cut_to_hundredths_and_never_rounded_up() -> None:
    assert floor_size(22_996_950) == 22_990_000
    assert floor_size(9_999) == 0
    assert floor_size(29.999999999999996 * MICRO) == 30 * MICRO
    assert shares_from_float(0.29) == 290_000
    assert usd_from_float(0.1 + 0.2) == 300_000


@laws(100)
@given(grids, grids, st.data())
def test_dollars_survive_a_change_of_grid(old: Grid, new: Grid, data: st.DataObject) -> None:
    ticks = data.draw(st.integers(1, old.k - 1))
    moved = old.onto(new, ticks)
    if (ticks * old.tick_usd) % new.tick_usd == 0:
        assert moved * new.tick_usd == ticks * old.tick_usd
    assert abs(moved * new.tick_usd - ticks * old.tick_usd) * 2 <= new.tick_usd
