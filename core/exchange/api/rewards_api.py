"""CLOB REST: reward programmes, what makers earned of them, and fee rebates (polymarket-api.md 4.3, 9.2, 9.3)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.cursors import cursor_page
from core.exchange.api.gamma import FOREVER, REWARD_ASSET, item_title, tags_of
from core.exchange.api.host import Handler, Host, answer, refused
from core.exchange.api.marks import mark
from core.exchange.api.params import Asked, BadParam
from core.exchange.auth import Credentials
from core.exchange.ledger import Account
from core.exchange.listing import Listing
from core.units import MICRO, OUTCOMES, Usd, micro_text
from core.venue.wallets import wallets_of

PAGE: Final = 100
PAGE_MOST: Final = 500
_NAMES: Final = {"YES": "Yes", "NO": "No"}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_RATE: Final = 1
"""Dollars a unit of the asset that rewards are paid in is worth."""

Row = dict[str, Any]


class Share(NamedTuple):
    """What one wallet has to do with one market's programme."""

    wallet: str
    listing: Listing
    earned: Usd
    part: float
    """Of the pool at the last sample, 0 to 1."""


class RewardsApi:
    """Programmes for anybody, earnings for those who prove who they are."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        public: tuple[tuple[str, Callable[[Request, Asked], Any]], ...] = (
            ("/rewards/markets/current", self._current),
            ("/rewards/markets/multi", self._multi),
            ("/rewards/markets/{market}", self._market),
            ("/rebates/current", self._rebates),
        )
        private: tuple[tuple[str, Callable[[Asked, Credentials], Any]], ...] = (
            ("/rewards/user", self._earnings),
            ("/rewards/user/total", self._total),
            ("/rewards/user/percentages", self._percentages),
            ("/rewards/user/markets", self._user_markets),
        )
        return [
            *(Route(path, self._open(answerer), methods=["GET"]) for path, answerer in public),
            *(Route(path, self._proven(answerer), methods=["GET"]) for path, answerer in private),
        ]

    def _open(self, answerer: Callable[[Request, Asked], Any]) -> Handler:
        def handle(request: Request, body: bytes) -> Response:
            try:
                return answer(answerer(request, Asked(request.query_params)))
            except BadParam as error:
                return refused(str(error))

        return self._host.public(handle)

    def _proven(self, answerer: Callable[[Asked, Credentials], Any]) -> Handler:
        def handle(request: Request, who: Credentials, body: bytes) -> Response:
            try:
                return answer(answerer(Asked(request.query_params), who))
            except BadParam as error:
                return refused(str(error))

        return self._host.private(handle)

    def _programmes(self) -> list[Listing]:
        """Markets that pay rewards now."""
        exchange = self._exchange
        return [
            listing
            for market, listing in exchange.listings.items()
            if listing.plot.daily_reward and exchange.phase(market) in ("open", "paused")
        ]

    def _current(self, request: Request, asked: Asked) -> Row:
        return cursor_page(self._programmes(), asked.text("next_cursor"), PAGE_MOST, _current_row)

    def _market(self, request: Request, asked: Asked) -> Row:
        """The programme of one market: a list of one, or of none."""
        wanted = request.path_params["market"].lower()
        if wanted not in self._exchange.listings:
            raise BadParam(refusals.MARKET_NOT_FOUND)
        found = [each for each in self._programmes() if each.instrument.market == wanted]
        return cursor_page(found, asked.text("next_cursor"), PAGE, self._market_row)

    def _market_row(self, listing: Listing) -> Row:
        plot, market = listing.plot, listing.instrument.market
        tokens = [
            {
                "token_id": listing.instrument.token_of(outcome),
                "outcome": _NAMES[outcome],
                "price": mark(self._exchange, market, outcome) / MICRO,
            }
            for outcome in OUTCOMES
        ]
        return {
            "condition_id": market,
            "question": plot.question,
            "market_slug": listing.slug,
            "event_slug": listing.event_slug,
            "image": "",
            "rewards_max_spread": plot.reward_cents,
            "rewards_min_size": plot.reward_size,
            "market_competitiveness": 0,
            "tokens": tokens,
            "rewards_config": [_config(listing)],
        }

    def _multi(self, request: Request, asked: Asked) -> Row:
        """Programmes to choose from, with the figures one chooses by."""
        words = asked.text("q").lower().split()
        ids, events, slugs = asked.repeated("market_id"), asked.repeated("event_id"), asked.repeated("tag_slug")
        title = asked.text("event_title").lower()
        found = [
            self._multi_row(each)
            for each in self._programmes()
            if all(word in each.plot.question.lower() for word in words)
            and (not ids or each.gamma_id in ids)
            and (not events or each.event_id in events)
            and (not slugs or slugs & {tag["slug"] for tag in tags_of(each)})
            and title in each.event_title.lower()
        ]
        found = _within(found, asked)
        order = asked.text("order_by")
        if order:
            if order not in _COLUMNS:
                raise BadParam("invalid order_by")
            backwards = asked.choice("position", ("ASC", "DESC")) == "DESC"
            found.sort(key=_COLUMNS[order], reverse=backwards)
        return cursor_page(
            found, asked.text("next_cursor"), asked.whole("page_size", PAGE, 1, PAGE_MOST), lambda row: row
        )

    def _multi_row(self, listing: Listing) -> Row:
        plot, market = listing.plot, listing.instrument.market
        face = self._exchange.faces[market]
        grid = face.instrument.grid
        bid, ask = face.top("YES")
        return self._market_row(listing) | {
            "market_id": listing.gamma_id,
            "spread": grid.dollars((grid.k if ask is None else ask) - (bid or 0)),
            "group_item_title": item_title(plot),
            "volume_24hr": plot.volume_week / 6 + self._exchange.traded[market] / MICRO,
            "event_id": listing.event_id,
            "created_at": _iso(listing.start_unix),
            "end_date": _iso(listing.end_unix),
            "one_day_price_change": 0,
        }

    def _rebates(self, request: Request, asked: Asked) -> list[Row]:
        day, maker = _day(asked), asked.text("maker_address")
        if not _ADDRESS.fullmatch(maker):
            raise BadParam("invalid maker_address")
        return [
            {
                "date": day,
                "condition_id": market,
                "asset_address": REWARD_ASSET,
                "maker_address": maker,
                "rebated_fees_usdc": micro_text(amount),
            }
            for market, amount in self._exchange.rewards.rebates(maker, day).items()
        ]

    def _wallets(self, asked: Asked, who: Credentials) -> list[Account]:
        kind = asked.whole("signature_type", 0, most=3)
        found = [self._exchange.ledger.accounts.get(wallet.lower()) for wallet in wallets_of(who.address, kind)]
        return [account for account in found if account is not None]

    def _shares(self, asked: Asked, who: Credentials, day: str) -> Iterator[Share]:
        """A key's wallets of one kind in every market in which they earned or are about to."""
        rewards = self._exchange.rewards
        for account in self._wallets(asked, who):
            earned = rewards.earned(account.address, day)
            for market, listing in self._exchange.listings.items():
                part = rewards.share(account.address, market)
                if part or market in earned:
                    yield Share(account.shown, listing, earned.get(market, Usd(0)), part)

    def _earnings(self, asked: Asked, who: Credentials) -> Row:
        day = _day(asked)
        found = [share for share in self._shares(asked, who, day) if share.earned]
        return cursor_page(found, asked.text("next_cursor"), PAGE, lambda share: _earning(share, day))

    def _total(self, asked: Asked, who: Credentials) -> list[Row]:
        day, sponsored = _day(asked), asked.flag("sponsored") is True
        totals: dict[str, int] = {}
        for share in self._shares(asked, who, day):
            totals[share.wallet] = totals.get(share.wallet, 0) + share.earned
        rows: list[Row] = []
        for wallet, total in totals.items():
            row = _paid(day, wallet, total)
            rows.append(row | {"native_earnings": row["earnings"], "sponsored_earnings": 0} if sponsored else row)
        return rows

    def _percentages(self, asked: Asked, who: Credentials) -> Row:
        parts: dict[str, float] = {}
        for share in self._shares(asked, who, ""):
            market = share.listing.instrument.market
            parts[market] = parts.get(market, 0.0) + round(100 * share.part, 4)
        return parts

    def _user_markets(self, asked: Asked, who: Credentials) -> Row:
        """Every programme, with what a key's first wallet of a kind has earned and is about to."""
        day, rewards = _day(asked), self._exchange.rewards
        rows = []
        for account in self._wallets(asked, who)[:1]:
            earned = rewards.earned(account.address, day)
            for listing in self._programmes():
                market = listing.instrument.market
                paid = earned.get(market, Usd(0)) / MICRO
                rows.append(
                    self._market_row(listing)
                    | {
                        "maker_address": account.shown,
                        "earning_percentage": round(100 * rewards.share(account.address, market), 4),
                        "earnings": [{"asset_address": REWARD_ASSET, "earnings": paid, "asset_rate": _RATE}],
                    }
                )
        if asked.text("order_by") in _USER_COLUMNS:
            backwards = asked.choice("position", ("ASC", "DESC")) == "DESC"
            rows.sort(key=_USER_COLUMNS[asked.text("order_by")], reverse=backwards)
        size = asked.whole("page_size", PAGE, 1, PAGE_MOST)
        return cursor_page(rows, asked.text("next_cursor"), size, lambda row: row) | {"total_count": len(rows)}


_COLUMNS: Final[dict[str, Callable[[Row], Any]]] = {
    "market_id": lambda row: int(row["market_id"]),
    "created_at": lambda row: row["created_at"],
    "volume_24hr": lambda row: row["volume_24hr"],
    "spread": lambda row: row["spread"],
    "competitiveness": lambda row: row["market_competitiveness"],
    "max_spread": lambda row: row["rewards_max_spread"],
    "min_size": lambda row: row["rewards_min_size"],
    "question": lambda row: row["question"],
    "one_day_price_change": lambda row: row["one_day_price_change"],
    "rate_per_day": lambda row: row["rewards_config"][0]["rate_per_day"],
    "price": lambda row: row["tokens"][0]["price"],
    "end_date": lambda row: row["end_date"],
    "start_date": lambda row: row["rewards_config"][0]["start_date"],
    "reward_end_date": lambda row: row["rewards_config"][0]["end_date"],
}
_USER_COLUMNS: Final[dict[str, Callable[[Row], Any]]] = {
    "earnings": lambda row: row["earnings"][0]["earnings"],
    "earning_percentage": lambda row: row["earning_percentage"],
    **{name: _COLUMNS[name] for name in ("max_spread", "min_size", "question", "rate_per_day", "price")},
}
_BOUNDS: Final = ("volume_24hr", "spread", "price")


def _within(rows: list[Row], asked: Asked) -> list[Row]:
    for name in _BOUNDS:
        low, high, column = asked.number(f"min_{name}"), asked.number(f"max_{name}"), _COLUMNS[name]
        rows = [row for row in rows if (low is None or column(row) >= low) and (high is None or column(row) <= high)]
    return rows


def _current_row(listing: Listing) -> Row:
    plot = listing.plot
    return {
        "condition_id": listing.instrument.market,
        "rewards_max_spread": plot.reward_cents,
        "rewards_min_size": plot.reward_size,
        "rewards_config": [_config(listing)],
        "sponsored_daily_rate": 0,
        "sponsors_count": 0,
        "native_daily_rate": plot.daily_reward,
        "total_daily_rate": plot.daily_reward,
    }


def _config(listing: Listing) -> Row:
    return {
        "id": int(listing.gamma_id),
        "asset_address": REWARD_ASSET,
        "start_date": datetime.fromtimestamp(listing.start_unix, UTC).date().isoformat(),
        "end_date": FOREVER,
        "rate_per_day": listing.plot.daily_reward,
        "total_rewards": 0,
    }


def _earning(share: Share, day: str) -> Row:
    return _paid(day, share.wallet, share.earned) | {"condition_id": share.listing.instrument.market}


def _paid(day: str, wallet: str, amount: int) -> Row:
    return {
        "date": f"{day}T00:00:00Z",
        "asset_address": REWARD_ASSET,
        "asset_rate": _RATE,
        "maker_address": wallet,
        "earnings": amount / MICRO,
    }


def _day(asked: Asked) -> str:
    day = asked.text("date")
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise BadParam("invalid date") from error
    if not _DATE.fullmatch(day):
        raise BadParam("invalid date")
    return day


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
