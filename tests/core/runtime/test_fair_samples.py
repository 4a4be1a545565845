"""Which fair values are kept: enough to tell the path, no more than one a second and market."""

import pytest

from core.runtime.fair_samples import ALIVE_SEC, MOVED_TICKS, FairSamples
from tests.builders import NOON, Driver, VenueBook


@pytest.fixture
def driver() -> Driver:
    return Driver(VenueBook()).quoting()


def test_the_first_look_is_a_row_and_a_still_price_is_none(driver: Driver) -> None:
    """A quiet market costs a row a minute."""
    samples = FairSamples()
    [(market, unix, tick, fair, price)] = samples.rows(driver.engine, driver.now, NOON)
    assert (market, unix, tick, price) == (driver.desk.market, NOON, 10_000, 460_000)
    assert fair == pytest.approx(460_000, abs=2)
    assert samples.rows(driver.engine, driver.now, NOON + 5) == []
    assert len(samples.rows(driver.engine, driver.now, NOON + ALIVE_SEC)) == 1


def test_a_move_is_a_row_but_not_within_the_second(driver: Driver) -> None:
    """A busy market costs a row a second."""
    samples, book = FairSamples(), driver.books[0]
    samples.rows(driver.engine, driver.now, NOON)
    driver.send(book.set("bid", 46, 100))
    assert samples.rows(driver.engine, driver.now, NOON + 0.9) == []
    [row] = samples.rows(driver.engine, driver.now, NOON + 1)
    assert row[4] is not None and abs(row[4] - 460_000) >= MOVED_TICKS * 10_000


def test_a_crumb_of_a_move_is_no_row(driver: Driver) -> None:
    """Sizes at the touch flicker all the time."""
    samples, book = FairSamples(), driver.books[0]
    samples.rows(driver.engine, driver.now, NOON)
    driver.send(book.set("bid", 45, 201))
    driver.pass_time(2.0)
    micro = driver.desk.watch.micro.price
    assert 0 < abs(micro - 0.46) < MOVED_TICKS * 0.01
    assert samples.rows(driver.engine, driver.now, NOON + 2) == []


def test_a_book_that_is_not_believed_ends_the_path_until_it_is(driver: Driver) -> None:
    """A stale fair value must not look like a still one."""
    samples = FairSamples()
    samples.rows(driver.engine, driver.now, NOON)
    driver.desk.tracked.lose("test", driver.now)
    assert [row[3:] for row in samples.rows(driver.engine, driver.now, NOON + 1)] == [(None, None)]
    assert samples.rows(driver.engine, driver.now, NOON + 3) == []


def test_a_clock_that_is_set_back_does_not_stop_the_path(driver: Driver) -> None:
    """A row of the past is better than none for an hour."""
    samples = FairSamples()
    samples.rows(driver.engine, driver.now, NOON)
    assert len(samples.rows(driver.engine, driver.now, NOON - 3_600)) == 1
    assert samples.rows(driver.engine, driver.now, NOON - 3_599.5) == []


def test_a_day_begins_with_a_row(driver: Driver) -> None:
    """What a day earned is reckoned from what things were worth when it began."""
    samples, midnight = FairSamples(), NOON + 43_200
    samples.rows(driver.engine, driver.now, midnight - 10)
    assert samples.rows(driver.engine, driver.now, midnight - 5) == []
    assert len(samples.rows(driver.engine, driver.now, midnight)) == 1


def test_a_session_ends_with_what_it_values_its_holdings_at(driver: Driver) -> None:
    """The report's value at the end is the session's own, also when the feeds have ended before."""
    samples = FairSamples()
    driver.desk.tracked.lose("test", driver.now)
    [row] = samples.last_rows(driver.engine, driver.now, NOON)
    assert row == (driver.desk.market, NOON, 10_000, driver.desk.mark(driver.now), None)
