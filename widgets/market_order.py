"""In which order markets stand in a table, so that no row jumps away under the cursor; and which a filter keeps.

Pure: times come from the view.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from core.views import MarketView
from widgets.format import brief, clean
from widgets.state_words import state_rank

RESORT_S: Final = 2.0
"""An order by numbers that move is made again at most so often, and so long after the cursor moved."""
_LAST: Final = float("inf")


class Sort(NamedTuple):
    """One order of the table."""

    name: str
    """For people, after "by"."""
    moves: bool
    """It is by something that changes with the market."""
    key: Callable[[MarketView, Mapping[str, float]], float | str]
    """Of a market with the scores of all; the smallest stands on top, equals keep the list's order."""


def spread_ticks(market: MarketView) -> int | None:
    """Ticks between best bid and best ask; None without both."""
    return market.asks[0].price - market.bids[0].price if market.bids and market.asks else None


def _by_spread(market: MarketView, scores: Mapping[str, float]) -> float:
    spread = spread_ticks(market)
    return -spread / market.grid_k if spread is not None else _LAST


def _by_day(market: MarketView, scores: Mapping[str, float]) -> float:
    return market.day if market.day is not None else _LAST


def _by_age(market: MarketView, scores: Mapping[str, float]) -> float:
    return -market.data.age_s if market.data.age_s is not None else -_LAST


def _by_score(market: MarketView, scores: Mapping[str, float]) -> float:
    return -scores.get(market.market, -_LAST)


SORTS: Final = (
    Sort("list", False, lambda market, scores: 0),
    Sort("state, worst first", True, lambda market, scores: state_rank(market)),
    Sort("name", False, lambda market, scores: brief(market.title).casefold()),
    Sort("spread, widest first", True, _by_spread),
    Sort("position, largest first", True, lambda market, scores: -abs(market.inventory.net)),
    Sort("day, worst first", True, _by_day),
    Sort("age, oldest first", True, _by_age),
    Sort("score, best first", True, _by_score),
)
"""In the order in which the keys go through them."""


def stable_order(
    markets: Sequence[MarketView], before: Iterable[str], sort: Sort, scores: Mapping[str, float], resort: bool
) -> tuple[str, ...]:
    """Condition ids in their order of show.

    Args:
        markets: all markets, in the order of the market list.
        before: the order so far.
        sort: what to order by.
        scores: of the market list, by condition id.
        resort: make the order anew. Without it those that were there keep their places, and new ones come last.
    """
    if resort or not sort.moves:
        return tuple(market.market for market in sorted(markets, key=lambda market: sort.key(market, scores)))
    here = {market.market: None for market in markets}
    kept = [identity for identity in before if identity in here]
    return tuple(dict.fromkeys(kept) | here)


class Ordering:
    """The order of a table over time: made again when it is due, at once when another order is asked for."""

    def __init__(self) -> None:
        self.sort: Sort = SORTS[0]
        self.order: tuple[str, ...] = ()
        self._selected = ""
        self._settled_unix = 0.0
        self._is_asked = True

    def step(self, step: int) -> None:
        """Go to another of :data:`SORTS`; past the last comes the first."""
        self.sort = SORTS[(SORTS.index(self.sort) + step) % len(SORTS)]
        self._is_asked = True

    def update(self, markets: Sequence[MarketView], scores: Mapping[str, float], selected: str, unix: float) -> None:
        """Follow a view of a session time.

        Args:
            markets: all markets, in the order of the market list.
            scores: by condition id.
            selected: the market under the cursor.
            unix: session time, seconds.
        """
        moved = selected != self._selected
        due = not 0 <= unix - self._settled_unix < RESORT_S and not moved
        resort = self._is_asked or due
        self.order = stable_order(markets, self.order, self.sort, scores, resort)
        if resort or moved:
            self._settled_unix = unix
        self._selected, self._is_asked = selected, False


def fits_filter(market: MarketView, wanted: str) -> bool:
    """Every word of the filter stands somewhere in the market's title; letters of any size."""
    title = clean(market.title).casefold()
    return all(word in title for word in clean(wanted).casefold().split())
