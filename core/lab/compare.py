"""Ways to quote, compared in the same worlds: paired seeds of the simulated exchange, one process for each core.

What one world does to one arm it does to the other, so differences are taken world by world; standard errors are those
of such differences. Where a figure is no mean (deviations, quotients), its error comes from leaving out one world at a
time (the jackknife).
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import msgspec

from core.config import Effective, known_setting, with_changes
from core.errors import UsageError
from core.lab.outcome import Arm, Outcome, Scene, measure
from core.lab.runners import results
from core.units import MICRO

_World = TypeVar("_World")


class NamedArm(msgspec.Struct, frozen=True):
    """A way to quote that has a name on the command line."""

    text: str
    changes: Mapping[str, str] = {}
    relabelled: bool = False


ARMS: Final[Mapping[str, NamedArm]] = {
    "default": NamedArm("the settings as they are"),
    "literal": NamedArm("the seed's requote triggers word for word", {"requote_triggers": "literal"}),
    "no-skew": NamedArm("quotes do not move with the position", {"inv_gamma": "0"}),
    "no-jump-reset": NamedArm("the average is never reset by a jump", {"jump_reset_ticks": "1000"}),
    "no-cutoff": NamedArm("every order counts for the touch, however small", {"size_cutoff": "0"}),
    "credulous": NamedArm(
        "nor is anything added for volatility: whoever follows the touch this closely is what baiters live on",
        {"size_cutoff": "0", "k_vol": "0"},
    ),
    "relabelled": NamedArm("YES is called NO and NO is called YES", relabelled=True),
}


def arm_of(text: str, base: Effective) -> Arm:
    """An arm by its description: names of :data:`ARMS` and ``setting=value``, with commas between them.

    What it sets, it sets for all markets; no profile of a market overrules it.

    Raises:
        UsageError: a name is unknown, or nothing is named.
        ConfigError: a setting is unknown or its value is refused.
    """
    changes: dict[str, str] = {"mode": "demo"}
    relabelled = False
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"{text!r} describes no arm; name one of {', '.join(ARMS)}, or settings as name=value")
    for part in parts:
        key, is_setting, value = part.partition("=")
        if is_setting:
            changes[key.strip()] = value.strip()
        elif part in ARMS:
            changes |= ARMS[part].changes
            relabelled = relabelled or ARMS[part].relabelled
        else:
            raise UsageError(f"{part!r} is no arm; there are {', '.join(ARMS)}, and settings as name=value")
    where = f"arm {text}"
    settings = with_changes(base.settings, changes, where)
    origins = {**base.origins, **{known_setting(key, where): where for key in changes}}
    return Arm(",".join(parts), replace(base, settings=settings, origins=origins), relabelled)


class Estimate(msgspec.Struct, frozen=True):
    """A figure and its standard error; None where the worlds do not say."""

    value: float | None
    se: float | None


class ArmReport(msgspec.Struct, frozen=True):
    """One arm over all worlds; means are per world, money in dollars, sizes in shares."""

    name: str
    pnl: Estimate
    edge: Estimate
    carry: Estimate
    deviation: Estimate
    """Of profit, between worlds."""
    edge_against: dict[str, Estimate]
    fills: Estimate
    filled: Estimate
    cancels_per_1000: Estimate
    """Cancels for each thousand shares filled."""
    most_held: Estimate
    uptime: Estimate
    attacks: int
    bitten: int
    lost_per_attack: Estimate
    """Dollars that the baiter took from us, for each bait laid."""
    lost_ticks_per_attack: Estimate
    """Ticks a share that an attack cost us where it caught us, over all baits laid."""


class PairReport(msgspec.Struct, frozen=True):
    """The first arm less another, world by world."""

    name: str
    """Of the other arm."""
    pnl: Estimate
    edge: Estimate
    filled: Estimate
    most_held: Estimate
    uptime: Estimate
    deviation_ratio: Estimate
    """Deviation of the first arm's profit over the other's."""
    alike: int
    """Worlds in which both did exactly the same at exactly the same times."""


class Report(msgspec.Struct, frozen=True):
    """A whole comparison."""

    scene: Scene
    seeds: int
    """Worlds, with the seeds 1 to this number."""
    arms: tuple[ArmReport, ...]
    pairs: tuple[PairReport, ...]
    """The first arm against each of the others."""


def compare(
    arms: Sequence[Arm],
    scene: Scene,
    seeds: int,
    *,
    jobs: int = 1,
    done: Callable[[int], None] = lambda count: None,
) -> Report:
    """Let every arm quote in every world.

    Args:
        arms: the first is compared with each of the others.
        scene: of all of them.
        seeds: how many worlds.
        jobs: processes that work on it.
        done: is told how many runs are finished.

    Raises:
        PolymmError: a process was killed or cannot be started.
        ValueError: the exchange has no such markets.
    """
    outcomes: list[list[Outcome]] = [[] for _ in arms]
    calls = [partial(measure, arm, scene, seed) for seed in range(1, seeds + 1) for arm in arms]
    with closing(results(calls, jobs)) as found:
        for count, outcome in enumerate(found):
            outcomes[count % len(arms)].append(outcome)
            done(count + 1)
    return Report(
        scene,
        seeds,
        tuple([arm_report(arm.name, of_arm) for arm, of_arm in zip(arms, outcomes, strict=True)]),
        tuple([pair_report(arms[i].name, outcomes[0], outcomes[i]) for i in range(1, len(arms))]),
    )


def arm_report(name: str, outcomes: Sequence[Outcome]) -> ArmReport:
    """Sum one arm up."""
    takers = sorted({who for one in outcomes for who in one.edge_against})
    return ArmReport(
        name=name,
        pnl=_mean([one.pnl for one in outcomes]),
        edge=_mean([one.edge for one in outcomes]),
        carry=_mean([one.carry for one in outcomes]),
        deviation=_jackknife(outcomes, lambda some: _deviation([one.pnl for one in some])),
        edge_against={who: _mean([one.edge_against.get(who, 0.0) for one in outcomes]) for who in takers},
        fills=_mean([one.fills for one in outcomes]),
        filled=_mean([one.filled / MICRO for one in outcomes]),
        cancels_per_1000=_quotient(outcomes, lambda one: 1000 * one.cancels, lambda one: one.filled / MICRO),
        most_held=_mean([one.most_held / MICRO for one in outcomes]),
        uptime=_mean([one.uptime for one in outcomes]),
        attacks=sum(one.attacks for one in outcomes),
        bitten=sum(one.bitten for one in outcomes),
        lost_per_attack=_quotient(outcomes, lambda one: -one.edge_against.get("baiter", 0.0), lambda one: one.attacks),
        lost_ticks_per_attack=_quotient(outcomes, lambda one: one.lost_ticks, lambda one: one.attacks),
    )


def pair_report(name: str, first: Sequence[Outcome], other: Sequence[Outcome]) -> PairReport:
    """Compare two arms world by world; ``name`` is the other's."""
    pairs = list(zip(first, other, strict=True))

    def less(figure: Callable[[Outcome], float]) -> Estimate:
        return _mean([figure(a) - figure(b) for a, b in pairs])

    def ratio(some: Sequence[tuple[Outcome, Outcome]]) -> float | None:
        above, below = _deviation([a.pnl for a, _ in some]), _deviation([b.pnl for _, b in some])
        return above / below if above is not None and below else None

    return PairReport(
        name=name,
        pnl=less(lambda one: one.pnl),
        edge=less(lambda one: one.edge),
        filled=less(lambda one: one.filled / MICRO),
        most_held=less(lambda one: one.most_held / MICRO),
        uptime=less(lambda one: one.uptime),
        deviation_ratio=_jackknife(pairs, ratio),
        alike=sum(a.acts == b.acts for a, b in pairs),
    )


# Figures


def _deviation(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _mean(values: Sequence[float]) -> Estimate:
    deviation = _deviation(values)
    return Estimate(statistics.fmean(values), None if deviation is None else deviation / math.sqrt(len(values)))


def _quotient(
    outcomes: Sequence[Outcome], above: Callable[[Outcome], float], below: Callable[[Outcome], float]
) -> Estimate:
    """Of two sums."""
    parts = [(above(one), below(one)) for one in outcomes]

    def quotient(some: Sequence[tuple[float, float]]) -> float | None:
        divisor = math.fsum(part[1] for part in some)
        return math.fsum(part[0] for part in some) / divisor if divisor else None

    return _jackknife(parts, quotient)


def _jackknife(worlds: Sequence[_World], statistic: Callable[[Sequence[_World]], float | None]) -> Estimate:
    """A statistic of all worlds, with the error that leaving out each of them in turn shows."""
    value, n = statistic(worlds), len(worlds)
    without = [statistic([*worlds[:i], *worlds[i + 1 :]]) for i in range(n)] if n > 1 else []
    known = [each for each in without if each is not None]
    if value is None or not known or len(known) < n:
        return Estimate(value, None)
    middle = statistics.fmean(known)
    return Estimate(value, math.sqrt((n - 1) / n * math.fsum((each - middle) ** 2 for each in known)))
