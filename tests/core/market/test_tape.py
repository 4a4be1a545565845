"""The tape of one market: rate and direction of the last minute, in bounded memory."""

from core.market.tape import RATE_WINDOW_SEC, Tape, Trade
from core.units import Shares, Ticks


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
