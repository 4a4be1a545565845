"""The fills a console is shown: as they were made, how far they have settled, and what they were worth afterwards."""

from typing import Any

import pytest

from core.account.fill_log import KEPT
from core.events import FillSeen, Taken
from core.units import Usd
from core.views import FillView
from tests.builders import MARKET, Driver, VenueBook, a_market, shares, usd


def fills(driver: Driver) -> tuple[FillView, ...]:
    return driver.engine.fill_log.views


def bid_of(driver: Driver) -> Any:
    return next(order for order in driver.orders() if order.side == "bid")


def test_a_fill_is_shown_as_it_was_made() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    bid = bid_of(driver)
    driver.fill(bid, 5)
    assert fills(driver) == (
        FillView(
            seq=1, unix=driver.unix, market=MARKET, title=driver.desk.instrument.title, side="bid", price=bid.yes_price,
            grid_k=100, decimals=2, size=shares(5), layer=bid.layer, on_no=bid.outcome == "NO", taker=False,
            status="MATCHED", fee=usd(0), markouts=(None, None, None, None),
        ),
    )  # fmt: skip


def test_a_fill_settles_step_by_step_on_the_same_line() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    bid, seen = bid_of(driver), []
    for settlement in ("matched", "mined", "retrying", "mined", "confirmed"):
        driver.fill(bid, 5, settlement, trade="t")
        seen.append([(one.seq, one.status) for one in fills(driver)])
    assert [line for [line] in seen] == [(1, w) for w in ("MATCHED", "MINED", "RETRYING", "MINED", "CONFIRMED")]


def test_a_fill_that_fails_stays_listed_and_was_worth_nothing() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    bid = bid_of(driver)
    driver.fill(bid, 5, trade="t")
    driver.pass_time(2)
    driver.fill(bid, 5, "failed", trade="t")
    driver.pass_time(40)
    assert [(one.status, one.markouts) for one in fills(driver)] == [("FAILED", ())]


def test_markouts_appear_as_their_horizons_come() -> None:
    """The price falls by a cent after our bid was filled: what was bought is worth less at every later horizon."""
    book = VenueBook()
    driver = Driver(book).quoting(yes=300)
    driver.fill(bid_of(driver), 5)
    known = []
    for wait in (0.5, 1.5, 5.0, 30.0, 300.0):
        driver.pass_time(wait)
        [line] = fills(driver)
        known.append(sum(one is not None for one in line.markouts))
    assert known == [0, 1, 2, 3, 4]
    [line] = fills(driver)
    drifts = {drift.horizon: drift.markout for _, drift in driver.engine.take_drifts()}
    assert list(line.markouts) == [drifts[horizon] for horizon in (1.0, 5.0, 30.0, 300.0)]


def test_a_fill_keeps_the_grid_of_its_moment_when_the_tick_changes() -> None:
    """Its price is read with the grid beside it: later ticks say nothing of it."""
    book = VenueBook(a_market("0.01"))
    driver = Driver(book).quoting(yes=300)
    bid = bid_of(driver)
    price = bid.yes_price
    driver.fill(bid, 5, trade="t")
    driver.send(book.retick("0.001"))
    driver.fill(bid, 5, "mined", trade="t")
    driver.fill(bid, 5, trade="u")
    before, after = fills(driver)
    assert (before.price, before.grid_k, before.decimals, before.status) == (price, 100, 2, "MINED")
    assert (after.price, after.grid_k, after.decimals) == (price * 10, 1000, 3)


def test_what_we_took_says_so_and_has_no_markouts() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    bid = bid_of(driver)
    taken = (Taken(price=bid.usd, size=shares(5), cash=Usd(5 * bid.usd)),)
    driver.send(FillSeen("t", bid.order_id, shares(5), "matched", driver.unix, taken=taken))
    driver.pass_time(2)
    assert [(one.taker, one.markouts) for one in fills(driver)] == [(True, ())]


def test_fills_are_bounded_and_the_tuple_is_made_anew_only_when_something_changed() -> None:
    """Ten views a second of two hundred fills cost nothing while nothing happens."""
    driver = Driver(VenueBook()).quoting(yes=300)
    bid = bid_of(driver)
    for n in range(KEPT + 20):
        driver.fill(bid, 0.01, trade=f"t{n}")
    assert [one.seq for one in fills(driver)] == list(range(21, KEPT + 21))
    assert fills(driver) is fills(driver)
    same = fills(driver)
    driver.fill(bid, 0.01, "mined", trade="t0")
    assert fills(driver) is same  # not listed any more
    driver.fill(bid, 0.01, "mined", trade=f"t{KEPT}")
    assert sum(one is other for one, other in zip(fills(driver), same, strict=True)) == KEPT - 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_fill_told_again_is_one_line(times: int) -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    for _ in range(times):
        driver.fill(bid_of(driver), 5, trade="t")
    assert len(fills(driver)) == 1


def test_a_strangers_fill_is_none_of_ours() -> None:
    driver = Driver(VenueBook()).quoting(yes=300)
    driver.send(FillSeen("t", "0xdead", shares(5), "matched", driver.unix))
    assert fills(driver) == ()
