"""For how much of a session quotes stood in the book, and what became of orders (from ``orders`` and ``order_events``).

An order stands in the book from an event that says so to its next event that does not; of unknown outcome it does not
count as standing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.report.figures import OrderCounts, Uptime
from core.report.history import CANCEL_SENT, DENIED, REJECTED, UNKNOWN, Columns, Session
from core.report.span import Span
from core.units import MICRO, Shares

Times = NDArray[np.float64]


class Stretch(NamedTuple):
    """Unix seconds in which a session made a market."""

    begin: float
    end: float


class Quoting:
    """The orders of a span, and what they did."""

    def __init__(self, orders: Columns, events: Columns) -> None:
        """Take rows of :class:`core.report.history.History`, in order of intent; events of other orders too."""
        at = np.searchsorted(orders["intent"], events["intent"])
        at[at == len(orders)] = 0
        is_known = orders["intent"][at] == events["intent"] if len(orders) else np.zeros(len(events), dtype=bool)
        events, at = events[is_known], at[is_known]
        by_market = np.argsort(orders["market"][at], kind="stable")
        self._orders = orders[np.argsort(orders["market"], kind="stable")]
        self._events, self._sides = events[by_market], orders["is_ask"][at][by_market]
        self._event_markets = orders["market"][at][by_market]

    def _orders_of(self, number: int) -> Columns:
        return self._orders[_part(self._orders["market"], number)]

    def counts(self, number: int, market: str, title: str, span: Span, filled: Shares) -> OrderCounts:
        """What became of a market's orders within a span, in which ``filled`` micro-shares were dealt."""
        orders, events = self._orders_of(number), self._events[_part(self._event_markets, number)]
        made = (orders["created"] >= span.begin) & (orders["created"] < span.end)
        states = orders["state"][made]
        events = events[(events["unix"] >= span.begin) & (events["unix"] < span.end)]
        cancels = len(np.unique(events["intent"][events["state"] == CANCEL_SENT]))
        unknown = len(np.unique(events["intent"][events["state"] == UNKNOWN]))
        return OrderCounts(
            market=market,
            title=title,
            orders=int(made.sum()),
            cancels=cancels,
            rejected=int((states == REJECTED).sum()),
            denied=int((states == DENIED).sum()),
            unknown=unknown,
            still_unknown=int((states == UNKNOWN).sum()),
            filled_micro=filled,
            cancels_per_1000_shares=cancels * 1_000 * MICRO / filled if filled else None,
        )

    def uptime(self, number: int, market: str, title: str, live: Sequence[Stretch], last: float) -> Uptime:
        """How long a market was quoted on both sides, on one, on none, while sessions made it.

        Args:
            number: of the market, as are the next two.
            market: condition id.
            title: foreign text.
            live: when sessions made it within the span; they do not overlap.
            last: newest sign of all, unix seconds: where what still stands ends for now.
        """
        session_s = sum(one.end - one.begin for one in live)
        if session_s <= 0:
            return Uptime(market, title, 0.0, 0.0, 0.0, 0.0)
        both, one_side = self._standing(number, live, last)
        return Uptime(
            market, title, session_s, both / session_s, one_side / session_s, (session_s - both - one_side) / session_s
        )

    def _standing(self, number: int, live: Sequence[Stretch], last: float) -> tuple[float, float]:
        """Seconds of ``live`` with quotes on both sides, and on one."""
        part = _part(self._event_markets, number)
        events, sides = self._events[part], self._sides[part]
        intents, begins, states = events["intent"], events["unix"], events["state"]
        ends = np.append(begins[1:], last)[: len(begins)]
        is_last = np.append(intents[1:] != intents[:-1], True)[: len(begins)]
        ends[is_last] = last
        stands = (states == 1) | (states == CANCEL_SENT)
        steps: list[tuple[Times, NDArray[Any]]] = []
        for column in (0, 1):
            chosen = stands & (sides == column)
            steps.append(_steps(begins[chosen], np.maximum(begins[chosen], ends[chosen]), column))
        steps.append(_steps(np.array([one.begin for one in live]), np.array([one.end for one in live]), 2))
        times = np.concatenate([times for times, _ in steps])
        changes = np.concatenate([changes for _, changes in steps])
        order = np.argsort(times, kind="stable")
        standing = np.cumsum(changes[order], axis=0)[:-1] > 0
        lasted = np.diff(times[order])
        in_session = standing[:, 2]
        both = in_session & standing[:, 0] & standing[:, 1]
        one_side = in_session & (standing[:, 0] ^ standing[:, 1])
        return float(lasted[both].sum()), float(lasted[one_side].sum())


def stretches_of(sessions: Iterable[Session], joined: Mapping[int, float], span: Span) -> list[Stretch]:
    """When sessions made a market within a span; ``joined`` says from when on, by number of the session."""
    found = []
    for session in sessions:
        begin = joined.get(session.number)
        if begin is not None:
            stretch = Stretch(max(begin, span.begin), min(session.end, span.end))
            if stretch.end > stretch.begin:
                found.append(stretch)
    return found


def _part(markets: NDArray[Any], number: int) -> slice:
    """Rows of a market among rows in order of market."""
    first, behind = np.searchsorted(markets, [number, number + 1])
    return slice(int(first), int(behind))


def _steps(begins: Times, ends: Times, column: int) -> tuple[Times, NDArray[Any]]:
    """Times of begins and ends, and by how much each changes the number of what stands, in one of three columns."""
    changes = np.zeros((2 * len(begins), 3), dtype=np.int64)
    changes[: len(begins), column] = 1
    changes[len(begins) :, column] = -1
    return np.concatenate([begins, ends]), changes
