"""The tape of one market: rate and direction of the last minute, in bounded memory."""

from core.market.tape import KEPT_TRADES, RATE_WINDOW_SEC, Tape, Trade
from core.units import Shares, Ticks, grid_of


def trade(now: float, size: int = 10, buys: bool = True) -> Trade:
    return Trade(now, Ticks(50), Shares(size), buys)


def test_rate_and_direction_are_those_of_the_last_minute() -> None:
    tape = Tape()
    assert (tape.per_minute(0.0), tape.imbalance(0.0)) == (0, None)
    tape.add(trade(0.0, 30), 1)
    tape.add(trade(30.0, 10, buys=False), 2)
    assert (tape.per_minute(30.0), tape.imbalance(30.0)) == (2, 0.5)
    assert (tape.per_minute(RATE_WINDOW_SEC), tape.imbalance(RATE_WINDOW_SEC)) == (1, -1.0)
    assert (tape.per_minute(90.0), tape.imbalance(90.0)) == (0, None)
    assert tape.total == 2 and tape.last == trade(30.0, 10, buys=False)


def test_a_burst_of_trades_costs_no_memory() -> None:
    tape = Tape()
    for n in range(100_000):
        tape.add(trade(n * 60.0 / 100_000), n)
    assert tape.per_minute(59.9) == 100_000
    assert len(tape._recent) <= RATE_WINDOW_SEC


def test_a_trade_that_two_sockets_tell_is_one() -> None:
    tape = Tape()
    for key in ("a", "b", "a"):
        tape.add(trade(1.0), key)
    assert tape.total == 2


def test_the_last_trades_are_told_in_the_order_in_which_they_came() -> None:
    """A burst costs no memory, and the newest is number ``total``."""
    tape = Tape()
    for n in range(KEPT_TRADES + 50):
        tape.add(Trade(float(n), Ticks(50), Shares(n + 1), True), n)
    assert [one.size for one in tape.trades] == list(range(51, KEPT_TRADES + 51))
    assert tape.trades[-1] is tape.last and tape.total == KEPT_TRADES + 50


def test_volume_at_price_counts_every_trade_once() -> None:
    tape = Tape()
    for key, tick, size in [("a", 46, 10), ("b", 45, 20), ("c", 46, 5), ("b", 45, 20)]:
        tape.add(Trade(1.0, Ticks(tick), Shares(size), True), key)
    assert tape.volumes == ((45, 20), (46, 15))
    assert tape.volumes is tape.volumes


def test_trades_and_volumes_follow_a_change_of_the_tick() -> None:
    """Finer and back: dollars stay what they are, volumes that meet on a coarser tick are added up, none is lost."""
    cent, mill = grid_of("0.01"), grid_of("0.001")
    tape = Tape()
    for key, tick in enumerate((45, 46)):
        tape.add(Trade(1.0, Ticks(tick), Shares(10), True), key)
    tape.change_grid(cent, mill)
    assert [one.price for one in tape.trades] == [450, 460] and tape.volumes == ((450, 10), (460, 10))
    assert tape.last is not None and tape.last.price == 460
    for key, tick in enumerate((452, 454), start=5):
        tape.add(Trade(2.0, Ticks(tick), Shares(1), True), key)
    tape.change_grid(mill, cent)
    assert [one.price for one in tape.trades] == [45, 46, 45, 45]
    assert tape.volumes == ((45, 12), (46, 10))


def test_a_change_of_the_tick_before_any_trade_is_nothing() -> None:
    tape = Tape()
    tape.change_grid(grid_of("0.01"), grid_of("0.001"))
    assert (tape.last, tape.volumes, len(tape.trades)) == (None, (), 0)
