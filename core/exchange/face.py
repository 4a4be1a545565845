"""One market as the world sees it: both tokens' books as texts, and their hashes (polymarket-api.md 4.1, 4.4).

Kept apart from the resting orders so that after a sweep each change can be shown, hashed and sent one after another.
"""

import hashlib
from bisect import bisect_left, insort

from core.market.instrument import Instrument
from core.units import Outcome, Shares, Side, Ticks, micro_text


class Face:
    """Level texts of one market, cached; every text canonical, levels in wire order (best last)."""

    def __init__(self, instrument: Instrument, last_trade: Ticks, now_ms: int) -> None:
        self.instrument = instrument
        self.stamp_ms = now_ms
        """Time of the last change, unix milliseconds; never goes back."""
        self.last_trade_price = ""
        """Price of whichever token traded last, three decimals at least (polymarket-api.md 4.4)."""
        self.last_trade_side = ""
        """The last taker's side; empty before the first trade."""
        self._prices: dict[Side, list[int]] = {"bid": [], "ask": []}
        self._texts: dict[Side, dict[int, tuple[str, str]]] = {"bid": {}, "ask": {}}
        self._bodies: dict[Outcome, str] = {}
        self._tail = _tail(instrument)
        self.set_last_trade(last_trade, "")

    def advance(self, now_ms: int) -> None:
        """Stamp what follows with ``now_ms``, or with the present stamp when that is later."""
        self.stamp_ms = max(self.stamp_ms, now_ms)

    def regrid(self, instrument: Instrument) -> None:
        """Go over to the grid of ``instrument``; every level shown must lie on it."""
        old, self.instrument = self.instrument.grid, instrument
        self._tail = _tail(instrument)
        self._bodies.clear()
        for side, prices in self._prices.items():
            texts = self._texts[side]
            moved = {price: old.onto(instrument.grid, price) for price in prices}
            self._texts[side] = {moved[price]: texts[price] for price in prices}
            self._prices[side] = list(moved.values())

    def set_last_trade(self, price: Ticks, side: str) -> None:
        """Note the price and the taker's side of a trade."""
        whole, _, fraction = self.instrument.grid.text(price).partition(".")
        self.last_trade_price = f"{whole}.{fraction:0<3}"
        self.last_trade_side = side

    def set_level(self, side: Side, price: Ticks, size: Shares) -> None:
        """Set the total of one YES-frame level; 0 removes it."""
        texts = self._texts[side]
        self._bodies.clear()
        if size:
            if price not in texts:
                insort(self._prices[side], price)
            grid, shown = self.instrument.grid, micro_text(size)
            texts[price] = (
                f'{{"price":"{grid.text(price)}","size":"{shown}"}}',
                f'{{"price":"{grid.text(grid.complement(price))}","size":"{shown}"}}',
            )
        elif price in texts:
            del texts[price]
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]

    def top(self, outcome: Outcome) -> tuple[Ticks | None, Ticks | None]:
        """Best bid and best ask of a token in its own frame; None for an empty side."""
        bids, asks = self._prices["bid"], self._prices["ask"]
        bid = Ticks(bids[-1]) if bids else None
        ask = Ticks(asks[0]) if asks else None
        if outcome == "YES":
            return bid, ask
        turn = self.instrument.grid.complement
        return (None if ask is None else turn(ask)), (None if bid is None else turn(bid))

    def top_texts(self, outcome: Outcome) -> tuple[str, str]:
        """Best bid and ask as the wire says them: an empty side reads ``"0"`` or ``"1"`` (polymarket-api.md 5.2)."""
        bid, ask = self.top(outcome)
        text = self.instrument.grid.text
        return ("0" if bid is None else text(bid)), ("1" if ask is None else text(ask))

    def levels_json(self, outcome: Outcome) -> str:
        """``"bids":[…],"asks":[…]`` of a token: bids rise, asks fall."""
        body = self._bodies.get(outcome)
        if body is None:
            bid_texts, ask_texts = self._texts["bid"], self._texts["ask"]
            if outcome == "YES":
                bids = [bid_texts[p][0] for p in self._prices["bid"]]
                asks = [ask_texts[p][0] for p in reversed(self._prices["ask"])]
            else:
                bids = [ask_texts[p][1] for p in reversed(self._prices["ask"])]
                asks = [bid_texts[p][1] for p in self._prices["bid"]]
            body = self._bodies[outcome] = f'"bids":[{",".join(bids)}],"asks":[{",".join(asks)}]'
        return body

    def hash(self, outcome: Outcome) -> str:
        """SHA-1 of a token's whole book as it stands (polymarket-api.md 4.4)."""
        text = f'{self._head(outcome)},"hash":"",{self.levels_json(outcome)},{self._rest()}}}'
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def rest_book(self, outcome: Outcome) -> str:
        """The answer of GET /book for a token (polymarket-api.md 4.1)."""
        return f'{self._head(outcome)},"hash":"{self.hash(outcome)}",{self.levels_json(outcome)},{self._rest()}}}'

    def socket_book(self, outcome: Outcome, *, initial: bool) -> str:
        """A ``book`` event; the first of a subscription also has tick size and last trade price (5.2)."""
        first = f'{self._head(outcome)},"hash":"{self.hash(outcome)}",{self.levels_json(outcome)}'
        if not initial:
            return first + ',"event_type":"book"}'
        tick = self.instrument.grid.tick_text
        return f'{first},"tick_size":"{tick}","event_type":"book","last_trade_price":"{self.last_trade_price}"}}'

    def _head(self, outcome: Outcome) -> str:
        token = self.instrument.token_of(outcome)
        return f'{{"market":"{self.instrument.market}","asset_id":"{token}","timestamp":"{self.stamp_ms}"'

    def _rest(self) -> str:
        return f'{self._tail},"last_trade_price":"{self.last_trade_price}"'


def _tail(instrument: Instrument) -> str:
    """What the book's text says about the market itself."""
    flag = "true" if instrument.neg_risk else "false"
    tick = instrument.grid.tick_text
    return f'"min_order_size":"{instrument.min_size_text}","tick_size":"{tick}","neg_risk":{flag}'
