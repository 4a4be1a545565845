"""What a token is worth to those who only look: result, middle of the book, last trade."""

from core.exchange.exchange import Exchange
from core.exchange.lifecycle import price_of
from core.units import MICRO, Outcome, Usd, usd_from_float


def mark(exchange: Exchange, market: str, outcome: Outcome = "YES") -> Usd:
    """Micro-dollars a share of a token: its payout, else the middle of its book, else the last trade.

    An empty side counts as the end of the scale, the way the catalogue's prices do (polymarket-api.md 7).
    """
    result = exchange.results.get(market)
    if result is not None:
        return price_of(result, outcome)
    face = exchange.faces[market]
    bid, ask = face.top("YES")
    if bid is None and ask is None:
        known = exchange.history.price_at(market, exchange.now_ms / 1000)
        yes = usd_from_float(exchange.listings[market].plot.start) if known is None else known
    else:
        grid = face.instrument.grid
        yes = Usd(grid.dollars_of((bid or 0) + (grid.k if ask is None else ask)) // 2)
    return yes if outcome == "YES" else Usd(MICRO - yes)
