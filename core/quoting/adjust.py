"""What an operator asked of one market's quotes beyond its settings: wider, shifted, one side, another size.

An adjustment may fade and may end by itself; there is at most one of each kind in force. Ticks are those of the grid
that the market has. Seen from NO, a shift has the other sign and a side is the other one; all else is the same.
"""

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

import msgspec

if TYPE_CHECKING:
    from core.events import OperatorCommand

What = Literal["widen", "shift", "one_side", "size"]
Sides = Literal["both", "bid", "ask"]

WIDEN_LIMIT: Final = 20.0
"""Ticks by which the half-spread may be widened or tightened."""
SHIFT_LIMIT: Final = 50.0
"""Ticks by which the fair value may be moved either way."""
SIZE_LIMIT: Final = 5.0
"""Largest factor of the sizes; caps hold whatever it is."""
LONGEST_S: Final = 30 * 86_400.0
"""Longest life and half-life, seconds."""
STEP: Final = 0.05
"""Ticks, or twentieths of a factor of one, whose fading is worth a new look at the quotes."""


class AdjustmentRefused(ValueError):
    """The adjustment is out of bounds or no number; the text says what is allowed."""


class Adjusted(NamedTuple):
    """What all adjustments of a market come to at one moment."""

    widen_ticks: float
    """Added to the half-spread; negative tightens."""
    shift_ticks: float
    """Added to the fair value of YES."""
    sides: Sides
    size_factor: float
    next_change_s: float
    """When that is worth looking at again, monotonic seconds; infinity when it stays as it is."""


class Adjustment(msgspec.Struct, frozen=True):
    """One thing that an operator asked for."""

    what: What
    amount: float
    """As of ``set_s``: ticks for ``widen`` and ``shift``, a factor for ``size``; 0 for ``one_side``."""
    sides: Sides
    """``both`` for all but ``one_side``."""
    set_s: float
    """Monotonic seconds."""
    half_life_s: float | None
    until_s: float | None
    """Monotonic seconds."""
    who: str

    @property
    def neutral(self) -> float:
        """The amount that changes nothing, towards which the adjustment fades."""
        return 1.0 if self.what == "size" else 0.0

    def amount_at(self, now: float) -> float:
        """What is left of the amount."""
        if self.half_life_s is None:
            return self.amount
        faded = math.exp2(-max(0.0, now - self.set_s) / self.half_life_s)
        return self.neutral + (self.amount - self.neutral) * faded

    def is_over(self, now: float) -> bool:
        """It has ended, or has faded to nothing worth having."""
        if self.until_s is not None and now >= self.until_s:
            return True
        return self.half_life_s is not None and abs(self.amount_at(now) - self.neutral) <= STEP / 2

    def next_change_s(self, now: float) -> float:
        """When it ends or has faded by another step, monotonic seconds; infinity when neither comes."""
        ends_s = math.inf if self.until_s is None else self.until_s
        left = abs(self.amount_at(now) - self.neutral)
        if self.half_life_s is None or left <= STEP / 2:
            return ends_s
        return min(ends_s, now + self.half_life_s * math.log2(left / max(left - STEP, STEP / 2)))

    def words(self, now: float) -> str:
        """The adjustment for people, with what is left of its time."""
        amount = self.amount_at(now)
        text = {
            "widen": f"half-spread {amount:+.4g} ticks",
            "shift": f"fair {amount:+.4g} ticks",
            "one_side": f"{self.sides} only",
            "size": f"sizes x{amount:.3g}",
        }[self.what]
        if self.half_life_s is not None:
            text += f", halves every {self.half_life_s:g} s"
        return text if self.until_s is None else f"{text}, {max(0.0, self.until_s - now):.0f} s left"


class Adjustments(msgspec.Struct, frozen=True):
    """Everything in force in one market."""

    in_force: tuple[Adjustment, ...] = ()
    """At most one of each kind, in the order of the kinds."""

    def at(self, now: float) -> Adjusted:
        """What it comes to at ``now``, monotonic seconds."""
        widen_ticks, shift_ticks, size_factor, next_change_s = 0.0, 0.0, 1.0, math.inf
        sides: Sides = "both"
        for each in self.in_force:
            if each.is_over(now):
                continue
            next_change_s = min(next_change_s, each.next_change_s(now))
            match each.what:
                case "widen":
                    widen_ticks = each.amount_at(now)
                case "shift":
                    shift_ticks = each.amount_at(now)
                case "one_side":
                    sides = each.sides
                case "size":
                    size_factor = each.amount_at(now)
        return Adjusted(widen_ticks, shift_ticks, sides, size_factor, next_change_s)

    def find(self, what: What, now: float) -> Adjustment | None:
        """The adjustment of a kind, unless it is over."""
        return next((each for each in self.in_force if each.what == what and not each.is_over(now)), None)

    def pruned(self, now: float) -> Self:
        """The same without what is over."""
        kept = tuple([each for each in self.in_force if not each.is_over(now)])
        return self if len(kept) == len(self.in_force) else type(self)(kept)

    def onto(self, factor: float) -> Self:
        """The same dollars in ticks of another grid, which has ``factor`` times as many."""
        in_ticks = ("widen", "shift")
        scaled = [
            msgspec.structs.replace(each, amount=each.amount * factor) if each.what in in_ticks else each
            for each in self.in_force
        ]
        return type(self)(tuple(scaled))

    def moved(self, seconds: float, latest_s: float = math.inf) -> Self:
        """The same by another clock, which shows ``seconds`` more; none is set later than ``latest_s``."""
        moved = []
        for each in self.in_force:
            set_s = min(each.set_s + seconds, latest_s)
            until_s = None if each.until_s is None else each.until_s + set_s - each.set_s
            moved.append(msgspec.structs.replace(each, set_s=set_s, until_s=until_s))
        return type(self)(tuple(moved))

    def words(self, now: float) -> str:
        """All adjustments in force in one line."""
        return "; ".join(each.words(now) for each in self.in_force if not each.is_over(now)) or "no adjustments"


class KeptAdjustments(msgspec.Struct, frozen=True):
    """What is in force in one market, as it is written down."""

    market: str
    k: int
    """Ticks in a dollar of the grid that the amounts are of."""
    adjustments: Adjustments
    """By unix seconds; without any when they were reset."""

    def restored(self, k: int, now: float, unix: float) -> Adjustments:
        """What is left of it on a grid of ``k`` ticks, by a clock that shows ``now`` at ``unix``."""
        return self.adjustments.onto(k / self.k).moved(now - unix, latest_s=now).pruned(now)


_ORDER: Final[tuple[What, ...]] = ("widen", "shift", "one_side", "size")


def adjusted(adjustments: Adjustments, command: "OperatorCommand", now: float, k: int) -> Adjustments:
    """What is in force after a command.

    ``widen`` and ``tighten`` change what is left of an earlier widening, and keep its times unless they bring some;
    the other acts take the place of the earlier adjustment of their kind; ``reset`` ends all of them.

    Args:
        adjustments: what is in force before.
        command: one of the acts ``widen``, ``tighten``, ``shift``, ``one_side``, ``size``, ``reset``.
        now: monotonic seconds.
        k: ticks in a dollar; no adjustment may be as large as that.

    Raises:
        AdjustmentRefused: an amount or a time is no number or out of bounds, or the act adjusts nothing.
    """
    half_life_s, for_s = _duration(command.half_life_s, "half-life"), _duration(command.for_s, "time it holds for")
    until_s = None if for_s is None else now + for_s
    match command.act:
        case "reset":
            return Adjustments()
        case "widen" | "tighten":
            step = _bounded(command.amount, 0.0, 2 * WIDEN_LIMIT, "widening or tightening", "ticks")
            before = adjustments.find("widen", now)
            amount = (before.amount_at(now) if before else 0.0) + (step if command.act == "widen" else -step)
            if before is None or abs(amount) >= abs(before.amount_at(now)):  # going back is never too much
                amount = _bounded(amount, -min(WIDEN_LIMIT, k), min(WIDEN_LIMIT, k), "the widening in force", "ticks")
            if before is not None and half_life_s is None and until_s is None:
                half_life_s, until_s = before.half_life_s, before.until_s
            made = Adjustment("widen", amount, "both", now, half_life_s, until_s, command.who)
        case "shift":
            most = min(SHIFT_LIMIT, k)
            amount = _bounded(command.amount, -most, most, "the shift of the fair value", "ticks")
            made = Adjustment("shift", amount, "both", now, half_life_s, until_s, command.who)
        case "one_side":
            if half_life_s is not None:
                raise AdjustmentRefused("a side cannot fade: give a time it holds for instead of a half-life")
            made = Adjustment("one_side", 0.0, command.sides, now, None, until_s, command.who)
        case "size":
            amount = _bounded(command.amount, 0.0, SIZE_LIMIT, "the factor of the sizes", "")
            made = Adjustment("size", amount, "both", now, half_life_s, until_s, command.who)
        case _:
            raise AdjustmentRefused(f"{command.act} adjusts no quotes")
    others = [each for each in adjustments.in_force if each.what != made.what and not each.is_over(now)]
    changes_nothing = made.sides == "both" if made.what == "one_side" else made.amount == made.neutral
    wanted = others if changes_nothing else [*others, made]
    return Adjustments(tuple(sorted(wanted, key=lambda each: _ORDER.index(each.what))))


def _bounded(value: float, low: float, high: float, what: str, unit: str) -> float:
    """The value, within its bounds; comparisons are written so that NaN fails them."""
    if not low <= value <= high:
        raise AdjustmentRefused(f"{what} must be {low:g} .. {high:g}{f' {unit}' if unit else ''}, not {value:g}")
    return value


def _duration(seconds: float | None, what: str) -> float | None:
    if seconds is None or 0.0 < seconds <= LONGEST_S:
        return seconds
    raise AdjustmentRefused(f"the {what} must be above 0 and at most {LONGEST_S:g} seconds, not {seconds:g}")
