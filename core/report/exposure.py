"""What could be lost, over time: the positions of all markets at the fair values known then."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.quoting.groups import worst_case
from core.report.history import Market
from core.units import MICRO, Shares, Usd

MOMENTS: Final = 360
"""Regular moments of a span at which fair values are looked up, at most."""
LOOK_UPS: Final = 10_000
"""Of fair values in all, so that many markets do not take for ever."""


class Step(NamedTuple):
    """What a market's exposure is from a moment on."""

    unix: float
    net: Shares
    """YES minus NO."""
    fair: Usd
    """Micro-dollars a share of YES."""


class Gross(NamedTuple):
    """Sum over markets of what each loses if it resolves against us (market-making.md 1.6); micro-dollars."""

    mean: Usd
    """Over time."""
    most: Usd
    most_unix: float
    last: Usd
    samples: int


class Held(NamedTuple):
    """What is held in a market that is not resolved."""

    market: str
    yes: Shares
    no: Shares
    value: Usd
    """Micro-dollars, at the mark."""


def moments(begin: float, end: float, markets: int) -> list[float]:
    """Regular moments of a span, the first behind its begin; fewer with many markets."""
    count = max(1, min(MOMENTS, LOOK_UPS // max(1, markets)))
    return [begin + (end - begin) * n / count for n in range(1, count)]


def at_risk(net: Shares, fair: Usd) -> Usd:
    """Micro-dollars lost at this fair value if the market resolves against a net position."""
    at_stake = fair if net >= 0 else MICRO - fair
    return Usd(abs(net) * min(MICRO, max(0, at_stake)) // MICRO)


def gross(courses: Iterable[Sequence[Step]], begin: float, end: float) -> Gross:
    """Add the courses of all markets up; each begins at ``begin`` and holds between its steps."""
    times: list[NDArray[Any]] = []
    changes: list[NDArray[Any]] = []
    for course in courses:
        values = np.array([at_risk(step.net, step.fair) for step in course], dtype=np.int64)
        times.append(np.array([step.unix for step in course]))
        changes.append(np.diff(values, prepend=0))
    if not times:
        return Gross(Usd(0), Usd(0), begin, Usd(0), 0)
    at = np.concatenate(times)
    order = np.argsort(at, kind="stable")
    at, total = at[order], np.cumsum(np.concatenate(changes)[order])
    # what happens at one moment is one step
    is_whole = np.append(at[1:] != at[:-1], True)
    at, total = at[is_whole], total[is_whole]
    lasted = np.diff(np.append(at, end))
    most = int(np.argmax(total))
    mean = float((total * lasted).sum()) / (end - begin) if end > begin else 0.0
    return Gross(Usd(round(mean)), Usd(int(total[most])), float(at[most]), Usd(int(total[-1])), len(at))


def worst_of(held: Sequence[Held], markets: Mapping[str, Market]) -> Usd:
    """Micro-dollars lost, against the marks, in the worst outcome of every event (market-making.md 2.11)."""
    groups: dict[str, list[Held]] = {}
    for one in held:
        known = markets.get(one.market)
        groups.setdefault((known.group if known else "") or one.market, []).append(one)
    sizes: dict[str, int] = {}
    for known in markets.values():
        sizes[known.group] = sizes.get(known.group, 0) + 1
    lost = 0
    for name, members in groups.items():
        known = markets.get(members[0].market)
        value = Usd(sum(one.value for one in members))
        if known is None or not known.group:
            [one] = members
            lost += value - min(one.yes, one.no)
            continue
        yes, no = [one.yes for one in members], [one.no for one in members]
        if len(members) < sizes[name]:  # an outcome in which nothing is held may win
            yes, no = [*yes, Shares(0)], [*no, Shares(0)]
        is_complete = known.group_size == max(sizes[name], len(members))
        lost -= worst_case(yes, no, value, is_complete=is_complete).worst
    return Usd(lost)
