"""Each protection in a real engine: it stops orders, says why, ends as it should, and outlives a restart.

What each counts is tested in tests/core/risk; here it is that no order passes it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from core.actions import Cancel, CancelAll, Kill, Note, Place, SignedPlace
from core.errors import ConfigError
from core.events import ClockSeen, FeedAlive, JournalSeen, LoopSeen, OperatorCommand, Recovered, Woken
from core.orders.order import State
from core.portfolio.entries import EquityMark
from core.risk.gate import Cleared, Denial
from core.units import MICRO, Side, Usd
from core.viewing import market_view, protection_views
from core.views import ProtectionView
from tests.builders import MARKET, NOON, Driver, VenueBook, a_market, usd

BOTH = {"bid", "ask"}


def a_driver(**over: Any) -> Driver:
    """A market that is quoted, in sizes so small that no cap is reached."""
    small = {"streak_fills": 6, "base_size_usd": 5.0, "max_size_usd": 30.0}
    return Driver(VenueBook(), **(small | over)).quoting()


def sides(driver: Driver) -> set[Side]:
    """On which sides orders stand, once the venue has answered everything."""
    driver.answer()
    driver.answer_cancels()
    return {order.side for order in driver.orders(State.LIVE, State.PARTIAL)}


def after(driver: Driver, seconds: float) -> set[Side]:
    """The same after some time; refusals of a moment ago are forgotten by then."""
    for _ in range(round(seconds)):
        driver.pass_time(1.0)
        driver.answer()
        driver.answer_cancels()
    return sides(driver)


def fills(driver: Driver, number: int, side: Side = "bid", every: float = 1.0) -> None:
    """So many times the best order of a side is filled whole, and another one takes its place."""
    for _ in range(number):
        after(driver, every)
        standing = [order for order in driver.orders(State.LIVE, State.PARTIAL) if order.side == side]
        if not standing:
            break
        driver.fill(max(standing, key=lambda order: order.yes_price * (1 if side == "bid" else -1)))


def move_to(driver: Driver, mid: int) -> None:
    """The whole book moves, and is told as a whole."""
    book = driver.books[0]
    book.bids, book.asks = {mid - 1 - n: 300 for n in range(4)}, {mid + 1 + n: 300 for n in range(4)}
    book.ms += 5
    driver.send(book.book())


def adverse(driver: Driver, number: int) -> None:
    """So many fills of our bid after each of which the market falls two ticks and stays there."""
    mid = max(driver.books[0].bids) + 1
    for _ in range(number):
        fills(driver, 1)
        for _ in range(2):
            mid -= 1
            move_to(driver, mid)
            after(driver, 17.0)


def refusals(driver: Driver, number: int) -> None:
    """The venue refuses every order until it has refused so many."""
    for _ in range(100):
        if driver.engine.orders.counts.rejects >= number:
            return
        if not driver.orders(State.SENDING):
            driver.pass_time(1.0)
        driver.answer("refused")


def row(driver: Driver, name: str) -> ProtectionView:
    return next(row for row in protection_views(driver.engine, driver.now) if row.name == name)


def blocked(driver: Driver) -> str:
    return market_view(driver.engine, driver.desk, driver.now, driver.unix).blocked_by


def notes(driver: Driver) -> list[str]:
    return [action.text for action in driver.actions if isinstance(action, Note)]


def restarted(driver: Driver, down_s: float = 5.0, mark: EquityMark | None = None, **over: Any) -> Driver:
    """The session that takes over what another one has set, some seconds later."""
    newest = {control.scope: control for control in driver.engine.controls.take_changes()}
    controls = tuple([control for control in newest.values() if control.state != "ACTIVE"])
    new = Driver(*driver.books, **over)
    new.now, new.unix_offset = 50.0, driver.unix + down_s - 50.0
    new.send(Woken(new.unix))
    new.send(Recovered(controls=controls, equity=mark))
    new.quoting()
    new.read_account()
    after(new, 3.0)
    return new


# Each stops orders, shows why, and ends


def test_a_streak_closes_its_side_for_a_minute() -> None:
    driver = a_driver(repeat_fills=0)
    fills(driver, 6)
    assert after(driver, 2.0) == {"ask"}
    assert row(driver, "streak").holds and row(driver, "streak").trips == 1
    assert "the bid is paused for 60 s: 6 orders in a row were filled on the bid in 30 s" in notes(driver)
    assert after(driver, 55.0) == {"ask"}
    assert after(driver, 6.0) == BOTH
    assert not row(driver, "streak").holds


def test_a_streak_pulls_its_side_in_the_same_step() -> None:
    driver = a_driver(repeat_fills=0)
    fills(driver, 5)
    bids = {order.order_id for order in driver.orders(State.LIVE, State.PARTIAL) if order.side == "bid"}
    best = max((o for o in driver.orders() if o.side == "bid"), key=lambda order: order.yes_price)
    actions = driver.fill(best, 1.0)
    assert {action.order_id for action in actions if isinstance(action, Cancel)} == bids


def test_a_repeated_execution_closes_its_side_until_somebody_resumes() -> None:
    driver = a_driver(streak_fills=0)
    fills(driver, 10)
    assert after(driver, 600.0) == {"ask"}
    assert row(driver, "repeat").holds and row(driver, "repeat").left_s is None
    driver.send(OperatorCommand(act="resume", market=MARKET))
    assert after(driver, 3.0) == BOTH


def test_adverse_drift_closes_its_market_for_a_while() -> None:
    driver = a_driver(markout_stop_fills=3, jump_reset_ticks=1000, markout_stop_ticks=1.5)
    adverse(driver, 2)
    assert sides(driver) == BOTH
    adverse(driver, 1)
    assert after(driver, 30.0) == set()
    assert blocked(driver).startswith("paused: ") and "ticks against us 30 s after a fill" in blocked(driver)
    assert row(driver, "markout").holds
    assert after(driver, 300.0) == BOTH


def test_refusals_close_their_market_for_a_minute() -> None:
    driver = refused_everything()
    assert blocked(driver) == "paused: the venue refused 10 orders in 60 s"
    count = driver.engine.orders.counts.rejects
    assert after(driver, 58.0) == set()
    assert driver.engine.orders.counts.rejects == count
    assert after(driver, 35.0) == BOTH


def lose(driver: Driver, mid: int = 30) -> None:
    """The price falls under what is held."""
    move_to(driver, mid)
    after(driver, 3.0)


def test_a_fall_from_the_peak_lets_orders_only_reduce_until_re_armed() -> None:
    driver = Driver(VenueBook(), drawdown_limit_pct=0.1, jump_reset_ticks=1000).quoting(yes=1_000)
    assert sides(driver) == BOTH
    lose(driver)
    assert after(driver, 60.0) == {"ask"}, "what is held may be sold"
    assert row(driver, "drawdown").holds
    driver.send(OperatorCommand(act="resume_all"))
    assert after(driver, 5.0) == {"ask"}, "that is not enough"
    driver.read_account()
    driver.send(OperatorCommand(act="rearm", reason="looked into it"))
    assert after(driver, 5.0) == BOTH, notes(driver)[-3:]
    assert after(driver, 5.0) == BOTH, "the present equity is the new peak"


def test_the_days_loss_is_listed_among_them() -> None:
    driver = Driver(VenueBook(), daily_loss_limit_pct=0.1, jump_reset_ticks=1000).quoting(yes=1_000)
    lose(driver)
    told = row(driver, "loss")
    assert (told.holds, told.trips, told.left_s) == (True, 1, None)
    assert told.threshold == "0.1 % of the day's opening equity, 3 % kills" and float(told.present[:-1]) >= 0.1
    assert after(driver, 5.0) == {"ask"}


def test_a_jump_closes_its_market() -> None:
    driver = a_driver()
    move_to(driver, 30)
    assert after(driver, 2.0) == set()
    assert row(driver, "jump").holds and row(driver, "jump").trips == 1
    assert blocked(driver).startswith("event: the price jumped")
    assert after(driver, 100.0) == BOTH
    assert not row(driver, "jump").holds


def test_a_sweep_closes_its_market() -> None:
    driver = a_driver()
    driver.send(driver.books[0].trade("0.49", "1700"))
    assert after(driver, 2.0) == set()
    assert row(driver, "sweep").holds and row(driver, "sweep").trips == 1


def test_the_schedule_closes_its_market() -> None:
    driver = Driver(VenueBook(a_market(end_unix=NOON + 1_000.0))).quoting()
    assert after(driver, 2.0) == set()
    assert row(driver, "schedule").holds and row(driver, "schedule").trips == 1
    assert blocked(driver) == "too near the end date"


# Settings and switches

Story = Callable[[dict[str, Any]], object]


def one_sided(settings: dict[str, Any]) -> object:
    """How many fills a streak has, and on which sides orders stand in the minutes after it."""
    driver = a_driver(**({"repeat_fills": 0} | settings))
    fills(driver, 8)
    return driver.engine.orders.counts.fills, [sorted(after(driver, 10.0)) for _ in range(12)]


def repeated(settings: dict[str, Any]) -> object:
    """The same after a dozen fills, were streaks nothing."""
    return one_sided({"streak_fills": 0, "repeat_fills": 8} | settings)


def drifting(settings: dict[str, Any]) -> object:
    """On which sides orders stand in a market that falls whenever it has sold to us."""
    base = {"markout_stop_fills": 2, "markout_stop_ticks": 1.5, "jump_reset_ticks": 1000, "k_tox": 0.0}
    driver = a_driver(**(base | settings))
    stood: list[object] = []
    for _ in range(3):
        adverse(driver, 1)
        stood.append(sorted(sides(driver)))
    return [*stood, *[sorted(after(driver, 30.0)) for _ in range(12)]]


def refused(settings: dict[str, Any]) -> object:
    """What holds the market back while the venue refuses everything, and afterwards."""
    driver = Driver(VenueBook(), **settings)
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    told = []
    for _ in range(40):
        driver.pass_time(3.0)
        driver.answer("refused")
        told.append(blocked(driver))
    return told


CHANGES: list[tuple[str, Any, Any, Story]] = [
    ("streak_fills", 4, 0, one_sided),
    ("streak_sec", 4.0, None, one_sided),
    ("streak_cooloff_sec", 20.0, None, one_sided),
    ("repeat_fills", 4, 0, repeated),
    ("repeat_sec", 4.0, None, repeated),
    ("markout_stop_ticks", 9.0, 0.0, drifting),
    ("markout_stop_fills", 3, None, drifting),
    ("markout_cooloff_sec", 60.0, None, drifting),
    ("reject_stop", 30, 0, refused),
    ("reject_sec", 1.0, None, refused),
    ("reject_cooloff_sec", 10.0, None, refused),
]
"""Setting, another value, the value that switches the protection off, and a story in which that makes a difference."""


@pytest.mark.parametrize(("name", "value", "off", "story"), CHANGES, ids=[change[0] for change in CHANGES])
def test_each_setting_changes_when_orders_are_stopped(name: str, value: Any, off: Any, story: Story) -> None:
    usual = story({})
    assert story({name: value}) != usual
    if off is not None:
        assert story({name: off}) != usual


# A restart


def refused_everything(**over: Any) -> Driver:
    """A market whose first orders were all refused."""
    driver = Driver(VenueBook(), **over)
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    refusals(driver, 10)
    return driver


def struck(strike: Callable[[Driver], None]) -> Callable[..., Driver]:
    """A market that was quoted until something happened."""

    def make(**over: Any) -> Driver:
        driver = a_driver(**over)
        strike(driver)
        return driver

    return make


@pytest.mark.parametrize(
    ("name", "make", "stands"),
    [
        ("streak", struck(lambda driver: fills(driver, 6)), {"ask"}),
        ("repeat", struck(lambda driver: fills(driver, 10)), {"ask"}),
        ("markout", struck(lambda driver: adverse(driver, 3)), set()),
        ("rejects", refused_everything, set()),
    ],
)
def test_what_a_protection_holds_back_stays_so_after_a_restart(
    name: str, make: Callable[..., Driver], stands: set[Side]
) -> None:
    over: dict[str, Any] = {"markout_stop_fills": 3, "markout_stop_ticks": 1.5, "jump_reset_ticks": 1000, "k_tox": 0.0}
    over |= {"streak_fills": 0} if name == "repeat" else {"repeat_fills": 0}
    driver = make(**over)
    after(driver, 3.0)
    assert row(driver, name).holds
    new = restarted(driver, **over)
    assert sides(new) == stands
    assert row(new, name).holds
    left, was = row(new, name).left_s, row(driver, name).left_s
    assert (left is None) == (was is None)
    assert left is None or was is None or left <= was - 5.0, "the time it was down counts"


def test_a_pause_whose_time_ran_out_while_nothing_ran_is_over() -> None:
    driver = a_driver(repeat_fills=0)
    fills(driver, 6)
    assert sides(restarted(driver, down_s=120.0, repeat_fills=0)) == BOTH


def an_equity(profit: float, peak: float) -> EquityMark:
    flows = 50_000.0
    nothing = (Usd(0),) * 4
    return EquityMark(
        NOON, 1, usd(flows), usd(flows), usd(flows + profit), *nothing, usd(flows), usd(peak), int(NOON // 86_400),
        usd(flows), Usd(0), usd(flows), False, guard_peak=usd(peak),
    )  # fmt: skip


def test_a_drawdown_stands_after_a_restart() -> None:
    over: dict[str, Any] = {"drawdown_limit_pct": 0.1, "jump_reset_ticks": 1000}
    driver = Driver(VenueBook(), **over).quoting(yes=1_000)
    lose(driver)
    new = restarted(driver, **over)
    assert row(new, "drawdown").holds
    assert sides(new) == set(), "nothing is held by this account, so nothing is left to reduce"


def test_the_peak_of_earlier_sessions_is_what_a_fall_is_measured_from() -> None:
    driver = Driver(VenueBook())
    new = restarted(driver, mark=an_equity(0.0, peak=10_000.0))
    assert new.engine.protections.drawdown.peak == usd(10_000.0)
    assert row(new, "drawdown").holds, "nothing is left of that account"


# Clock, journal, loop


def test_a_clock_that_is_off_places_nothing_and_pulls_nothing() -> None:
    driver = a_driver()
    driver.send(ClockSeen(-3.4))
    driver.send(driver.books[0].set("bid", 45, 0))
    assert not [a for a in driver.pass_time(5.0) if isinstance(a, Place)]
    assert blocked(driver) == "our clock is 3.4 s behind the venue's"
    driver.send(ClockSeen(0.2))
    assert after(driver, 3.0) == BOTH


def test_a_journal_that_waits_places_nothing_and_kills_in_the_end() -> None:
    driver = a_driver()
    driver.send(JournalSeen(2.5))
    move_to(driver, 44)
    assert not [a for a in driver.pass_time(5.0) if isinstance(a, Place)]
    assert blocked(driver) == "the journal has been waiting for the disk for 2 s"
    actions = driver.send(JournalSeen(5.0))
    assert [action.by for action in actions if isinstance(action, Kill)] == ["storage"]
    assert [action for action in actions if isinstance(action, CancelAll)]
    assert not [action for action in driver.send(JournalSeen(5.5)) if isinstance(action, Kill)], "once"
    driver.send(JournalSeen(0.0))
    assert after(driver, 10.0) == set()
    assert blocked(driver).startswith("killed")


def test_a_loop_that_stood_still_waits_for_fresh_books() -> None:
    driver = a_driver()
    driver.rest_answers = False
    driver.send(LoopSeen(1.3))
    standing = len(driver.orders(State.LIVE))
    driver.send(driver.books[0].set("bid", 45, 0))
    assert not [a for a in driver.pass_time(1.0, alive=False) if isinstance(a, Place | Cancel)]
    assert blocked(driver) == "the loop stood still for 1.3 s: waiting for a fresh book"
    assert len(driver.orders(State.LIVE)) == standing, "what rests keeps its lease"
    driver.send(driver.books[0].set("bid", 44, 77))
    assert after(driver, 2.0) == BOTH and blocked(driver) == ""


# At the door: what was decided before is judged again


@pytest.mark.parametrize(
    ("code", "happen"),
    [
        ("rejects", lambda driver: refuse(driver, 10)),
        ("clock", lambda driver: driver.send(ClockSeen(3.4))),
        ("journal", lambda driver: driver.send(JournalSeen(2.5))),
        ("lag", lambda driver: driver.send(LoopSeen(1.3))),
    ],
)
def test_an_order_that_is_signed_already_does_not_leave(code: str, happen: Callable[[Driver], None]) -> None:
    """Between decision and socket lie a signature and a write to the disk: long enough for anything."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    place = next(action for action in driver.pass_time(2.0) if isinstance(action, Place))
    signed = SignedPlace(place, f"id-{place.intent}", None)
    gatekeeper = driver.engine.gatekeeper
    assert isinstance(gatekeeper.clear(signed, driver.now), Cleared)
    happen(driver)
    denied = gatekeeper.clear(signed, driver.now)
    assert isinstance(denied, Denial) and denied.code == code, denied


def refuse(driver: Driver, number: int) -> None:
    """So many orders of the market are refused, those that are signed stay so."""
    desk = driver.desk
    for _ in range(number):
        trips = driver.engine.protections.refused(MARKET, desk.settings, driver.now)
        driver.engine.stops.trip(trips, driver.now)


# Sizes


def test_sizes_over_the_bankroll_end_the_session_before_any_order() -> None:
    driver = Driver(VenueBook(), max_size_usd=600.0)
    driver.feeds()
    driver.account(cash=500.0)
    driver.send(driver.books[0].book())
    with pytest.raises(ConfigError, match="max_size_usd: 600 is over the bankroll of 500 dollars"):
        driver.pass_time(3.0)
    driver.send(FeedAlive("market"))
    driver.pass_time(5.0)
    assert not [action for action in driver.actions if isinstance(action, Place)], "whatever is said afterwards"
    assert blocked(driver) == "stopping"


def test_sizes_that_fit_the_bankroll_are_taken() -> None:
    driver = Driver(VenueBook(), max_size_usd=600.0).quoting()
    assert driver.engine.account.bankroll == 50_000 * MICRO
    assert sides(driver) == BOTH
