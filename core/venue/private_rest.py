"""Authenticated reads of the CLOB: our orders, trades and balances, read leniently (polymarket-api.md 3.3, 4.2, 4.3).

The official client's list parsers refuse a whole page for one empty number (order-clients.md), so state is read here.
A read of the account never raises: it says whether it is complete, and absence may be concluded from complete ones
only (reliability.md 4.4).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from core.clock import Clock
from core.errors import CredentialError, MalformedMessage, VenueError, VenueRefused, VenueUnavailable
from core.events import BalancesRead, OpenOrdersRead, OrderSeen, ScoringSeen, TradesRead
from core.risk.budget import Meter, Rate
from core.units import Shares, Usd
from core.venue.account_rows import ORDERS_PATH, TRADES_PATH, open_orders_read, trades_read
from core.venue.answers import Answer, mode_sign
from core.venue.credentials import ApiCredentials
from core.venue.gateway import AuthSign, Sign
from core.venue.http import answer_of, http_client, json_of
from core.venue.l2 import l2_headers
from core.venue.lenient import id_of, shown, summary, text_of
from core.venue.order_id import exchange_of
from core.venue.pages import PageLedger
from core.venue.user_channel import order_seen

log = logging.getLogger(__name__)

BALANCES: Final = Rate(per_s=15.0, burst=40.0)
"""Requests for balances: at most 190 in any 10 s, of which the venue allows 200 (polymarket-api.md 10.1)."""
ABREAST: Final = 6
"""Balances asked for at a time: 20 a second where a round trip takes 0.3 s, so that distance does not decide."""
_BALANCE_DIGITS: Final = 18
_LONGEST_TOKEN: Final = 78
"""Digits of 256 bits."""


class PrivateRest:
    """Reads that need the API credentials of one signer."""

    def __init__(
        self,
        base_url: str,
        address: str,
        credentials: ApiCredentials,
        clock: Clock,
        *,
        wallet: str,
        signature_type: int,
        on_sign: Callable[[Sign], None],
    ) -> None:
        """Prepare the client; nothing is asked yet.

        Args:
            base_url: of the CLOB.
            address: the signer's own, for every kind of wallet (polymarket-api.md 3.1).
            credentials: of the signer.
            clock: stamps requests and says when they left.
            wallet: the funder's address; trades that name it are ours, whatever API key they came in with.
            signature_type: kind of the wallet, 0 to 3, without which the venue shows another one's balances (4.3).
            on_sign: hears what a refusal of service says of the venue's mode, or of the credentials.
        """
        self._client = http_client(base_url, 5.0)
        self._address = address
        self._credentials = credentials
        self._clock = clock
        self._wallet = wallet
        self._signature_type = signature_type
        self._on_sign = on_sign
        self._balance_pace = Meter(BALANCES)

    async def open_orders(self) -> OpenOrdersRead:
        """All open orders, page by page.

        Cursors are offsets: of a list of several pages an order may slip through while others leave it, and a page
        that came short cannot be told from a short list. So one absence is no proof, two lists are.
        """
        asked_s = self._clock.monotonic()
        rows, problems = await self._pages(ORDERS_PATH, {})
        return open_orders_read(rows, asked_s, problems)

    async def trades_since(self, after_unix: int) -> TradesRead:
        """Our parts of all trades of the account from a moment on, page by page.

        The venue leaves the moment itself out, so a second more is asked for. No ``before`` is sent: a venue's clock
        behind ours would hide the newest. Trades told while pages are read make rows come twice and none be missed.
        """
        asked_s = self._clock.monotonic()
        rows, problems = await self._pages(TRADES_PATH, {"after": str(max(0, after_unix - 1))})
        return trades_read(rows, self._credentials.key.reveal(), self._wallet, asked_s, after_unix, problems)

    async def _pages(self, path: str, params: dict[str, str]) -> tuple[list[Any], list[str]]:
        """Rows of all pages, and why these may not be all: the ledger of completeness (reliability.md X30)."""
        ledger, is_more = PageLedger(path), True
        while is_more:
            try:
                page = await self._ask("GET", path, params | ({"next_cursor": ledger.cursor} if ledger.cursor else {}))
            except (VenueError, CredentialError) as error:
                ledger.failed(str(error))
                break
            is_more = ledger.take(page)
        return ledger.rows, ledger.problems

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """What the venue says of one order; None when it gave no answer that can be used, which is logged.

        An order that is filled or cancelled may read as ``absent`` (polymarket-api.md 4.2).
        """
        path, asked_s = f"/data/order/{order_id}", self._clock.monotonic()
        try:
            told = await self._ask("GET", path, {}, absent_is_none=True)
            if not told and (told is None or isinstance(told, dict)):
                return OrderSeen(order_id=order_id, status="absent", asked_s=asked_s)
            if not isinstance(told, dict) or id_of(told.get("id")).lower() != order_id.lower():
                raise MalformedMessage(f"{path}: not the order that was asked for")
            seen = order_seen(order_id, told.get("status"), told.get("size_matched"))
        except (VenueError, CredentialError, MalformedMessage) as error:
            log.info("order_read_failed", extra={"order_id": order_id, "detail": str(error)})
            return None
        return replace(seen, asked_s=asked_s)

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Which of these orders count for liquidity rewards; None when there was no answer to use, which is logged."""
        path = "/orders-scoring"
        try:
            flags = await self._ask("POST", path, {}, msgspec.json.encode(list(order_ids)))
            if not isinstance(flags, dict) or not all(isinstance(flag, bool) for flag in flags.values()):
                raise VenueRefused(f"{path}: not a flag for each order")
        except (VenueError, CredentialError) as error:
            log.info("scoring_read_failed", extra={"detail": str(error)})
            return None
        return ScoringSeen(scoring=tuple((order, flags[order]) for order in order_ids if order in flags))

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        """Cash and the shares of these tokens, in base units as the venue tells them; open orders are not taken off.

        Cash first, then a few tokens at a time. A balance that cannot be read costs no other; when the venue gives no
        answer, the rest is not asked for.

        Args:
            tokens: conditional tokens and Protocol V2 positions.
        """
        asked_s = self._clock.monotonic()
        amounts: dict[str, int] = {}
        problems: list[str] = []
        is_served = await self._note_balance("", amounts, problems)
        left = deque(tokens if is_served else ())

        async def ask() -> None:
            while left:
                if not await self._note_balance(left.popleft(), amounts, problems):
                    left.clear()

        async with asyncio.TaskGroup() as group:
            for _ in range(ABREAST):
                group.create_task(ask())
        cash = amounts.get("")
        return BalancesRead(
            asked_s=asked_s,
            cash=None if cash is None else Usd(cash),
            holdings=tuple((token, Shares(amounts[token])) for token in tokens if token in amounts),
            complete=not problems,
            problem=summary(problems),
        )

    async def _note_balance(self, token: str, amounts: dict[str, int], problems: list[str]) -> bool:
        """Ask for one balance in its turn, and note it or why not; False when the venue gives no answer."""
        now = self._clock.monotonic()
        turn_s = self._balance_pace.wait_s(1, now)
        self._balance_pace.take(1, now)
        await asyncio.sleep(turn_s)
        try:
            amounts[token] = await self._balance(token)
        except VenueRefused as error:
            problems.append(str(error))
        except (VenueUnavailable, CredentialError) as error:
            problems.append(str(error))
            return False
        return True

    async def _balance(self, token: str) -> int:
        """Base units of one token, of cash without one."""
        path, params = "/balance-allowance", {"signature_type": str(self._signature_type)}
        if token:
            params |= {"asset_type": _asset_type(token), "token_id": token}
        else:
            params |= {"asset_type": "COLLATERAL"}
        answer = await self._ask("GET", path, params)
        text = text_of(answer.get("balance")) if isinstance(answer, dict) else ""
        if not (text.isascii() and text.isdigit() and len(text) <= _BALANCE_DIGITS):
            raise VenueRefused(f"{path}, {f'token {shown(token)}' if token else 'cash'}: no balance in the answer")
        return int(text)

    async def _ask(
        self, method: str, path: str, params: dict[str, str], content: bytes = b"", *, absent_is_none: bool = False
    ) -> Any:
        timestamp = int(self._clock.unix())
        headers = l2_headers(self._address, self._credentials, timestamp, method, path, content.decode())
        if content:
            headers["Content-Type"] = "application/json"
        sent = content or None
        status, body = await answer_of(self._client, method, path, params=params, headers=headers, content=sent)
        if sign := mode_sign(Answer(status=status, body=body)):
            self._on_sign(sign)
        if status == 401:
            self._on_sign(AuthSign())
            raise CredentialError(f"{path}: the venue refuses the API credentials (check the clock too)")
        is_absent = absent_is_none and status == 404
        if status != 200 and not is_absent:
            kind = VenueUnavailable if status in (425, 429) or status >= 500 else VenueRefused
            raise kind(f"{path}: status {status}")
        told = json_of(body, path)
        return None if is_absent else told

    async def try_credentials(self) -> None:
        """Ask something that needs the credentials, and nothing else.

        Raises:
            CredentialError: they are refused.
            VenueError: there was no answer, or none to use.
        """
        await self._ask("GET", ORDERS_PATH, {})

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _asset_type(token: str) -> str:
    """The kind of asset a token is asked for as (polymarket-api.md 4.3)."""
    is_number = token.isascii() and token.isdigit() and len(token) <= _LONGEST_TOKEN
    return "CONDITIONAL-V2" if is_number and exchange_of(int(token), neg_risk=False) == "v3" else "CONDITIONAL"
