"""What the CLOB itself says a market trades by (GET /clob-markets/{condition}, polymarket-api.md 4.1).

It is the authority on tokens, tick, least size, contract and fee, and on whether orders are taken.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from core.errors import MalformedMessage, VenueError, VenueRefused, VenueUnavailable
from core.market.fees import FeeSchedule
from core.market.instrument import TOKEN_ID
from core.units import MICRO, Shares, grid_of
from core.venue.facts import doubt, least_size, moment, number_in, number_text
from core.venue.gamma import MOST_SHARES, Version
from core.venue.http import answer_of, http_client, json_of
from core.venue.paced import paced

AT_ONCE: Final = 20
"""100 a second at most, a ninth of what an address may ask the CLOB (polymarket-api.md 10.1)."""
_MOST_BYTES: Final = 2**16


class ClobParams(msgspec.Struct, frozen=True):
    """Parameters of one binary market."""

    market: str
    """Condition id."""
    outcomes: tuple[str, str]
    """As the venue numbers them, lower case. Foreign text, uncleaned."""
    tokens: tuple[str, str]
    """Of these outcomes: decimal digits."""
    tick_text: str
    min_size: Shares
    min_size_text: str
    """As the venue spells it; part of the book hash."""
    accepting: bool | None
    """Whether it takes orders now; None when not told."""
    neg_risk: bool = False
    fees: FeeSchedule = FeeSchedule(rate=0)
    """Without the makers' rebate, which the catalogue tells."""
    makers_pay: bool = False
    """The fee is not the takers' alone, which nothing here provides for."""
    reward_min_size: Shares | None = None
    """None where no programme's is told."""
    reward_max_spread_cents: float | None = None
    rewarded: bool | None = None
    """Whether a programme runs; None when not told."""
    game_start_unix: float | None = None
    taker_delay: bool | None = None
    """Whether marketable orders are held for 250 ms; None when not told, which is how the venue mostly says no."""
    version: Version | None = None
    """None when not told."""
    doubts: tuple[str, ...] = ()
    """Fields that could not be read, each with its value; what they tell is taken as not known."""

    def token_of(self, outcome: str) -> str:
        """The token of an outcome of :attr:`outcomes`."""
        return self.tokens[self.outcomes.index(outcome)]


def parse_params(raw: Any, market: str) -> ClobParams:
    """Read the parameters of ``market``.

    Raises:
        MalformedMessage: they are of another market, without two tokens, or what an order is built with cannot be read.
    """
    if not isinstance(raw, dict):
        raise MalformedMessage("no JSON object")
    if raw.get("c", market) != market:
        raise MalformedMessage("the answer is about another market")
    try:
        tokens, outcomes = _pairs(raw.get("t"))
        tick_text = grid_of(number_text(raw["mts"])).tick_text
        min_size, min_size_text = least_size(raw["mos"])
        version = raw.get("v")
        if version not in (None, "v1", "v2"):
            raise MalformedMessage("a version that is not known")
        if not isinstance(raw.get("nr"), bool | None):
            raise MalformedMessage("nr is neither true nor false")
        fees, makers_pay = _fees(raw.get("fd"))
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedMessage(f"{type(error).__name__}: {error}") from error
    doubts: list[str] = []
    programme = raw.get("r")
    if not isinstance(programme, dict | None):
        doubts.append(doubt("r", programme))
    programme = programme if isinstance(programme, dict) else {}
    least = number_in(programme, "mi", 0, MOST_SHARES, doubts)
    return ClobParams(
        market=market,
        outcomes=outcomes,
        tokens=tokens,
        tick_text=tick_text,
        min_size=min_size,
        min_size_text=min_size_text,
        accepting=_flag(raw, "ao", doubts),
        neg_risk=raw.get("nr") is True,
        fees=fees,
        makers_pay=makers_pay,
        reward_min_size=Shares(round(least * MICRO)) if least else None,
        reward_max_spread_cents=number_in(programme, "ma", 0, 100, doubts) or None,
        rewarded=_flag(programme, "e", doubts),
        game_start_unix=moment(raw, "gst", doubts),
        taker_delay=_flag(raw, "itode", doubts),
        version=version,
        doubts=tuple(doubts),
    )


class Answers(msgspec.Struct, frozen=True):
    """Parameters as far as the CLOB tells them, by condition id; those it does not know are in neither."""

    params: dict[str, ClobParams]
    unread: dict[str, str]
    """Why there is nothing of others that it may well know."""


class ClobMarkets:
    """Reads parameters, so many a second that the session's own requests do not suffer."""

    def __init__(self, clob_url: str) -> None:
        self._client = http_client(clob_url, 5.0)

    async def read(self, markets: Sequence[str]) -> Answers:
        """Parameters of markets; one that cannot be read fails no other.

        Raises:
            VenueError: the CLOB answers for none of the first that are asked about.
        """
        params: dict[str, ClobParams] = {}
        unread: dict[str, str] = {}
        asked = 0
        async for answers in paced(markets, self._one, AT_ONCE):
            asked += len(answers)
            outages = []
            for market, answer in answers:
                if isinstance(answer, ClobParams):
                    params[market] = answer
                elif answer is not None:
                    unread[market] = str(answer)
                if isinstance(answer, VenueError):
                    outages.append(answer)
            if len(outages) == len(answers):
                if asked == len(answers):
                    raise outages[0]
                # It stopped answering, or does not want to: asking for the rest would only make it worse.
                unread |= dict.fromkeys(markets[asked:], str(outages[0]))
                break
        return Answers(params, unread)

    async def _one(self, market: str) -> ClobParams | VenueError | MalformedMessage | None:
        """The parameters, None when the market is not known, or what was in the way."""
        where = "/clob-markets"
        try:
            status, body = await answer_of(
                self._client, "GET", f"{where}/{quote(market, safe='')}", where=where, most_bytes=_MOST_BYTES
            )
            if status == 404:
                return None
            if status == 429 or status == 425 or status >= 500:
                return VenueUnavailable(f"{where}: status {status}")
            if status != 200:
                return VenueRefused(f"{where}: status {status}")
            return parse_params(json_of(body, where), market)
        except (VenueError, MalformedMessage) as error:
            return error

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _flag(source: dict[str, Any], name: str, doubts: list[str]) -> bool | None:
    """True or false; None when it is not told."""
    value = source.get(name)
    if not isinstance(value, bool | None):
        doubts.append(doubt(name, value))
        return None
    return value


def _pairs(value: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """Tokens and outcomes, in the venue's order."""
    entries = value if isinstance(value, list) else []
    told = [entry for entry in entries if isinstance(entry, dict) and entry.get("t")]
    if not told:
        raise MalformedMessage("no token ids yet")
    tokens = [entry["t"] for entry in told]
    outcomes = [str(entry.get("o") or "").strip().lower() for entry in told]
    if len(entries) != 2 or len(set(tokens)) != 2 or len(set(outcomes)) != 2 or not all(outcomes):
        raise MalformedMessage("not exactly two outcomes")
    if not all(isinstance(token, str) and TOKEN_ID.fullmatch(token) for token in tokens):
        raise MalformedMessage("token ids that are no decimal numbers")
    return (tokens[0], tokens[1]), (outcomes[0], outcomes[1])


def _fees(value: Any) -> tuple[FeeSchedule, bool]:
    """The schedule, and whether makers pay too; a market without one is free (polymarket-api.md 4.1)."""
    if value is None or value == dict.fromkeys(("r", "e", "to")):
        return FeeSchedule(rate=0), False
    doubts: list[str] = []
    fields = value if isinstance(value, dict) else {}
    rate, exponent = number_in(fields, "r", 0, 1, doubts), number_in(fields, "e", 0.001, 100, doubts)
    if rate is None or exponent is None or not isinstance(fields.get("to"), bool | None):
        raise MalformedMessage(doubt("fd", value))
    return FeeSchedule(rate=round(rate * MICRO), exponent=exponent), fields.get("to") is False
