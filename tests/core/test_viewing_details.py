"""What a view tells beside the market's state: tape and volumes, reward band, the day, fills, results, the wallet."""

from typing import Any

import pytest

from core.quoting.rewards import scoring_band
from core.standing import standing
from core.units import grid_of
from core.viewing import Stage, console_view
from core.views import ConsoleView, MarketView
from tests.builders import MARKET, Driver, VenueBook, a_market, shares

PROGRAMME: dict[str, Any] = {
    "reward_max_spread_cents": 3.5,
    "reward_min_size": shares(20),
    "reward_daily_usd": 50.0,
}


def view_of(driver: Driver, **over: Any) -> ConsoleView:
    return console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", (), **over))


def market_of(driver: Driver, **over: Any) -> MarketView:
    return view_of(driver, **over).markets[0]


def traded(**over: Any) -> tuple[Driver, VenueBook]:
    book = VenueBook(a_market(**over))
    driver = Driver(book).quoting()
    for price, size, side in [("0.46", "10", "BUY"), ("0.45", "5", "SELL"), ("0.46", "1", "BUY")]:
        driver.now += 1.0
        driver.send(book.trade(price, size, side=side))
    return driver, book


def test_the_tape_is_a_detail_and_volumes_are_a_ladder_s() -> None:
    """Two hundred trades of twenty markets are nothing that anybody looks at ten times a second."""
    driver, _ = traded()
    assert (market_of(driver).tape, market_of(driver).volumes) == ((), ())
    ladder = market_of(driver, ladders=frozenset((MARKET,)))
    assert ladder.tape == () and ladder.volumes == ((45, shares(5)), (46, shares(11)))
    watched = market_of(driver, watched=frozenset((MARKET,)))
    assert watched.volumes == ladder.volumes
    told = [(one.seq, one.age_s, one.price, one.size, one.taker_bought) for one in watched.tape]
    assert told == [
        (1, 2.0, 46, shares(10), True),
        (2, 1.0, 45, shares(5), False),
        (3, 0.0, 46, shares(1), True),
    ]


def test_the_tape_is_right_at_once_after_a_change_of_the_tick() -> None:
    driver, book = traded()
    driver.send(book.retick("0.001"))
    view = market_of(driver, watched=frozenset((MARKET,)))
    assert view.grid_k == 1000 and view.volumes == ((450, shares(5)), (460, shares(11)))
    assert [one.price for one in view.tape] == [460, 450, 460]
    driver.send(book.trade("0.461", "2"))
    view = market_of(driver, watched=frozenset((MARKET,)))
    assert view.tape[-1].price == 461 and view.tape[-1].seq == 4 and dict(view.volumes)[461] == shares(2)


def test_a_market_without_a_programme_or_a_middle_has_no_reward_band() -> None:
    driver, _ = traded()
    assert market_of(driver).reward_band is None
    assert market_of(Driver(VenueBook(a_market(**PROGRAMME)))).reward_band is None
    poor = a_market(**PROGRAMME | {"reward_min_size": shares(10**6)})
    assert market_of(Driver(VenueBook(poor)).quoting()).reward_band is None


@pytest.mark.parametrize("own_in_book", [False, True])
@pytest.mark.parametrize("tick", ["0.01", "0.001"])
def test_the_band_is_measured_from_the_middle_that_our_own_reckoning_uses(tick: str, own_in_book: bool) -> None:
    """An order at its edges scores, one a tick outside does not."""
    book = VenueBook(a_market(tick, **PROGRAMME), mid=46 if tick == "0.01" else 460)
    driver = Driver(book, own_in_book=own_in_book).quoting()
    estimate = driver.engine.earnings.estimate(driver.desk, driver.now)
    assert estimate is not None and estimate.mid is not None
    band = market_of(driver).reward_band
    assert band == scoring_band(estimate.mid, driver.desk.instrument.grid, 3.5)
    assert band is not None
    k = driver.desk.instrument.grid.k
    for tick_number, is_in in [(band[0], True), (band[0] - 1, False), (band[1], True), (band[1] + 1, False)]:
        assert (abs(tick_number / k - estimate.mid) * 100 < 3.5 - 1e-6) == is_in


@pytest.mark.parametrize(
    ("mid", "tick", "cents", "band"),
    [
        (0.50, "0.01", 3.0, (48, 52)),  # the edge itself scores nothing
        (0.505, "0.01", 3.0, (48, 53)),
        (0.02, "0.01", 5.0, (1, 6)),
        (0.985, "0.01", 5.0, (94, 99)),
        (0.505, "0.01", 0.4, None),
    ],
)
def test_a_band_ends_where_orders_stop_scoring(mid: float, tick: str, cents: float, band: Any) -> None:
    assert scoring_band(mid, grid_of(tick), cents) == band


def test_fills_results_and_the_wallet_are_in_the_view() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.fill(driver.orders()[0], 5)
    driver.command("cancel_market")
    view = view_of(driver, wallet="0xfeed")
    assert [one.size for one in view.fills] == [shares(5)] and view.wallet == "0xfeed"
    assert [(one.act, one.done) for one in view.results] == [("cancel_market", False)]


def test_status_says_the_same_of_a_market_whether_or_not_somebody_looks_at_it() -> None:
    """A view has one level of the books nobody watches: nothing that is told from outside goes by the others."""
    driver = Driver(VenueBook(a_market("0.001"), mid=460, depth=40)).quoting(yes=300)
    assert standing(view_of(driver)) == standing(view_of(driver, watched=frozenset((MARKET,))))


def test_looking_makes_no_difference_to_what_happens() -> None:
    """Views of every kind in between, and the same events make the same actions."""
    runs = []
    for looks in (False, True):
        book = VenueBook(a_market(**PROGRAMME))
        driver = Driver(book).quoting(yes=300)
        for n in range(10):
            driver.send(book.trade("0.46", str(n + 1)))
            if driver.orders():
                driver.fill(driver.orders()[0], 3, trade=f"t{n}")
            driver.pass_time(1)
            driver.command("cancel_market" if n == 5 else "widen")
            if looks:
                view_of(driver, watched=frozenset((MARKET,)))
            driver.answer_cancels()
            driver.answer()
        runs.append(driver.actions)
    assert runs[0] == runs[1]
