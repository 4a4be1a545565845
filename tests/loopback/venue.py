"""An exchange serving in this process on a clock the test moves, and ways to talk to it and to hear what it says."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import websockets
from coincurve import PrivateKey
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment

from core.clock import ManualClock
from core.exchange import signing
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.auth import Credentials, l2_signature
from core.exchange.listing import Listing
from core.exchange.plots import PLOTS
from core.exchange.signing import SignedOrder
from core.market.instrument import Instrument
from core.units import MICRO, Usd
from core.venue.wallets import wallets_of
from tests.loopback.pauses import long_naps

KEY = "0x" + "11" * 32
EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
PATIENCE_S = 10.0
CASH = Usd(50_000 * MICRO)

MarketKind = Literal["plain", "neg-risk", "v2"]
MARKET_KINDS: tuple[MarketKind, ...] = ("plain", "neg-risk", "v2")


class Venue:
    """An exchange serving in this process, on a clock the test moves, and ways to talk to it."""

    def __init__(self, running: RunningExchange, clock: ManualClock, http: httpx.AsyncClient) -> None:
        self.running = running
        self.urls: dict[str, Any] = running.urls
        self.exchange = running.host.exchange
        self.market, self.listing = next(iter(self.exchange.listings.items()))
        self.yes = self.listing.instrument.yes_token
        self.no = self.listing.instrument.no_token
        self._clock = clock
        self.http = http

    def pass_time(self, seconds: float) -> None:
        """Move the exchange's clock and let what is due happen."""
        self._clock.advance_to(self._clock.monotonic() + seconds)
        self.running.host.catch_up()

    def instrument(self, kind: MarketKind) -> Instrument:
        """A market of each exchange contract, none of which delays takers."""
        fits: dict[MarketKind, Callable[[Listing], bool]] = {
            "plain": lambda each: not each.instrument.neg_risk and each.plot.version == "v1",
            "neg-risk": lambda each: each.instrument.neg_risk and each.plot.version == "v1",
            "v2": lambda each: each.plot.version == "v2",
        }
        found = (each for each in self.exchange.listings.values() if fits[kind](each) and not each.plot.delay_ms)
        return next(found).instrument

    async def client(self, wallet: str | None = EOA, key: str = KEY, **other: Any) -> AsyncSecureClient:
        config = dataclasses.replace(
            PRODUCTION_CONFIG,
            clob_url=self.urls["clob_url"],
            gamma_url=self.urls["gamma_url"],
            data_url=self.urls["data_url"],
            relayer_url=self.urls["relayer_url"],
            rpc_url=self.urls["rpc_url"],
            clob_market_ws_url=self.urls["ws_market_url"],
            clob_user_ws_url=self.urls["ws_user_url"],
        )
        environment = create_environment(name="loopback", config=config)
        return await AsyncSecureClient.create(private_key=key, wallet=wallet, environment=environment, **other)

    async def take(self, outcome: str, side: str, size: float, market: str = "") -> dict[str, Any]:
        body = {"market": market or self.market, "outcome": outcome, "side": side, "size": size}
        answer = await self.http.post(self.urls["clob_url"] + "/_exchange/trade", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ledger(self) -> dict[str, Any]:
        answer = await self.http.get(self.urls["clob_url"] + "/_exchange/ledger?accounts=outside")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def fingerprint(self) -> bytes:
        """Everything an order could have changed: money, orders, books, trades, keys, notices."""
        exchange = self.exchange
        books = {market: (book.levels("bid"), book.levels("ask")) for market, book in exchange.engine.books.items()}
        orders = {order_id: (o.status, o.matched, o.reserved) for order_id, o in exchange.engine.orders.items()}
        ledger = exchange.ledger
        whole = (ledger.accounts, ledger.collateral, ledger.fees, ledger.deposited, books, orders, len(exchange.trades))
        return repr(whole).encode()


@asynccontextmanager
async def venue_running(*, markets: int = 2) -> AsyncIterator[Venue]:
    """A venue without participants' activity, whose clock stands still until the test moves it."""
    clock = ManualClock(unix=time.time())
    host = build_host(seed=1, markets=markets, speed=1.0, auto_cash=CASH, paused=True, clock=clock)
    with long_naps():
        async with RunningExchange(host) as running, httpx.AsyncClient() as http:
            yield Venue(running, clock, http)


EVERY_KIND = 1 + next(number for number, plot in enumerate(PLOTS) if plot.delay_ms)
"""Markets enough for each exchange contract and for one that delays takers; all there are would open slowly."""


class Ear:
    """Reads a socket and remembers; waits for what is to come with a deadline."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event, heard already or still to come, that fits."""
        position = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while position < len(self.heard):
                    if fits(self.heard[position]):
                        return self.heard[position]
                    position += 1
                message = json.loads(await self.socket.recv())
                self.heard.extend(message if isinstance(message, list) else [message])


@asynccontextmanager
async def listening(url: str, first: dict[str, Any]) -> AsyncIterator[Ear]:
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps(first))
        yield Ear(socket)


class Trader:
    """Signs and sends by hand, with nothing but this repository's digests."""

    def __init__(self, venue: Venue, keys: Credentials, key: str = KEY) -> None:
        self.venue = venue
        self.keys = keys
        self._key = PrivateKey(bytes.fromhex(key[2:]))
        self.eoa = signing.checksummed(signing.address_bytes(keys.address))
        self._salt = 0

    def order(
        self, token: str, gives: int, gets: int, side: str = "BUY", *, kind: int = 0, domain: bytes = b"", **other: Any
    ) -> dict[str, Any]:
        """A signed order; ``domain`` replaces the right one, ``other`` replaces fields before the signature."""
        self._salt += 1
        maker = wallets_of(self.eoa, kind)[0]
        order: dict[str, Any] = {
            "salt": self._salt,
            "maker": maker,
            "signer": maker if kind == signing.DEPOSIT_WALLET else self.eoa,
            "tokenId": token,
            "makerAmount": str(gives),
            "takerAmount": str(gets),
            "side": side,
            "expiration": "0",
            "signatureType": kind,
            "timestamp": str(self.venue.exchange.now_ms),
            "metadata": "0x" + "00" * 32,
            "builder": "0x" + "00" * 32,
        } | other
        place = self.venue.exchange.by_token.get(token)
        neg_risk = place is not None and self.venue.exchange.engine.instrument(place[0]).neg_risk
        domain = domain or signing.domain_of(token, neg_risk=neg_risk)
        struct_hash = signing.order_struct_hash(SignedOrder(**order, signature=""))
        if kind == signing.DEPOSIT_WALLET:
            inner = self._sign(signing.nested_digest(domain, struct_hash, maker))
            text = signing.ORDER_TYPE.encode()
            order["signature"] = inner + (domain + struct_hash + text + len(text).to_bytes(2, "big")).hex()
        else:
            order["signature"] = self._sign(signing.digest(domain, struct_hash))
        return order

    def _sign(self, message: bytes) -> str:
        raw = self._key.sign_recoverable(message, hasher=None)
        return "0x" + raw[:64].hex() + f"{27 + raw[64]:02x}"

    def body(self, order: dict[str, Any], **other: Any) -> dict[str, Any]:
        return {"deferExec": False, "order": order, "owner": self.keys.api_key, "orderType": "GTC"} | other

    def bid(self, token: str, cents: int = 1, shares: int = 10, **other: Any) -> dict[str, Any]:
        """The body of a BUY, by default one far from the market."""
        return self.body(self.order(token, cents * shares * 10_000, shares * MICRO), **other)

    async def send(self, method: str, path: str, body: Any = None, query: str = "", raw: bytes = b"") -> httpx.Response:
        content = raw if body is None else json.dumps(body, separators=(",", ":")).encode()
        stamp = str(self.venue.exchange.now_ms // 1000)
        headers = {
            "POLY_ADDRESS": self.eoa,
            "POLY_API_KEY": self.keys.api_key,
            "POLY_PASSPHRASE": self.keys.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": l2_signature(self.keys.secret, stamp, method, path, content),
        }
        url = self.venue.urls["clob_url"] + path + query
        return await self.venue.http.request(method, url, content=content, headers=headers)

    async def refusal(self, body: Any, path: str = "/order", method: str = "POST") -> tuple[int, str]:
        """Status and text of a refusal, after which nothing may have changed."""
        before = self.venue.fingerprint()
        answer = await self.send(method, path, body)
        assert answer.status_code != 200, answer.text
        assert self.venue.fingerprint() == before
        return answer.status_code, str(answer.json()["error"])


def trader_of(venue: Venue) -> Trader:
    """A trader with a fresh key of the usual address, whose account exists."""
    keys = venue.exchange.keys.create(EOA, 0)
    assert keys is not None
    venue.exchange.admit(EOA)
    return Trader(venue, keys)


def user_frame(client: AsyncSecureClient) -> dict[str, Any]:
    keys = client.credentials
    return {"type": "user", "auth": {"apiKey": keys.key, "secret": keys.secret, "passphrase": keys.passphrase}}


def order_id_of(order: SignedOrder, instrument: Instrument) -> str:
    """The id computed here, which the venue must return."""
    domain = signing.domain_of(order.tokenId, neg_risk=instrument.neg_risk)
    return "0x" + signing.digest(domain, signing.order_struct_hash(order)).hex()


def wire_order(signed: Any) -> SignedOrder:
    """An order of ``polymarket-client`` as the wire carries it."""
    return SignedOrder(
        salt=signed.salt,
        maker=signed.maker,
        signer=signed.signer,
        tokenId=signed.token_id,
        makerAmount=str(signed.maker_amount),
        takerAmount=str(signed.taker_amount),
        side=signed.side,
        signatureType=signed.signature_type,
        timestamp=str(signed.timestamp),
        signature=signed.signature,
        metadata=signed.metadata,
        builder=signed.builder,
    )
