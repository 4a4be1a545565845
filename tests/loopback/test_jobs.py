"""Inventory operations through the official client, from every kind of wallet: what is previewed is what happens."""

import asyncio
import itertools
from unittest.mock import patch

import httpx
import pytest

from core.exchange.chain import contracts
from core.exchange.lifecycle import Result
from core.units import MICRO, Shares
from tests.loopback.jobs_yard import CASH, KINDS, Yard, in_yard, states


@pytest.mark.parametrize("kind", KINDS)
def test_every_wallet_splits_merges_and_redeems_as_previewed(kind: str) -> None:
    """On a plain market and on one of a neg-risk event: cash, tokens, books and preview are one to the micro-dollar."""

    async def play(yard: Yard) -> None:
        plain, _, *family = yard.markets
        for market in (plain, family[0]):
            before, _ = yard.balances()
            split = yard.start("split", market, 123.456789)
            seen = await yard.over()
            assert seen.state == "confirmed", seen.detail
            assert yard.balances()[0] == before + split.cash == split.cash_left
            assert states(yard.told)[0] == "sending" and yard.told[0].baseline is not None
            merge = yard.start("merge", market, 23.456789)
            seen = await yard.over()
            assert seen.state == "confirmed", seen.detail
            cash, tokens = yard.balances()
            assert cash == merge.cash_left and [tokens[(market, o)] for o in ("YES", "NO")] == list(merge.left)
            yard.agrees()
        yard.exchange.resolve(plain, "NO")
        redeem = yard.start("redeem", plain)
        seen = await yard.over()
        assert (seen.state, seen.amount) == ("confirmed", redeem.cash) and yard.balances()[0] == redeem.cash_left
        assert all(len(each.transaction) == 66 for each in yard.told if each.state == "confirmed")
        yard.agrees()

    in_yard(play, kind)


@pytest.mark.parametrize("result", ["YES", "NO", "HALF"])
@pytest.mark.parametrize("kind", ["EOA", "WALLET"])
def test_a_redemption_pays_what_the_result_is_worth(kind: str, result: Result) -> None:
    """Unequal holdings with an odd micro-share: half of each is rounded down, as the contract does."""

    async def play(yard: Yard) -> None:
        _, _, market, other, _ = yard.markets
        await yard.done("split", market, 20.000001)
        await yard.done("split", other, 30)
        await yard.done("convert", market, 12.000001)
        yard.exchange.resolve(market, result)
        held = yard.stocks()[market]
        assert held.yes != held.no
        redeem = yard.start("redeem", market)
        seen = await yard.over()
        paid = {"YES": held.yes, "NO": held.no, "HALF": held.yes // 2 + held.no // 2}[result]
        assert (seen.state, seen.amount, redeem.cash) == ("confirmed", paid, paid)
        yard.agrees()

    in_yard(play, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wallet_converts(kind: str) -> None:
    """NO of two outcomes becomes YES of the third and a dollar; of all three, two dollars. The group's worth stays."""

    async def play(yard: Yard) -> None:
        first, second, third = yard.markets[2:]
        for market in (first, second, third):
            await yard.done("split", market, 50)
        two = yard.start("convert", first, 20)
        assert two.index_set == 0b111 and two.cash == 40 * MICRO, "whoever has that much gives it"
        assert (await yard.over()).state == "confirmed"
        yard.agrees()
        await yard.done("merge", third, 25)
        pair = yard.start("convert", first, 30)
        assert (pair.index_set, pair.cash) == (0b011, 30 * MICRO)
        assert (await yard.over()).state == "confirmed"
        cash, tokens = yard.balances()
        assert cash == pair.cash_left and tokens[(third, "YES")] == 55 * MICRO and tokens[(first, "NO")] == 0
        yard.agrees()
        for market, result in ((first, "YES"), (second, "NO"), (third, "NO")):
            yard.exchange.resolve(market, result)  # type: ignore[arg-type]
        await yard.done("redeem", first)
        yard.agrees()
        yard.exchange.ledger.check()

    in_yard(play, kind)


def test_a_market_of_protocol_v2_goes_through_the_router() -> None:
    """A contract wallet redeems both tokens in one transaction; a key with own gas says that it cannot."""

    async def play(yard: Yard) -> None:
        market = yard.markets[1]
        await yard.done("split", market, 10)
        await yard.done("merge", market, 4)
        yard.exchange.resolve(market, "HALF")
        seen = await yard.done("redeem", market)
        if yard.kind == "WALLET":
            assert seen.state == "confirmed" and yard.balances()[0] == CASH
        else:
            assert seen.state == "refused" and "one by one" in seen.detail
        yard.agrees()

    for kind in ("WALLET", "EOA"):
        in_yard(play, kind)


def test_quota_is_a_state_with_a_time() -> None:
    """The relayer takes 25 a minute: the next is refused, says until when, and goes through then."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        yard.arm('do = "http"\non = "request:POST */submit"\nstatus = 429\n'
                 'text = \'{"error": "quota exceeded: 0 units remaining, resets in 75 seconds"}\'')  # fmt: skip
        seen = await yard.done("split", market, 5)
        assert (seen.state, seen.retry_s) == ("refused", 75.0) and "quota exceeded" in seen.detail
        assert yard.chain.sends == 1, "the client would have tried it eleven times"
        unix = yard.clock.unix()
        early = yard.jobs.plan("split", market, Shares(MICRO), yard.stocks(), yard.purse(), unix)
        assert early.until_unix is not None and 60 < early.until_unix - unix <= 75  # type: ignore[union-attr]
        await asyncio.sleep(80)
        seen = await yard.done("split", market, 5)
        assert seen.state == "confirmed", seen.detail
        yard.agrees()

    in_yard(play)


@pytest.mark.parametrize("kind", ["EOA", "SAFE"])
def test_a_missing_approval_is_told_in_words_and_nothing_is_sent(kind: str) -> None:
    async def play(yard: Yard) -> None:
        market, wallet = yard.markets[0], yard.wallet.lower()
        yard.exchange.approvals.give(wallet, contracts.PUSD, contracts.ADAPTER, 3 * MICRO)
        seen = await yard.done("split", market, 5)
        assert seen.state == "refused" and "may take 3 dollars: approve it, once, by hand" in seen.detail
        assert (await yard.done("split", market, 2)).state == "confirmed", "as much as is approved"
        yard.exchange.approvals.give(wallet, contracts.CTF, contracts.ADAPTER, 0)
        seen = await yard.done("merge", market, 2)
        assert seen.state == "refused" and "may not take the tokens" in seen.detail
        yard.agrees()

    in_yard(play, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_reverts_fails_and_frees_what_was_reserved(kind: str) -> None:
    """The cash is gone by the time it is mined."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        yard.start("split", market, 900)
        await yard.until("sent")
        yard.exchange.split(yard.wallet, yard.markets[2], Shares(500 * MICRO))
        seen = await yard.over()
        assert seen.state == "failed" and "revert" in seen.detail
        assert yard.jobs.reserved_cash == 0 and yard.balances()[0] == 500 * MICRO

    in_yard(play, kind)


def test_what_the_chain_does_not_have_is_not_sent() -> None:
    """Tokens that the AutoRedeemer took, cash that went elsewhere: told in words, and the quota is not touched."""

    async def play(yard: Yard) -> None:
        market, other = yard.markets[0], yard.markets[2]
        await yard.done("split", market, 30)
        yard.exchange.split(yard.wallet, other, Shares(900 * MICRO))
        seen = await yard.done("split", market, 80)
        assert (seen.state, seen.detail) == ("refused", "not sent: the chain shows 70 dollars")
        yard.exchange.resolve(market, "YES")
        yard.exchange.redeem(yard.wallet, market)
        seen = await yard.done("redeem", market)
        assert seen.state == "refused" and seen.detail.startswith("not sent: the chain shows 0 YES of 30, which")
        assert yard.jobs.under_way is None and len([each for each in yard.told if each.state == "sending"]) == 1

    in_yard(play)


@pytest.mark.parametrize("kind", ["EOA", "WALLET"])
def test_a_redemption_that_somebody_else_was_faster_with_loses_nothing(kind: str) -> None:
    """It succeeds and pays nothing: the shares stay for the account's own comparison, which knows who took them."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        await yard.done("split", market, 30)
        yard.exchange.resolve(market, "YES")
        yard.start("redeem", market)
        await yard.until("sent")
        yard.exchange.redeem(yard.wallet, market)
        seen = await yard.over()
        assert (seen.state, seen.detail) == ("failed", "it paid nothing: somebody else redeemed the tokens before")
        assert yard.balances()[0] == CASH and yard.books[market].average.yes.shares == 30 * MICRO

    in_yard(play, kind)


CANARY = "k1e2y3secret"
HTML = {"content-type": "text/html"}
ODD: tuple[httpx.Response, ...] = (
    httpx.Response(429),
    httpx.Response(200, text="busy"),
    httpx.Response(200, json=[]),
    httpx.Response(200, json={"result": CANARY}),
    httpx.Response(200, json={"error": CANARY}),
    httpx.Response(200, json={"error": {"code": 3, "message": f"execution reverted: see https://node/{CANARY}"}}),
    httpx.Response(200, json={"error": {"code": -32000, "message": f"invalid api key {CANARY}"}}),
    *(httpx.Response(status, headers=HTML, text="<p>no") for status in (400, 401, 403, 404, 500, 502)),
    httpx.Response(403, headers={"server": "cloudflare"}),
    httpx.Response(401, text=f"no such key: {CANARY}"),
    httpx.Response(400, json={"error": f"no such key: {CANARY}"}),
)


def test_no_answer_of_the_node_shows_the_key_in_its_address() -> None:
    """The official client quotes the address, and answers, in many of its errors; a provider's key is part of it."""

    async def play(yard: Yard) -> None:
        inner = yard.chain.inner
        client = await inner._connected()
        told = set[str]()
        for odd, node in itertools.product(ODD, (client._ctx.rpc._transport._client, inner._rpc._client)):

            def answer(request: httpx.Request, odd: httpx.Response = odd) -> httpx.Response:
                assert CANARY in str(request.url)
                return httpx.Response(odd.status_code, headers=odd.headers, content=odd.content)

            with patch.object(node, "_transport", httpx.MockTransport(answer)), patch.object(node, "_mounts", {}):
                seen = await yard.done("split", yard.markets[0], 5)
            assert seen.state == "refused" and seen.detail.startswith("not sent: ")
            told.add(seen.detail)
        shown = "\n".join(told) + repr(yard.told)
        assert CANARY not in shown and "://" not in shown, shown
        assert {
            "not sent: RateLimitError",
            "not sent: UnexpectedResponseError",
            "not sent: RequestRejectedError, status 403",
        } <= told
        assert any(each.endswith(": execution reverted") for each in told), told

    in_yard(play, "EOA", rpc_key=CANARY)


def test_a_wallet_without_a_relayer_key_is_told_what_it_lacks() -> None:
    async def play(yard: Yard) -> None:
        yard.chain.inner._key = None
        refused = yard.jobs.plan("split", yard.markets[0], Shares(5 * MICRO), yard.stocks(), yard.purse(), 0.0)
        assert "RELAYER_API_KEY" in refused.why  # type: ignore[union-attr]

    in_yard(play)
