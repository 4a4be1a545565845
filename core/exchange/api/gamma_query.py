"""Choosing, sorting and paging catalogue objects the way Gamma does (polymarket-api.md 7)."""

import base64
import binascii
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from core.exchange.api.params import Asked, BadParam

PAGE_MOST: Final = 100
"""A larger limit is cut down to this without a word."""
PAGE_USUAL: Final = 20
OFFSET_MOST: Final = 2_000
IDS_MOST: Final = 100
"""Most values of one list filter."""

Thing = dict[str, Any]
"""A market or an event as the catalogue describes it."""
Key = list[str | float | int]

_NUMBERS: Final = frozenset(
    (
        *("id", "volumeNum", "liquidityNum", "volume24hr", "volume1wk", "volume1mo", "volume1yr", "volumeClob"),
        *("liquidityClob", "bestBid", "bestAsk", "spread", "lastTradePrice", "rewardsMinSize", "rewardsMaxSpread"),
        *("orderMinSize", "orderPriceMinTickSize", "openInterest", "commentCount"),
    )
)
_TEXTS: Final = frozenset(
    (
        *("slug", "question", "title", "ticker", "conditionId", "category"),
        *("startDate", "endDate", "createdAt", "creationDate", "closedTime"),
    )
)
_OWN_KIND: Final = frozenset(("volume", "liquidity"))
"""Texts in a market and sorted as such, numbers in an event."""

_Compare = Callable[[Any, Any], bool]
_SETS: Final = (
    ("id", "id"),
    ("slug", "slug"),
    ("condition_ids", "conditionId"),
    ("question_ids", "questionID"),
    ("version", "version"),
    ("uma_resolution_status", "umaResolutionStatus"),
)
_RANGES: Final[tuple[tuple[str, str, _Compare], ...]] = (
    ("liquidity_num_min", "liquidityNum", operator.ge),
    ("liquidity_num_max", "liquidityNum", operator.le),
    ("volume_num_min", "volumeNum", operator.ge),
    ("volume_num_max", "volumeNum", operator.le),
    ("liquidity_min", "liquidityClob", operator.ge),
    ("liquidity_max", "liquidityClob", operator.le),
    ("volume_min", "volume1yr", operator.ge),
    ("volume_max", "volume1yr", operator.le),
    ("rewards_min_size", "rewardsMinSize", operator.ge),
)
_DATES: Final[tuple[tuple[str, str, _Compare], ...]] = (
    ("start_date_min", "startDate", operator.ge),
    ("start_date_max", "startDate", operator.le),
    ("end_date_min", "endDate", operator.ge),
    ("end_date_max", "endDate", operator.le),
)
_FLAGS: Final = ("closed", "active", "archived")


def chosen(things: list[Thing], asked: Asked, *, ignored: tuple[str, ...] = ()) -> list[Thing]:
    """What passes every filter of a request; filters that are ``ignored`` are not even read.

    Raises:
        BadParam: a filter's value is not of its kind.
    """
    tests: list[tuple[str, _Compare, Any]] = []
    for name, field in _SETS:
        wanted = asked.repeated(name, IDS_MOST)
        if wanted:
            tests.append((field, _is_in, wanted))
    for name, field, compare in _RANGES:
        bound = asked.number(name)
        if bound is not None:
            tests.append((field, compare, bound))
    for name, field, compare in _DATES:
        moment = asked.moment(name)
        if moment is not None:
            tests.append((field, compare, _iso(moment, name)))
    for name in _FLAGS:
        flag = asked.flag(name) if name not in ignored else None
        if flag is not None:
            tests.append((name, operator.is_, flag))
    return [
        thing
        for thing in things
        if all(field in thing and compare(thing[field], bound) for field, compare, bound in tests)
    ]


class Sorting:
    """The order a request asks for; numeric ids decide between equals.

    Raises:
        BadParam: it is no field to sort by, such as one in snake_case.
    """

    def __init__(self, asked: Asked) -> None:
        self._names = [name.strip() for name in asked.text("order").split(",")] if "order" in asked else []
        if not _NUMBERS.union(_TEXTS, _OWN_KIND).issuperset(self._names):
            raise BadParam("order fields are not valid")
        self._backwards = asked.flag("ascending") is False and bool(self._names)

    def key(self, thing: Thing) -> Key:
        """What a thing is sorted by."""
        return [_column(thing, name) for name in (*self._names, "id")]

    def sorted(self, things: list[Thing]) -> list[Thing]:
        """All of them in order."""
        return sorted(things, key=self.key, reverse=self._backwards)

    def after(self, things: list[Thing], cursor: str) -> list[Thing]:
        """Those of a sorted list that come after a cursor.

        Raises:
            BadParam: the cursor was not made for this order.
        """
        try:
            last = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=Key)
            if len(last) != len(self._names) + 1:
                raise BadParam("invalid cursor")
            beyond = operator.lt if self._backwards else operator.gt
            return [thing for thing in things if beyond(self.key(thing), last)]
        except (binascii.Error, ValueError, TypeError) as error:
            raise BadParam("invalid cursor") from error

    def cursor(self, thing: Thing) -> str:
        """The cursor that continues after a thing."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self.key(thing))).decode()


def keyset_page(things: list[Thing], asked: Asked, name: str) -> Thing:
    """One page of a keyset list; ``next_cursor`` is absent at the end.

    Raises:
        BadParam: a bad parameter, or ``offset``, which these lists do not know.
    """
    if "offset" in asked:
        raise BadParam("offset is not supported, use after_cursor")
    limit = max(1, min(PAGE_MOST, asked.whole("limit", PAGE_USUAL)))
    sorting = Sorting(asked)
    found = sorting.sorted(things)
    if "after_cursor" in asked:
        found = sorting.after(found, asked.text("after_cursor"))
    page: Thing = {name: found[:limit]}
    if len(found) > limit:
        page["next_cursor"] = sorting.cursor(found[limit - 1])
    return page


def offset_page(things: list[Thing], asked: Asked) -> list[Thing]:
    """One page of the old lists.

    Raises:
        BadParam: a bad parameter, or an offset too deep.
    """
    limit = min(PAGE_MOST, asked.whole("limit", PAGE_USUAL))
    offset = asked.whole("offset", 0, most=OFFSET_MOST)
    return Sorting(asked).sorted(things)[offset : offset + limit]


def _is_in(value: object, wanted: frozenset[object]) -> bool:
    return value in wanted


def _column(thing: Thing, name: str) -> str | float | int:
    if name == "id":
        return int(thing["id"])
    usual: str | int = 0 if name in _NUMBERS else ""
    value: str | float | int = thing.get(name, usual)
    return value


def _iso(unix_s: float, name: str) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError) as error:
        raise BadParam(f"invalid {name}") from error
