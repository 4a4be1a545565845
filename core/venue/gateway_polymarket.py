"""Orders through the venue's official client: signing, posting, cancelling, heartbeats, credentials.

Its streams, its list parsers and its place helpers, which may send approvals, are not used (order-clients.md).
Importing it costs most of a second, so nothing imports this module before orders can be placed. A few private names
of the client are needed; a contract test holds them in place, and a client without them is refused at start.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import httpx

from core.actions import Place, SignedPlace
from core.clock import Clock
from core.config import Settings
from core.errors import CredentialError, PreflightError, VenueRefused, VenueRestarting, VenueUnavailable
from core.units import micro_text
from core.venue.answers import Answer, in_a_line
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.gateway import Sign
from core.venue.gateway_clob import (
    RESTARTING_STATUSES,
    Account,
    ClobGateway,
    hear_async,
    heard_or_lost,
    hearing,
    hold_back_async,
    look_at,
)
from core.venue.order_id import order_id
from core.venue.order_signer import OrderSigner
from core.venue.wire_stop import check_writes


def _another_client() -> PreflightError:
    """The refusal of a client whose private names are not those used here."""
    try:
        found = version("polymarket-client")
    except PackageNotFoundError:
        found = "(none)"
    return PreflightError(f"polymarket-client {found} is not what this program was written for: install >=0.14,<0.15")


try:
    from polymarket import AsyncSecureClient
    from polymarket._internal.actions.orders.market_data import MarketInfo, PlatformFeeInfo
    from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
    from polymarket.clients._transport import AsyncTransport
    from polymarket.environments import Environment
    from polymarket.errors import PolymarketError, RequestRejectedError, UserInputError
    from polymarket.models.clob.orders import SignedOrder
except ImportError as error:
    raise _another_client() from error

_CREDENTIAL_STATUSES: Final = frozenset({400, 401, 403, 404})
_SIGNATURE_TYPES: Final = {"EOA": 0, "POLY_PROXY": 1, "GNOSIS_SAFE": 2, "DEPOSIT_WALLET": 3}
_NO_FEE: Final = PlatformFeeInfo(rate=Decimal(0), exponent=Decimal(0))


def environment_for(settings: Settings) -> Environment:
    """The official client's environment with our addresses; the client has no public constructor for one.

    Raises:
        PreflightError: this version of the client has other parts inside.
    """
    try:
        config = dataclasses.replace(
            PRODUCTION_CONFIG,
            clob_url=settings.clob_url,
            gamma_url=settings.gamma_url,
            data_url=settings.data_url,
            relayer_url=settings.relayer_url,
            rpc_url=settings.rpc_url,
            clob_market_ws_url=settings.ws_market_url,
            clob_user_ws_url=settings.ws_user_url,
        )
        return create_environment(name="polymm", config=config)
    except TypeError as error:
        raise _another_client() from error


def trial_connections(url: str) -> httpx.AsyncClient:
    """Connections of the kind that the client sends orders over, to any address, for a trial.

    Raises:
        PreflightError: this version of the client has other parts inside.
    """
    try:
        return AsyncTransport(base_url=url)._client
    except (AttributeError, TypeError) as error:
        raise _another_client() from error


class _Grids:
    """Market parameters as the engine knows them, in place of the client's cache.

    The cache asks the venue twice before a token's first order and again every ten minutes, in the middle of a
    quote; and until then it signs on the old grid after a tick change. Each order brings its own grid instead.
    """

    def __init__(self) -> None:
        self._markets: dict[str, MarketInfo] = {}

    def set(self, token: str, tick: Decimal, neg_risk: bool) -> None:
        """What the next order of a token is built with."""
        known = self._markets.get(token)
        if known is None or known.tick_size != tick or known.neg_risk != neg_risk:
            self._markets[token] = MarketInfo(_NO_FEE, neg_risk, tick, frozenset())

    async def resolve_market(self, ctx: Any, *, token_id: str) -> MarketInfo:
        """What the client asks for before it builds an order."""
        return self._markets[token_id]

    fetch_current_market = resolve_market
    """What it asks for when a price is not on the grid: there is nothing newer."""

    async def close(self) -> None:
        """Nothing is under way."""


class PolymarketGateway(ClobGateway):
    """The gateway over ``polymarket-client``."""

    def __init__(
        self,
        settings: Settings,
        wallet: Wallet,
        clock: Clock,
        on_sign: Callable[[Sign], None],
        is_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, wallet, clock, on_sign, is_closed)
        self._client: AsyncSecureClient | None = None
        self._grids = _Grids()

    async def _create(self) -> AsyncSecureClient:
        """A client with the credentials of the key; raises as :meth:`open` does."""
        try:
            return await AsyncSecureClient.create(
                private_key=self._wallet.private_key.reveal(),
                wallet=self._wallet.funder,
                environment=environment_for(self._settings),
            )
        except UserInputError as error:
            raise CredentialError(f"key or wallet refused: {in_a_line(str(error))}") from None
        except RequestRejectedError as error:
            if error.status in _CREDENTIAL_STATUSES:
                raise CredentialError(f"the venue refuses the credentials: {in_a_line(str(error))}") from None
            kind = VenueRestarting if error.status in RESTARTING_STATUSES else VenueUnavailable
            raise kind(f"the venue gives no credentials now: status {error.status}") from None
        except PolymarketError as error:
            raise VenueUnavailable(f"the venue cannot be reached: {type(error).__name__}") from None

    async def _connect(self) -> Account:
        client = self._client = await self._create()
        try:
            http = client._ctx.secure_clob._client
            http.event_hooks["request"].append(hold_back_async)
            http.event_hooks["response"].append(hear_async)
            await check_writes(http, partial(look_at, self._brake))
            signer = OrderSigner(self._wallet.private_key, client.signer)
            ours: dict[str, Any] = {"order_metadata": self._grids, "signer": signer}
            client._ctx = dataclasses.replace(client._ctx, **ours)
        except (AttributeError, KeyError, TypeError) as error:
            raise _another_client() from error
        return Account(
            address=str(client.signer),
            wallet=str(client.wallet),
            signature_type=_SIGNATURE_TYPES[str(client.wallet_type)],
            credentials=_credentials(client),
        )

    async def _derive(self) -> ApiCredentials:
        client = await self._create()
        try:
            return _credentials(client)
        finally:
            await client.close()

    async def _sign(self, place: Place, neg_risk: bool, maker_amount: int, taker_amount: int) -> SignedPlace:
        price = Decimal(place.price_text)
        self._grids.set(place.token, price / place.price, neg_risk)
        try:
            signed = await self._sdk.create_limit_order(
                token_id=place.token,
                price=price,
                size=Decimal(micro_text(place.size)),
                side=place.order_side,
                post_only=not place.crosses,
            )
        except PolymarketError as error:
            raise VenueRefused(f"order cannot be built: {error}") from error
        if (signed.maker_amount, signed.taker_amount) != (maker_amount, taker_amount):
            raise VenueRefused("the client built another order than was asked for")
        if place.crosses:
            signed = dataclasses.replace(signed, order_type="FAK")  # not signed: it goes into the body alone
        return SignedPlace(place=place, order_id=_order_id(signed, neg_risk), payload=signed)

    def _send_orders(self, payloads: list[SignedOrder], crosses: bool) -> Awaitable[Answer]:
        return self._ask(lambda sdk: sdk.post_orders(payloads))

    def _send_cancels(self, order_ids: list[str]) -> Awaitable[Answer]:
        return self._ask(lambda sdk: sdk.cancel_orders(order_ids=order_ids))

    def _send_cancel_market(self, market: str) -> Awaitable[Answer]:
        return self._ask(lambda sdk: sdk.cancel_market_orders(market=market))

    def _send_cancel_all(self) -> Awaitable[Answer]:
        return self._ask(lambda sdk: sdk.cancel_all())

    def _send_heartbeat(self, heartbeat_id: str) -> Awaitable[Answer]:
        return self._ask(lambda sdk: sdk.send_order_heartbeat(heartbeat_id=heartbeat_id))

    async def _ask(self, act: Callable[[AsyncSecureClient], Awaitable[object]]) -> Answer:
        """The venue's answer to what ``act`` asks; what the client makes of it does not matter."""
        sdk, problem = self._sdk, None
        with hearing(self._brake) as heard:
            try:
                await act(sdk)
            except Exception as error:  # noqa: BLE001 - whatever fails once bytes may have left, the outcome is open
                problem = error
        return heard_or_lost(heard, problem)

    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.close()

    @property
    def _sdk(self) -> AsyncSecureClient:
        if self._client is None:
            raise VenueUnavailable("the gateway is not open")
        return self._client


def _credentials(client: AsyncSecureClient) -> ApiCredentials:
    api = client.credentials
    return ApiCredentials(Secret(api.key), Secret(api.secret), Secret(api.passphrase))


def _order_id(signed: SignedOrder, neg_risk: bool) -> str:
    return order_id(
        salt=signed.salt,
        maker=signed.maker,
        signer=signed.signer,
        token_id=int(signed.token_id),
        maker_amount=signed.maker_amount,
        taker_amount=signed.taker_amount,
        side=0 if signed.side == "BUY" else 1,
        signature_type=signed.signature_type,
        timestamp_ms=signed.timestamp,
        metadata=signed.metadata,
        builder=signed.builder,
        neg_risk=neg_risk,
    )
