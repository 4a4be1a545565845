"""How questions were resolved: the chain's word, the catalogue's where the chain cannot tell (market-making.md 3.5).

The chain numbers outcomes and does not name them, so the catalogue says which of them is YES. Nothing is told before it
is final: a question that is closed and only proposed has no payout.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from core.errors import MalformedMessage, VenueError
from core.events import PayoutSeen
from core.units import MICRO, Usd
from core.venue.gamma import CONDITIONS_PER_REQUEST, PAGE, markets_page
from core.venue.http import http_client
from core.venue.lenient import text_of

log = logging.getLogger(__name__)

_RESOLVED: Final = "resolved"
"""``umaResolutionStatus`` of what is final; ``proposed`` and ``disputed`` are not."""
_PAYOUTS: Final[dict[tuple[str, ...], tuple[Usd, Usd]]] = {
    ("1", "0"): (Usd(MICRO), Usd(0)),
    ("0", "1"): (Usd(0), Usd(MICRO)),
    ("0.5", "0.5"): (Usd(MICRO // 2), Usd(MICRO // 2)),
}
"""Prices that are payouts. Others are the last ones traded: old markets are closed with them, and a cached object may
have its status before its prices."""


Payouts = tuple[int, int]
"""Parts of a dollar that the two outcomes pay, in the contract's order; their sum is the whole."""


class ChainWord(Protocol):
    """Who asks the chain: :class:`core.venue.chain_reads.ChainReads`, which paper mode does not load."""

    async def payouts(self, market: str) -> Payouts | None:
        """What a question's outcomes pay; None while it is not resolved.

        Raises:
            VenueError: the chain cannot tell.
        """
        ...


class Listed(NamedTuple):
    """What the catalogue says of a question's outcomes."""

    yes: int
    """Index of YES, or of the first where neither outcome is called so."""
    price: Usd | None
    """What a YES share pays, micro-dollars, when the question is resolved for good."""


class Resolutions:
    """Payouts of questions that are resolved."""

    def __init__(self, gamma_url: str, chain: ChainWord | None) -> None:
        """``chain`` is None where there is none: in paper mode."""
        self._client = http_client(gamma_url, 10.0)
        self._chain = chain

    async def read(self, markets: Sequence[str]) -> list[PayoutSeen]:
        """What these questions pay, as far as that is final; of all others nothing, and what cannot be read is logged.

        Args:
            markets: condition ids.
        """
        mined = {} if self._chain is None else await _mined(self._chain, markets)
        wanted = [market for market in markets if mined.get(market, ()) is not None]
        listed = await self._listed(wanted)
        seen = [_payout(market, mined.get(market), listed.get(market)) for market in wanted]
        return [payout for payout in seen if payout is not None]

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

    async def _listed(self, markets: Sequence[str]) -> dict[str, Listed]:
        """The catalogue's word; closed questions first, since nearly all that are asked about are."""
        found: dict[str, Listed] = {}
        for closed in ("true", "false"):
            missing = [market for market in markets if market not in found]
            for start in range(0, len(missing), CONDITIONS_PER_REQUEST):
                try:
                    page = missing[start : start + CONDITIONS_PER_REQUEST]
                    params = [("limit", str(PAGE)), ("closed", closed), *(("condition_ids", each) for each in page)]
                    rows, _ = await markets_page(self._client, params)
                except VenueError as error:
                    log.info("payouts_unread", extra={"detail": str(error)})
                    return found
                for row in rows:
                    try:
                        found |= [listed_of(row)]
                    except MalformedMessage as error:
                        log.info("payout_unread", extra={"detail": str(error)})
        return {market: found[market] for market in markets if market in found}


async def _mined(chain: ChainWord, markets: Sequence[str]) -> dict[str, Payouts | None]:
    """Payouts by market, None of what is not resolved; markets of which the chain cannot tell are left out."""
    found: dict[str, Payouts | None] = {}
    for market in markets:
        try:
            found[market] = await chain.payouts(market)
        except VenueError as error:
            log.info("payout_unread", extra={"market": market, "detail": str(error)})
    return found


def _payout(market: str, mined: Payouts | None, listed: Listed | None) -> PayoutSeen | None:
    """The chain's word where it has one, once it is known which outcome is YES."""
    if mined is None:
        price = None if listed is None else listed.price
        return None if price is None else PayoutSeen(market=market, price=price, source="catalogue")
    if listed is None and mined[0] != mined[1]:
        return None
    whole = sum(mined)
    price = Usd((mined[listed.yes if listed is not None else 0] * MICRO + whole // 2) // whole)
    return PayoutSeen(market=market, price=price, source="chain")


def listed_of(raw: Any) -> tuple[str, Listed]:
    """Condition id, and what a market object of the catalogue says of its outcomes (polymarket-api.md 7).

    A payout needs a closed market, the word ``resolved`` and prices that can be payouts.

    Raises:
        MalformedMessage: it has no condition id or no two outcomes.
    """
    if not isinstance(raw, dict):
        raise MalformedMessage("Gamma market: no JSON object")
    market, outcomes = text_of(raw.get("conditionId")), _texts(raw.get("outcomes"))
    names = [name.strip().lower() for name in outcomes]
    if not market or len(names) != 2:
        raise MalformedMessage("Gamma market: no condition id or no two outcomes")
    yes = names.index("yes") if "yes" in names else 0
    is_final = raw.get("closed") is True and text_of(raw.get("umaResolutionStatus")).lower() == _RESOLVED
    prices = _PAYOUTS.get(tuple(_texts(raw.get("outcomePrices")))) if is_final else None
    return market, Listed(yes, None if prices is None else prices[yes])


def _texts(value: Any) -> list[str]:
    """A list that the catalogue writes as JSON text inside a string; [] when it is none."""
    try:
        return msgspec.json.decode(value, type=list[str]) if isinstance(value, str) else []
    except msgspec.DecodeError:
        return []
