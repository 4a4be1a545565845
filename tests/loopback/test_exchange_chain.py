"""The official client turns money into tokens and back, from every kind of wallet, over real sockets."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import httpx
import pytest
from polymarket import AsyncSecureClient
from polymarket._internal.actions.relayer.calls import erc1155_balance_of_call
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket._internal.eoa.rpc import JsonRpcCallError
from polymarket.auth import BuilderApiKey, RelayerApiKey
from polymarket.errors import RateLimitError, RequestRejectedError, TransactionFailedError

from core.clock import ManualClock
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.lifecycle import Result
from core.units import MICRO, Usd
from core.venue.wallets import wallets_of
from tests.loopback.pauses import long_naps

KEY = "0x" + "11" * 32
EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
CASH = 50_000 * MICRO
KINDS = {"EOA": 0, "PROXY": 1, "SAFE": 2, "WALLET": 3}
RELAYER_KEY = RelayerApiKey(key="relayer-key", address=EOA)
T = TypeVar("T")


class Chain:
    """An exchange serving in this process, on a clock the test moves, and clients that poll without waiting."""

    def __init__(self, running: RunningExchange, clock: ManualClock, http: httpx.AsyncClient) -> None:
        self.host = running.host
        self.exchange = running.host.exchange
        self.urls: dict[str, Any] = running.urls
        self.http = http
        self._clock = clock
        self._clients: list[AsyncSecureClient] = []

    def market(self, *, neg_risk: bool = False, version: str = "v1") -> str:
        """The first market of a sort."""
        listings = self.exchange.listings.values()
        fitting = (x for x in listings if x.instrument.neg_risk == neg_risk and x.plot.version == version)
        return next(fitting).instrument.market

    def pass_time(self, seconds: float = 10) -> None:
        self._clock.advance_to(self._clock.monotonic() + seconds)
        self.host.catch_up()

    async def client(self, kind: str, api_key: Any = RELAYER_KEY) -> AsyncSecureClient:
        config = dataclasses.replace(
            PRODUCTION_CONFIG,
            clob_url=self.urls["clob_url"],
            gamma_url=self.urls["gamma_url"],
            data_url=self.urls["data_url"],
            relayer_url=self.urls["relayer_url"],
            rpc_url=self.urls["rpc_url"],
            relayer_poll_frequency_ms=1,
        )
        wallet = wallets_of(EOA, KINDS[kind])[-1]
        environment = create_environment(name="loopback", config=config)
        made = await AsyncSecureClient.create(
            private_key=KEY, wallet=wallet, environment=environment, api_key=None if kind == "EOA" else api_key
        )
        self.exchange.admit(wallet)
        self._clients.append(made)
        return made

    async def sell_yes(self, client: AsyncSecureClient, market: str, shares: int) -> None:
        """Sell YES tokens at market, so that the account has not as many of both outcomes."""
        token = self.exchange.engine.instrument(market).yes_token
        order = await client.create_market_order(token_id=token, side="SELL", shares=shares, order_type="FOK")
        assert (await client.post_order(order)).ok
        self.pass_time()

    async def mined(self, submitting: Awaitable[Any]) -> str:
        """Have a transaction submitted and settled; returns its hash."""
        handle = await submitting
        self.pass_time()
        return str((await handle.wait()).transaction_hash)

    async def through(self, doing: Awaitable[T]) -> T:
        """Let exchange time pass while the client does something that waits by itself."""
        task = asyncio.ensure_future(doing)
        while not (await asyncio.wait({task}, timeout=0.005))[0]:
            self.pass_time(1)
        return task.result()

    async def holdings(self, client: AsyncSecureClient, market: str) -> tuple[int, int, int]:
        """Cash, YES and NO of the client's wallet as the venue tells it, checked against the ledger's own words."""
        instrument = self.exchange.engine.instrument(market)
        kind = "CONDITIONAL-V2" if self.exchange.listings[market].plot.version == "v2" else "CONDITIONAL"
        tokens = (instrument.yes_token, instrument.no_token)
        told = await client.get_balance_allowance(asset_type="COLLATERAL")
        owned = [await client.get_balance_allowance(asset_type=kind, token_id=token) for token in tokens]
        cash, yes, no = (int(each.balance) for each in (told, *owned))
        answer = await self.http.get(self.urls["clob_url"] + "/_exchange/ledger?accounts=outside")
        assert answer.status_code == 200, answer.text
        accounts = {account["address"].lower(): account for account in answer.json()["accounts"]}
        account = accounts[str(client.wallet).lower()]
        assert round(float(account["cash"]) * MICRO) == cash
        held = (account["tokens"].get(token, "0") for token in tokens)
        assert [round(float(each) * MICRO) for each in held] == [yes, no]
        self.exchange.ledger.check()
        return cash, yes, no

    async def relayer(self, path: str, headers: dict[str, str] | None = None, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or with a body a POST, to the relayer."""
        method = "GET" if body is None else "POST"
        answer = await self.http.request(method, self.urls["relayer_url"] + path, headers=headers, json=body)
        return answer.status_code, answer.json()

    async def rpc(self, method: str, *params: Any) -> Any:
        """Result or error of one JSON-RPC call."""
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = (await self.http.post(self.urls["rpc_url"], json=body)).json()
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", 7)
        return answer["error"] if "error" in answer else answer["result"]

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    clock = ManualClock(unix=time.time())
    host = build_host(seed=1, markets=22, speed=1.0, auto_cash=Usd(CASH), paused=True, clock=clock)
    with long_naps():
        async with RunningExchange(host) as running, httpx.AsyncClient() as http:
            made = Chain(running, clock, http)
            yield made
            await made.close()


@pytest.mark.parametrize("neg_risk", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_wallet_splits_and_merges_to_the_micro_dollar(chain: Chain, kind: str, neg_risk: bool) -> None:
    """Split, merge a part, merge "max": each changes cash and both tokens by exactly its amount."""
    market = chain.market(neg_risk=neg_risk)
    client = await chain.client(kind)
    assert await chain.holdings(client, market) == (CASH, 0, 0)
    await chain.mined(client.split_position(condition_id=market, amount=123_456_789))
    assert await chain.holdings(client, market) == (CASH - 123_456_789, 123_456_789, 123_456_789)
    await chain.mined(client.merge_positions(condition_id=market, amount=23_456_789))
    assert await chain.holdings(client, market) == (CASH - 100_000_000, 100_000_000, 100_000_000)
    await chain.mined(client.merge_positions(condition_id=market, amount="max"))
    assert await chain.holdings(client, market) == (CASH, 0, 0)


SORTS: dict[str, dict[str, Any]] = {"plain": {}, "neg-risk": {"neg_risk": True}, "v2": {"version": "v2"}}


@pytest.mark.parametrize("result", ["YES", "NO", "HALF"])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("kind", ["EOA", "WALLET"])
async def test_redeeming_pays_exactly_what_the_result_is_worth(
    chain: Chain, kind: str, sort: str, result: Result
) -> None:
    """Unequal holdings, an odd micro-share, all three results, through the adapters and through the Router."""
    market = chain.market(**SORTS[sort])
    client = await chain.client(kind)
    await chain.mined(client.split_position(condition_id=market, amount=100_000_001))
    await chain.sell_yes(client, market, 40)
    cash, yes, no = await chain.holdings(client, market)
    assert (yes, no) == (60_000_001, 100_000_001) and CASH - 100_000_001 < cash < CASH
    chain.exchange.resolve(market, result)
    handle = await chain.through(client.redeem_positions(condition_id=market))
    chain.pass_time()
    await handle.wait()
    paid = {"YES": yes, "NO": no, "HALF": yes // 2 + no // 2}[result]
    assert await chain.holdings(client, market) == (cash + paid, 0, 0)


async def test_the_router_redeems_one_outcome_alone(chain: Chain) -> None:
    market = chain.market(version="v2")
    client = await chain.client("WALLET")
    await chain.mined(client.split_position(condition_id=market, amount=7 * MICRO))
    await chain.mined(client.merge_positions(condition_id=market, amount=2 * MICRO))
    chain.exchange.resolve(market, "HALF")
    no_token = chain.exchange.engine.instrument(market).no_token
    for contract, held in ((PRODUCTION_CONFIG.position_manager, 5 * MICRO), (PRODUCTION_CONFIG.conditional_tokens, 0)):
        asked = erc1155_balance_of_call(token_address=contract, owner=client.wallet, token_id=no_token)
        assert int(await chain.rpc("eth_call", {"to": asked.to, "data": asked.data}, "latest"), 16) == held
    await chain.mined(client.redeem_positions(position_id=no_token))
    assert await chain.holdings(client, market) == (CASH - 2_500_000, 5 * MICRO, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_several_positions_merge_in_one_go(chain: Chain, kind: str) -> None:
    """One batch for contract wallets, one transaction after another for an EOA."""
    markets = [chain.market(), chain.market(neg_risk=True)]
    client = await chain.client(kind)
    for market in markets:
        await chain.mined(client.split_position(condition_id=market, amount=MICRO))
    handle = await chain.through(client.merge_multiple_positions(positions=[{"condition_id": m} for m in markets]))
    chain.pass_time()
    await handle.wait()
    for market in markets:
        assert await chain.holdings(client, market) == (CASH, 0, 0)


@pytest.mark.parametrize("kind", ["EOA", "SAFE", "WALLET"])
async def test_missing_approvals_are_found_and_set_up(chain: Chain, kind: str) -> None:
    """Two are taken away; reads by RPC and by index agree; without its approval a split fails; setup grants both."""
    market, config = chain.market(), PRODUCTION_CONFIG
    client = await chain.client(kind)
    assert (await client.get_trading_approvals_state()).is_fully_approved
    token, adapter = config.collateral_token, config.collateral_adapter
    await chain.mined(client.approve_erc20(token_address=token, spender_address=adapter, amount=5))
    assert (await client.get_trading_approvals_state()).missing.erc20[0].spender == adapter
    told = await client.get_balance_allowance(asset_type="COLLATERAL")
    assert {spender: amount for spender, amount in told.allowances.items() if amount < 2**255} == {adapter: 5}
    token, exchange = config.conditional_tokens, config.standard_exchange
    revoke = client.approve_erc1155_for_all(token_address=token, operator_address=exchange, approved=False)
    await chain.mined(revoke)
    missing = (await client.get_trading_approvals_state()).missing
    assert ([x.spender for x in missing.erc20], [x.operator for x in missing.erc1155]) == ([adapter], [exchange])
    with pytest.raises((JsonRpcCallError, TransactionFailedError), match="not approved"):
        await chain.mined(client.split_position(condition_id=market, amount=6))
    await chain.through(client.setup_trading_approvals())
    assert (await client.get_trading_approvals_state()).is_fully_approved
    nonce = await chain.rpc("eth_getTransactionCount", EOA, "latest")
    await client.setup_trading_approvals()
    assert await chain.rpc("eth_getTransactionCount", EOA, "pending") == nonce
    await chain.mined(client.split_position(condition_id=market, amount=6))
    assert await chain.holdings(client, market) == (CASH - 6, 6, 6)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_done_fails_and_changes_nothing(chain: Chain, kind: str) -> None:
    """Too much to split, a market that is not resolved, a transfer of money out."""
    market = chain.market()
    client = await chain.client(kind)
    failures = (JsonRpcCallError, TransactionFailedError, RequestRejectedError)
    with pytest.raises(failures, match="execution reverted: not enough free cash"):
        await chain.mined(client.split_position(condition_id=market, amount=CASH + 1))
    with pytest.raises(failures, match=r"0xa9059cbb .* not permitted"):
        await chain.mined(
            client.transfer_erc20(token_address=PRODUCTION_CONFIG.collateral_token, recipient_address=EOA, amount=1)
        )
    chain.exchange.close_market(market)
    with pytest.raises(failures, match="execution reverted: the market is not resolved"):
        await chain.mined(client.redeem_positions(condition_id=market))
    assert await chain.holdings(client, market) == (CASH, 0, 0)


async def test_an_own_transaction_that_is_overtaken_reverts(chain: Chain) -> None:
    """Both looked possible when their gas was estimated; the first to be mined leaves nothing for the second."""
    market = chain.market()
    client = await chain.client("EOA")
    first = await client.split_position(condition_id=market, amount=CASH)
    second = await client.split_position(condition_id=market, amount=CASH)
    assert await chain.rpc("eth_getTransactionReceipt", first.transaction_hash) is None
    chain.pass_time()
    await first.wait()
    with pytest.raises(TransactionFailedError, match="reverted"):
        await second.wait()
    receipts = [await chain.rpc("eth_getTransactionReceipt", x.transaction_hash) for x in (first, second)]
    assert [(x["status"], x["from"]) for x in receipts] == [("0x1", EOA.lower()), ("0x0", EOA.lower())]
    assert await chain.holdings(client, market) == (0, CASH, CASH)


async def test_a_wallet_has_one_transaction_on_its_way(chain: Chain) -> None:
    market = chain.market()
    client = await chain.client("SAFE")
    first = await client.split_position(condition_id=market, amount=MICRO)
    with pytest.raises(RequestRejectedError, match="wallet busy: active action") as caught:
        await client.split_position(condition_id=market, amount=MICRO)
    assert caught.value.status == 400
    chain.pass_time()
    await first.wait()
    await chain.mined(client.split_position(condition_id=market, amount=MICRO))
    assert await chain.holdings(client, market) == (CASH - 2 * MICRO, 2 * MICRO, 2 * MICRO)


async def test_the_relayer_asks_for_a_key_that_fits(chain: Chain) -> None:
    """Everything but ``/deployed`` and ``/relay-payload`` wants key headers; a relayer key acts for its owner only."""
    own = {"RELAYER_API_KEY": "k", "RELAYER_API_KEY_ADDRESS": EOA}
    stale = {f"POLY_BUILDER_{x}": "1" for x in ("API_KEY", "PASSPHRASE", "SIGNATURE", "TIMESTAMP")}
    params = f"/v1/account/transactions/params?address={EOA}&type=SAFE"
    assert await chain.relayer(params, own) == (200, {"address": EOA, "nonce": "0"})
    stolen = own | {"RELAYER_API_KEY_ADDRESS": "0x" + "22" * 20}
    for headers in ({}, {"RELAYER_API_KEY": "k"}, stolen, stale):
        for path, body in ((params, None), ("/v1/account/transactions/1", None), ("/submit", {})):
            assert await chain.relayer(path, headers, body) == (401, {"error": "invalid authorization"})
    assert (await chain.relayer("/v1/account/transactions/1", own))[0] == 404
    assert await chain.relayer(f"/deployed?address={EOA}&type=SAFE") == (200, {"deployed": True})
    assert (await chain.relayer("/deployed?address=0x1"))[0] == 400
    assert (await chain.relayer(f"/relay-payload?address={EOA}&type=SAFE-CREATE"))[0] == 400
    for body in ({}, {"type": "WALLET"}, {"type": "WALLET", "from": EOA, "to": EOA}):
        assert (await chain.relayer("/submit", own, body))[0] == 400
    bomb = b'{"type":' * 50_000
    assert (await chain.http.post(chain.urls["relayer_url"] + "/submit", headers=own, content=bomb)).status_code == 400
    stranger = await chain.client("SAFE", RelayerApiKey(key="another", address="0x" + "22" * 20))
    with pytest.raises(RequestRejectedError, match=f"from {EOA} does not match auth 0x2222"):
        await stranger.split_position(condition_id=chain.market(), amount=MICRO)


async def test_a_builder_key_serves_and_others_do_not_see_its_transactions(chain: Chain) -> None:
    client = await chain.client("WALLET", BuilderApiKey(key="builder", secret="c2VjcmV0", passphrase="p"))
    handle = await client.split_position(condition_id=chain.market(), amount=MICRO)
    path = f"/v1/account/transactions/{handle.transaction_id}"
    other = {"RELAYER_API_KEY": "o", "RELAYER_API_KEY_ADDRESS": "0x" + "22" * 20}
    assert await chain.relayer(path, other) == (404, {"error": "transaction not found"})
    chain.pass_time()
    assert (await handle.wait()).transaction_id == handle.transaction_id


async def test_the_relayer_has_a_quota(chain: Chain) -> None:
    """25 a minute; the refusal says when the next is taken, and the official client reads it as a rate limit."""
    client = await chain.client("SAFE")
    own = {"RELAYER_API_KEY": RELAYER_KEY.key, "RELAYER_API_KEY_ADDRESS": EOA}
    for _ in range(25):
        assert (await chain.relayer("/submit", own, {"type": "SAFE", "from": EOA, "to": EOA}))[0] == 400
    status, body = await chain.relayer("/submit", own, {"type": "SAFE", "from": EOA, "to": EOA})
    assert (status, body) == (429, {"error": "quota exceeded: 0 units remaining, resets in 60 seconds"})
    with pytest.raises(RateLimitError):
        await client.split_position(condition_id=chain.market(), amount=MICRO)
    chain.pass_time(60)
    await chain.mined(client.split_position(condition_id=chain.market(), amount=MICRO))


async def test_rpc_answers_in_json_rpc_whatever_is_asked(chain: Chain) -> None:
    assert await chain.rpc("eth_chainId") == "0x89"
    block = await chain.rpc("eth_getBlockByNumber", "latest", False)
    assert int(block["timestamp"], 16) == chain.exchange.now_ms // 1000
    assert block["number"] == await chain.rpc("eth_blockNumber")
    assert (await chain.rpc("eth_mining"))["code"] == -32601
    for method, params in {
        "eth_getBlockByNumber": ["0x1", False],
        "eth_getTransactionCount": [],
        "eth_call": [{"to": 5}],
        "eth_estimateGas": ["0x"],
        "eth_sendRawTransaction": ["0xzz"],
        "eth_getTransactionReceipt": [None],
    }.items():
        assert (await chain.rpc(method, *params))["code"] == -32602
    assert (await chain.rpc("eth_call", {"to": EOA, "data": "0x12345678"}, "latest"))["code"] == 3
    assert (await chain.rpc("eth_sendRawTransaction", "0xc0"))["code"] == -32000
    for body in (b"", b"[]", b"5", b'{"method": 1}', b'{"id":1,"method":"x","params":' + b"[" * 50_000):
        answer = (await chain.http.post(chain.urls["rpc_url"], content=body)).json()
        assert answer["error"]["code"] == -32600
