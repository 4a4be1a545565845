"""Gamma's market objects, read into instruments (polymarket-api.md 7).

Gamma is a catalogue behind a cache: names, tokens, grid and minimums are taken from it, prices never.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from core.errors import MalformedMessage, VenueRefused
from core.market.instrument import Instrument
from core.units import MICRO, Shares, grid_of, parse_micro
from core.venue.http import answer_of, http_client, json_of

PAGE: Final = 100
CONDITIONS_PER_REQUEST: Final = 50


class GammaMarket(msgspec.Struct, frozen=True):
    """What the catalogue says of one market: the instrument and the figures it is screened by."""

    instrument: Instrument
    liquidity: float
    """Dollars."""
    volume_7d: float
    volume_30d: float
    tradable: bool
    """Active, open, with a book that accepts orders and no resolution under way."""


def parse_market(raw: dict[str, Any]) -> GammaMarket:
    """Read one market object.

    Raises:
        MalformedMessage: it has no two tokens, no condition id, or a tick that is no fraction of a dollar.
    """
    try:
        tokens = _list(raw.get("positionIds" if raw.get("version") == "v2" else "clobTokenIds"))
        outcomes = [text.strip().lower() for text in _list(raw.get("outcomes"))]
        if len(set(tokens)) != 2 or len(tokens) != 2 or len(outcomes) != 2:
            raise MalformedMessage("market without exactly two outcomes")
        if not all(isinstance(text, str) and text for text in (*tokens, raw["conditionId"])):
            raise MalformedMessage("market whose tokens or condition id are no texts")
        yes = outcomes.index("yes") if "yes" in outcomes else 0
        tick_text = _number_text(raw.get("orderPriceMinTickSize"), "0.01")
        min_size_text = _number_text(raw.get("orderMinSize"), "5")
        instrument = Instrument(
            market=raw["conditionId"],
            yes_token=tokens[yes],
            no_token=tokens[1 - yes],
            title=str(raw.get("question") or raw.get("slug") or raw["conditionId"]),
            tick_text=grid_of(tick_text).tick_text,
            min_size=Shares(parse_micro(min_size_text)),
            neg_risk=raw.get("negRisk") is True,
            min_size_text=min_size_text,
            end_unix=_unix(raw.get("endDate")),
            reward_min_size=_reward_minimum(raw.get("rewardsMinSize")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
        raise MalformedMessage(f"Gamma market: {type(error).__name__}: {error}") from error
    return GammaMarket(
        instrument=instrument,
        liquidity=_float(raw, "liquidityNum", "liquidity"),
        volume_7d=_float(raw, "volume1wk", "volume1wkClob"),
        volume_30d=_float(raw, "volume1mo", "volume1moClob"),
        tradable=_tradable(raw),
    )


class GammaClient:
    """Reads markets from Gamma."""

    def __init__(self, base_url: str) -> None:
        self._client = http_client(base_url, 10.0)

    async def markets(self, conditions: tuple[str, ...]) -> tuple[list[GammaMarket], list[str]]:
        """Markets by condition id, in the order asked for; without ids, the first page of open markets.

        Returns:
            The markets, and one line for each object that could not be read.

        Raises:
            VenueUnavailable: Gamma cannot be reached.
            VenueRefused: it answered with an error or with something that is no list.
        """
        found: dict[str, GammaMarket] = {}
        problems: list[str] = []
        chunks = [conditions[n : n + CONDITIONS_PER_REQUEST] for n in range(0, len(conditions), CONDITIONS_PER_REQUEST)]
        for chunk in chunks or [()]:
            for raw in await self._page(chunk):
                try:
                    market = parse_market(raw)
                    found[market.instrument.market] = market
                except MalformedMessage as error:
                    problems.append(str(error))
        wanted = conditions or tuple(found)
        problems += [f"market {condition} is not known to Gamma" for condition in wanted if condition not in found]
        return [found[condition] for condition in wanted if condition in found], problems

    async def _page(self, conditions: tuple[str, ...]) -> list[dict[str, Any]]:
        params: list[tuple[str, str | int]] = [("limit", PAGE), ("closed", "false")]
        params += [("condition_ids", condition) for condition in conditions]
        where = "Gamma, /markets"
        status, body = await answer_of(self._client, "GET", "/markets", where=where, params=tuple(params))
        if status != 200:
            raise VenueRefused(f"{where}: status {status}")
        page = json_of(body, where)
        if not isinstance(page, list):
            raise VenueRefused(f"{where}: the answer is not a list of markets")
        return [raw for raw in page if isinstance(raw, dict)]

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _list(value: Any) -> list[str]:
    """A list that Gamma writes as JSON text inside a string."""
    return msgspec.json.decode(value, type=list[str]) if isinstance(value, str) else list(value)


def _number_text(value: Any, default: str) -> str:
    """A number in the shortest plain text, as the book spells it."""
    if value is None:
        return default
    text = format(value, ".6f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    parse_micro(text)
    return text


def _reward_minimum(value: Any) -> Shares | None:
    try:
        size = Shares(round(float(value) * MICRO))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if size > 0 else None


def _unix(value: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError):
        return None


def _float(raw: dict[str, Any], *names: str) -> float:
    for name in names:
        try:
            return float(raw[name])
        except (KeyError, TypeError, ValueError):
            continue
    return 0.0


def _tradable(raw: dict[str, Any]) -> bool:
    flags = raw.get("active") is True and raw.get("closed") is not True
    takes_orders = raw.get("enableOrderBook") is not False and raw.get("acceptingOrders") is not False
    return flags and takes_orders and not raw.get("umaResolutionStatus")
