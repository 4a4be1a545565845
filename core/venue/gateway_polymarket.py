"""Orders through the venue's official client: signing, posting, cancelling, credentials.

Its streams, its list parsers and its place helpers are not used (order-clients.md). Importing it costs most of a
second, so nothing imports this module before orders can be placed.
"""

import dataclasses
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.environments import Environment
from polymarket.errors import PolymarketError, RateLimitError, RequestRejectedError, UserInputError
from polymarket.models.clob.api_key import ApiKeyCreds
from polymarket.models.clob.cancel import CancelOrdersResponse
from polymarket.models.clob.order_response import AcceptedOrder, OrderResponse
from polymarket.models.clob.orders import SignedOrder

from core.actions import Place
from core.clock import Clock
from core.config import Settings
from core.errors import CredentialError, MalformedMessage, OutcomeUnknown, VenueError, VenueRefused, VenueUnavailable
from core.events import AccountSeen, CancelAnswered, FillSeen, MarketMessage, OrderAnswered, OrderSeen, ScoringSeen
from core.units import Shares, Usd, micro_text, parse_micro
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.gateway import OpenOrder, SignedPlace
from core.venue.order_id import order_id
from core.venue.private_rest import PrivateRest
from core.venue.user_channel import fills_of_trades, order_seen

log = logging.getLogger(__name__)

_DEFINITE: Final = frozenset({400, 401, 404})
"""Statuses with a parsed refusal; everything else leaves the outcome open (reliability.md 4.3)."""
_REFUSALS: Final = (
    "api key",
    "balance",
    "banned",
    "closed only",
    "crosses book",
    "disabled",
    "does not exist",
    "expiration",
    "invalid",
    "lower than the minimum",
    "market not found",
    "max accuracy",
    "not allowed",
    "not yet ready",
    "order_version_mismatch",
    "orderbook",
    "post-only",
    "tick size",
    "too many orders",
    "unauthorized",
)
"""Parts of refusals (polymarket-api.md 10.4). Any other text leaves the outcome open."""
_GONE: Final = ("already canceled", "already cancelled", "matched", "not found", "can't be found", "expired")


def environment_for(settings: Settings) -> Environment:
    """The official client's environment with our addresses.

    The client has no public constructor for one; a contract test holds these two private names in place.
    """
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


class PolymarketGateway:
    """The :class:`core.venue.gateway.Gateway` of demo and live mode."""

    def __init__(self, settings: Settings, wallet: Wallet, clock: Clock) -> None:
        if not isinstance(get_backend(), CoinCurveECCBackend):
            raise VenueRefused("coincurve is not in use, signing would block the session: install coincurve")
        self._settings = settings
        self._wallet = wallet
        self._clock = clock
        self._client: AsyncSecureClient | None = None
        self._reads: PrivateRest | None = None
        self._credentials: ApiCredentials | None = None

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials, known once open; the user channel logs in with them."""
        if self._credentials is None:
            raise VenueUnavailable("the gateway is not open")
        return self._credentials

    async def open(self) -> None:
        """Derive or fetch the API credentials and prepare the clients."""
        try:
            self._client = await AsyncSecureClient.create(
                private_key=self._wallet.private_key.reveal(),
                wallet=self._wallet.funder,
                environment=environment_for(self._settings),
            )
        except UserInputError as error:
            raise CredentialError(f"key or wallet refused: {error}") from None
        except RequestRejectedError as error:
            raise CredentialError(f"the venue refuses the credentials: {error}") from None
        except PolymarketError as error:
            raise VenueUnavailable(f"the venue cannot be reached: {error}") from None
        api: ApiKeyCreds = self._client.credentials
        self._credentials = ApiCredentials(Secret(api.key), Secret(api.secret), Secret(api.passphrase))
        self._reads = PrivateRest(self._settings.clob_url, str(self._client.signer), self._credentials, self._clock)

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Sign one order and compute the id the venue will give it."""
        try:
            signed = await self._sdk.create_limit_order(
                token_id=place.token,
                price=Decimal(place.price_text),
                size=Decimal(micro_text(place.size)),
                side=place.order_side,
                post_only=True,
            )
        except PolymarketError as error:
            raise VenueRefused(f"order cannot be built: {error}") from error
        return SignedPlace(place=place, order_id=_order_id(signed, neg_risk), payload=signed)

    async def post(self, batch: Sequence[SignedPlace]) -> list[OrderAnswered]:
        """Send a batch and map the answers leg by leg."""
        try:
            answers = await self._sdk.post_orders([signed.payload for signed in batch])
        except RequestRejectedError as error:
            outcome = "refused" if error.status in _DEFINITE and _is_refusal(str(error)) else "unknown"
            return [_answer(signed, outcome, str(error)) for signed in batch]
        except RateLimitError as error:
            outcome = "refused" if error.rate_limit is not None else "unknown"
            return [_answer(signed, outcome, str(error)) for signed in batch]
        except PolymarketError as error:
            return [_answer(signed, "unknown", f"{type(error).__name__}: {error}") for signed in batch]
        if len(answers) != len(batch):
            return [_answer(signed, "unknown", "answer of another length") for signed in batch]
        return [_leg(signed, answer) for signed, answer in zip(batch, answers, strict=True)]

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Cancel by id; doubt comes back as ``unknown`` for each."""
        try:
            answer = await self._sdk.cancel_orders(order_ids=list(order_ids))
        except PolymarketError as error:
            detail = f"{type(error).__name__}: {error}"
            return [CancelAnswered(order_id=order, outcome="unknown", detail=detail) for order in order_ids]
        return _cancels(answer, order_ids)

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel everything of this API key."""
        try:
            answer = await self._sdk.cancel_all()
        except RequestRejectedError as error:
            kind = VenueRefused if error.status in _DEFINITE else OutcomeUnknown
            raise kind(f"cancel all: {error}") from error
        except PolymarketError as error:
            raise OutcomeUnknown(f"cancel all: {error}") from error
        return _cancels(answer, [])

    async def open_orders(self) -> list[OpenOrder]:
        """Every open order of the account."""
        orders = []
        for raw in await self._private.open_orders():
            try:
                matched = Shares(parse_micro(str(raw.get("size_matched") or "0")))
                orders.append(OpenOrder(order_id=raw["id"], market=str(raw.get("market", "")), matched=matched))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise VenueRefused(f"/data/orders: unreadable order: {error}") from error
        return orders

    async def fills_since(self, unix: int) -> list[FillSeen]:
        """Our fills of the account's trades since a moment."""
        return fills_of_trades(await self._private.trades(unix), self.credentials.key.reveal())

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """Ask for one order; a failed question is no answer."""
        try:
            raw = await self._private.order(order_id)
            if raw is None:
                return OrderSeen(order_id=order_id, status="absent")
            return order_seen(order_id, str(raw.get("status", "")), str(raw.get("size_matched") or ""))
        except (VenueError, CredentialError, MalformedMessage) as error:
            log.info("order_read_failed", extra={"order_id": order_id, "detail": str(error)})
            return None

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Ask for the flags of a batch; a failed question is no answer."""
        try:
            flags = await self._private.scoring(order_ids)
        except (VenueError, CredentialError) as error:
            log.info("scoring_read_failed", extra={"detail": str(error)})
            return None
        return ScoringSeen(scoring=tuple((order, flags[order]) for order in order_ids if order in flags))

    async def account(self, tokens: Sequence[str]) -> AccountSeen:
        """Cash and the holdings of these tokens."""
        kind = _SIGNATURE_TYPES[str(self._sdk.wallet_type)]
        cash = await self._private.balance("COLLATERAL", kind)
        holdings = [(token, Shares(await self._private.balance("CONDITIONAL", kind, token))) for token in tokens]
        return AccountSeen(cash=Usd(cash), holdings=tuple(holdings))

    def see(self, message: MarketMessage) -> None:
        """Fills come from the venue, not from the tape."""

    async def close(self) -> None:
        """Release the connections."""
        if self._reads is not None:
            await self._reads.close()
        if self._client is not None:
            await self._client.close()

    @property
    def _sdk(self) -> AsyncSecureClient:
        if self._client is None:
            raise VenueUnavailable("the gateway is not open")
        return self._client

    @property
    def _private(self) -> PrivateRest:
        if self._reads is None:
            raise VenueUnavailable("the gateway is not open")
        return self._reads


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


def _answer(signed: SignedPlace, outcome: Any, detail: str) -> OrderAnswered:
    return OrderAnswered(intent=signed.place.intent, outcome=outcome, detail=detail)


def _leg(signed: SignedPlace, answer: OrderResponse) -> OrderAnswered:
    """One leg's answer. What is neither our id nor a known refusal is doubt: a read will tell."""
    if not isinstance(answer, AcceptedOrder):
        refused = answer.code != "unmatched" and _is_refusal(answer.message)
        return _answer(signed, "refused" if refused else "unknown", answer.message)
    if answer.order_id.lower() != signed.order_id:
        return _answer(signed, "unknown", f"the venue answers with another id: {answer.order_id}")
    return _answer(signed, answer.status, "")


def _is_refusal(text: str) -> bool:
    """The venue's own words for "not placed". "Duplicated" is not among them: it speaks of an order it has."""
    words = text.lower()
    return "duplicated" not in words and any(part in words for part in _REFUSALS)


def _cancels(answer: CancelOrdersResponse, asked: Sequence[str]) -> list[CancelAnswered]:
    results = [CancelAnswered(order_id=order, outcome="cancelled") for order in answer.canceled]
    for order, reason in answer.not_canceled.items():
        gone = any(word in reason.lower() for word in _GONE)
        results.append(CancelAnswered(order_id=order, outcome="gone" if gone else "refused", detail=reason))
    told = {result.order_id for result in results}
    results += [CancelAnswered(order_id=order, outcome="unknown") for order in asked if order not in told]
    return results


_SIGNATURE_TYPES: Final = {"EOA": 0, "POLY_PROXY": 1, "GNOSIS_SAFE": 2, "DEPOSIT_WALLET": 3}
