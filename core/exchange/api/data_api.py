"""Data API, old and new: positions, trades, activity, values, prices (polymarket-api.md 8). Nothing is cached."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange.api.book_api import is_token
from core.exchange.api.data_rows import (
    Holding,
    holdings,
    new_activity,
    new_position,
    new_trade,
    old_position,
    old_spelling,
)
from core.exchange.api.host import Handler, Host, answer
from core.exchange.api.params import Asked, BadParam
from core.exchange.api.price_series import INTERVALS, POINTS_MOST, least_step_s, price_at, series
from core.exchange.history import Entry
from core.units import MICRO

DATA: Final = "/data-api"
"""Where the service stands on the exchange's one port."""
OLD_MOST: Final = 500
"""A larger limit is cut down to this without a word."""
NEW_MOST: Final = 1_000
OLD_OFFSET_MOST: Final = 1_000
"""The lower of the two borders that were measured."""
CONDITIONS_MOST: Final = 20
_USUAL: Final = 100
_DUST: Final = 1.0
"""Shares below which the old API shows no position unless asked to (``sizeThreshold``)."""
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_CONDITION: Final = re.compile(r"0x[0-9a-fA-F]{62}([0-9a-fA-F]{2})?")
_SIDES: Final = ("BUY", "SELL")
_FLOWS: Final = ("DEPOSIT", "WITHDRAWAL")
_DIRECTIONS: Final = ("ASC", "DESC")
_FILTERS: Final = ("CASH", "TOKENS")
_STATUSES: Final = ("OPEN", "CLOSED", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE")
_WINDOW_S: Final = 15 * 86_400

T = TypeVar("T")
Row = dict[str, Any]
_Answerer = Callable[[Asked], Any]
_Column = Callable[[Holding], float | str]


class Names(NamedTuple):
    """How one generation of the API spells its parameters."""

    condition: str
    event: str
    no_flows: str
    taker_only: str
    filter_type: str
    filter_amount: str
    sort_by: str
    direction: str


_OLD: Final = Names(
    "market",
    "eventId",
    "excludeDepositsWithdrawals",
    "takerOnly",
    "filterType",
    "filterAmount",
    "sortBy",
    "sortDirection",
)
_NEW: Final = Names(
    "condition_id",
    "event_id",
    "exclude_deposits_withdrawals",
    "taker_only",
    "filter_type",
    "filter_amount",
    "sort_by",
    "sort_direction",
)
_SORTS: Final[dict[str, _Column]] = {
    "TOKENS": lambda held: held.size,
    "PRICE": lambda held: held.price,
    "TITLE": lambda held: held.listing.plot.question,
    "RESOLVING": lambda held: held.listing.end_unix,
    "CURRENT": lambda held: held.value,
    "CURRENT_VALUE": lambda held: held.value,
    "INITIAL": lambda held: held.cost,
    "AVGPRICE": lambda held: held.average,
    "CASHPNL": lambda held: held.gain,
    "UNREALIZED_PNL": lambda held: held.gain,
    "PERCENTPNL": lambda held: held.gain / (held.cost or 1),
    "REALIZED_PNL": lambda held: held.basis.realized,
    "TOTAL_PNL": lambda held: held.gain + held.basis.realized,
    "TIMESTAMP": lambda held: held.basis.last_ms,
}


class DataApi:
    """What accounts hold and did."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table: tuple[tuple[str, _Answerer], ...] = (
            ("/positions", self._old_positions),
            ("/trades", self._old_trades),
            ("/activity", self._old_activity),
            ("/value", self._old_value),
            ("/v2/positions", self._new_positions),
            ("/v2/trades", self._new_trades),
            ("/v2/activity", self._new_activity),
            ("/v2/value", self._new_value),
            ("/v2/prices-history", self._prices),
        )
        return [Route(DATA + path, self._guarded(answerer), methods=["GET"]) for path, answerer in table]

    def _guarded(self, answerer: _Answerer) -> Handler:
        def handle(request: Request, body: bytes) -> Response:
            try:
                return answer(answerer(Asked(request.query_params)))
            except BadParam as error:
                return answer({"error": str(error)}, 400)

        return self._host.public(handle)

    def _old_positions(self, asked: Asked) -> list[Row]:
        user, least = _user(asked), asked.number("sizeThreshold")
        found = self._holdings(user, asked, _OLD)
        dust = MICRO * (_DUST if least is None else least)
        redeemable, mergeable = asked.flag("redeemable"), asked.flag("mergeable")
        found = [
            held
            for held in found
            if held.size
            and held.size >= dust
            and (not redeemable or held.status == "REDEEMABLE")
            and (not mergeable or held.mergeable)
        ]
        return [old_position(held) for held in _old_page(_arranged(found, asked, _OLD, "TOKENS"), asked)]

    def _new_positions(self, asked: Asked) -> Row:
        user, status = asked.text("user"), asked.choice("status", _STATUSES)
        if not user and len(_conditions(asked)) != 1:
            raise BadParam("Provide user or exactly one condition_id")
        if status == "MERGEABLE" and not user:
            raise BadParam("MERGEABLE requires user")
        found = self._holdings(_user(asked) if user else "", asked, _NEW)
        found = [held for held in found if _has_status(held, status)]
        return _offset_page([new_position(held) for held in _arranged(found, asked, _NEW, "CURRENT_VALUE")], asked)

    def _holdings(self, user: str, asked: Asked, names: Names) -> list[Holding]:
        """Holdings of one account, or of all, that pass the filters every list of positions has."""
        accounts = self._exchange.ledger.accounts
        wanted = accounts.values() if not user else filter(None, [accounts.get(user)])
        conditions, events = _conditions(asked, names), asked.repeated(names.event)
        title, floor = asked.text("title").lower(), asked.number(names.filter_amount) or 0.0
        by_cash = asked.choice(names.filter_type, _FILTERS) == "CASH"
        return [
            held
            for account in wanted
            for held in holdings(self._exchange, account)
            if (not conditions or held.listing.instrument.market in conditions)
            and (not events or held.listing.event_id in events)
            and title in held.listing.plot.question.lower()
            and (held.value if by_cash else held.size) >= floor * MICRO
        ]

    def _old_trades(self, asked: Asked) -> list[Row]:
        found = self._trades(asked, _OLD)
        return [old_spelling(self._row(entry, new_trade)) for entry in _old_page(found, asked)]

    def _new_trades(self, asked: Asked) -> Row:
        page = _number_page(self._trades(asked, _NEW), asked)
        return _enveloped(*page, lambda entry: self._row(entry, new_trade))

    def _trades(self, asked: Asked, names: Names) -> Iterator[Entry]:
        """Trades of one account, or of everybody, newest first; of takers only unless asked otherwise."""
        history = self._exchange.history
        user = _user(asked) if "user" in asked else ""
        fits = self._filter(asked, names)
        taker_only = asked.flag(names.taker_only) is not False
        by_cash = asked.choice(names.filter_type, _FILTERS) == "CASH"
        floor = (asked.number(names.filter_amount) or 0.0) * MICRO
        return (
            entry
            for entry in (history.entries(user) if user else history.feed())
            if entry.kind == "TRADE"
            and (entry.taker or not taker_only)
            and (entry.cash if by_cash else entry.shares) >= floor
            and fits(entry)
        )

    def _old_activity(self, asked: Asked) -> list[Row]:
        found = self._activity(asked, _OLD)
        return [old_spelling(self._row(entry, new_activity)) for entry in _old_page(found, asked)]

    def _new_activity(self, asked: Asked) -> Row:
        ascending = asked.choice("sort_direction", _DIRECTIONS) == "ASC"
        page = _number_page(self._activity(asked, _NEW), asked, ascending=ascending)
        return _enveloped(*page, lambda entry: self._row(entry, new_activity))

    def _activity(self, asked: Asked, names: Names) -> Iterator[Entry]:
        """Everything one account did, newest first unless asked otherwise; flows of cash only when asked for."""
        entries = self._exchange.history.entries(_user(asked))
        kinds, fits = asked.repeated("type"), self._filter(asked, names)
        if asked.choice(names.direction, _DIRECTIONS) == "ASC":
            entries = reversed(list(entries))
        hidden = () if asked.flag(names.no_flows) is False else _FLOWS
        return (
            entry
            for entry in entries
            if entry.kind not in hidden and (not kinds or entry.kind in kinds) and fits(entry)
        )

    def _filter(self, asked: Asked, names: Names) -> Callable[[Entry], bool]:
        conditions, events = _conditions(asked, names), asked.repeated(names.event)
        side = asked.choice("side", _SIDES)
        start_ms, end_ms = asked.whole("start", 0) * 1000, asked.whole("end", 10**15) * 1000 + 999
        listings = self._exchange.listings

        def fits(entry: Entry) -> bool:
            return (
                start_ms <= entry.at_ms <= end_ms
                and (not side or entry.side == side)
                and (not conditions or entry.market in conditions)
                and (not events or (entry.market in listings and listings[entry.market].event_id in events))
            )

        return fits

    def _row(self, entry: Entry, describe: Callable[..., Row]) -> Row:
        return describe(entry, self._exchange.listings.get(entry.market))

    def _old_value(self, asked: Asked) -> list[Row]:
        user = _user(asked)
        return [{"user": user, "value": self._value(user, asked, _OLD)}]

    def _new_value(self, asked: Asked) -> Row:
        user = _user(asked)
        return {"data": {"proxy_wallet": user, "value": self._value(user, asked, _NEW)}}

    def _value(self, user: str, asked: Asked, names: Names) -> float:
        return round(sum(held.value for held in self._holdings(user, asked, names)) / MICRO, 6)

    def _prices(self, asked: Asked) -> Row:
        """Prices of one token over time, oldest first."""
        token, interval = asked.text("token_id"), asked.text("interval")
        if not is_token(token):
            raise BadParam("invalid token_id")
        place, now_s = self._exchange.by_token.get(token), self._exchange.now_ms // 1000
        if sum(name in asked for name in ("interval", "start", "as_of")) != 1 or (
            interval and interval not in INTERVALS
        ):
            raise BadParam("Provide exactly one of interval, start, or as_of")
        if "as_of" in asked:
            at_s = asked.whole("as_of", now_s)
            found = [(at_s, price_at(self._exchange, *place, at_s))] if place else []
            return _offset_page([_point(*each, 0) for each in found], asked, most=POINTS_MOST)
        least = least_step_s(interval) if interval else 60
        step_s = asked.whole("bucket_seconds", least, least, 86_400)
        reach_s = INTERVALS.get(interval)
        start_s = asked.whole("start", 0 if reach_s is None else now_s - reach_s)
        end_s = asked.whole("end", now_s)
        if "start" in asked and not 0 <= end_s - start_s <= _WINDOW_S:
            raise BadParam("the window must not end before it starts or exceed 15 days")
        found = series(self._exchange, *place, start_s, end_s, step_s) if place else []
        return _offset_page([_point(*each, step_s) for each in found], asked, most=POINTS_MOST)


def _user(asked: Asked) -> str:
    user = asked.text("user")
    if not user:
        raise BadParam("required query param 'user' not provided")
    if not _ADDRESS.fullmatch(user):
        raise BadParam("invalid user")
    return user.lower()


def _conditions(asked: Asked, names: Names = _NEW) -> frozenset[str]:
    found = asked.repeated(names.condition, CONDITIONS_MOST if names is _NEW else OLD_MOST)
    if not all(map(_CONDITION.fullmatch, found)):
        raise BadParam(f"invalid {names.condition}")
    return frozenset(f"{each.lower():0<66}" for each in found)


def _has_status(held: Holding, status: str) -> bool:
    """Whether a holding belongs into the list of a status; without one everything that is still held does."""
    if status == "MERGEABLE":
        return held.size > 0 and held.mergeable
    if status == "REDEEMABLE_LOST":
        return held.status == "REDEEMABLE" and not held.price
    return held.status == status if status else held.size > 0


def _arranged(found: list[Holding], asked: Asked, names: Names, usual: str) -> list[Holding]:
    column = _SORTS[asked.choice(names.sort_by, tuple(_SORTS)) or usual]
    return sorted(found, key=column, reverse=asked.choice(names.direction, _DIRECTIONS) != "ASC")


def _old_page(found: Iterable[T], asked: Asked) -> Iterator[T]:
    limit, offset = min(OLD_MOST, asked.whole("limit", _USUAL)), asked.whole("offset", 0)
    if offset > OLD_OFFSET_MOST:
        raise BadParam(f"max historical activity offset of {OLD_OFFSET_MOST} exceeded")
    return islice(found, offset, offset + limit)


def _limit(asked: Asked, most: int) -> int:
    if "offset" in asked:
        raise BadParam("offset is not supported, use cursor")
    return asked.whole("limit", min(_USUAL, most), 1, most)


def _number_page(found: Iterable[Entry], asked: Asked, *, ascending: bool = False) -> tuple[list[Entry], str | None]:
    """A page of entries and the cursor of the next: the number of the last one."""
    limit = _limit(asked, NEW_MOST)
    if "cursor" in asked:
        last = _from_cursor(asked.text("cursor"))
        found = (entry for entry in found if (entry.number > last if ascending else entry.number < last))
    page = list(islice(found, limit + 1))
    return page[:limit], _to_cursor(page[limit - 1].number) if len(page) > limit else None


def _offset_page(rows: list[Row], asked: Asked, most: int = NEW_MOST) -> Row:
    limit = _limit(asked, most)
    start = _from_cursor(asked.text("cursor")) if "cursor" in asked else 0
    following = _to_cursor(start + limit) if start + limit < len(rows) else None
    return _enveloped(rows[start : start + limit], following, lambda row: row)


def _enveloped(page: list[T], cursor: str | None, shown: Callable[[T], Row]) -> Row:
    return {
        "data": [shown(each) for each in page],
        "pagination": {"has_more": cursor is not None, "next_cursor": cursor},
    }


def _to_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def _from_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise BadParam("invalid cursor") from error
    if not text.isdigit() or len(text) > 18:
        raise BadParam("invalid cursor")
    return int(text)


def _point(at_s: int, price: int, step_s: int) -> Row:
    return {"timestamp": at_s, "price": price / MICRO, "resolution_seconds": step_s}
