"""Integer money: prices in ticks, sizes in micro-shares, dollars in micro-dollars.

Owns every conversion between the venue's decimal text and those integers, each with its rounding named.
Nothing outside this file multiplies a price by a size or divides by a tick.
"""

import math
from functools import lru_cache
from typing import Final, Literal, NewType

Ticks = NewType("Ticks", int)
"""A price as a tick number of its market's grid; price in dollars is ``ticks / K``."""
Shares = NewType("Shares", int)
"""A size in millionths of a share."""
Usd = NewType("Usd", int)
"""An amount in millionths of a dollar."""

Side = Literal["bid", "ask"]
"""Side of the YES book a quote or an order stands on."""
SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
OrderSide = Literal["BUY", "SELL"]
"""What an order does with its token."""
Outcome = Literal["YES", "NO"]
OUTCOMES: Final[tuple[Outcome, Outcome]] = ("YES", "NO")

MICRO: Final = 1_000_000
SIZE_QUANTUM: Final = Shares(10_000)
"""Orders are sized in hundredths of a share (polymarket-api.md 2.3)."""
_MAX_SPELLING: Final = 12
_LONGEST_NUMBER: Final = 30
"""Characters: thousands of digits would stall the parser."""
_MOST: Final = 2**63 - 1
"""Largest amount: what the database and the journal's integers hold."""
_SHORT_WHOLE: Final = 12
"""Digits before the point that are never too many."""
_SCALES: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)
"""By number of decimals: what makes millionths of the digits."""


class UnitError(ValueError):
    """A text that is no number of the kind asked for, or a price off the grid."""


class OffGrid(UnitError):
    """A price between 0 and 1 that a finer grid may have."""


def read_micro(text: str) -> int:
    """Read a non-negative decimal text as an integer number of millionths, exactly.

    Raises:
        UnitError: the text is empty, signed, not ASCII decimal, too large, or has more than six significant decimals.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isdigit() and digits.isascii()):
        raise UnitError(f"not a plain decimal number: {text[:40]!r}")
    if len(fraction) <= 6 and len(whole) <= _SHORT_WHOLE:
        return int(digits) * _SCALES[len(fraction)]
    if len(text) > _LONGEST_NUMBER:
        raise UnitError(f"a number of {len(text)} characters: {text[:40]!r}")
    if len(fraction) > 6:
        if fraction[6:].strip("0"):
            raise UnitError(f"more than six decimals: {text[:40]!r}")
        fraction = fraction[:6]
    micro = int(whole or "0") * MICRO + int(fraction.ljust(6, "0"))
    if micro > _MOST:
        raise UnitError(f"too large: {text}")
    return micro


@lru_cache(maxsize=1 << 12)
def parse_micro(text: str) -> int:
    """:func:`read_micro` with a memory, for texts that come again and again; sizes of the market do not.

    Raises:
        UnitError: see :func:`read_micro`.
    """
    return read_micro(text)


def micro_text(micro: int) -> str:
    """Write millionths as the shortest plain decimal text, the way the venue does (``"7.5"``, ``"0.62"``)."""
    whole, rest = divmod(abs(micro), MICRO)
    sign = "-" if micro < 0 else ""
    return f"{sign}{whole}.{rest:06d}".rstrip("0") if rest else f"{sign}{whole}"


def floor_size(shares: float | int) -> Shares:
    """Round micro-shares down to a hundredth of a share (market-making.md 0.4, ``floor01``).

    The slack of 1e-6 hundredths undoes binary noise of model arithmetic; integers are exact.
    """
    return Shares(math.floor(shares / SIZE_QUANTUM + 1e-6) * SIZE_QUANTUM)


def shares_from_float(shares: float) -> Shares:
    """Turn a model's number of shares into an order size, rounded down to a hundredth of a share."""
    return floor_size(shares * MICRO)


def usd_from_float(dollars: float) -> Usd:
    """Turn dollars of a setting or a model into micro-dollars, to the nearest."""
    return Usd(round(dollars * MICRO))


class Grid:
    """The price grid of one market: ``K`` ticks make one dollar; valid order prices are ``1 .. K - 1``.

    Build with :func:`grid_of`, which shares one instance per tick size.
    """

    __slots__ = ("_texts", "_ticks", "decimals", "k", "tick", "tick_text", "tick_usd")

    def __init__(self, tick_text: str) -> None:
        tick = parse_micro(tick_text)
        if not 0 < tick < MICRO or MICRO % tick:
            raise UnitError(f"tick size does not divide one dollar: {tick_text[:40]!r}")
        self.tick_text = micro_text(tick)
        """The tick in dollars, shortest decimal text."""
        self.tick_usd = Usd(tick)
        """Micro-dollars of one share at one tick."""
        self.k = MICRO // self.tick_usd
        """Ticks in one dollar; the complement of tick ``k`` is ``grid.k - k``."""
        self.tick = 1.0 / self.k
        """The tick in dollars as a model number; never used to build an order price."""
        self.decimals = len(self.tick_text.partition(".")[2])
        self._ticks: dict[str, Ticks] = {}
        self._texts = [micro_text(n * self.tick_usd) for n in range(self.k + 1)]

    def __repr__(self) -> str:
        return f"Grid({self.tick_text!r})"

    def ticks(self, price_text: str) -> Ticks:
        """Read a price text as an exact tick number.

        Raises:
            UnitError: the text is no price strictly between 0 and 1.
            OffGrid: it is one, but not of this grid.
        """
        known = self._ticks.get(price_text)
        if known is not None:
            return known
        micro = parse_micro(price_text)
        number, rest = divmod(micro, self.tick_usd)
        if rest or not 0 < number < self.k:
            kind = OffGrid if 0 < micro < MICRO else UnitError
            raise kind(f"price {price_text[:40]!r} is not on the grid of {self.tick_text}")
        ticks = Ticks(number)
        if len(price_text) <= _MAX_SPELLING:
            self._ticks[price_text] = ticks
        return ticks

    def text(self, ticks: int) -> str:
        """Write a tick number ``0 .. K`` as the venue's price text."""
        return self._texts[ticks]

    def complement(self, ticks: Ticks) -> Ticks:
        """The same price seen from the other token (market-making.md 0.2)."""
        return Ticks(self.k - ticks)

    def cents(self, ticks: int) -> str:
        """Write a tick number in cents, for people: ``"44"``, ``"13.8"``."""
        return micro_text(ticks * self.tick_usd * 100)

    def onto(self, grid: "Grid", ticks: int) -> Ticks:
        """The same dollars as a tick number of another grid; exact on a finer one, else the nearest tick."""
        return Ticks((ticks * self.tick_usd + grid.tick_usd // 2) // grid.tick_usd)

    def floor_t(self, dollars: float) -> Ticks:
        """Largest tick number not above a model price (market-making.md 0.4)."""
        return Ticks(math.floor(dollars * self.k + 1e-9))

    def ceil_t(self, dollars: float) -> Ticks:
        """Smallest tick number not below a model price (market-making.md 0.4)."""
        return Ticks(math.ceil(dollars * self.k - 1e-9))

    def dollars_of(self, ticks: int) -> Usd:
        """A tick number in micro-dollars a share."""
        return Usd(ticks * self.tick_usd)

    def dollars(self, ticks: int) -> float:
        """A tick number as a model price in dollars per share."""
        return ticks / self.k

    def notional(self, ticks: int, size: Shares) -> Usd:
        """Micro-dollars of ``size`` at ``ticks``, to the nearest; exact for sizes in hundredths of a share."""
        return Usd((ticks * self.tick_usd * size + MICRO // 2) // MICRO)


@lru_cache(maxsize=64)
def grid_of(tick_text: str) -> Grid:
    """The shared grid of a tick size such as ``"0.01"``.

    Raises:
        UnitError: the tick does not divide one dollar into whole micro-dollars.
    """
    return Grid(tick_text)
