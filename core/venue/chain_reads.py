"""What the chain says of the account and of resolved questions: mined, and nothing else (polymarket-api.md 3.6, 11).

The official client has no public call for either: its own reads of balances are parts of its merges.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from core.clock import Clock
from core.errors import VenueError, VenueRefused
from core.events import ChainRead
from core.units import Shares, Usd
from core.venue.lenient import summary
from core.venue.resolutions import Payouts
from core.venue.rpc import CONDITIONAL_TOKENS, Rpc

TOKENS_PER_CALL: Final = 500
_MOST: Final = 2**63 - 1
"""What the database's integers hold."""
_CONDITION_DIGITS: Final = 64
_PADDING: Final = "00"
"""Ends the condition id of every Protocol V2 market, and of one v1 market in 256 (polymarket-api.md 2.1)."""

T = TypeVar("T")


class ChainReads:
    """Reads of one wallet; balances never raise, they say whether they are complete."""

    def __init__(self, rpc: Rpc, wallet: str, clock: Clock) -> None:
        """``wallet`` is the funder's address; ``rpc`` is closed by whoever made it."""
        self._rpc = rpc
        self._wallet = wallet
        self._clock = clock

    async def balances(self, tokens: Sequence[str]) -> ChainRead:
        """pUSD and the shares of these tokens, v1 and v2; what cannot be read costs nothing else.

        Args:
            tokens: asked about, each once.
        """
        asked_s = self._clock.monotonic()
        problems: list[str] = []
        chunks = [tokens[n : n + TOKENS_PER_CALL] for n in range(0, len(tokens), TOKENS_PER_CALL)]
        cash, held = await asyncio.gather(
            _told(self._rpc.cash(self._wallet), problems),
            asyncio.gather(*(_told(self._rpc.holdings(self._wallet, chunk), problems) for chunk in chunks)),
        )
        holdings: list[tuple[str, Shares]] = []
        for chunk, amounts in zip(chunks, held, strict=True):
            holdings += zip(chunk, amounts or (), strict=False)
        sane = tuple((token, Shares(amount)) for token, amount in holdings if amount <= _MOST)
        if len(sane) < len(holdings) or (cash or 0) > _MOST:
            problems.append("a balance too large to be one")
        return ChainRead(
            asked_s=asked_s,
            cash=Usd(cash) if cash is not None and cash <= _MOST else None,
            holdings=sane,
            complete=not problems,
            problem=summary(problems),
        )

    async def payouts(self, market: str) -> Payouts | None:
        """What a question's outcomes pay by the contract of the conditional tokens; None while it is not resolved.

        A denominator of 0 is a question that is not resolved: proposed is not (market-making.md 3.5).

        Args:
            market: condition id.

        Raises:
            VenueError: the chain cannot tell: it was not reached, or the question may be one of Protocol V2, which this
                contract does not know.
        """
        digits = market.removeprefix("0x")
        try:
            condition = bytes.fromhex(digits)
        except ValueError:
            condition = b""
        if len(digits) != _CONDITION_DIGITS or not condition:
            raise VenueRefused("no condition id")
        whole = await self._rpc.view(CONDITIONAL_TOKENS, "payoutDenominator(bytes32)", [condition], "uint256")
        if not whole:
            if digits.endswith(_PADDING):
                raise VenueRefused("a question that may be one of Protocol V2")
            return None
        signature = "payoutNumerators(bytes32,uint256)"
        first, second = [
            await self._rpc.view(CONDITIONAL_TOKENS, signature, [condition, index], "uint256") for index in (0, 1)
        ]
        if first + second != whole:
            raise VenueRefused("payouts of two outcomes that are not the whole")
        return first, second


async def _told(work: Awaitable[T], problems: list[str]) -> T | None:
    """What a read brought; None, and why, when it brought nothing."""
    try:
        return await work
    except VenueError as error:
        problems.append(f"chain: {error}")
        return None
