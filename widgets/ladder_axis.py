"""The geometry of a ladder: which ticks a line of its axis stands for, and which columns fit into a width."""

from typing import Final, NamedTuple

from core.views import MarketView

DEPTHS: Final = (1, 5, 10)
"""Ticks that one line may stand for."""
LEAST_COLUMNS: Final = 58
"""Narrower than this there is no ladder but a list: a terminal of 60 cells less its border."""
_MINE: Final = 8
_QUEUE: Final = 6
_QUEUE_OF: Final = 11
_SIZE: Final = 8
_SIZE_MOST: Final = 14
_MARKS: Final = 4
_PRICE: Final = 7
_LAST: Final = 6
_VOLUME: Final = 6
_LEGEND_FROM: Final = 10
_SIGNS_FROM: Final = 30


class Columns(NamedTuple):
    """Widths of the ladder's columns; 0 leaves a column out."""

    mine: int
    queue: int
    """Of the bids; from ``QUEUE_OF`` cells on with the whole level."""
    queue_ask: int
    size: int
    marks: int
    price: int
    last: int
    """From 2 cells on with the size of the last trade."""
    volume: int

    @property
    def has_level(self) -> bool:
        """The queue tells the level it is a part of."""
        return self.queue >= _QUEUE_OF


def columns_of(width: int) -> Columns:
    """Columns that fit into ``width`` cells: volume and the second queue go first, then sizes grow."""
    rest = width - (2 * _MINE + _QUEUE + 2 * _SIZE + _MARKS + _PRICE + 1)
    queue, queue_ask, last, volume = _QUEUE, 0, 1, 0
    if rest >= _QUEUE + _VOLUME:
        queue_ask, volume = _QUEUE, _VOLUME
        rest -= _QUEUE + _VOLUME
        if rest >= _LAST - 1:
            last = _LAST
            rest -= _LAST - 1
        if rest >= 2 * (_QUEUE_OF - _QUEUE):
            queue = queue_ask = _QUEUE_OF
            rest -= 2 * (_QUEUE_OF - _QUEUE)
    size = min(_SIZE_MOST, _SIZE + max(0, rest) // 2)
    return Columns(_MINE, queue, queue_ask, size, _MARKS, _PRICE, last, volume)


def foot_lines(height: int) -> int:
    """Lines below the axis: state and data; what the marks mean; what the other signs mean."""
    return 2 + (height >= _LEGEND_FROM) + (height >= _SIGNS_FROM)


def price_lines(height: int) -> int:
    """Price lines between the header and the foot."""
    return max(0, height - 1 - foot_lines(height))


def centre_of(market: MarketView) -> int | None:
    """The tick the ladder should be centred on; None while the market shows no price at all."""
    if market.bids and market.asks:
        return (market.bids[0].price + market.asks[0].price + 1) // 2
    if market.fair is not None:
        return round(market.fair * market.grid_k)
    for side in (market.bids, market.asks):
        if side:
            return side[0].price
    return market.last_price


def clamp_top(top: int, grid_k: int, lines: int, step: int = 1) -> int:
    """Keep the uppermost line of the axis on the grid, and the axis filled where the grid is long enough.

    Args:
        top: number of the line, which begins at the tick ``top * step``.
        grid_k: ticks in a dollar.
        lines: price lines on show.
        step: ticks a line.
    """
    first, last = 1 // step, (grid_k - 1) // step
    return max(min(first + lines - 1, last), min(top, last))


def lowest_tick(line: int, step: int) -> int:
    """The lowest price that a line stands for."""
    return max(1, line * step)
