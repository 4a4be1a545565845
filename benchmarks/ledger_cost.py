"""What booking a fill costs, in multiples of a bare average-cost book, and how long the account's past takes to fold.

A bare book is the least that could be called one: cash, shares, cost and profit of each token in a dictionary, a
duplicate left out. Ours books three views, remembers what may still be taken back, confirms the fill of a while ago,
and checks that everything adds up, each time.
"""

import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from core.orders.fills import Fill
from core.portfolio.entries import Booking
from core.portfolio.portfolio import Portfolio
from core.portfolio.position import booking_of
from core.units import MICRO, OUTCOMES, Shares, Side, Ticks, Usd

FILLS: Final = 40_000
PIECE: Final = 1_000
MARKETS: Final = 50
OPEN_FILLS: Final = 40
"""That are not final yet, at any time."""
FAILS: Final = 500
COST_BAR: Final = 50e-6
"""Seconds of CPU a fill (bar of issue 7)."""


class Bare:
    """Cash, and per token shares, cost and realised profit."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()
        self._cash = 0
        self._held: dict[tuple[str, str], list[int]] = {}

    def book(self, fill: Fill) -> None:
        """Take a fill that is not known."""
        if fill.key in self._known:
            return
        self._known.add(fill.key)
        held = self._held.setdefault((fill.market, fill.outcome), [0, 0, 0])
        amount = fill.size * fill.usd
        if fill.order_side == "BUY":
            self._cash -= amount
            held[0] += fill.size
            held[1] += amount
        else:
            self._cash += amount
            cost = held[1] * fill.size // held[0] if held[0] else 0
            held[0] -= fill.size
            held[1] -= cost
            held[2] += amount - cost


class Ours:
    """Portfolio of many markets, checked after every fill."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self._open: deque[Fill] = deque()

    def book(self, fill: Fill) -> None:
        """Take a fill, and the confirmation of an earlier one."""
        self.portfolio.fill(fill, True, fill.unix)
        self._open.append(fill)
        if len(self._open) > OPEN_FILLS:
            self.portfolio.confirm(self._open.popleft())
        wrong = self.portfolio.check()
        assert not wrong, wrong


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    fills = _fills(FILLS)
    ours = Ours()
    lanes: dict[str, Callable[[Fill], None]] = {"bare": Bare().book, "three views, checked": ours.book}
    times: dict[str, list[float]] = {name: [] for name in lanes}
    for at in range(0, FILLS, PIECE):
        for name, book in lanes.items():
            times[name].append(_cpu(book, fills[at : at + PIECE]))
    print(f"booking a fill, {FILLS:,} fills in {MARKETS} markets, {OPEN_FILLS} not final")
    for name, seconds in times.items():
        ratio = statistics.median(one / base for one, base in zip(seconds, times["bare"], strict=True))
        print(f"  {name:<34} {statistics.median(seconds) * 1e6:7.2f} us   {ratio:6.1f} x bare")
    _print_failures(ours)
    _print_restart(fills)
    cost = statistics.median(times["three views, checked"])
    reached = cost <= COST_BAR
    print(f"  {'reached' if reached else 'NOT REACHED'}: {cost * 1e6:.3g}, bar at most {COST_BAR * 1e6:g} us of CPU")
    return reached


def _print_failures(ours: Ours) -> None:
    """A fill that fails right after it was told, behind all that is open."""
    fills = _fills(FAILS, since=FILLS)
    for fill in fills:
        ours.portfolio.fill(fill, True, fill.unix)
    seconds = _cpu(lambda fill: ours.portfolio.fill(fill, False, fill.unix), fills)
    print(f"  a failed fill, taken back            {seconds * 1e6:5.1f} us, {FAILS} open")


def _print_restart(fills: Sequence[Fill]) -> None:
    """The fold of the account's past from empty."""
    lines: list[Booking] = [booking_of(fill, seq, fill.unix) for seq, fill in enumerate(fills, 1)]
    portfolio = Portfolio()
    started = time.process_time()
    portfolio.restore(lines)
    print(f"  {FILLS:,} lines folded from empty     {time.process_time() - started:5.2f} s")


def _fills(count: int, since: int = 0) -> list[Fill]:
    """Trades that keep holdings near nothing, as a maker does."""
    dice, fills = random.Random(since), []
    for number in range(since, since + count):
        outcome = dice.choice(OUTCOMES)
        is_buy = dice.random() < 0.5
        side: Side = "bid" if is_buy == (outcome == "YES") else "ask"
        price, size = Usd(dice.randrange(1, 100) * 10_000), Shares(dice.randrange(500, 50_000) * MICRO // 100)
        fills.append(
            Fill(
                trade_id=f"00000000-0000-0000-0000-{number:012d}",
                order_id=f"0x{number:064x}",
                intent=number,
                market=f"0x{number * 7919 % MARKETS:064x}",
                outcome=outcome,
                order_side="BUY" if is_buy else "SELL",
                price=Ticks(price // 10_000),
                yes_price=Ticks(price // 10_000),
                usd=price,
                side=side,
                size=size,
                layer=0,
                unix=1_790_000_000.0 + number,
            )
        )
    return fills


def _cpu(book: Callable[[Fill], object], fills: Sequence[Fill]) -> float:
    started = time.process_time()
    for fill in fills:
        book(fill)
    return (time.process_time() - started) / len(fills)
