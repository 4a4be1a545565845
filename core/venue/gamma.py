"""Gamma's market objects, read into instruments (polymarket-api.md 7, 9).

Gamma is a catalogue behind a cache of minutes: names, tokens, grid, minimums, dates, programmes and fees are taken from
it, prices only to estimate with. What an order is built with must be readable, or the market is refused; any other fact
that cannot be read is a fact that is not known, and is told.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import httpx
import msgspec
from msgspec import structs

from core.clock import Clock, SystemClock
from core.errors import MalformedMessage, VenueError, VenueRefused
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.units import MICRO, Shares, grid_of
from core.venue.facts import doubt, finite, least_size, moment, number_in, number_text
from core.venue.http import answer_of, http_client, json_of
from core.venue.lenient import text_of
from core.venue.paced import paced

PAGE: Final = 100
"""Most objects a page has (polymarket-api.md 7)."""
CONDITIONS_PER_REQUEST: Final = 50
"""Half of what the venue takes: a condition id has 66 characters, and at 8 KiB of address servers begin to refuse."""
EVENTS_AT_ONCE: Final = 5
"""Half of what the venue allows for events (polymarket-api.md 10.1)."""
MOST_SHARES: Final = 1e9
MOST_USD: Final = 1e9
MOST_VOLUME_USD: Final = 1e12
"""A larger figure is none: scores are made of products (reliability.md D14)."""
PLACEHOLDER: Final = "a placeholder for other outcomes"
"""The obstacle that no time removes."""

Version = Literal["v1", "v2"]
"""By which contracts a market trades, and so which of its ids are meant (polymarket-api.md 2.1)."""


class GammaMarket(msgspec.Struct, frozen=True):
    """What the catalogue says of one market: the instrument and the figures it is screened by."""

    instrument: Instrument
    liquidity: float
    """Dollars; NaN where it is not told, here and below."""
    volume_7d: float
    volume_30d: float
    tradable: bool
    """Active, open, no placeholder, with a book that accepts orders and no resolution under way."""
    doubts: tuple[str, ...] = ()
    """Fields that could not be read, each with its value; what they tell is taken as not known."""
    volume_24h: float = math.nan
    spread: float | None = None
    """Dollars, minutes old."""
    mid: float | None = None
    """Price of YES in dollars, minutes old: to estimate with, never to quote by."""
    outcomes: tuple[str, str] = ("yes", "no")
    """As the venue numbers them, lower case. Foreign text, uncleaned."""
    version: Version = "v1"
    other_tokens: tuple[str, ...] = ()
    """Ids of the version by which it does not trade."""
    opened_unix: float | None = None
    """When it began to accept orders, or else when it was listed; None when not known."""
    delay_s: float = 0.0
    """How long marketable orders are held."""
    obstacles: tuple[str, ...] = ()
    """Why it is not tradable as far as the catalogue knows, in words; () when it is."""
    conflicts: tuple[str, ...] = ()
    """What the object contradicts itself in about what it trades by, in words."""


def parse_market(raw: dict[str, Any], unix: float | None = None) -> GammaMarket:
    """Read one market object.

    Args:
        raw: as Gamma sends it.
        unix: seconds at which reward programmes must run to count; None counts those of any time.

    Raises:
        MalformedMessage: it has no two tokens, no condition id, a tick that is no fraction of a dollar, a least size of
            0, or does not say by which contract it trades.
    """
    if not isinstance(raw, dict):
        raise MalformedMessage("Gamma market: no JSON object")
    facts = _Facts(raw)
    try:
        if raw.get("version") not in (None, "v1", "v2"):
            raise MalformedMessage("market of a version that is not known")
        version: Version = "v2" if raw.get("version") == "v2" else "v1"
        names = ("positionIds", "clobTokenIds") if version == "v2" else ("clobTokenIds", "positionIds")
        tokens, outcomes = _list(raw.get(names[0])), _texts(raw.get("outcomes"))
        if not any(tokens):
            raise MalformedMessage("market without token ids yet")
        if len(set(tokens)) != 2 or len(tokens) != 2 or len(set(outcomes)) != 2 or len(outcomes) != 2:
            raise MalformedMessage("market without exactly two outcomes")
        if not all(isinstance(text, str) and text for text in (*tokens, raw["conditionId"])):
            raise MalformedMessage("market whose tokens or condition id are no texts")
        if not isinstance(raw.get("negRisk"), bool | None):
            raise MalformedMessage("market whose negRisk is neither true nor false")
        yes = outcomes.index("yes") if "yes" in outcomes else 0
        tick_text = number_text(_or(raw.get("orderPriceMinTickSize"), "0.01"))
        min_size, min_size_text = least_size(_or(raw.get("orderMinSize"), "5"))
        instrument = Instrument(
            market=raw["conditionId"],
            yes_token=tokens[yes],
            no_token=tokens[1 - yes],
            title=str(raw.get("question") or raw.get("slug") or raw["conditionId"]),
            tick_text=grid_of(tick_text).tick_text,
            min_size=min_size,
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
    obstacles = _obstacles(raw)
    return GammaMarket(
        instrument=instrument,
        liquidity=facts.figure("liquidityNum", "liquidity"),
        volume_7d=facts.figure("volume1wk", "volume1wkClob"),
        volume_30d=facts.figure("volume1mo", "volume1moClob"),
        tradable=not obstacles,
        volume_24h=facts.figure("volume24hr", "volume24hrClob"),
        spread=facts.number("spread", 0, 1),
        mid=facts.price(yes),
        outcomes=(outcomes[0], outcomes[1]),
        version=version,
        other_tokens=_spare(raw.get(names[1])),
        opened_unix=facts.moment("acceptingOrdersTimestamp") or facts.moment("startDate"),
        delay_s=facts.number("secondsDelay", 0, 86_400) or 0.0,
        obstacles=obstacles,
        conflicts=facts.conflicts(),
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

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number within bounds; None when there is none."""
        return number_in(self._raw, name, low, high, self.doubts)

    def moment(self, name: str) -> float | None:
        """A moment in unix seconds; None when none is told."""
        return moment(self._raw, name, self.doubts)

    def figure(self, *names: str) -> float:
        """Dollars: the first of these that is a number; NaN, which passes no screen, if none is."""
        known = len(self.doubts)
        for name in names:
            number = self.number(name, 0, MOST_VOLUME_USD)
            if number is not None:
                del self.doubts[known:]
                return number
        return math.nan

    def price(self, yes: int) -> float | None:
        """Price of outcome ``yes``, dollars: the middle of the best prices, the last trade's, or the one that is shown.

        The first two are of the first outcome (polymarket-api.md 7). None when there is none between 0 and 1.
        """
        bid, ask, last = (finite(self._raw.get(name)) for name in ("bestBid", "bestAsk", "lastTradePrice"))
        first = last if bid is None or ask is None else (bid + ask) / 2
        try:
            shown = [finite(price) for price in _list(self._raw.get("outcomePrices") or ())]
        except (TypeError, ValueError, msgspec.DecodeError):
            shown = []
        known = [None if first is None else 1 - first if yes else first, shown[yes] if len(shown) == 2 else None]
        return next((price for price in known if price is not None and 0 < price < 1), None)

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
            self.doubts.append(doubt("clobRewards", programmes))
            return None
        known = len(self.doubts)
        pool = 0.0
        for one in programmes:
            rate = number_in(one, "rewardsDailyRate", 0, MOST_USD, self.doubts)
            start, end = moment(one, "startDate", self.doubts), moment(one, "endDate", self.doubts)
            if rate is None or len(self.doubts) > known:
                self.doubts.append(doubt("clobRewards", one))
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
            self.doubts.append(doubt("feeSchedule", schedule))
            return None
        rate = number_in(schedule, "rate", 0, 1, self.doubts)
        exponent = number_in(schedule, "exponent", 0.001, 100, self.doubts)
        rebate = number_in(schedule, "rebateRate", 0, 1, self.doubts)
        if rate is None or exponent is None or rebate is None:
            self.doubts.append(doubt("feeSchedule", schedule))
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

    def conflicts(self) -> tuple[str, ...]:
        """What market and event say differently of the contract and the group."""
        found = []
        own, event = (source.get("negRiskMarketID") or "" for source in (self._raw, self._event))
        neg_risk = self._raw.get("negRisk") is True
        if self._event.get("negRisk") not in (None, neg_risk):
            found.append(f"neg-risk is {str(neg_risk).lower()} by the market and not by its event")
        if own and not neg_risk:
            found.append("it is not neg-risk, but of a neg-risk event")
        if own and event and own != event:
            found.append("market and event name different neg-risk groups")
        question = self._raw.get("questionID")
        if neg_risk and self.group() and isinstance(question, str) and self.group_index() is None:
            found.append("its question is none of its neg-risk group")
        return tuple(found)

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


class _Found:
    """What pages brought so far. Each is read as it comes: hundreds of objects at a time would stop the loop."""

    def __init__(self, unix: float) -> None:
        self._unix = unix
        self.markets: dict[str, GammaMarket] = {}
        self.unread: dict[str, str] = {}
        self.problems: list[str] = []

    @property
    def count(self) -> int:
        """Objects that name a market, each once."""
        return len(self.markets) + len(self.unread)

    def has(self, market: str) -> bool:
        """Whether the catalogue has told of a market."""
        return market in self.markets

    def take(self, objects: Iterable[dict[str, Any]]) -> None:
        """Read the objects of a page; of two of one market the first counts."""
        for raw in objects:
            name = name_of(raw)
            if name in self.markets:
                continue
            try:
                self.markets[name] = parse_market(raw, self._unix)
            except MalformedMessage as error:
                if name:
                    self.unread[name] = str(error)
                else:
                    self.problems.append(str(error))
            else:
                self.unread.pop(name, None)

    def lost(self, markets: Iterable[str], why: str) -> None:
        """A page could not be read: nobody knows what it had."""
        for market in markets:
            self.unread.setdefault(market, why)


class Reading(msgspec.Struct, frozen=True):
    """Markets as far as a catalogue tells of them."""

    markets: dict[str, GammaMarket]
    """By condition id, in the order they were asked for."""
    unread: dict[str, str]
    """Why there is nothing of others that it may well know, by condition id."""
    unsized: dict[str, str]
    """Why it is not known how many markets the groups of others have, by condition id."""
    problems: tuple[str, ...] = ()
    """Of objects that name no market: a line each."""


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
        reading = await (self.find(conditions) if conditions else self._first_page())
        problems = [*reading.problems, *dict.fromkeys(reading.unsized.values())]
        problems += [f"market {name}: {why}" for name, why in reading.unread.items()]
        for name, market in reading.markets.items():
            problems += [f"market {name}: {doubt}" for doubt in market.doubts]
        known = reading.markets.keys() | reading.unread.keys()
        problems += [f"market {condition} is not known to Gamma" for condition in conditions if condition not in known]
        return list(reading.markets.values()), problems

    async def find(self, conditions: Sequence[str]) -> Reading:
        """Markets by condition id, closed ones too; one that cannot be read fails no other.

        Raises:
            VenueUnavailable: Gamma cannot be reached.
            VenueRefused: it answers with errors, or with something that is no list.
        """
        wanted = tuple(dict.fromkeys(conditions))
        found, answered = _Found(self._clock.unix()), False
        for closed in ("false", "true"):
            missing = [condition for condition in wanted if not found.has(condition)]
            pages = [missing[n : n + CONDITIONS_PER_REQUEST] for n in range(0, len(missing), CONDITIONS_PER_REQUEST)]
            failure: VenueError | None = None
            for page in pages:
                params = [("limit", str(PAGE)), ("closed", closed), ("include_tag", "true")]
                try:
                    objects, _ = await markets_page(
                        self._client, [*params, *(("condition_ids", each) for each in page)]
                    )
                except VenueError as error:
                    failure = error
                    found.lost(page, str(error))
                else:
                    answered = True
                    asked = frozenset(page)
                    found.take(raw for raw in objects if name_of(raw) in asked)
            if failure is not None and not answered:
                raise failure
        return await self._with_groups(found, wanted)

    async def open_markets(self, most: int) -> Reading:
        """Open markets page by page, those with the largest volume of a day first; sizes of groups are not asked for.

        Args:
            most: read no more than so many.

        Raises:
            VenueUnavailable: Gamma cannot be reached.
            VenueRefused: it answers with an error, or with something that is no list.
        """
        params = [("limit", str(PAGE)), ("closed", "false"), ("include_tag", "true")]
        params += [("order", "volume24hr"), ("ascending", "false")]
        found = _Found(self._clock.unix())
        cursor = ""
        while found.count < most:
            known = found.count
            objects, following = await markets_page(
                self._client, [*params, *([("after_cursor", cursor)] if cursor else [])]
            )
            found.take(objects)
            # A page that brings nothing new is a cursor that is not heeded; it would be asked for without end.
            if not following or found.count == known:
                break
            cursor = following
        kept = dict(list(found.markets.items())[:most])
        return Reading(kept, found.unread, {}, tuple(found.problems))

    async def _first_page(self) -> Reading:
        """Open markets in the order in which they were listed."""
        found = _Found(self._clock.unix())
        objects, _ = await markets_page(
            self._client, [("limit", str(PAGE)), ("closed", "false"), ("include_tag", "true")]
        )
        found.take(objects)
        return await self._with_groups(found, tuple(found.markets))

    async def _with_groups(self, found: "_Found", wanted: Sequence[str]) -> Reading:
        """The markets that were wanted, in that order, with the sizes of their groups."""
        markets = [found.markets[name] for name in wanted if name in found.markets]
        sizes, lost = await self._group_sizes([market.instrument for market in markets])
        known = {market.instrument.market: _of_group(market, sizes) for market in markets}
        unsized = {
            name: lost[market.instrument.group] for name, market in known.items() if market.instrument.group in lost
        }
        return Reading(known, found.unread, unsized, tuple(found.problems))

    async def _group_sizes(self, instruments: Iterable[Instrument]) -> tuple[dict[str, int], dict[str, str]]:
        """How many open markets make up the events of which we have more than one market, by group.

        An event that says that it may end otherwise, or that cannot be read, has no size; the latter are told.
        """
        events = Counter((item.group, item.event_id) for item in instruments if item.group and item.event_id)
        sizes: dict[str, int] = {}
        lost: dict[str, str] = {}
        shared = [event for event, count in events.items() if count > 1]
        async for answers in paced(shared, self._asked_size, EVENTS_AT_ONCE):
            for (group, _), size in answers:
                if isinstance(size, VenueError):
                    lost[group] = f"{size}; its fair values are not held against each other"
                else:
                    sizes[group] = size
        return sizes, lost

    async def _asked_size(self, event: tuple[str, str]) -> int | VenueError:
        try:
            return await self._group_size(event[1])
        except VenueError as error:
            return error

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

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


async def markets_page(
    client: httpx.AsyncClient, params: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], str]:
    """A page of the current list of markets; the old one is past its sunset (polymarket-api.md 7).

    Args:
        client: of Gamma.
        params: ``closed`` has to be among them, for what goes without it is left open.

    Returns:
        Its objects, and the cursor of the next page, "" at the end.

    Raises:
        VenueUnavailable: Gamma cannot be reached.
        VenueRefused: it answered with an error, or with something that is no list.
    """
    where = "Gamma, /markets/keyset"
    status, body = await answer_of(client, "GET", "/markets/keyset", where=where, params=tuple(params))
    if status != 200:
        raise VenueRefused(f"{where}: status {status}")
    page = json_of(body, where)
    objects = page.get("markets") if isinstance(page, dict) else None
    if not isinstance(objects, list):
        raise VenueRefused(f"{where}: the answer is not a list of markets")
    return [raw for raw in objects if isinstance(raw, dict)], text_of(page.get("next_cursor"))


def name_of(raw: dict[str, Any]) -> str:
    """Condition id of a market object; "" when it has none."""
    name = raw.get("conditionId")
    return name if isinstance(name, str) else ""


def _list(value: Any) -> list[str]:
    """A list that Gamma writes as JSON text inside a string; none at all is an empty one."""
    if isinstance(value, str):
        return msgspec.json.decode(value or "[]", type=list[str] | None) or []
    return list(value or ())


def _texts(value: Any) -> list[str]:
    return [text.strip().lower() for text in _list(value)]


def _spare(value: Any) -> tuple[str, ...]:
    """Ids beside those that are traded; none where they cannot be read, for nothing depends on them."""
    try:
        return tuple(text for text in _list(value) if isinstance(text, str) and text)
    except (TypeError, ValueError, msgspec.DecodeError):
        return ()


def _or(value: Any, default: str) -> Any:
    return default if value is None else value


def _of_group(market: GammaMarket, sizes: dict[str, int]) -> GammaMarket:
    size = sizes.get(market.instrument.group, 0)
    return structs.replace(market, instrument=structs.replace(market.instrument, group_size=size)) if size else market


def _obstacles(raw: dict[str, Any]) -> tuple[str, ...]:
    """Why a market takes no orders (polymarket-api.md 7, *Tradable*); () when it does."""
    resolution = raw.get("umaResolutionStatus")
    told = (
        (raw.get("closed") is True, "closed"),
        (raw.get("active") is not True, "not active"),
        (raw.get("enableOrderBook") is False, "without an order book"),
        (raw.get("acceptingOrders") is False, "not accepting orders"),
        (raw.get("negRiskOther") is True, PLACEHOLDER),
        (bool(resolution), f"being resolved ({str(resolution)[:20]})"),
    )
    return tuple(words for holds, words in told if holds)
