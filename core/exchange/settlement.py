"""What happens to a trade after the match: MINED and CONFIRMED, or RETRYING, or FAILED (polymarket-api.md 6.2)."""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import msgspec

from core.exchange.clockwork import Clockwork
from core.exchange.ledger import Ledger
from core.exchange.orders import Trade

Spoiling = Literal["fail", "retry", "hang"]
"""``fail`` never settles, ``retry`` settles late under another transaction, ``hang`` stays MATCHED."""


class Delays(msgspec.Struct, frozen=True):
    """How long the venue takes, as (least, most) milliseconds."""

    tape: tuple[int, int] = (70, 230)
    """From a match to its ``last_trade_price`` (polymarket-api.md 4.4)."""
    mined: tuple[int, int] = (1_500, 4_000)
    """From a match to MINED, and from one try to the next."""
    confirmed: tuple[int, int] = (1_500, 4_000)
    """From MINED to CONFIRMED."""


USUAL_DELAYS: Final = Delays()


class _Spoil(msgspec.Struct):
    how: Spoiling
    left: int
    market: str | None
    retries: int


class Settlement:
    """Carries trades through their states; balances change at MINED."""

    def __init__(self, ledger: Ledger, clockwork: Clockwork, delays: Delays, changed: Callable[[Trade], None]) -> None:
        """``changed`` is called after every change of a trade's status."""
        self._ledger = ledger
        self._clockwork = clockwork
        self._delays = delays
        self._changed = changed
        self._spoils: list[_Spoil] = []

    def spoil(self, how: Spoiling, count: int = 1, market: str | None = None, retries: int = 1) -> None:
        """Let the next ``count`` trades (of ``market``) fail, hang, or be tried ``retries`` times more."""
        self._spoils.append(_Spoil(how=how, left=count, market=market, retries=retries))

    def begin(self, trade: Trade) -> None:
        """Take charge of a fresh trade."""
        spoil = self._spoil_of(trade)
        if spoil is None:
            self._later(self._delays.mined, partial(self._mine, trade))
        elif spoil.how != "hang":
            last = self._fail if spoil.how == "fail" else self._mine
            self._later(self._delays.mined, partial(self._retry, trade, spoil.retries, last))

    def _spoil_of(self, trade: Trade) -> _Spoil | None:
        for spoil in self._spoils:
            if spoil.market in (None, trade.market):
                spoil.left -= 1
                if spoil.left <= 0:
                    self._spoils.remove(spoil)
                return spoil
        return None

    def _mine(self, trade: Trade, now_ms: int) -> None:
        self._ledger.settle(trade.market, trade.movements)
        self._advance(trade, "MINED", now_ms)
        self._later(self._delays.confirmed, partial(self._advance, trade, "CONFIRMED"))

    def _retry(self, trade: Trade, left: int, last: Callable[[Trade, int], None], now_ms: int) -> None:
        """One failed try: say so and try again under a new transaction, until the tries are used up."""
        if left <= 0:
            last(trade, now_ms)
            return
        trade.transaction_hash = _next_hash(trade.transaction_hash)
        self._advance(trade, "RETRYING", now_ms)
        self._later(self._delays.mined, partial(self._retry, trade, left - 1, last))

    def _fail(self, trade: Trade, now_ms: int) -> None:
        self._ledger.void(trade.market, trade.movements)
        self._advance(trade, "FAILED", now_ms)

    def _advance(self, trade: Trade, status: str, now_ms: int) -> None:
        trade.status = status
        trade.updated_ms = now_ms
        self._changed(trade)

    def _later(self, span: tuple[int, int], action: Callable[[int], None]) -> None:
        self._clockwork.schedule(self._clockwork.now_ms + self._clockwork.draw(span), action)


def _next_hash(transaction: str) -> str:
    """Another transaction hash, following from the last."""
    return f"0x{(int(transaction, 16) * 0x9E3779B97F4A7C15 + 1) % (1 << 256):064x}"
