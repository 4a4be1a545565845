"""Orders through ``py-clob-client-v2``: the fallback, should the official client break (order-clients.md).

An optional extra, imported when a gateway is made. Its calls block, so each runs in a thread of this gateway's own and
is waited for with our deadline; a call that has not begun by then never does. Its HTTP client is one for the whole
process. Its arithmetic in floats is not used: amounts are ours, and its order builders sign them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final, TypeVar

from core.actions import Place, SignedPlace
from core.clock import Clock
from core.config import Settings
from core.errors import CredentialError, PreflightError, VenueRestarting, VenueUnavailable
from core.venue.answers import Answer
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.gateway import Sign
from core.venue.gateway_clob import (
    DEPOSIT_WALLET,
    RESTARTING_STATUSES,
    Account,
    ClobGateway,
    hear,
    heard_or_lost,
    hearing,
    hold_back,
)
from core.venue.order_id import CHAIN_ID, Exchange, exchange_of, order_id
from core.venue.wallets import wallets_of

_THREADS: Final = 4
"""One each for placing, cancelling by id, cancelling everything and heartbeats: none of them waits for another."""
_NONE: Final = "0x" + "00" * 32

Result = TypeVar("Result")


class ClobV2Gateway(ClobGateway):
    """The gateway over ``py-clob-client-v2``."""

    def __init__(
        self,
        settings: Settings,
        wallet: Wallet,
        clock: Clock,
        on_sign: Callable[[Sign], None],
        is_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        """As :class:`ClobGateway`.

        Raises:
            PreflightError: the package is not installed, or is another than this was written for.
        """
        super().__init__(settings, wallet, clock, on_sign, is_closed)
        try:
            self._package: Any = import_module("py_clob_client_v2")
            self._order_utils: Any = import_module("py_clob_client_v2.order_utils")
            self._refused: Any = import_module("py_clob_client_v2.exceptions").PolyApiException
            self._contracts: Any = import_module("py_clob_client_v2.config").get_contract_config(CHAIN_ID)
            hooks = import_module("py_clob_client_v2.http_helpers.helpers")._http_client.event_hooks
        except (ImportError, AttributeError) as error:
            raise PreflightError(
                "py-clob-client-v2 1.2 is not installed: pip install 'polymm-tui[clob-v2]', or choose the gateway "
                "polymarket-client"
            ) from error
        if hear not in hooks["response"]:
            hooks["request"].append(hold_back)
            hooks["response"].append(hear)
        logging.getLogger("py_clob_client_v2").setLevel(logging.CRITICAL)  # it logs whole pages of proxies
        self._builders: dict[Exchange, Any] = {}
        self._client: Any = None
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="clob-v2")

    async def _connect(self) -> Account:
        key = self._wallet.private_key.reveal()
        client = self._package.ClobClient(self._settings.clob_url, CHAIN_ID, key=key)
        address = str(client.get_address())
        wallet, kind = _wallet_of(address, self._wallet.funder)
        client = self._package.ClobClient(
            self._settings.clob_url, CHAIN_ID, key=key, signature_type=self._kind(kind), funder=wallet
        )
        client._resolve_transactions_hashes = lambda response: response  # it would ask for trades up to 30 s
        api = await self._credentials_by(lambda: self._log_in(client))
        builder, contracts = self._order_utils.ExchangeOrderBuilderV2, self._contracts
        self._builders = {
            "v2": builder(contracts.exchange_v2, CHAIN_ID, client.signer),
            "v2_neg_risk": builder(contracts.neg_risk_exchange_v2, CHAIN_ID, client.signer),
            "v3": builder(contracts.exchange_v3, CHAIN_ID, client.signer, domain_version="3"),
        }
        self._client = client
        return Account(address=address, wallet=wallet, signature_type=kind, credentials=api)

    async def _derive(self) -> ApiCredentials:
        return await self._credentials_by(self._client.derive_api_key)

    async def _credentials_by(self, ask: Callable[[], Any]) -> ApiCredentials:
        """What the client gets, in our terms; raises as :meth:`open` does."""
        try:
            api = await self._in_thread(ask)
        except self._refused as error:
            status = error.status_code
            if status in (400, 401, 403, 404):
                raise CredentialError(f"the venue refuses the credentials: status {status}") from None
            is_restarting = status in RESTARTING_STATUSES
            raise (VenueRestarting if is_restarting else VenueUnavailable)(
                f"the venue gives no credentials now: status {status or 'none'}"
            ) from None
        except (KeyError, TypeError):
            raise VenueUnavailable("the venue gives no credentials: the answer cannot be read") from None
        return ApiCredentials(Secret(api.api_key), Secret(api.api_secret), Secret(api.api_passphrase))

    def _kind(self, signature_type: int) -> Any:
        """A signature type in the client's own terms."""
        return self._order_utils.SignatureTypeV2(signature_type)

    def _log_in(self, client: Any) -> Any:
        """The key's API credentials, made only where there are none yet, and tried once."""
        try:
            api = client.derive_api_key()
        except self._refused as error:
            if error.status_code not in (400, 404):
                raise
            api = client.create_api_key()
        client.set_api_creds(api)
        client.get_api_keys()
        return api

    async def _sign(self, place: Place, neg_risk: bool, maker_amount: int, taker_amount: int) -> SignedPlace:
        account, timestamp = self.account, int(self._clock.unix() * 1000)
        signer = account.wallet if account.signature_type == DEPOSIT_WALLET else account.address
        signed = self._builders[exchange_of(int(place.token), neg_risk)].build_signed_order(
            self._order_utils.OrderDataV2(
                maker=account.wallet,
                tokenId=place.token,
                makerAmount=str(maker_amount),
                takerAmount=str(taker_amount),
                side=self._order_utils.Side[place.order_side],
                signer=signer,
                signatureType=self._kind(account.signature_type),
                timestamp=str(timestamp),
                metadata=_NONE,
                builder=_NONE,
            )
        )
        name = order_id(
            salt=int(signed.salt),
            maker=account.wallet,
            signer=signer,
            token_id=int(place.token),
            maker_amount=maker_amount,
            taker_amount=taker_amount,
            side=0 if place.order_side == "BUY" else 1,
            signature_type=account.signature_type,
            timestamp_ms=timestamp,
            metadata=_NONE,
            builder=_NONE,
            neg_risk=neg_risk,
        )
        return SignedPlace(place=place, order_id=name, payload=signed)

    def _send_orders(self, payloads: list[Any], crosses: bool) -> Awaitable[Answer]:
        kind = "FAK" if crosses else "GTC"
        legs = [self._package.PostOrdersV2Args(order=each, orderType=kind) for each in payloads]
        return self._ask(lambda client: client.post_orders(legs, post_only=not crosses))

    def _send_cancels(self, order_ids: list[str]) -> Awaitable[Answer]:
        return self._ask(lambda client: client.cancel_orders(order_ids))

    def _send_cancel_market(self, market: str) -> Awaitable[Answer]:
        wanted = self._package.OrderMarketCancelParams(market=market)
        return self._ask(lambda client: client.cancel_market_orders(wanted))

    def _send_cancel_all(self) -> Awaitable[Answer]:
        return self._ask(lambda client: client.cancel_all())

    def _send_heartbeat(self, heartbeat_id: str) -> Awaitable[Answer]:
        return self._ask(lambda client: client.post_heartbeat(heartbeat_id))

    async def _ask(self, act: Callable[[Any], object]) -> Answer:
        """The venue's answer to what ``act`` asks; what the client makes of it does not matter."""
        client = self._client
        if client is None:
            raise VenueUnavailable("the gateway is not open")

        def asked() -> Answer:
            problem = None
            with hearing(self._brake) as heard:
                try:
                    act(client)
                except Exception as error:  # noqa: BLE001 - whatever fails once bytes may have left, the outcome is open
                    problem = error
            return heard_or_lost(heard, problem)

        return await self._in_thread(asked)

    def _in_thread(self, act: Callable[[], Result]) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def _disconnect(self) -> None:
        """End the threads; the HTTP client is the whole process's."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _wallet_of(address: str, funder: str | None) -> tuple[str, int]:
    """The wallet and its signature type (polymarket-api.md 3.1).

    Raises:
        CredentialError: the wallet is none of this key, or it is not said which.
    """
    if funder is None:
        raise CredentialError("py-clob-client-v2 does not find the wallet of a key: set BROWSER_ADDRESS")
    for kind in range(4):
        for wallet in wallets_of(address, kind):
            if wallet.lower() == funder.lower():
                return wallet, kind
    raise CredentialError("BROWSER_ADDRESS is no wallet of this key")
