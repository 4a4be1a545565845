"""What a market's quotes are made with beside book and inventory: everything that is judged elsewhere, put together."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.config import Settings
from core.events import OperatorCommand
from core.market.book import Book
from core.market.instrument import Instrument
from core.market.signals import Micro, MicroStatus
from core.orders.fills import Fill
from core.quoting.adjust import Adjustments, adjusted
from core.quoting.calendar import CalendarRow
from core.quoting.stance import Posture, Stance
from core.quoting.volatility import VarianceRate
from core.units import Shares, Side, Ticks
from tests.core.quoting.arrange import laws, market, shares

NOW = 1000.0
UNIX = 1_700_000_000.0
HOUR = 3600.0


class World:
    """A stance, its clocks, and a still book around a mid."""

    def __init__(self, *rows: CalendarRow, facts: dict[str, Any] | None = None, tick: str = "0.001", **over: Any):
        self.instrument: Instrument = structs.replace(market(tick), **(facts or {}))
        self.settings = Settings(**over)
        self.stance = Stance(self.settings, self.instrument, rows)
        self.variance = VarianceRate(600.0, "logit", 5.0)
        self.now, self.offset = NOW, UNIX - NOW
        self.trades = 0

    def at(self, seconds: float = 0.0) -> Posture:
        """The posture after some more seconds."""
        self.now += seconds
        return self.stance.at(self.now, self.now + self.offset)

    def book(self, mid: int, levels: int = 14) -> Book:
        """300 shares at each of so many levels a side."""
        book = Book(self.instrument.grid)
        for n in range(levels):
            book.bids.put(Ticks(mid - 1 - n), shares(300), "300")
            book.asks.put(Ticks(mid + 1 + n), shares(300), "300")
        return book

    def see(self, mid: int, seconds: float = 0.0, **over: int) -> None:
        self.now += seconds
        price = mid / self.instrument.grid.k
        self.stance.see(self.now, self.book(mid, **over), Micro("ok", price, price), self.variance)
        self.stance.fair(self.now, price)

    def fill(self, side: Side, ticks: int, late_s: float = 0.0) -> Fill:
        self.trades += 1
        fill = Fill(
            trade_id=f"t{self.trades}",
            order_id=f"o{self.trades}",
            intent=self.trades,
            market=self.instrument.market,
            outcome="YES",
            order_side="BUY" if side == "bid" else "SELL",
            price=Ticks(ticks),
            yes_price=Ticks(ticks),
            usd=self.instrument.grid.dollars_of(ticks),
            side=side,
            size=shares(10),
            layer=0,
            unix=self.now + self.offset - late_s,
        )
        self.stance.fill(fill, self.now, self.now + self.offset)
        return fill

    def lose(self, side: Side, ticks: int, times: int = 3) -> list[Fill]:
        """Fills after each of which the price goes so many ticks against us for 31 seconds."""
        fills = []
        for _ in range(times):
            self.see(460, 1.0)
            fills.append(self.fill(side, 458 if side == "bid" else 462))
            self.see(460 - ticks if side == "bid" else 460 + ticks)
            self.now += 31.0
            self.stance.advance(self.now)
        return fills

    def use(self, **over: Any) -> None:
        self.settings = Settings(**over)
        self.stance.use(self.settings, self.instrument)


def wish(act: Any, **payload: Any) -> Adjustments:
    return adjusted(Adjustments(), OperatorCommand(act=act, market="0xabc", **payload), NOW, 1000)


def a_row(action: Any, factor: float = 1.0, begin: float = 0.0, lasts: float = 100.0) -> CalendarRow:
    return CalendarRow("*", UNIX + begin, 0.0, lasts, action, factor, "vote")


# The whole


def test_a_market_without_anything_to_say_of_it_is_quoted_plainly() -> None:
    posture = World().at()
    assert (posture.forbids, posture.reduces, posture.until_s) == ("", "", math.inf)
    assert (posture.spread_factor, posture.regime_factor, posture.time_factor) == (1.0, 1.0, 1.0)
    assert (posture.tox_bid, posture.tox_ask, posture.adjusted.sides) == (0.0, 0.0, "both")


def test_the_same_object_as_long_as_nothing_changes() -> None:
    """The desk tells by identity whether it has to decide again."""
    world = World(facts={"end_unix": UNIX + 30 * HOUR})
    first = world.at()
    world.see(460)
    assert world.at(3.0) is first
    world.stance.adjustments = wish("widen")
    changed = world.at()
    assert changed is not first and changed.adjusted.widen_ticks == 1.0
    world.stance.jumped(world.now)
    assert world.at() is not changed


@pytest.mark.parametrize(
    ("rows", "facts", "wishes", "until"),
    [
        ((), {}, Adjustments(), math.inf),
        ((a_row("widen", 2.0, begin=40.0),), {}, Adjustments(), NOW + 40.0),
        ((a_row("pull", lasts=70.0),), {}, Adjustments(), NOW + 70.0),
        ((), {"end_unix": UNIX + 24 * HOUR + 50.0}, Adjustments(), NOW + 50.0),
        ((), {"game_start_unix": UNIX + HOUR}, Adjustments(), NOW + 0.5 * HOUR),
        ((), {"end_unix": UNIX - 7000.0}, Adjustments(), NOW + 200.0),
        ((), {}, wish("size", amount=0.5, for_s=20.0), NOW + 20.0),
        ((a_row("pull", lasts=70.0),), {}, wish("size", amount=0.5, for_s=20.0), NOW + 20.0),
    ],
)
def test_it_says_when_it_may_change_by_itself(
    rows: tuple[CalendarRow, ...], facts: dict[str, Any], wishes: Adjustments, until: float
) -> None:
    """The first of all the parts, on the monotonic clock, whatever clock the part runs on."""
    world = World(*rows, facts=facts)
    world.stance.adjustments = wishes
    before = world.at()
    assert before.until_s == pytest.approx(until)
    if until < math.inf:
        assert world.at(until - NOW - 0.001) is before
        assert world.at(0.002) is not before


@pytest.mark.parametrize("leap", [3 * HOUR, -3 * HOUR])
def test_a_wall_clock_that_leaps_is_heeded_at_once(leap: float) -> None:
    """A suspended machine wakes hours later with its monotonic clock where it was; markets may have ended meanwhile."""
    world = World(facts={"end_unix": UNIX + 24 * HOUR + 2 * HOUR})
    if leap < 0:
        world.offset -= leap
    before = world.at().schedule.phase
    world.offset += leap
    assert {before, world.at(1.0).schedule.phase} == {"open", "fade"}


def test_the_strictest_word_is_the_one_that_is_said() -> None:
    """Calendar before schedule before regime: an operator reads what will last."""
    world = World(a_row("pull"), facts={"end_unix": UNIX + 600.0})
    world.stance.jumped(NOW)
    assert world.at().forbids == "calendar: vote"
    assert "too near the end date" in world.at(120.0).forbids
    jumped = World()
    jumped.stance.jumped(NOW)
    assert "the price jumped" in jumped.at().forbids and jumped.at(31.0).forbids == ""


def test_reasons_to_widen_do_not_multiply() -> None:
    """Calendar, regime and schedule say the same thing in three ways; the loudest counts."""
    world = World(a_row("widen", 3.0, lasts=10_000.0), facts={"end_unix": UNIX - 9 * HOUR})
    assert world.at().spread_factor == 3.0
    world.stance.jumped(world.now)
    assert world.at(31.0).spread_factor == 3.0
    assert World(facts={"end_unix": UNIX - 9 * HOUR}).at().spread_factor == 1.5


@pytest.mark.parametrize(
    ("rows", "facts", "reduces"),
    [
        ((a_row("reduce"),), {}, "calendar: vote"),
        ((), {"end_unix": UNIX + HOUR}, "near the end date"),
        ((), {"game_start_unix": UNIX + HOUR, "end_unix": UNIX + 90 * HOUR}, "near the game start"),
        ((a_row("widen", 2.0),), {"end_unix": UNIX + 90 * HOUR}, ""),
    ],
)
def test_it_says_why_orders_may_only_reduce(rows: tuple[CalendarRow, ...], facts: dict[str, Any], reduces: str) -> None:
    posture = World(*rows, facts=facts).at()
    assert (posture.reduces, posture.forbids) == (reduces, "")


# What it sees


@pytest.mark.parametrize("status", ["one_sided", "crossed", "wide"])
def test_a_book_without_a_price_says_nothing(status: MicroStatus) -> None:
    """One-sided and crossed books have no mid; counting them would make moves out of nothing."""
    world = World(caution_min_moves=4)
    for step in range(20):
        world.stance.see(world.now, world.book(460 + step), Micro(status), world.variance)
        world.now += 1.0
    assert world.at().regime.name == "normal"
    for step in range(20):
        world.see(460 + step, 1.0)
    assert world.at().regime.name == "caution"


def test_trades_are_held_against_the_depth_near_the_touch() -> None:
    """What lies further away than a jump does not count, and a trade without size is none."""
    for levels, is_sweep in ((3, True), (12, False)):
        world = World(sweep_frac=0.8)
        world.see(460, levels=levels)
        world.now += 2.0
        assert world.stance.see_trade(world.now, Ticks(462), Shares(0)) is False
        assert world.stance.see_trade(world.now, Ticks(462), shares(800)) is is_sweep
        assert ("sweep" in world.at().forbids) is is_sweep


def test_an_event_outlives_the_loss_of_the_book() -> None:
    """The price jumped, and then the feed broke: that makes nothing better."""
    world = World()
    world.see(460)
    world.stance.jumped(world.now)
    world.stance.start_anew()
    assert "the price jumped" in world.at(20.0).forbids


# Toxic flow


def test_drift_against_us_widens_the_side_that_was_hit() -> None:
    for side in ("bid", "ask"):
        world = World(tox_prior_fills=0.01)
        world.lose(side, 4)
        posture = world.at()
        hit, spared = (posture.tox_bid, posture.tox_ask) if side == "bid" else (posture.tox_ask, posture.tox_bid)
        assert hit == pytest.approx(0.004, rel=0.01) and spared == 0.0


def test_what_is_added_is_capped_in_ticks() -> None:
    world = World(tox_prior_fills=0.01, tox_cap_ticks=2.0)
    world.lose("bid", 8)
    assert world.at().tox_bid == pytest.approx(0.002)


def test_a_failed_trade_leaves_the_average_as_if_it_had_never_been() -> None:
    """Whichever of the fills it was."""
    for number in range(3):
        with_all, without = World(tox_prior_fills=2.0), World(tox_prior_fills=2.0)
        for world in (with_all, without):
            for place, ticks in enumerate((2, 7, 4)):
                world.see(460, 1.0)
                fill = None if world is without and place == number else world.fill("bid", 458)
                world.see(460 - ticks)
                world.now += 31.0
                world.stance.advance(world.now)
                if world is with_all and place == number:
                    taken_back = fill
        assert taken_back is not None
        with_all.stance.revoke(taken_back)
        assert with_all.at().tox_bid == without.at().tox_bid > 0
        with_all.stance.revoke(taken_back)
        assert with_all.at().tox_bid == without.at().tox_bid, "a failure told twice is one failure"


@pytest.mark.parametrize(("late_s", "matched"), [(0.0, 0.0), (12.0, -12.0), (90.0, -90.0), (-5.0, 0.0)])
def test_a_fill_is_marked_from_its_match_unless_that_lies_ahead(late_s: float, matched: float) -> None:
    """However late it is told; a stamp of the future is not to be believed."""
    world = World()
    world.see(450)
    world.see(460, 100.0)
    world.fill("bid", 458, late_s=late_s)
    told = world.now
    world.now += 301.0
    drifts = world.stance.advance(world.now)
    assert len(drifts) == 4 and all(drift.t == pytest.approx(told + matched) for drift in drifts)


def test_another_horizon_judges_the_same_fills_anew() -> None:
    """A change of the horizon is no reason to forget what flow has cost."""
    world = World(tox_prior_fills=0.01)
    world.see(460)
    world.fill("bid", 458)
    world.see(456, 3.0)
    world.see(460, 10.0)
    world.now += 30.0
    world.stance.advance(world.now)
    assert world.at().tox_bid == pytest.approx(0.0, abs=1e-12)
    world.use(tox_prior_fills=0.01, tox_horizon_sec=5.0)
    assert world.at().tox_bid == pytest.approx(0.004, rel=0.01)
    world.use(tox_prior_fills=0.01, tox_horizon_sec=5.0, k_tox=0.5)
    assert world.at().tox_bid == pytest.approx(0.002, rel=0.01)


# Other settings


def test_other_settings_keep_events_and_moves() -> None:
    """Only the rules change, not what has happened."""
    world = World(caution_min_moves=10)
    for step in range(9):
        world.see(460 + step, 1.0)
    world.use(caution_min_moves=10, caution_spread_mult=4.0)
    world.see(470, 1.0)
    world.see(471, 1.0)
    assert world.at().regime.name == "caution" and world.at().spread_factor == 4.0
    world.stance.jumped(world.now)
    world.use(event_spread_mult=6.0)
    assert "the price jumped" in world.at(29.0).forbids
    assert world.at(2.0).spread_factor == pytest.approx(6.0, rel=0.05)


def test_another_schedule_holds_at_once() -> None:
    world = World(facts={"end_unix": UNIX + HOUR})
    assert world.at().reduces
    world.use(fade_sec=1000.0, reduce_sec=100.0, close_sec=10.0)
    assert world.at().reduces == "" and world.at().time_factor == 1.0


def test_a_preview_is_what_would_follow_and_leaves_everything_as_it_is() -> None:
    world = World(a_row("widen", 2.0), facts={"end_unix": UNIX + 30 * HOUR}, tox_prior_fills=1.0)
    world.lose("bid", 5)
    world.stance.jumped(world.now - 40.0)
    before = world.at()
    other: dict[str, Any] = {"tox_prior_fills": 9.0, "event_spread_mult": 9.0, "fade_sec": 40 * HOUR}
    wishes = adjusted(Adjustments(), OperatorCommand(act="shift", market="0xabc", amount=3.0), world.now, 1000)
    told = world.stance.preview(Settings(**other), wishes, world.now, world.now + world.offset)
    assert world.at() is before
    world.use(**other)
    world.stance.adjustments = wishes
    assert world.at() == told != before


# Laws

steps = st.lists(
    st.tuples(
        st.sampled_from(["move", "move", "fill bid", "fill ask", "trade", "jump", "time", "revoke", "anew"]),
        st.integers(-6, 6),
        st.integers(0, 40),
    ),
    max_size=40,
)


def live(world: World, history: list[tuple[str, int, int]], mirrored: bool = False) -> list[Posture]:
    """Let a history happen; mirrored, to the same market seen from NO."""
    k, mid, fills = world.instrument.grid.k, 460, list[Fill]()
    postures = []
    for what, amount, seconds in history:
        world.now += seconds / 4
        match what:
            case "move":
                mid += amount
                world.see(k - mid if mirrored else mid)
            case "fill bid" | "fill ask":
                side: Side = "bid" if (what == "fill bid") is not mirrored else "ask"
                price = mid - 2 if what == "fill bid" else mid + 2
                fills.append(world.fill(side, k - price if mirrored else price))
            case "trade":
                price = mid + amount
                world.stance.see_trade(world.now, Ticks(k - price if mirrored else price), shares(seconds * 100))
            case "jump":
                world.stance.jumped(world.now)
            case "revoke":
                if fills:
                    world.stance.revoke(fills.pop())
            case "anew":
                world.stance.start_anew()
            case _:
                world.now += seconds
        world.stance.advance(world.now)
        postures.append(world.at())
    return postures


@laws
@given(steps)
def test_seen_from_no_only_the_sides_change_places(history: list[tuple[str, int, int]]) -> None:
    """Nothing here may know which token is called YES."""
    over: dict[str, Any] = {"tox_prior_fills": 1.0, "caution_min_moves": 4, "facts": {"end_unix": UNIX + 25 * HOUR}}
    first, second = live(World(**over), history), live(World(**over), history, mirrored=True)
    for one, other in zip(first, second, strict=True):
        assert (one.tox_bid, one.tox_ask) == pytest.approx((other.tox_ask, other.tox_bid), abs=1e-12)
        assert one.regime.name == other.regime.name
        assert one.regime.reason.replace("asks", "bids") == other.regime.reason.replace("asks", "bids")
        assert one[2:5] == pytest.approx(other[2:5]) and one.until_s == pytest.approx(other.until_s)


@laws
@given(steps, st.sampled_from([None, UNIX - 40 * HOUR, UNIX + 100.0, UNIX + 2 * HOUR, UNIX + 24.02 * HOUR]))
def test_whatever_happens_the_figures_are_ones_a_plan_can_take(
    history: list[tuple[str, int, int]], end_unix: float | None
) -> None:
    """A factor out of range would be refused by the plan, and the market would be silent for no reason."""
    world = World(a_row("widen", 2.0, begin=20.0), facts={"end_unix": end_unix}, tox_prior_fills=1.0)
    for posture in live(world, history):
        assert 1.0 <= posture.spread_factor <= 20.0
        assert 0.0 <= posture.regime_factor <= 1.0 and 0.0 <= posture.time_factor <= 1.0
        assert 0.0 <= posture.tox_bid <= 0.005 and 0.0 <= posture.tox_ask <= 0.005
        assert posture.until_s > NOW and posture.regime.may_quote >= (not posture.forbids)


def test_a_fill_of_a_time_without_a_fair_value_is_left_out() -> None:
    """A stamp of 1970 or of before the first book: there is nothing to hold the fill against."""
    world = World(tox_prior_fills=0.01)
    world.see(460, 1.0)
    world.fill("bid", 458, late_s=UNIX)
    world.see(450)
    world.now += 400.0
    assert world.stance.advance(world.now) == [] and world.at().tox_bid == 0.0
