"""Gamma's market objects, read into instruments (polymarket-api.md 7, 9).

Gamma is a catalogue behind a cache: names, tokens, grid, minimums, dates, programmes and fees are taken from it, prices
never. What an order is built with must be readable, or the market is refused; any other fact that cannot be read is a
fact that is not known, and is told.
"""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import structs

from core.clock import Clock, SystemClock
from core.errors import MalformedMessage, VenueError, VenueRefused
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.units import MICRO, Shares, grid_of, parse_micro
from core.venue.http import answer_of, http_client, json_of

PAGE: Final = 100
CONDITIONS_PER_REQUEST: Final = 50
MOST_SHARES: Final = 1e9
MOST_USD: Final = 1e9
_EARLIEST_UNIX: Final = 946_684_800.0
"""Moments before the year 2000 are how some programs write that there is none."""


class GammaMarket(msgspec.Struct, frozen=True):
    """What the catalogue says of one market: the instrument and the figures it is screened by."""

    instrument: Instrument
    liquidity: float
    """Dollars."""
    volume_7d: float
    volume_30d: float
    tradable: bool
    """Active, open, no placeholder, with a book that accepts orders and no resolution under way."""
    doubts: tuple[str, ...] = ()
    """Fields that could not be read, each with its value; what they tell is taken as not known."""


def parse_market(raw: dict[str, Any], unix: float | None = None) -> GammaMarket:
    """Read one market object.

    Args:
        raw: as Gamma sends it.
        unix: seconds at which reward programmes must run to count; None counts those of any time.

    Raises:
        MalformedMessage: it has no two tokens, no condition id, a tick that is no fraction of a dollar, or does not say
            by which contract it trades.
    """
    if not isinstance(raw, dict):
        raise MalformedMessage("Gamma market: no JSON object")
    facts = _Facts(raw)
    try:
        tokens = _list(raw.get("positionIds" if raw.get("version") == "v2" else "clobTokenIds"))
        outcomes = [text.strip().lower() for text in _list(raw.get("outcomes"))]
        if len(set(tokens)) != 2 or len(tokens) != 2 or len(outcomes) != 2:
            raise MalformedMessage("market without exactly two outcomes")
        if not all(isinstance(text, str) and text for text in (*tokens, raw["conditionId"])):
            raise MalformedMessage("market whose tokens or condition id are no texts")
        if not isinstance(raw.get("negRisk"), bool | None):
            raise MalformedMessage("market whose negRisk is neither true nor false")
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
            end_unix=facts.moment("endDate"),
            reward_min_size=facts.reward_min_size(),
            start_unix=facts.moment("eventStartTime") or facts.moment("startDate"),
            game_start_unix=facts.moment("gameStartTime"),
            tags=facts.tags(),
            event_id=facts.event_id,
            group=facts.group(),
            group_index=facts.group_index(),
            reward_max_spread_cents=facts.number("rewardsMaxSpread", 0, 100) or None,
            reward_daily_usd=facts.daily_pool(unix),
            fees=facts.fees(),
        )
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
        raise MalformedMessage(f"Gamma market: {type(error).__name__}: {error}") from error
    return GammaMarket(
        instrument=instrument,
        liquidity=_float(raw, "liquidityNum", "liquidity"),
        volume_7d=_float(raw, "volume1wk", "volume1wkClob"),
        volume_30d=_float(raw, "volume1mo", "volume1moClob"),
        tradable=_tradable(raw),
        doubts=tuple(facts.doubts),
    )


class _Facts:
    """What a market object says beside what its orders are built with."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.doubts: list[str] = []
        self._raw = raw
        events = raw.get("events")
        event = events[0] if isinstance(events, list) and events else {}
        self._event: dict[str, Any] = event if isinstance(event, dict) else {}
        name = self._event.get("id")
        self.event_id = str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""

    def number(self, name: str, low: float, high: float, source: dict[str, Any] | None = None) -> float | None:
        """A number within bounds; None when there is none."""
        value = (self._raw if source is None else source).get(name)
        if value is None or value == "":
            return None
        number = _number(value)
        if number is None or not low <= number <= high:
            self._doubt(name, value)
            return None
        return number

    def moment(self, name: str, source: dict[str, Any] | None = None) -> float | None:
        """A moment in unix seconds; None when none is told."""
        value = (self._raw if source is None else source).get(name)
        if value is None or value == "":
            return None
        try:
            moment = datetime.fromisoformat(value)
            unix = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (TypeError, ValueError, OverflowError):
            self._doubt(name, value)
            return None
        return unix if unix >= _EARLIEST_UNIX else None

    def reward_min_size(self) -> Shares | None:
        """Least size that scores; none is spelled 0 too."""
        number = self.number("rewardsMinSize", 0, MOST_SHARES)
        return (Shares(round(number * MICRO)) or None) if number else None

    def daily_pool(self, unix: float | None) -> float | None:
        """Dollars a day of all programmes that run; None when nothing is said or one of them cannot be read."""
        programmes = self._raw.get("clobRewards")
        if programmes is None:
            return None
        if not isinstance(programmes, list) or not all(isinstance(one, dict) for one in programmes):
            self._doubt("clobRewards", programmes)
            return None
        known = len(self.doubts)
        pool = 0.0
        for one in programmes:
            rate = self.number("rewardsDailyRate", 0, MOST_USD, one)
            start, end = self.moment("startDate", one), self.moment("endDate", one)
            if rate is None or len(self.doubts) > known:
                self._doubt("clobRewards", one)
                return None
            if unix is None or (start or -math.inf) <= unix < (end or math.inf):
                pool += rate
        return pool

    def fees(self) -> FeeSchedule | None:
        """The schedule; None when it is not told or cannot be read as a whole."""
        schedule, enabled = self._raw.get("feeSchedule"), self._raw.get("feesEnabled")
        if enabled is False:
            return FeeSchedule(rate=0)
        if schedule is None or enabled is None:
            return None
        if not isinstance(schedule, dict) or enabled is not True or schedule.get("takerOnly") is False:
            self._doubt("feeSchedule", schedule)
            return None
        rate = self.number("rate", 0, 1, schedule)
        exponent = self.number("exponent", 0.001, 100, schedule)
        rebate = self.number("rebateRate", 0, 1, schedule)
        if rate is None or exponent is None or rebate is None:
            self._doubt("feeSchedule", schedule)
            return None
        return FeeSchedule(rate=round(rate * MICRO), exponent=exponent, rebate=round(rebate * MICRO))

    def group(self) -> str:
        """What the markets share of which at most one comes true; "" when there is nothing of the kind."""
        if self._raw.get("negRisk") is not True:
            return ""
        for name in (self._raw.get("negRiskMarketID"), self._event.get("negRiskMarketID")):
            if isinstance(name, str) and name:
                return name
        return ""

    def group_index(self) -> int | None:
        """Number of the outcome within its group: question ids differ from the group's in their last byte only."""
        group, question = self.group(), self._raw.get("questionID")
        if not group or not isinstance(question, str) or len(question) != len(group) or question[:-2] != group[:-2]:
            return None
        try:
            return int(question[-2:], 16)
        except ValueError:
            return None

    def tags(self) -> tuple[str, ...]:
        """Slugs of the tags; the category where there are none."""
        tags = self._raw.get("tags")
        slugs = [tag.get("slug") for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
        found = [slug for slug in slugs if isinstance(slug, str) and slug]
        category = self._raw.get("category")
        if not found and isinstance(category, str) and category:
            found = ["-".join(category.lower().split())]
        return tuple(dict.fromkeys(found))

    def _doubt(self, name: str, value: Any) -> None:
        self.doubts.append(f"{name} cannot be read: {str(value)[:80]!r}")


class GammaClient:
    """Reads markets from Gamma."""

    def __init__(self, base_url: str, clock: Clock | None = None) -> None:
        """``clock`` says which reward programmes run; the system's if None."""
        self._client = http_client(base_url, 10.0)
        self._clock = clock or SystemClock()

    async def markets(self, conditions: tuple[str, ...]) -> tuple[list[GammaMarket], list[str]]:
        """Markets by condition id, in the order asked for; without ids, the first page of open markets.

        Returns:
            The markets, and one line for each object, field or event that could not be read.

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
                    market = parse_market(raw, self._clock.unix())
                except MalformedMessage as error:
                    problems.append(str(error))
                else:
                    found[market.instrument.market] = market
                    problems += [f"market {market.instrument.market}: {doubt}" for doubt in market.doubts]
        wanted = conditions or tuple(found)
        problems += [f"market {condition} is not known to Gamma" for condition in wanted if condition not in found]
        sizes, unread = await self._group_sizes([market.instrument for market in found.values()])
        asked = [found[condition] for condition in wanted if condition in found]
        return [_of_group(market, sizes) for market in asked], problems + unread

    async def _group_sizes(self, instruments: Iterable[Instrument]) -> tuple[dict[str, int], list[str]]:
        """How many open markets make up the events of which we have more than one market, by group.

        An event that says that it may end otherwise, or that cannot be read, has no size.
        """
        events = Counter((item.group, item.event_id) for item in instruments if item.group and item.event_id)
        sizes: dict[str, int] = {}
        problems = []
        for (group, event_id), count in events.items():
            try:
                if count > 1:
                    sizes[group] = await self._group_size(event_id)
            except VenueError as error:
                problems.append(f"{error}; its fair values are not held against each other")
        return sizes, problems

    async def _group_size(self, event_id: str) -> int:
        where = f"Gamma, event {event_id[:20]}"
        if not event_id.isascii() or not event_id.isalnum():
            raise VenueRefused(f"{where}: an event's id has letters and digits only")
        status, body = await answer_of(self._client, "GET", f"/events/{event_id}", where=where)
        event = json_of(body, where) if status == 200 else None
        markets = event.get("markets") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(markets, list):
            raise VenueRefused(f"{where}: no event in the answer (status {status})")
        if event.get("negRiskAugmented") is not False or event.get("negRisk") is not True:
            return 0
        return sum(1 for market in markets if isinstance(market, dict) and market.get("closed") is not True)

    async def _page(self, conditions: tuple[str, ...]) -> list[dict[str, Any]]:
        params: list[tuple[str, str | int]] = [("limit", PAGE), ("closed", "false"), ("include_tag", "true")]
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


def _of_group(market: GammaMarket, sizes: dict[str, int]) -> GammaMarket:
    size = sizes.get(market.instrument.group, 0)
    return structs.replace(market, instrument=structs.replace(market.instrument, group_size=size)) if size else market


def _number(value: Any) -> float | None:
    """A finite number, also when it is written as a text; nothing else counts as one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _float(raw: dict[str, Any], *names: str) -> float:
    """The first of these that is a number; 0, which passes no screen, if none is."""
    for name in names:
        number = _number(raw.get(name))
        if number is not None:
            return number
    return 0.0


def _tradable(raw: dict[str, Any]) -> bool:
    flags = raw.get("active") is True and raw.get("closed") is not True
    takes_orders = raw.get("enableOrderBook") is not False and raw.get("acceptingOrders") is not False
    return flags and takes_orders and raw.get("negRiskOther") is not True and not raw.get("umaResolutionStatus")
