"""What every gateway that sends real orders shares: reads, judging answers, order ids, signs and deadlines.

An implementation lends a client that signs and sends. What the venue answered is taken from the wire, before the
client's own parsers, so every client's answers are judged by the same rules (:mod:`core.venue.answers`).
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final

import httpx
import msgspec
from coincurve import PrivateKey
from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend

from core.actions import Place, SignedPlace
from core.clock import Clock
from core.config import Settings
from core.errors import CredentialError, OutcomeUnknown, PreflightError, VenueRefused, VenueUnavailable
from core.events import (
    ActivityRead,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    IndexedTradesRead,
    MarketMessage,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    PositionsRead,
    ScoringSeen,
    TradesRead,
)
from core.risk.gate import Cleared
from core.units import MICRO, parse_micro
from core.venue import answers
from core.venue.answers import Answer, Bucket
from core.venue.chain_reads import ChainReads
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.data_api import DataApi
from core.venue.gateway import AuthSign, HeartbeatAnswer, Sign
from core.venue.private_rest import PrivateRest
from core.venue.resolutions import Resolutions
from core.venue.rpc import Rpc
from core.venue.wire_stop import Brake, Held

PLACE_DEADLINE_S: Final = 10.0
CANCEL_DEADLINE_S: Final = 5.0
HEARTBEAT_DEADLINE_S: Final = 5.0
"""Longest wait for the answer to a write; after it the outcome is unknown (reliability.md 4.3)."""
DEPOSIT_WALLET: Final = 3
"""Signature type of a contract wallet that is the signer of its orders itself (polymarket-api.md 3.1)."""
RESTARTING_STATUSES: Final = frozenset({425, 503})
"""Answers of a venue that will be back (polymarket-api.md 10.3)."""
_UNAUTHORIZED: Final = 401
_LOT: Final = MICRO // 100
"""The venue keeps two decimals of a size (polymarket-api.md 2.3)."""


class Account(msgspec.Struct, frozen=True):
    """Who signs, for which wallet (polymarket-api.md 3.1)."""

    address: str
    """Of the signer: what the headers of private calls carry, for every kind of wallet."""
    wallet: str
    """Of the wallet that holds the money."""
    signature_type: int
    credentials: ApiCredentials


class _Reads:
    """What is read of an open gateway's account, each source with a connection of its own."""

    def __init__(self, settings: Settings, account: Account, clock: Clock, on_sign: Callable[[Sign], None]) -> None:
        self.private = PrivateRest(
            settings.clob_url,
            account.address,
            account.credentials,
            clock,
            wallet=account.wallet,
            signature_type=account.signature_type,
            on_sign=on_sign,
        )
        self.index = DataApi(settings.data_url, account.wallet, clock)
        self._rpc = Rpc(settings.rpc_url)
        self.chain = ChainReads(self._rpc, account.wallet, clock)
        self.resolutions = Resolutions(settings.gamma_url, self.chain)

    async def close(self) -> None:
        """Release the connections."""
        for source in (self.private, self.index, self._rpc, self.resolutions):
            await source.close()


class ClobGateway(ABC):
    """The :class:`core.venue.gateway.Gateway` of demo and live mode, but for the client that signs and sends."""

    def __init__(
        self,
        settings: Settings,
        wallet: Wallet,
        clock: Clock,
        on_sign: Callable[[Sign], None],
        is_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is connected yet.

        Args:
            settings: addresses of the venue.
            wallet: key and funder.
            clock: stamps requests.
            on_sign: hears what answers tell of the venue's mode, of the signer's buckets and of the credentials.
            is_closed: the kill switch is pulled, so no request with orders may leave; asked directly before its bytes.

        Raises:
            PreflightError: signing would block the session for milliseconds an order.
        """
        if not isinstance(get_backend(), CoinCurveECCBackend):
            raise PreflightError("coincurve is not in use, signing would block the session: install coincurve")
        self._settings = settings
        self._wallet = wallet
        self._clock = clock
        self._on_sign = on_sign
        self._brake = Brake(is_closed)
        self._known: Account | None = None
        self._reads: _Reads | None = None

    @abstractmethod
    async def _connect(self) -> Account:
        """Fetch or derive credentials; raises as :meth:`open` does."""

    @abstractmethod
    async def _derive(self) -> ApiCredentials:
        """The API credentials of the key as the venue has them now; raises as :meth:`open` does."""

    @abstractmethod
    async def _sign(self, place: Place, neg_risk: bool, maker_amount: int, taker_amount: int) -> SignedPlace:
        """Sign an order that gives and gets these amounts; raises as :meth:`sign` does."""

    @abstractmethod
    def _send_orders(self, payloads: list[Any], crosses: bool) -> Awaitable[Answer]:
        """POST /orders: post-only GTC, or FAK where they are to cross (polymarket-api.md 2.5)."""

    @abstractmethod
    def _send_cancels(self, order_ids: list[str]) -> Awaitable[Answer]:
        """DELETE /orders."""

    @abstractmethod
    def _send_cancel_market(self, market: str) -> Awaitable[Answer]:
        """DELETE /cancel-market-orders."""

    @abstractmethod
    def _send_cancel_all(self) -> Awaitable[Answer]:
        """DELETE /cancel-all."""

    @abstractmethod
    def _send_heartbeat(self, heartbeat_id: str) -> Awaitable[Answer]:
        """POST /v1/heartbeats."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Release the client's connections; also after a failed :meth:`_connect`."""

    @property
    def account(self) -> Account:
        """Who trades, known once open.

        Raises:
            VenueUnavailable: it is not.
        """
        if self._known is None:
            raise VenueUnavailable("the gateway is not open")
        return self._known

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials, known once open; the user channel logs in with them."""
        return self.account.credentials

    async def open(self) -> None:
        """Derive or fetch the API credentials and prepare the reads.

        Raises:
            CredentialError: key, wallet or credentials are refused.
            VenueUnavailable: the venue cannot be reached.
            PreflightError: the client is of a version that cannot be used.
        """
        _check_key(self._wallet.private_key)
        account = await self._connect()
        self._reads = _Reads(self._settings, account, self._clock, self._on_sign)
        self._known = account

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Sign one order and compute the id the venue will give it; asks nothing, so it does not yield to others.

        Raises:
            VenueRefused: the order cannot be built.
        """
        return await self._sign(place, neg_risk, *amounts_of(place))

    async def post(self, batch: Sequence[Cleared]) -> list[OrderAnswered]:
        """Send a batch and map the answer to its orders by their ids; all of them cross, or none."""
        if not batch:
            return []
        orders = [cleared.signed for cleared in batch]
        crosses = orders[0].place.crosses
        payloads = [signed.payload for signed in orders]
        answer = await self._write(self._send_orders(payloads, crosses), PLACE_DEADLINE_S, "orders")
        order_ids = {signed.place.intent: signed.order_id for signed in orders}
        told = answers.placements(answer, order_ids, frozenset(order_ids) if crosses else frozenset())
        if any(each.outcome in ("live", "matched", "delayed") for each in told):
            self._on_sign(answers.success_sign("orders"))
        return told

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Cancel up to 1,000 orders by id; doubt comes back as ``unknown`` for each (polymarket-api.md 2.5)."""
        if not order_ids:
            return []
        answer = await self._write(self._send_cancels(list(order_ids)), CANCEL_DEADLINE_S, "cancels")
        self._note_carried_out(answer)
        return answers.cancellations(answer, order_ids)

    async def cancel_market(self, market: str) -> list[CancelAnswered]:
        """Cancel everything of this API key in one market.

        Raises:
            VenueRefused: it was refused for certain.
            OutcomeUnknown: it may have been carried out.
        """
        return await self._cancel_many(self._send_cancel_market(market), "cancel market")

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel everything of this API key; raises as :meth:`cancel_market`."""
        return await self._cancel_many(self._send_cancel_all(), "cancel all")

    async def heartbeat(self, heartbeat_id: str) -> HeartbeatAnswer:
        """Tell the venue that we live; what goes wrong is in the answer."""
        return answers.heartbeat(await self._write(self._send_heartbeat(heartbeat_id), HEARTBEAT_DEADLINE_S, None))

    async def open_orders(self) -> OpenOrdersRead:
        """The account's open orders."""
        return await self._sources.private.open_orders()

    async def trades_since(self, unix: int) -> TradesRead:
        """Our parts of the account's trades since a moment."""
        return await self._sources.private.trades_since(unix)

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """What the venue knows of one order."""
        return await self._sources.private.read_order(order_id)

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Which of these orders count for liquidity rewards."""
        return await self._sources.private.read_scoring(order_ids)

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        """Cash and the holdings of these tokens."""
        return await self._sources.private.balances(tokens)

    async def positions(self, tokens: Sequence[str]) -> PositionsRead:
        """Shares of these tokens by the venue's index."""
        return await self._sources.index.positions(tokens)

    async def indexed_trades(self, unix: int) -> IndexedTradesRead:
        """The account's settled trades by the venue's public index."""
        return await self._sources.index.trades_since(unix)

    async def activity(self, unix: int) -> ActivityRead:
        """What the account did and got since a moment, by the venue's public index."""
        return await self._sources.index.activity(unix)

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        """Cash and the shares of these tokens as mined."""
        return await self._sources.chain.balances(tokens)

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        """What these questions pay, as far as they are resolved for good."""
        return await self._sources.resolutions.read(markets)

    async def check_credentials(self) -> None:
        """Derive the API credentials anew, and try those in use; raises as :class:`core.venue.gateway.Gateway` says."""
        present, fresh = self.credentials, await self._derive()
        if fresh.key.reveal() != present.key.reveal() or fresh.secret.reveal() != present.secret.reveal():
            raise CredentialError("the venue has other API credentials for this key now; start again to use those")
        await self._sources.private.try_credentials()

    def see(self, message: MarketMessage) -> None:  # noqa: B027 - nothing is what a real venue's gateway does here
        """Fills come from the venue, not from the tape."""

    async def close(self) -> None:
        """Release the connections."""
        if self._reads is not None:
            await self._reads.close()
        await self._disconnect()

    @property
    def _sources(self) -> _Reads:
        if self._reads is None:
            raise VenueUnavailable("the gateway is not open")
        return self._reads

    async def _write(self, sending: Awaitable[Answer], deadline_s: float, bucket: Bucket | None) -> Answer:
        """Wait for an answer for so long, and tell what it shows of mode and bucket."""
        try:
            async with asyncio.timeout(deadline_s):
                answer = await sending
        except TimeoutError:
            answer = Answer(status=0, lost=f"nothing within {deadline_s:g} s")
        if bucket is not None and (rate := answers.rate_sign(answer, bucket)):
            self._on_sign(rate)
        if mode := answers.mode_sign(answer):
            self._on_sign(mode)
        if answer.status == _UNAUTHORIZED:
            self._on_sign(AuthSign())
        return answer

    async def _cancel_many(self, sending: Awaitable[Answer], what: str) -> list[CancelAnswered]:
        answer = await self._write(sending, CANCEL_DEADLINE_S, "cancels")
        self._note_carried_out(answer)
        told = answers.told_cancels(answer)
        if told is None:
            kind = VenueRefused if answers.is_refused(answer) else OutcomeUnknown
            raise kind(f"{what}: {answers.in_words(answer)}")
        return told

    def _note_carried_out(self, answer: Answer) -> None:
        if answers.told_cancels(answer) is not None:
            self._on_sign(answers.success_sign("cancels"))


def amounts_of(place: Place) -> tuple[int, int]:
    """What an order gives and gets, base units: a BUY gives cash for shares (polymarket-api.md 2.4).

    Raises:
        VenueRefused: the size has more than two decimals, or the price more than an order can carry.
    """
    cash, rest = divmod(parse_micro(place.price_text) * place.size, MICRO)
    if rest or place.size % _LOT or place.size <= 0:
        raise VenueRefused(f"no order can carry {place.size} micro-shares at {place.price_text}")
    return (cash, place.size) if place.order_side == "BUY" else (place.size, cash)


def _check_key(key: Secret) -> None:
    """Refuse what is no key before a client may quote it in an error."""
    try:
        PrivateKey(bytes.fromhex(key.reveal().removeprefix("0x")))
    except ValueError:
        raise CredentialError("PK is not a private key: it is no number of the curve") from None


# The answer as it came. Both clients use httpx, whose hooks run where the request was made: in the task, or in the
# thread, that called the client.


class _Ear:
    """Who listens to what is asked in a task or thread."""

    def __init__(self, brake: Brake) -> None:
        self.heard: list[Answer] = []
        self.brake = brake
        self.held: Held | None = None
        """What is asked, if it creates orders."""

    def stopped(self, is_unsent: bool) -> None:
        """A request with orders was held back."""
        self.heard.append(Answer(status=0, lost="the kill switch is pulled", unsent=is_unsent))


_ear: ContextVar[_Ear | None] = ContextVar("ear", default=None)


@contextlib.contextmanager
def hearing(brake: Brake) -> Iterator[list[Answer]]:
    """Collects the answers to what is asked in here, on clients that have the hooks below.

    Args:
        brake: of the client; it stops requests with orders (:mod:`core.venue.wire_stop`).
    """
    ear = _Ear(brake)
    token = _ear.set(ear)
    try:
        yield ear.heard
    finally:
        _ear.reset(token)


def hear(response: httpx.Response) -> None:
    """Response hook of a synchronous client."""
    if (ear := _ear.get()) is not None:
        response.read()
        ear.heard.append(_answer(response))


async def hear_async(response: httpx.Response) -> None:
    """Response hook of an asynchronous client."""
    if (ear := _ear.get()) is not None:
        await response.aread()
        ear.heard.append(_answer(response))


def hold_back(request: httpx.Request) -> None:
    """Request hook of a synchronous client."""
    if (ear := _ear.get()) is not None:
        ear.held = ear.brake.hold(request, ear.stopped)


async def hold_back_async(request: httpx.Request) -> None:
    """Request hook of an asynchronous client."""
    if (ear := _ear.get()) is not None:
        ear.held = ear.brake.hold_async(request, ear.stopped)


def look_at(brake: Brake) -> None:
    """What connections of an asynchronous client ask before bytes leave (:func:`core.venue.wire_stop.check_writes`).

    Raises:
        OrdersStopped: they may not.
    """
    ear = _ear.get()
    brake.look(None if ear is None else ear.held)


def _answer(response: httpx.Response) -> Answer:
    told = ((name.lower(), value) for name, value in response.headers.items())
    kept = {name: value for name, value in told if name in answers.HEADERS}
    return Answer(status=response.status_code, body=response.content, headers=kept)


def heard_or_lost(heard: Sequence[Answer], problem: BaseException | None) -> Answer:
    """The answer heard last, or why there is none, by the kind of error: its text may quote headers."""
    if heard:
        return heard[-1]
    cause = problem and (problem.__cause__ or problem.__context__ or problem)
    return Answer(status=0, lost=type(cause).__name__ if cause else "the client asked nothing")
