"""What each protection counts, when it acts, what that holds back, and what its settings change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Note
from core.config import Settings
from core.orders.fills import Fill
from core.portfolio.markouts import Drift
from core.risk.control import Controls
from core.risk.protections import NAMES, DrawdownLimit, Made, Protections, Trip
from core.units import MICRO, Shares, Side, Ticks, Usd
from core.views import ProtectionView
from tests.builders import NOON, laws, usd

MARKET, OTHER = "0xa", "0xb"


def a_fill(
    n: int, side: Side = "bid", unix: float = NOON, market: str = MARKET, on_no: bool = False, order: str = ""
) -> Fill:
    """A fill of an order of its own, unless one is named."""
    buys = (side == "bid") != on_no
    return Fill(
        trade_id=f"trade-{n}",
        order_id=order or f"0x{n}",
        intent=1,
        market=market,
        outcome="NO" if on_no else "YES",
        order_side="BUY" if buys else "SELL",
        price=Ticks(40),
        yes_price=Ticks(40),
        usd=usd(0.4),
        side=side,
        size=Shares(10 * MICRO),
        layer=0,
        unix=unix,
    )


def a_drift(n: int, drift: float, horizon: float = 30.0) -> Drift:
    return Drift((f"trade-{n}", f"0x{n}"), 0.0, "bid", 0, Shares(MICRO), horizon, 0.01, drift)


class World:
    """Protections with a clock, in which fills come one a second."""

    def __init__(self, **over: Any) -> None:
        self.settings = Settings(**({"streak_fills": 6, "markout_stop_fills": 10} | over))
        self.controls = Controls()
        self.protections = Protections()
        self.now = 1000.0
        self.count = 0

    @property
    def unix(self) -> float:
        return NOON + self.now

    def act(self, trips: list[Trip]) -> list[Note]:
        """Put what was tripped in force, as the engine does."""
        for trip in trips:
            self.controls.set(trip.control, self.now, self.unix, trip.for_s)
        return [trip.note for trip in trips]

    def fills(self, number: int, side: Side = "bid", every: float = 1.0, **of: Any) -> list[Note]:
        notes: list[Note] = []
        for _ in range(number):
            self.now += every
            self.count += 1
            fill = a_fill(self.count, side, unix=self.unix, **of)
            notes += self.act(self.protections.fill(fill, self.settings, self.now, self.unix))
        return notes

    def drifts(self, *ticks: float, horizon: float = 30.0) -> list[Note]:
        notes: list[Note] = []
        for each in ticks:
            self.count += 1
            drift = a_drift(self.count, each / 100, horizon)
            notes += self.act(self.protections.drifted(MARKET, [drift], 0.01, self.settings))
        return notes

    def refusals(self, number: int, every: float = 1.0, market: str = MARKET) -> list[Note]:
        notes: list[Note] = []
        for _ in range(number):
            self.now += every
            notes += self.act(self.protections.refused(market, self.settings, self.now))
        return notes

    def mark(self, profit: float, flows: float = 1_000.0, after: float = 1.0) -> list[Note]:
        self.now += after
        limit = self.settings.drawdown_limit_pct
        is_held = self.controls.find("", "", "drawdown") is not None
        return self.act(self.protections.mark(usd(profit), usd(flows), limit, self.unix, is_held=is_held))

    def state(self, side: Side = "bid", market: str = MARKET) -> str:
        return self.controls.of_side(market, side).state

    def row(self, name: str, *standing: Any) -> ProtectionView:
        made = [Made(MARKET, "Will it?", self.settings, 0.01, frozenset(standing))]
        rows = self.protections.rows(made, self.settings, None, self.controls, self.now)
        assert [row.name for row in rows] == list(NAMES)
        return next(row for row in rows if row.name == name)


# Streaks


def test_a_streak_pauses_its_side_alone_and_ends_by_itself() -> None:
    world = World(repeat_fills=0)
    assert world.fills(5) == []
    assert world.row("streak").present == "5 orders"
    (note,) = world.fills(1)
    assert (note.severity, note.text) == (
        "warning",
        "the bid is paused for 60 s: 6 orders in a row were filled on the bid in 30 s",
    )
    assert (world.state("bid"), world.state("ask"), world.state("bid", OTHER)) == ("PAUSED", "ACTIVE", "ACTIVE")
    row = world.row("streak")
    assert (row.on, row.trips, row.holds, row.left_s) == (True, 1, True, 60.0)
    world.now += 60.0
    world.controls.expire(world.now, world.unix)
    assert world.state("bid") == "ACTIVE"


def test_a_fill_of_the_other_side_ends_a_streak() -> None:
    world = World(repeat_fills=0)
    assert not [*world.fills(5), *world.fills(1, "ask"), *world.fills(5)]
    assert world.fills(1), "six in a row again"


def test_a_streak_wants_all_its_fills_within_its_time() -> None:
    assert World(repeat_fills=0).fills(20, every=6.0) == []
    assert World(repeat_fills=0, streak_sec=40.0).fills(6, every=6.0)


def test_fills_of_other_markets_and_tokens_do_not_mix() -> None:
    world = World()
    for _ in range(5):
        assert not [*world.fills(1), *world.fills(1, market=OTHER)]
    streak = World(repeat_fills=0)
    assert not streak.fills(3)
    assert streak.fills(3, on_no=True), "a sale of NO stands on the bid side too"


def test_an_order_that_is_filled_in_parts_counts_once() -> None:
    """Many takers of one large order are what it is there for."""
    world = World()
    assert world.fills(40, every=0.1, order="0xlarge") == []
    assert not world.fills(4) and world.fills(1)


def test_a_streak_that_was_found_is_not_found_again() -> None:
    world = World(repeat_fills=0)
    world.fills(6)
    assert world.fills(5) == []
    assert world.protections.trips["streak"] == 1


def test_fills_told_late_count_when_they_were_matched() -> None:
    world = World()
    for n in range(20):
        late = a_fill(n, unix=world.unix - 10.0 * n)
        assert not world.protections.fill(late, world.settings, world.now, world.unix)
    world.now += 600.0
    bunch = [a_fill(100 + n, unix=world.unix - 599.0 + n) for n in range(30)]
    assert not [note for fill in bunch for note in world.protections.fill(fill, world.settings, world.now, world.unix)]


def test_a_failed_trade_leaves_every_count() -> None:
    world = World()
    world.fills(5)
    for n in range(1, 6):
        world.protections.revoke(a_fill(n))
    world.drifts(*[-9.0] * 9)
    world.protections.revoke(a_fill(6))
    assert world.drifts(-9.0) == []
    assert world.fills(5) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["bid", "ask"]), st.booleans(), st.integers(0, 5), st.integers(0, 12)), max_size=60
    ),
    st.integers(2, 5),
    st.integers(2, 5),
)
@laws(300)
def test_streaks_and_repeats_are_what_they_are_by_definition(
    story: list[tuple[Side, bool, int, int]], streak: int, repeat: int
) -> None:
    """Against a reckoning that looks at all of the past anew at every fill.

    A story is fills: side, on the NO token, which of six orders, and seconds since the one before.
    """
    world = World(streak_fills=streak, repeat_fills=repeat, streak_sec=10.0, repeat_sec=20.0)
    past: list[tuple[float, Side, bool, str]] = []
    forgotten: dict[str, set[int]] = {"streak": set(), "repeat": set()}
    for n, (side, on_no, order, passed) in enumerate(story):
        world.now += passed
        before = dict(world.protections.trips)
        name = f"0x{side}{on_no}{order}"
        fill = a_fill(n, side, unix=world.unix, on_no=on_no, order=name)
        world.protections.fill(fill, world.settings, world.now, world.unix)
        past.append((world.now, side, on_no, name))
        known = [i for i, each in enumerate(past) if each[0] > world.now - 10.0 and i not in forgotten["streak"]]
        others = [i for i in known if past[i][1] != side]
        run = [i for i in known if i > max(others, default=-1)]
        has_streak = len({past[i][3] for i in run}) >= streak
        alike = [
            i for i, each in enumerate(past)
            if each[0] > world.now - 20.0 and each[1:3] == (side, on_no) and i not in forgotten["repeat"]
        ]  # fmt: skip
        has_repeat = len({past[i][3] for i in alike}) >= repeat
        trips = world.protections.trips
        assert trips["streak"] - before.get("streak", 0) == has_streak
        assert trips["repeat"] - before.get("repeat", 0) == has_repeat
        if has_streak:
            forgotten["streak"] |= set(known)
        if has_repeat:
            forgotten["repeat"] |= set(alike)


# Repeated executions


def test_ten_fills_of_a_token_and_side_close_that_side_until_resumed() -> None:
    """RTS 6 article 15: the algorithm is disabled until a person enables it again."""
    world = World(streak_fills=0)
    assert world.fills(9, every=5.0) == []
    (note,) = world.fills(1, every=5.0)
    assert note.severity == "alarm"
    assert note.text == "the bid is paused: 10 orders bought YES in 60 s; resume the bid when that is right"
    assert (world.row("repeat").holds, world.row("repeat").left_s) == (True, None)
    world.now += 1e6
    world.controls.expire(world.now, world.unix)
    assert (world.state("bid"), world.state("ask")) == ("PAUSED", "ACTIVE")
    world.controls.lift(["repeat"], world.now, world.unix, market=MARKET, side="bid")
    assert world.fills(9) == [], "what was acted on is not counted again"
    assert world.fills(1)


def test_repeats_are_counted_by_token_and_side() -> None:
    world = World(streak_fills=0)
    for side, on_no in (("bid", False), ("bid", True), ("ask", False), ("ask", True)):
        assert not world.fills(9, side, every=0.1, on_no=on_no)  # type: ignore[arg-type]


# Markouts


def test_adverse_drift_pauses_the_market_for_a_while() -> None:
    world = World()
    assert world.drifts(*[-3.0] * 9) == []
    (note,) = world.drifts(-3.0)
    assert note.text == "paused for 300 s: 3.0 ticks against us 30 s after a fill, mean of the last 10"
    assert (world.state("bid"), world.state("ask"), world.state(market=OTHER)) == ("PAUSED", "PAUSED", "ACTIVE")
    assert world.drifts(*[-3.0] * 9) == [], "it begins anew"


def test_only_the_last_fills_and_only_the_horizon_of_toxic_flow_count() -> None:
    world = World()
    world.drifts(*[-9.0] * 30, horizon=5.0)
    world.drifts(*[5.0] * 40)
    assert world.drifts(*[-3.0] * 9) == []
    assert world.drifts(-3.0)


def test_drift_in_our_favour_never_pauses() -> None:
    assert World().drifts(*[8.0] * 50) == []


# Refusals


def test_refusals_pause_their_market() -> None:
    world = World()
    assert world.refusals(9) == []
    (note,) = world.refusals(1)
    assert note.text == "paused for 60 s: the venue refused 10 orders in 60 s"
    assert (world.state(), world.state(market=OTHER)) == ("PAUSED", "ACTIVE")
    assert world.refusals(9) == [], "what was acted on is not counted again"
    assert World().refusals(60, every=7.0) == []


# Drawdown


def test_a_fall_from_the_peak_stops_new_risk_until_re_armed() -> None:
    world = World()
    assert not [*world.mark(0.0), *world.mark(1_000.0), *world.mark(901.0)]
    assert world.mark(900.0) == [], "one bad mark trips nothing"
    (note,) = world.mark(900.0)
    assert (note.severity, note.text) == (
        "alarm",
        "reducing only: 5.00% below the account's peak; re-arm to risk more",
    )
    assert world.controls.of_all().state == "REDUCE_ONLY"
    assert not world.mark(800.0) and not world.mark(700.0), "it is told once"
    world.controls.lift(["drawdown"], world.now, world.unix)
    world.protections.drawdown.rearm()
    assert not world.mark(700.0) and not world.mark(690.0) and not world.mark(690.0), "the present is the new peak"
    assert not world.mark(500.0) and world.mark(500.0)


def test_a_mark_that_recovers_trips_nothing() -> None:
    world = World()
    for profit in (0.0, -60.0, 0.0, -60.0, 0.0):
        assert world.mark(profit) == []


def test_two_marks_less_than_a_second_apart_are_one() -> None:
    world = World()
    world.mark(0.0)
    assert not [*world.mark(-90.0), *world.mark(-90.0, after=0.4), *world.mark(-90.0, after=0.4)]
    assert world.mark(-90.0, after=0.4)


@given(
    st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 10**9)), min_size=1, max_size=20),
    st.integers(0, 10**9),
)
@laws(200)
def test_deposits_and_withdrawals_are_no_fall(steps: list[tuple[int, int]], deposit: int) -> None:
    """A fall is told of in profit: money that comes in makes it smaller as a share and never larger."""
    plain, rich = DrawdownLimit(), DrawdownLimit()
    for profit, flows in steps:
        plain.mark(Usd(profit), Usd(flows + 10**9), 0.0, 0.0)
        rich.mark(Usd(profit), Usd(flows + 10**9 + deposit), 0.0, 0.0)
        assert rich.peak == plain.peak
        assert rich.fall <= plain.fall + 1e-12


def test_a_peak_of_earlier_sessions_counts() -> None:
    world = World()
    world.protections.drawdown.peak = usd(100.0)
    world.mark(0.0)
    assert world.mark(0.0)


# Switches and rows


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("streak", {"streak_fills": 0}),
        ("repeat", {"repeat_fills": 0}),
        ("markout", {"markout_stop_ticks": 0.0}),
        ("rejects", {"reject_stop": 0}),
        ("drawdown", {"drawdown_limit_pct": 0.0}),
        ("jump", {"event_cooloff_sec": 0.0}),
        ("sweep", {"sweep_frac": 0.0}),
        ("schedule", {"reduce_sec": 0.0, "close_sec": 0.0}),
    ],
)
def test_each_can_be_switched_off_and_says_so(name: str, off: dict[str, Any]) -> None:
    assert World().row(name).on
    world = World(**off)
    world.fills(50, every=0.1)
    world.drifts(*[-9.0] * 50)
    world.refusals(50, every=0.1)
    for _ in range(5):
        world.mark(1_000.0 - 900.0 * (world.now % 2 == 0))
    row = world.row(name)
    assert (row.on, row.threshold, row.trips, row.holds) == (False, "off", 0, False)


def test_what_a_posture_holds_back_is_counted_once_an_episode() -> None:
    world = World()
    for standing in ({"jump"}, {"jump"}, {"jump", "schedule"}, set(), {"sweep"}, {"jump"}):
        world.protections.heed(MARKET, frozenset(standing))
    assert dict(world.protections.trips) == {"jump": 2, "schedule": 1, "sweep": 1}
    assert world.row("jump", "jump").holds
    assert world.row("jump", "jump").present == "1 of 1 markets"


def test_thresholds_that_differ_by_market_say_so() -> None:
    world = World()
    made = [
        Made(MARKET, "A", Settings(streak_fills=4), 0.01, frozenset()),
        Made(OTHER, "B", Settings(streak_fills=0), 0.01, frozenset()),
    ]
    rows = {row.name: row for row in world.protections.rows(made, Settings(), 0.004, world.controls, 0.0)}
    assert rows["streak"].threshold == "4 orders filled in a row in 30 s: 60 s, differs by market"
    assert rows["loss"].threshold == "1 % of the day's opening equity, 3 % kills"
    assert rows["loss"].present == "0.40%"
    assert rows["repeat"].threshold == "10 orders of a token and side filled in 60 s"


def test_a_change_of_settings_changes_the_words() -> None:
    world = World()
    assert world.row("rejects").threshold == "10 refused in 60 s: 60 s"
    world.settings = Settings(reject_stop=7)
    assert world.row("rejects").threshold == "7 refused in 60 s: 60 s"


def test_the_last_of_what_is_held_back_tells_the_time_left() -> None:
    world = World(repeat_fills=0)
    world.fills(6, "bid")
    world.fills(6, "ask")
    assert world.row("streak").left_s == 60.0, "the bid goes on six seconds earlier"


def test_the_market_nearest_to_its_threshold_is_named() -> None:
    world = World()
    world.refusals(3)
    world.refusals(5, market=OTHER)
    made = [Made(name, name.upper(), world.settings, 0.01, frozenset()) for name in (MARKET, OTHER)]
    rows = {row.name: row for row in world.protections.rows(made, world.settings, None, world.controls, world.now)}
    assert rows["rejects"].present == "5 orders, 0XB"
