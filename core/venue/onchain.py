"""Splits, merges, redemptions and conversions through the venue's official client, sent once and looked after.

The client repeats a submission by itself, up to ten times, when the relayer is busy or its quota is used up, and signs
anew for each. So a hook below it lets one submission through, after what it carries (nonce, hash, deadline) has been
written down, and takes the answer from the wire before the client judges it. Helpers of the client that send approvals
are not used: an approval that is missing is told in words (order-clients.md).

Like the gateway this module is imported when transactions can be sent, because the client takes most of a second.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import httpx
import msgspec
import rlp  # type: ignore[import-untyped]
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from core.clock import Clock
from core.config import Settings
from core.errors import PreflightError, VenueError, VenueUnavailable
from core.jobs.evidence import Look
from core.jobs.job import Baseline, Job, Route
from core.units import Shares, Usd, micro_text
from core.venue.answers import in_a_line
from core.venue.credentials import BuilderKey, RelayerKey, Secret
from core.venue.gateway_clob import Account
from core.venue.gateway_polymarket import environment_for
from core.venue.order_id import exchange_of
from core.venue.rpc import CONDITIONAL_TOKENS, POSITION_MANAGER, PUSD, Rpc
from core.venue.sending import Leaving, Sent
from core.venue.wire import UNREADABLE

try:
    from polymarket import AsyncSecureClient
    from polymarket._internal.environment import PRODUCTION_CONFIG
    from polymarket._internal.eoa.rpc import JsonRpcCallError
    from polymarket.auth import ApiKey, BuilderApiKey, RelayerApiKey
    from polymarket.calls import TransactionCall
    from polymarket.errors import InsufficientAllowanceError, PolymarketError, RequestRejectedError, UserInputError
    from polymarket.models.clob import ApiKeyCreds
except ImportError as error:
    raise PreflightError("polymarket-client is not what this program was written for") from error

SEND_DEADLINE_S: Final = 30.0
"""Longest that sending may take, with the reads before it; then its outcome is unknown."""
_OWN_GAS: Final = 0
"""Signature type of a key that is its own wallet (polymarket-api.md 3.1)."""
_RELAYED: Final = {1: "PROXY", 2: "SAFE", 3: "WALLET"}
"""The relayer's names of the kinds of wallet, by signature type."""
_CONVERT: Final = "convertPositions(bytes32,uint256,uint256)"
_SUBMIT: Final = "/submit"
_SEND_RAW: Final = "eth_sendRawTransaction"
_RESETS: Final = re.compile(r"resets in (\d{1,7}) seconds?")
_REFUSING: Final = frozenset({400, 401, 403, 404, 429})
"""Statuses that refuse a submission when the body is the relayer's own; everything else leaves the outcome open."""
_REVERTED: Final = "execution reverted"
_WRONG_NONCE: Final = b"does not match on-chain nonce"
_KNOWN_ALREADY: Final = "already known"
_NODE_REFUSALS: Final = re.compile(
    r"nonce too (low|high)|insufficient funds|underpriced|intrinsic gas|gas limit|exceeds"
)
"""Words of a node that did not take a transaction into its pool."""


class _OnlyOnce(Exception):
    """A second submission was stopped."""


class _TurnedAway(Exception):
    """The submission was answered with anything but success; the answer has been kept."""


class _Passage:
    """The one submission of a job: what it waits for before it leaves, and its answer."""

    def __init__(self, leaving: Callable[[int | None, float | None, str], Awaitable[None]]) -> None:
        self.leaving = leaving
        self.has_left = False
        self.is_astray = False
        """It came back once: the relayer had told another nonce than the wallet's."""
        self.status = 0
        """0 while no answer came."""
        self.body = b""
        self.transaction = ""


class _Quote(msgspec.Struct, frozen=True):
    """Of the relayer's answers, all that is read (polymarket-api.md 11)."""

    error: str = ""
    transactionID: str = ""
    transactionHash: str = ""
    transaction_hash: str | None = None
    state: str = ""
    error_msg: str | None = None
    nonce: str = ""


class _NodeError(msgspec.Struct, frozen=True):
    """Of its message only words that are known are shown: a node may quote a key in its address."""

    code: int = 0
    message: str = ""


class _NodeAnswer(msgspec.Struct, frozen=True):
    result: Any = None
    error: _NodeError | None = None


class OnChain:
    """Transactions of one wallet."""

    def __init__(
        self,
        settings: Settings,
        private_key: Secret,
        account: Account,
        key: RelayerKey | BuilderKey | None,
        clock: Clock,
    ) -> None:
        """Nothing is connected yet.

        Args:
            settings: addresses of the venue.
            private_key: of the signer.
            account: signer, wallet and credentials, as the gateway found them.
            key: for the relayer; a wallet with own gas needs none.
            clock: of baselines.
        """
        self._settings = settings
        self._private_key = private_key
        self._account = account
        self._key = key
        self._clock = clock
        self._rpc = Rpc(settings.rpc_url)
        self._client: AsyncSecureClient | None = None
        self._passage: _Passage | None = None

    @property
    def route(self) -> Route | None:
        """How transactions travel; None when they cannot, and :attr:`obstacle` says why."""
        if self._is_own_gas:
            return "own gas"
        return None if self._key is None else "relayer"

    @property
    def obstacle(self) -> str:
        """Why no transaction can be sent, in words; "" when some can."""
        if self.route is not None:
            return ""
        return "this wallet's transactions go through the relayer: set RELAYER_API_KEY and RELAYER_API_KEY_ADDRESS"

    @property
    def _is_own_gas(self) -> bool:
        return self._account.signature_type == _OWN_GAS

    async def open(self) -> None:
        """Connect ahead of the first transaction: making the client holds the loop up for a quarter of a second.

        What fails here is tried again by whoever needs it.
        """
        with contextlib.suppress(VenueError):
            await self._connected()

    async def send(self, job: Job, leaving: Leaving) -> Sent:
        """Send a job's transaction once; every doubt is ``unknown``, never an exception.

        Args:
            job: to carry out.
            leaving: see :data:`Leaving`; what it raises stops the transaction before it has left, and is raised here.
        """
        try:
            client = await self._connected()
            if obstacle := await self._obstacle_to(job):
                return Sent("refused", detail=obstacle)
            cash, holdings = await self._balances(job)
        except (VenueError, PreflightError) as error:
            return Sent("refused", detail=f"not sent: {in_a_line(str(error))}")
        if short := _short_of(job, cash, holdings):
            return Sent("refused", detail=f"not sent: {short}")

        async def note(nonce: int | None, deadline_unix: float | None, transaction: str) -> None:
            await leaving(Baseline(nonce, self._clock.unix(), cash, holdings, deadline_unix), transaction)

        passage = self._passage = _Passage(note)
        problem: Exception | None = None
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await self._submit(client, job)
        except (PolymarketError, httpx.HTTPError, TimeoutError, _OnlyOnce, _TurnedAway) as error:
            problem = error
        finally:
            self._passage = None
        if not passage.has_left:
            return Sent("refused", detail=f"not sent: {_words_of(problem)}")
        return self._node_said(passage) if self._is_own_gas else _relayer_said(passage)

    async def look(self, job: Job, transaction_id: str, transaction: str) -> Look:
        """What relayer and chain show of a job that may have been sent; what cannot be asked is left out.

        Args:
            job: as planned.
            transaction_id: the relayer's name for its transaction; "" when none is known.
            transaction: hash; "" when none is known.
        """
        look = Look(transaction=transaction)
        if transaction_id and (told := await self._relayer(f"/v1/account/transactions/{transaction_id}")) is not None:
            look = msgspec.structs.replace(
                look,
                relayer=told.state,
                error=in_a_line(told.error_msg or ""),
                transaction=told.transaction_hash or transaction,
            )
        if look.transaction:
            look = await self._with_receipt(look)
        if look.relayer or look.is_success is not None:
            return look
        return await self._with_nonce(look, job)

    async def refresh(self, job: Job) -> None:
        """Have the venue read the balances again that a job has changed: its own lag by seconds (polymarket-api.md 11).

        Nothing depends on it, so that a failure is left to the next read.
        """
        kind = "CONDITIONAL-V2" if _is_v2(job) else "CONDITIONAL"
        assets: list[dict[str, str]] = [{"asset_type": "COLLATERAL"}]
        assets += [{"asset_type": kind, "token_id": leg.token} for leg in job.legs]
        params = {"signature_type": str(self._account.signature_type)}
        with contextlib.suppress(PolymarketError, VenueError, PreflightError, httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(SEND_DEADLINE_S):
                clob = (await self._connected())._ctx.secure_clob
                for asset in assets:
                    await clob.get_json("/balance-allowance/update", params=asset | params)

    async def close(self) -> None:
        """Release the connections."""
        await self._rpc.close()
        if self._client is not None:
            await self._client.close()

    # Before anything leaves

    async def _connected(self) -> AsyncSecureClient:
        """The client.

        Raises:
            VenueUnavailable: the venue cannot be reached.
            PreflightError: this version of the client has other parts inside.
        """
        if self._client is not None:
            return self._client
        api = self._account.credentials
        try:
            client = await AsyncSecureClient.create(
                private_key=self._private_key.reveal(),
                wallet=self._account.wallet,
                environment=environment_for(self._settings),
                credentials=ApiKeyCreds(
                    key=api.key.reveal(), secret=api.secret.reveal(), passphrase=api.passphrase.reveal()
                ),
                api_key=_api_key(self._key),
            )
        except PolymarketError as error:
            raise VenueUnavailable(f"the venue cannot be reached: {type(error).__name__}") from None
        try:
            for connection in (client._ctx.relayer._client, client._ctx.rpc._transport._client):
                connection.event_hooks["request"].append(self._before)
                connection.event_hooks["response"].append(self._after)
        except AttributeError as error:
            await client.close()
            raise PreflightError("polymarket-client is not what this program was written for") from error
        self._client = client
        return client

    async def _obstacle_to(self, job: Job) -> str:
        """What the chain would not allow, in words; "" when it can go."""
        is_v2 = _is_v2(job)
        if job.kind == "redeem" and is_v2 and self._is_own_gas and len(job.legs) > 1:
            return "a key that is its own wallet redeems the two tokens of this market one by one: do it by hand"
        if job.kind == "convert":
            adapter = PRODUCTION_CONFIG.neg_risk_adapter
            group = bytes.fromhex(job.group.removeprefix("0x"))
            there = await self._rpc.view(adapter, "getQuestionCount(bytes32)", [group], "uint256")
            if there != len(job.legs):
                return f"the event has {there} outcomes on the chain, and {len(job.legs)} are known here"
        wallet, spender = self._account.wallet, _spender(job, is_v2)
        if job.kind == "split":
            allowed = await self._rpc.view(PUSD, "allowance(address,address)", [wallet, spender], "uint256")
            if allowed < job.size:
                return f"{spender} may take {micro_text(min(allowed, job.size))} dollars: approve it, once, by hand"
            return ""
        token = POSITION_MANAGER if is_v2 else CONDITIONAL_TOKENS
        if not await self._rpc.view(token, "isApprovedForAll(address,address)", [wallet, spender], "bool"):
            return f"{spender} may not take the tokens: approve it, once, by hand"
        return ""

    async def _submit(self, client: AsyncSecureClient, job: Job) -> None:
        metadata = f"{job.kind} {job.job_id}"
        match job.kind:
            case "split":
                await client.split_position(condition_id=job.market, amount=job.size, metadata=metadata)
            case "merge":
                await client.merge_positions(condition_id=job.market, amount=job.size, metadata=metadata)
            case "redeem":
                await client.redeem_positions(condition_id=job.market, metadata=metadata)
            case "convert":
                await client.execute_transaction(calls=[_convert_call(job)], metadata=metadata)

    # The passage

    async def _before(self, request: httpx.Request) -> None:
        """Request hook: one submission leaves, and not before it is written down."""
        told = _submission(request)
        if told is None:
            return
        passage = self._passage
        if passage is None or passage.has_left:
            raise _OnlyOnce
        nonce, deadline_unix, passage.transaction = told
        await passage.leaving(None if passage.is_astray else nonce, deadline_unix, passage.transaction)
        passage.has_left = True

    async def _after(self, response: httpx.Response) -> None:
        """Response hook: the answer to the submission, before the client sends it anew.

        It may do so once where the nonce was wrong, which the client reads from the answer: nothing was taken then.
        """
        passage = self._passage
        if passage is None or _submission(response.request) is None:
            return
        await response.aread()
        passage.status, passage.body = response.status_code, response.content
        if response.status_code == 400 and not passage.is_astray and _WRONG_NONCE in response.content:
            passage.has_left, passage.is_astray, passage.status = False, True, 0
        elif response.status_code != 200:
            raise _TurnedAway

    def _node_said(self, passage: _Passage) -> Sent:
        """A node's answer to an own transaction, whose hash was known before."""
        answer = _read(passage.body, _NodeAnswer) if passage.status == 200 else None
        if answer is None:
            return Sent("unknown", transaction=passage.transaction, detail="no answer of the node")
        words = "" if answer.error is None else answer.error.message.lower()
        if answer.error is None or _KNOWN_ALREADY in words:
            return Sent("sent", transaction=passage.transaction)
        if refusal := _NODE_REFUSALS.search(words):
            return Sent("refused", transaction=passage.transaction, detail=f"the node: {refusal[0]}")
        return Sent("unknown", transaction=passage.transaction, detail=f"the node: code {answer.error.code}")

    # Afterwards

    async def _relayer(self, path: str, **params: str) -> _Quote | None:
        """What the relayer answers; None when it cannot be asked, or knows nothing."""
        try:
            client = await self._connected()
            async with asyncio.timeout(SEND_DEADLINE_S):
                return msgspec.convert(await client._ctx.relayer.get_json(path, params=params), _Quote)
        except (PolymarketError, VenueError, PreflightError, httpx.HTTPError, TimeoutError, msgspec.ValidationError):
            return None

    async def _with_receipt(self, look: Look) -> Look:
        try:
            receipt = await self._rpc.receipt(look.transaction)
            if receipt is None:
                return look
            depth = 1 + await self._rpc.block_number() - receipt.block
            received = receipt.received(self._account.wallet)
            return msgspec.structs.replace(look, is_success=receipt.is_success, depth=depth, received=received)
        except (VenueError, ValueError):
            return look

    async def _with_nonce(self, look: Look, job: Job) -> Look:
        nonce, pending = await self._nonces()
        try:
            cash, holdings = await self._balances(job)
        except VenueError:
            cash, holdings = None, None
        return msgspec.structs.replace(look, nonce=nonce, pending=pending, cash=cash, holdings=holdings)

    async def _nonces(self) -> tuple[int | None, int | None]:
        """Of the wallet's next transaction: by what is mined, and by what a node knows besides."""
        signer = self._account.address
        if self._is_own_gas:
            try:
                return await self._rpc.nonce(signer), await self._rpc.nonce(signer, pending=True)
            except VenueError:
                return None, None
        kind = _RELAYED[self._account.signature_type]
        path = "/relay-payload" if kind == "PROXY" else "/v1/account/transactions/params"
        told = await self._relayer(path, address=signer, type=kind)
        return (int(told.nonce) if told is not None and told.nonce.isdecimal() else None), None

    async def _balances(self, job: Job) -> tuple[Usd, tuple[Shares, ...]]:
        wallet = self._account.wallet
        return await self._rpc.cash(wallet), await self._rpc.holdings(wallet, [leg.token for leg in job.legs])


def _submission(request: httpx.Request) -> tuple[int, float | None, str] | None:
    """Nonce, deadline (unix seconds) and hash of the transaction that a request submits; None when it submits none."""
    if request.method != "POST":
        return None
    if request.url.path.endswith(_SUBMIT):
        body = msgspec.json.decode(request.content)
        deadline = (body.get("depositWalletParams") or {}).get("deadline")
        return int(body["nonce"]), None if deadline is None else float(deadline), ""
    if _SEND_RAW.encode() not in request.content:
        return None
    raw = bytes.fromhex(msgspec.json.decode(request.content)["params"][0].removeprefix("0x"))
    return int.from_bytes(rlp.decode(raw)[0], "big"), None, "0x" + keccak(raw).hex()


def _short_of(job: Job, cash: Usd, holdings: Sequence[Shares]) -> str:
    """What the chain has less of than a job takes, in words; "" when there is enough."""
    if cash < -job.cash:
        return f"the chain shows {micro_text(cash)} dollars"
    for leg, held in zip(job.legs, holdings, strict=True):
        if held < -leg.change:
            gone = ", which the venue's AutoRedeemer may have taken" if job.kind == "redeem" else ""
            return f"the chain shows {micro_text(held)} {leg.outcome} of {micro_text(-leg.change)}{gone}"
    return ""


def _relayer_said(passage: _Passage) -> Sent:
    """The relayer's answer to a submission (polymarket-api.md 10.1, 11)."""
    told = _read(passage.body, _Quote)
    if passage.status == 200 and told is not None and told.transactionID:
        return Sent("sent", transaction_id=told.transactionID, transaction=told.transactionHash)
    words = in_a_line(told.error) if told is not None else ""
    if words and passage.status in _REFUSING:
        resets = _RESETS.search(words)
        return Sent("refused", retry_s=float(resets[1]) if resets else None, detail=words)
    return Sent("unknown", detail=f"status {passage.status}" if passage.status else "no answer of the relayer")


def _read(body: bytes, shape: Any) -> Any:
    """A body of that shape, or None."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE:
        return None


def _words_of(problem: Exception | None) -> str:
    """Why nothing was sent; what quotes an answer or its address may quote a key, and shows its class alone."""
    if isinstance(problem, JsonRpcCallError):
        what = f"the node refuses {problem.method} with code {problem.code}"
        return f"{what}: {_REVERTED}" if _REVERTED in problem.message else what
    if isinstance(problem, UserInputError | InsufficientAllowanceError):  # the client's own words, of what it was given
        return in_a_line(str(problem))
    if isinstance(problem, RequestRejectedError):
        return f"{type(problem).__name__}, status {problem.status}"
    return type(problem).__name__ if problem is not None else "the client sent nothing"


def _api_key(key: RelayerKey | BuilderKey | None) -> ApiKey | None:
    if isinstance(key, RelayerKey):
        return RelayerApiKey(key=key.key.reveal(), address=key.address)
    if key is None:
        return None
    return BuilderApiKey(key=key.key.reveal(), secret=key.secret.reveal(), passphrase=key.passphrase.reveal())


def _is_v2(job: Job) -> bool:
    return any(exchange_of(int(leg.token), job.neg_risk) == "v3" for leg in job.legs)


def _spender(job: Job, is_v2: bool) -> str:
    """The contract that carries a job out and takes what it needs (polymarket-api.md 3.6, 11)."""
    if is_v2:
        return str(PRODUCTION_CONFIG.protocol_v2_router)
    return str(PRODUCTION_CONFIG.neg_risk_collateral_adapter if job.neg_risk else PRODUCTION_CONFIG.collateral_adapter)


def _convert_call(job: Job) -> TransactionCall:
    """``convertPositions`` of the neg-risk adapter, for which the client has no helper (polymarket-api.md 11)."""
    arguments = [bytes.fromhex(job.group.removeprefix("0x")), job.index_set, job.size]
    data = keccak(_CONVERT.encode())[:4] + abi_encode(["bytes32", "uint256", "uint256"], arguments)
    return TransactionCall(to=PRODUCTION_CONFIG.neg_risk_collateral_adapter, data="0x" + data.hex())  # type: ignore[arg-type]
