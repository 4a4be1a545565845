"""The public Data API: positions, settled trades and activity of an account, a second source (polymarket-api.md 8).

Cached for seconds to minutes, numbers as floats, and silent about what it left out: nothing here is evidence.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from core.clock import Clock
from core.errors import MalformedMessage, VenueError
from core.events import (
    ActivityKind,
    ActivityRead,
    ActivityRow,
    IndexedTrade,
    IndexedTradesRead,
    PositionsRead,
)
from core.units import Shares, Usd
from core.venue.http import answer_of, http_client, json_of
from core.venue.lenient import id_of, micro_of, shown, side_of, summary, text_of, unix_of, word_of

PAGE: Final = 500
"""Largest page; whoever asks for more, or for less than the venue likes, is not told what was cut."""
MOST_PAGES: Final = 10
"""Offsets beyond 1,000 to 3,500 are refused with 400."""
_MARKS: Final = ("type", "asset", "conditionId", "transactionHash", "side", "size", "timestamp")
"""What a row is known by; prices and values in it move."""
_KINDS: Final[dict[str, ActivityKind]] = {
    "TRADE": "trade",
    "SPLIT": "split",
    "MERGE": "merge",
    "REDEEM": "redeem",
    "CONVERSION": "convert",
    "REWARD": "reward",
    "YIELD": "reward",
    "REFERRAL_REWARD": "reward",
    "MAKER_REBATE": "rebate",
    "TAKER_REBATE": "rebate",
    "DEPOSIT": "deposit",
    "WITHDRAWAL": "withdrawal",
}
"""Kinds of activity (polymarket-api.md 8; referrals as the official client names them); all others are ``other``."""
_ASKED: Final = ",".join(name for name in _KINDS if name != "TRADE")
_WITHOUT_CASH: Final[tuple[ActivityKind, ...]] = ("convert", "other")
"""Kinds whose rows may leave the dollars out."""

Made = TypeVar("Made")


class DataApi:
    """Reads of the Data API; a read never raises, it says whether it is complete."""

    def __init__(self, base_url: str, wallet: str, clock: Clock) -> None:
        """``wallet`` is the funder's address."""
        self._wallet = wallet
        self._client = http_client(base_url, 5.0)
        self._clock = clock

    async def positions(self, tokens: Collection[str]) -> PositionsRead:
        """Shares that the index shows of these tokens, dust included; what it does not list is left out, not 0.

        Args:
            tokens: told of; all that are held when there are none.
        """
        asked_s = self._clock.monotonic()
        rows, problems = await self._rows(
            "/positions", {"user": self._wallet, "sizeThreshold": "0"}, lambda page: False
        )
        held: dict[str, Shares] = {}
        for number, row in enumerate(rows):
            try:
                token, size = _position(row, self._wallet)
                if token in held:
                    raise MalformedMessage(f"token {shown(token)} stands there twice")
            except MalformedMessage as error:
                problems.append(f"/positions, row {number}: {error}")
            else:
                held[token] = size
        return PositionsRead(
            asked_s=asked_s,
            holdings=tuple((token, size) for token, size in held.items() if not tokens or token in tokens),
            complete=not problems,
            problem=summary(problems),
        )

    async def trades_since(self, after_unix: int) -> IndexedTradesRead:
        """The account's settled trades from a moment on (unix seconds), as maker and as taker, newest first."""
        asked_s = self._clock.monotonic()
        asked = {"user": self._wallet, "takerOnly": "false"}
        rows, problems = await self._rows("/trades", asked, _older_than(after_unix))
        trades = self._read("/trades", rows, _trade, problems)
        return IndexedTradesRead(
            asked_s=asked_s,
            after_unix=after_unix,
            trades=tuple(trade for trade in trades if trade.unix >= after_unix),
            complete=not problems,
            problem=summary(problems),
        )

    async def activity(self, after_unix: int) -> ActivityRead:
        """What the account did and got from a moment on (unix seconds), newest first.

        Deposits and withdrawals are left out by the venue unless they are asked for, as the official client does.
        Trades are left out here: they have a list of their own, and those of a busy maker would fill all the pages.
        """
        asked_s = self._clock.monotonic()
        asked = {"user": self._wallet, "start": str(after_unix), "type": _ASKED, "excludeDepositsWithdrawals": "false"}
        rows, problems = await self._rows("/activity", asked, _older_than(after_unix))
        found = self._read("/activity", rows, activity_row, problems)
        return ActivityRead(
            asked_s=asked_s,
            after_unix=after_unix,
            rows=tuple(row for row in found if row.unix >= after_unix),
            complete=not problems,
            problem=summary(problems),
        )

    def _read(self, path: str, rows: list[Any], read: Callable[[Any, str], Made], problems: list[str]) -> list[Made]:
        """What rows of the account tell; one that cannot be read is a problem, and costs no other."""
        made = []
        for number, row in enumerate(rows):
            try:
                made.append(read(row, self._wallet))
            except MalformedMessage as error:
                problems.append(f"{path}, row {number}: {error}")
        return made

    async def _rows(
        self, path: str, params: dict[str, str], is_enough: Callable[[list[Any]], bool]
    ) -> tuple[list[Any], list[str]]:
        """Rows of all pages, and why these may not be all.

        Pages go by offset, so each begins with the last row of the one before: where it does not, the list moved.
        The end is a page without a new row, because a limit may be cut down without a word.
        """
        rows: list[Any] = []
        for number in range(1, MOST_PAGES + 1):
            where = f"{path}, page {number}"
            paging = {"limit": str(PAGE), "offset": str(max(0, len(rows) - 1))}
            try:
                status, body = await answer_of(self._client, "GET", path, params=params | paging)
                if status != 200:
                    return rows, [f"{where}: status {status}"]
                page = json_of(body, where)
            except VenueError as error:
                return rows, [str(error)]
            if not isinstance(page, list):
                return rows, [f"{where}: not a list of rows"]
            if rows:
                if not page or _marks(page[0]) != _marks(rows[-1]):
                    return rows, [f"{where}: the list moved while it was read"]
                page = page[1:]
            rows += page
            if not page or is_enough(page):
                return rows, []
        return rows, [f"{path}: more than {MOST_PAGES} pages"]

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _older_than(unix: int) -> Callable[[list[Any]], bool]:
    """Whether all rows of a page are from before a moment: newest come first, so that nothing is left to ask for."""

    def is_older(page: list[Any]) -> bool:
        return all(isinstance(row, dict) and 0 < unix_of(row.get("timestamp")) < unix for row in page)

    return is_older


def _marks(row: Any) -> Any:
    return [row.get(name) for name in _MARKS] if isinstance(row, dict) else row


def _own(row: Any, wallet: str) -> dict[str, Any]:
    """A row of our account: an index that overlooks ``user`` lists everybody's."""
    if not isinstance(row, dict):
        raise MalformedMessage("no object")
    if text_of(row.get("proxyWallet")).lower() != wallet.lower():
        raise MalformedMessage(f"of another account: {shown(row.get('proxyWallet'))}")
    return row


def _position(raw: Any, wallet: str) -> tuple[str, Shares]:
    row = _own(raw, wallet)
    token = id_of(row.get("asset"))
    if not token:
        raise MalformedMessage("no asset")
    return token, Shares(micro_of(row.get("size")))


def _trade(raw: Any, wallet: str) -> IndexedTrade:
    row = _own(raw, wallet)
    transaction, token, side = id_of(row.get("transactionHash")), id_of(row.get("asset")), side_of(row.get("side"))
    unix = unix_of(row.get("timestamp"))
    if not (transaction and token and side and unix):
        raise MalformedMessage("no transaction, asset, side or time")
    return IndexedTrade(
        transaction=transaction,
        token=token,
        order_side=side,
        size=Shares(micro_of(row.get("size"))),
        price=id_of(row.get("price")),
        unix=unix,
    )


def activity_row(raw: Any, wallet: str) -> ActivityRow:
    """A row of GET /activity.

    Raises:
        MalformedMessage: it is of another account, or without type, time, or dollars where those have a direction.
    """
    row = _own(raw, wallet)
    word, unix = word_of(row.get("type")), unix_of(row.get("timestamp"))
    if not word or not unix:
        raise MalformedMessage("no type or time")
    kind = _KINDS.get(word, "other")
    told, size = row.get("usdcSize"), row.get("size")
    is_untold = told is None and kind in _WITHOUT_CASH
    return ActivityRow(
        kind=kind,
        transaction=id_of(row.get("transactionHash")),
        unix=unix,
        market=id_of(row.get("conditionId")),
        token=id_of(row.get("asset")),
        size=Shares(0 if size is None else micro_of(size)),
        usd=Usd(0 if is_untold else micro_of(told)),
    )
