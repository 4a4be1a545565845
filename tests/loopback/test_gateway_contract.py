"""One contract for every gateway, each on its own venue; and what the two real clients must do alike on top of it."""

import hashlib
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.actions import SignedPlace
from core.clock import ManualClock
from core.errors import OutcomeUnknown, VenueError, VenueRefused
from core.events import CancelAnswered, OrderAnswered
from core.exchange.lifecycle import Result
from core.units import MICRO, Shares
from core.venue import gateway_clob
from core.venue.gateway import ModeSign, RateSign
from tests.builders import a_market
from tests.loopback.gateways import (
    ABSENT,
    CLIENTS,
    Bench,
    Client,
    ClobBench,
    PaperBench,
    clob_bench,
    place,
    posted,
)
from tests.loopback.venue import CASH, EOA, EVERY_KIND, KEY, MARKET_KINDS, Venue, venue_running

WALLET_KINDS = {"EOA": 0, "proxy": 1, "Safe": 2, "deposit wallet": 3}


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running() as running:
        yield running


@pytest.fixture(params=[*CLIENTS, "paper"])
async def bench(venue: Venue, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "paper":
        paper = PaperBench()
        yield paper
        await paper.gateway.close()
    else:
        async with clob_bench(venue, request.param) as made:
            yield made


@pytest.fixture(params=CLIENTS)
async def clob(venue: Venue, request: pytest.FixtureRequest) -> AsyncIterator[ClobBench]:
    async with clob_bench(venue, request.param) as made:
        yield made


async def signed_of(bench: Bench, *wishes: Any) -> list[SignedPlace]:
    flags = {each.market: each.neg_risk for each in bench.instruments}
    return [await bench.gateway.sign(wish, flags[wish.market]) for wish in wishes]


async def placed(bench: Bench, *wishes: Any) -> list[str]:
    """Orders that must rest; their ids."""
    signed = await signed_of(bench, *wishes)
    answers: list[OrderAnswered] = await bench.told(await posted(bench.gateway, signed), len(signed))
    assert {answer.intent: answer.outcome for answer in answers} == {wish.intent: "live" for wish in wishes}
    return [each.order_id for each in signed]


async def cancelled(bench: Bench, order_ids: list[str]) -> dict[str, str]:
    answers: list[CancelAnswered] = await bench.told(await bench.gateway.cancel(order_ids), len(order_ids))
    return {answer.order_id: answer.outcome for answer in answers}


# All three


async def test_orders_rest_under_the_ids_told_before_and_are_read_back(bench: Bench) -> None:
    """Both tokens, two markets: after a lost answer the id is all we have."""
    one, other = bench.instruments
    wishes = [place(one, 1, 2), place(one, 2, 3, outcome="NO", size=10.01), place(other, 3, 2)]
    ids = await placed(bench, *wishes)
    assert len(set(ids)) == 3 and bench.resting() == set(ids)
    read = await bench.gateway.open_orders()
    assert read.complete and read.problem == ""
    assert {(o.order_id, o.market, o.token, o.order_side, o.price, o.size, o.matched) for o in read.orders} == {
        (order_id, wish.market, wish.token, "BUY", wish.price_text, wish.size, 0)
        for order_id, wish in zip(ids, wishes, strict=True)
    }
    seen = await bench.gateway.read_order(ids[1])
    assert seen is not None and (seen.order_id, seen.status, seen.matched) == (ids[1], "live", 0) and seen.asked_s > 0
    unknown = await bench.gateway.read_order(ABSENT)
    assert unknown is not None and unknown.status == "absent"
    scoring = await bench.gateway.read_scoring(ids)
    assert scoring is not None and {order_id for order_id, _ in scoring.scoring} == set(ids)


async def test_one_refused_order_says_nothing_about_its_neighbours(bench: Bench) -> None:
    """Post-only that would take is refused with its class; before and behind it orders rest."""
    one = bench.instruments[0]
    wishes = [place(one, 1, 2), place(one, 2, one.grid.k - 1), place(one, 3, 3)]
    signed = await signed_of(bench, *wishes)
    answers: list[OrderAnswered] = await bench.told(await posted(bench.gateway, signed), 3)
    told = {answer.intent: (answer.outcome, answer.refusal) for answer in answers}
    assert told == {1: ("live", ""), 2: ("refused", "crossed"), 3: ("live", "")}
    assert bench.resting() == {signed[0].order_id, signed[2].order_id}


async def test_cancels_say_what_became_of_each_order(bench: Bench) -> None:
    """Cancelled, then gone; never heard of is gone too: fills and reads decide about those."""
    one = bench.instruments[0]
    first, second = await placed(bench, place(one, 1, 2), place(one, 2, 3))
    assert await cancelled(bench, [first, ABSENT]) == {first: "cancelled", ABSENT: "gone"}
    assert await cancelled(bench, [first]) == {first: "gone"}
    assert bench.resting() == {second}
    seen = await bench.gateway.read_order(first)
    assert seen is not None and (seen.status, seen.matched) == ("cancelled", 0)


async def test_a_market_is_cancelled_without_the_others(bench: Bench) -> None:
    one, other = bench.instruments
    first, second, third = await placed(bench, place(one, 1, 2), place(other, 2, 2), place(one, 3, 3, outcome="NO"))
    answers: list[CancelAnswered] = await bench.told(await bench.gateway.cancel_market(one.market), 2)
    assert {(a.order_id, a.outcome) for a in answers} == {(first, "cancelled"), (third, "cancelled")}
    assert bench.resting() == {second}


async def test_everything_is_cancelled_and_named(bench: Bench) -> None:
    """The one request of the kill; a second one finds nothing."""
    one, other = bench.instruments
    ids = await placed(bench, place(one, 1, 2), place(other, 2, 2))
    answers: list[CancelAnswered] = await bench.told(await bench.gateway.cancel_all(), 2)
    assert {(a.order_id, a.outcome) for a in answers} == {(order_id, "cancelled") for order_id in ids}
    assert bench.resting() == set() and await bench.gateway.cancel_all() == []
    read = await bench.gateway.open_orders()
    assert read.complete and read.orders == ()


async def test_a_fill_is_seen_in_every_read_of_the_account(bench: Bench) -> None:
    """12 of 20 shares bought: trades, order, holdings and cash agree, to the micro-dollar."""
    one = bench.instruments[0]
    tick = bench.best_bid() + 1
    [order_id] = await placed(bench, place(one, 1, tick))
    before = await bench.gateway.balances([one.yes_token, one.no_token])
    assert (before.complete, before.cash) == (True, CASH)
    assert before.holdings == ((one.yes_token, 0), (one.no_token, 0))
    await bench.sell_into(tick, 12)
    read = await bench.gateway.trades_since(0)
    assert read.complete
    [fill] = [each for each in read.fills if each.order_id == order_id]
    assert (fill.size, fill.market, fill.token, fill.order_side) == (12 * MICRO, one.market, one.yes_token, "BUY")
    assert (fill.owned, fill.source, fill.settlement, fill.price) == (True, "read", "confirmed", one.grid.text(tick))
    seen = await bench.gateway.read_order(order_id)
    assert seen is not None and (seen.status, seen.matched) == ("live", 12 * MICRO)
    [listed] = (await bench.gateway.open_orders()).orders
    assert (listed.size, listed.matched) == (20 * MICRO, 12 * MICRO)
    after = await bench.gateway.balances([one.yes_token])
    assert after.complete and after.holdings == ((one.yes_token, 12 * MICRO),)
    assert after.cash == CASH - tick * (MICRO // one.grid.k) * 12
    mined = await bench.gateway.chain([one.yes_token, one.no_token])
    if isinstance(bench, PaperBench):
        assert mined is None
    else:
        assert mined is not None and mined.complete and mined.asked_s > 0
        assert (mined.cash, mined.holdings) == (after.cash, (*after.holdings, (one.no_token, 0)))
    activity = await bench.gateway.activity(0)
    assert activity.complete and {row.kind for row in activity.rows} <= {"trade"}
    positions = await bench.gateway.positions([one.yes_token])
    assert positions.complete and positions.holdings == ((one.yes_token, 12 * MICRO),)
    index = await bench.gateway.indexed_trades(0)
    settled = 0 if isinstance(bench, PaperBench) else 12 * MICRO
    assert index.complete and sum(trade.size for trade in index.trades) == settled
    assert {(trade.token, trade.order_side) for trade in index.trades} <= {(one.yes_token, "BUY")}
    [sold] = await placed(bench, place(one, 2, one.grid.k - 2, side="SELL", size=10.01))
    [offer] = [order for order in (await bench.gateway.open_orders()).orders if order.order_id == sold]
    assert (offer.order_side, offer.price, offer.size) == ("SELL", one.grid.text(one.grid.k - 2), 10_010_000)


async def test_nothing_is_paid_before_it_is_decided(bench: Bench) -> None:
    """And a catalogue that cannot be reached decides nothing."""
    assert await bench.gateway.payouts([one.market for one in bench.instruments]) == []
    assert await bench.gateway.payouts([]) == []


async def test_heartbeats_are_a_chain(bench: Bench) -> None:
    """Each answer names the next id; a wrong one is told the right one and goes on from there."""
    first = await bench.gateway.heartbeat("")
    assert first.status == "ok" and first.heartbeat_id
    second = await bench.gateway.heartbeat(first.heartbeat_id)
    assert second.status == "ok" and second.heartbeat_id not in ("", first.heartbeat_id)
    stale = await bench.gateway.heartbeat(first.heartbeat_id)
    assert (stale.status, stale.heartbeat_id) == ("mismatch", second.heartbeat_id)
    assert (await bench.gateway.heartbeat(stale.heartbeat_id)).status == "ok"


async def test_nothing_asked_is_nothing_done(bench: Bench) -> None:
    """Empty requests are refused by the venue and its clients; here they are no requests."""
    assert await bench.gateway.post([]) == [] and await bench.gateway.cancel([]) == []


# Signatures: polymarket-api.md appendix A, and one client against the other


SALT, STAMP_MS = 123_456_789, 1_790_000_000_000
FIRST = a_market(yes="1" * 77)
NEG_RISK = a_market(yes="1" * 77, neg_risk=True)
SECOND = a_market(yes="452312848583266388373324160190187140051835877600158453279131187533793062657")
VECTORS = {
    ("EOA", "plain"): (
        "3f941890d51e668fbde39d49db621d7f7226771c17725cc642a11c4402103fc1",
        "16de53f07a229065bc349298cc51faa1c6df0ecd93586033580709c3b676e991"
        "151b46b428b743623b83c4a159690a7603b08f304f00f84b07019179676a947e1c",
    ),
    ("EOA", "neg-risk"): (
        "406aac52284aea0ed5fb53566bff6e99b61c0ede9b272ca059706fc83b83bc82",
        "6c405a275a13e9c389b7aaeb6ca4a51859cbcf087471ba464bb55e4b4e04ddb9"
        "3711346c864c5df56c0a8b605cc12ee5d5d499ef43f0cf0dfc88ef336dc5ab221b",
    ),
    ("EOA", "v2"): (
        "3d95ad3761834b08bac653a6aa67e1ca52e963e1ad022a52fe1a1a3069e0cf83",
        "ad33b6c49a35cbeb75419b71c32ff180334e67350e0f20affc56c1866f5f9cbe"
        "19e4333d2b3a721d48e9c101f9d2b0723fdd930ac62c50970031a01150aedccd1b",
    ),
}
WISHES = {
    "plain": place(FIRST, 1, 45, size=10),
    "neg-risk": place(NEG_RISK, 1, 45, size=10),
    "v2": place(SECOND, 1, 45, size=10),
    "sell": place(FIRST, 1, 45, side="SELL", size=10.01),
    "other token": place(FIRST, 1, 99, outcome="NO", size=5.29),
    "coarse": place(a_market("0.1"), 1, 3, size=1_234_567.89),
    "quarters": place(a_market("0.0025"), 1, 3, size=16.67),
    "halves": place(a_market("0.005"), 1, 199, side="SELL", size=33.33),
    "finest": place(a_market("0.0001"), 1, 9_999, size=0.01),
}
"""Both sides and tokens on every tick there is."""
WRAPPED = (
    "88baaa41d26d2ca683e1dd4cbd54fe9d706a77b6a5d0427ff5d4a4fb13a4add8",
    "bb0b8bc15f1489660e2ed39815fabf2552d6e7f2e0b467e97d67d4f66ef2b512",
)
"""Order id of the deposit wallet's order, and the SHA-256 of its signature as text."""


def freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix salt and time of both clients."""
    orders = "polymarket._internal.actions.orders.orders"
    monkeypatch.setattr(f"{orders}._generate_salt", lambda: SALT)
    monkeypatch.setattr(f"{orders}._current_timestamp_ms", lambda: STAMP_MS)
    monkeypatch.setattr(time, "time_ns", lambda: STAMP_MS * MICRO)
    monkeypatch.setattr(random, "random", lambda: (SALT + 0.5) / STAMP_MS)


@pytest.mark.parametrize("wallet", WALLET_KINDS)
async def test_both_clients_sign_alike_and_as_the_vectors_say(
    venue: Venue, wallet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same order, same salt, same time: same id, same bytes, for every wallet and every exchange contract."""
    signed: dict[tuple[Client, str], SignedPlace] = {}
    for client in CLIENTS:
        clock = ManualClock(unix=STAMP_MS / 1000)
        async with clob_bench(venue, client, kind=WALLET_KINDS[wallet], clock=clock) as bench:
            with monkeypatch.context() as frozen:
                freeze(frozen)
                for name, wish in WISHES.items():
                    signed[client, name] = await bench.gateway.sign(wish, name == "neg-risk")
    for name in WISHES:
        one, other = (signed[client, name] for client in CLIENTS)
        assert one.order_id == other.order_id
        assert one.payload.signature == other.payload.signature
        if (wallet, name) in VECTORS:
            order_id, signature = VECTORS[wallet, name]
            assert (one.order_id, one.payload.signature) == ("0x" + order_id, "0x" + signature)
    if wallet == "deposit wallet":
        told = signed["polymarket-client", "plain"]
        digest = hashlib.sha256(told.payload.signature.encode()).hexdigest()
        assert (told.order_id, digest) == ("0x" + WRAPPED[0], WRAPPED[1])


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("wallet", WALLET_KINDS)
async def test_every_wallet_trades_on_every_exchange_contract(client: Client, wallet: str) -> None:
    """Placed under our id by the wallet that holds the money, both sides of the book, read back and cancelled."""
    async with (
        venue_running(markets=EVERY_KIND) as venue,
        clob_bench(venue, client, kind=WALLET_KINDS[wallet]) as bench,
    ):
        assert bench.gateway.account.signature_type == WALLET_KINDS[wallet]
        for kind in MARKET_KINDS:
            market = venue.instrument(kind)
            signed = [await bench.gateway.sign(place(market, n, 2 + n), market.neg_risk) for n in range(2)]
            assert [answer.outcome for answer in await posted(bench.gateway, signed)] == ["live", "live"]
            assert bench.resting() == {each.order_id for each in signed}
            read = await bench.gateway.open_orders()
            assert read.complete and {each.order_id for each in read.orders} == bench.resting()
            balances = await bench.gateway.balances([market.yes_token])
            assert balances.complete and balances.cash == CASH and balances.holdings == ((market.yes_token, 0),)
            makers = {venue.exchange.engine.orders[name].new.account.lower() for name in bench.resting()}
            assert makers == {bench.gateway.account.wallet.lower()}
            assert len(await bench.gateway.cancel_market(market.market)) == 2


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("wallet", WALLET_KINDS)
async def test_every_wallet_reads_the_chain_and_the_payouts_of_every_kind_of_market(
    client: Client, wallet: str
) -> None:
    """Shares of the CTF, neg-risk or not, and of Protocol V2, whose questions only the catalogue can tell of."""
    async with (
        venue_running(markets=EVERY_KIND) as venue,
        clob_bench(venue, client, kind=WALLET_KINDS[wallet]) as bench,
    ):
        markets = {kind: venue.instrument(kind) for kind in MARKET_KINDS}
        tokens = [token for one in markets.values() for token in (one.yes_token, one.no_token)]
        address = bench.gateway.account.wallet
        await placed(bench, place(markets["plain"], 1, 2))
        for number, one in enumerate(markets.values(), 1):
            venue.exchange.split(address, one.market, Shares(number * MICRO))
        read = await bench.gateway.chain(tokens)
        assert read is not None and read.complete and read.cash == CASH - MICRO * len(markets) * (len(markets) + 1) // 2
        assert [held for _, held in read.holdings] == [n * MICRO for n in range(1, len(markets) + 1) for _ in "YN"]
        assert dict(read.holdings) == dict((await bench.gateway.balances(tokens)).holdings)
        results: list[Result] = ["YES", "NO", "HALF"]
        ids = [one.market for one in markets.values()]
        for market in ids:
            venue.exchange.close_market(market)
        assert await bench.gateway.payouts(ids) == [], "proposed is not resolved"
        for market, result in zip(ids, results, strict=False):
            venue.exchange.resolve(market, result)
        seen = {payout.market: payout for payout in await bench.gateway.payouts(ids)}
        prices = {"YES": MICRO, "NO": 0, "HALF": MICRO // 2}
        expected = zip(ids, markets, results, strict=False)
        assert {(name, seen[market].price, seen[market].source) for market, name, _ in expected} == {
            (name, prices[result], "catalogue" if name == "v2" else "chain")
            for name, result in zip(markets, results, strict=False)
        }


@pytest.mark.parametrize(("tick", "price", "finer"), [("0.01", 2, "0.001"), ("0.001", 15, "0.0001")])
async def test_signing_asks_nothing_and_lives_on_the_grid_of_its_order(
    clob: ClobBench, monkeypatch: pytest.MonkeyPatch, tick: str, price: int, finer: str
) -> None:
    """No request in the middle of a quote, not for the first order of a token and not after its tick changed."""

    def asks(*arguments: object, **options: object) -> None:
        raise AssertionError("signing asked the venue something")

    market = a_market(tick)
    fine = a_market(finer)
    with monkeypatch.context() as cut_off:
        cut_off.setattr(httpx.AsyncClient, "send", asks)
        cut_off.setattr(httpx.Client, "send", asks)
        first = await clob.gateway.sign(place(market, 1, price), False)
        then = await clob.gateway.sign(place(fine, 2, price), False)
    assert (first.place.price_text, then.place.price_text) == (market.grid.text(price), fine.grid.text(price))
    for signed, grid in ((first, market.grid), (then, fine.grid)):
        cash = getattr(signed.payload, "maker_amount", None) or signed.payload.makerAmount
        assert int(cash) == 20 * MICRO * price // grid.k


async def test_the_first_order_after_a_tick_change_is_taken(clob: ClobBench) -> None:
    """The client's own cache of the old tick would build it wrongly or refuse it for ten minutes."""
    market = clob.instruments[0]
    assert market.tick_text == "0.01"
    await placed(clob, place(market, 1, 2))
    clob.venue.exchange.change_tick(market.market, "0.001")
    fine = clob.venue.exchange.listings[market.market].instrument
    [order_id] = await placed(clob, place(fine, 2, 15))
    seen = clob.venue.exchange.engine.orders[order_id]
    assert seen.new.price == 15 and seen.instrument.grid.k == 1000


@pytest.mark.parametrize("size", [10.001, 0.0, -1.0])
async def test_a_size_no_order_can_carry_is_refused_here(clob: ClobBench, size: float) -> None:
    """Rounded silently, our books and the venue's would speak of different orders."""
    with pytest.raises(VenueRefused, match="no order can carry"):
        await clob.gateway.sign(place(clob.instruments[0], 1, 2, size=size), False)


# Answers and their lack


async def three(clob: ClobBench) -> list[SignedPlace]:
    return await signed_of(clob, *(place(clob.instruments[0], n, 2 + n) for n in range(3)))


async def outcomes(clob: ClobBench, signed: list[SignedPlace]) -> list[str]:
    return [answer.outcome for answer in await posted(clob.gateway, signed)]


async def test_a_leg_that_is_missing_is_doubt_and_its_neighbours_are_not(clob: ClobBench) -> None:
    clob.arm('do = "batch_short"\nleg = 1')
    signed = await three(clob)
    assert await outcomes(clob, signed) == ["live", "unknown", "live"]
    assert clob.resting() == {each.order_id for each in signed}, "the one in doubt rests, too"


async def test_legs_in_another_order_are_told_apart_by_their_ids(clob: ClobBench) -> None:
    clob.arm('do = "batch_shuffle"')
    assert await outcomes(clob, await three(clob)) == ["live"] * 3


async def test_a_refusal_among_shuffled_legs_is_doubt(clob: ClobBench) -> None:
    """It has no id, and its place says nothing any more."""
    clob.arm('do = "batch_shuffle"')
    one = clob.instruments[0]
    signed = await signed_of(clob, place(one, 1, 2), place(one, 2, one.grid.k - 1), place(one, 3, 3))
    assert await outcomes(clob, signed) == ["live", "unknown", "live"]


async def test_an_answer_is_read_by_us_and_not_by_the_clients_parser(clob: ClobBench) -> None:
    """One field less in one leg, and the official client's parser drops the answers to all."""
    signed = await three(clob)
    legs = [{"orderID": each.order_id, "status": "live", "success": True} for each in signed]
    legs[1]["makingAmount"] = "a lot"
    clob.arm(f'do = "http"\nrequest = "POST /orders"\nstatus = 200\ntext = \'{json.dumps(legs)}\'\ncount = 1')
    assert await outcomes(clob, signed) == ["live"] * 3


async def test_the_same_order_again_is_doubt_and_never_a_second_order(clob: ClobBench) -> None:
    """ "Duplicated" speaks of an order that the venue has."""
    signed = await signed_of(clob, place(clob.instruments[0], 1, 2))
    [first], [second] = await posted(clob.gateway, signed), await posted(clob.gateway, signed)
    assert (first.outcome, second.outcome) == ("live", "unknown") and "Duplicated" in second.detail
    assert clob.resting() == {signed[0].order_id}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("then", ["cut", "hang"])
async def test_a_lost_answer_is_doubt_within_our_own_deadline(
    clob: ClobBench, monkeypatch: pytest.MonkeyPatch, moment: str, then: str
) -> None:
    """Whether the venue carried it out or not: the same doubt here, and no exception."""
    monkeypatch.setattr(gateway_clob, "PLACE_DEADLINE_S", 0.3)
    monkeypatch.setattr(gateway_clob, "CANCEL_DEADLINE_S", 0.3)
    monkeypatch.setattr(gateway_clob, "HEARTBEAT_DEADLINE_S", 0.3)
    signed = await three(clob)
    clob.arm(f'do = "blackhole"\nrequest = "* *"\nmoment = "{moment}"\nthen = "{then}"\nfor = 100')
    before = time.monotonic()
    answers = await posted(clob.gateway, signed)
    assert {(each.outcome, each.refusal) for each in answers} == {("unknown", "")}
    assert all(each.detail.startswith("no answer: ") for each in answers)
    rest = {each.order_id for each in signed} if moment == "after" else set()
    assert clob.resting() == rest
    [told] = await clob.gateway.cancel([signed[0].order_id])
    assert told.outcome == "unknown" and clob.resting() == rest - {signed[0].order_id}
    with pytest.raises(OutcomeUnknown):
        await clob.gateway.cancel_market(signed[0].place.market)
    with pytest.raises(OutcomeUnknown):
        await clob.gateway.cancel_all()
    beat = await clob.gateway.heartbeat("")
    assert (beat.status, beat.heartbeat_id) == ("failed", "")
    assert time.monotonic() - before < 10 and clob.resting() == set(), "far below what the clients alone would wait"


@pytest.mark.parametrize(
    "fault",
    [
        'status = 425\ntext = \'{"error": "service not ready"}\'',
        'status = 500\ntext = \'{"error": "order timed out"}\'',
        'status = 500\ntext = \'{"error": "could not insert order"}\'',
        'status = 502\nbody = "html"',
        'status = 503\nbody = "html"',
        'status = 504\nbody = "empty"',
        'status = 403\nbody = "html"',
        'status = 400\nbody = "html"',
        'status = 429\nbody = "html"',
        'status = 429\nheaders = { Retry-After = "3" }',
        'status = 302\nbody = "empty"',
        'status = 200\nbody = "html"',
        'status = 200\nbody = "empty"',
        "status = 200\ntext = '[{]'",
        "status = 200\ntext = '{}'",
        "status = 200\ntext = '[null, 7, {}]'",
    ],
)
async def test_answers_that_prove_nothing(clob: ClobBench, fault: str) -> None:
    """Proxies, restarts and nonsense: the order may rest, so it is in doubt, and no foreign page is passed on."""
    clob.arm(f'do = "http"\nrequest = "* *"\n{fault}\nfor = 100')
    answers = await posted(clob.gateway, await three(clob))
    assert {each.outcome for each in answers} == {"unknown"}
    assert all("<" not in each.detail and len(each.detail) < 300 for each in answers)
    [cancel] = await clob.gateway.cancel([ABSENT])
    assert cancel.outcome == "unknown"
    for act in (clob.gateway.cancel_all(), clob.gateway.cancel_market(clob.instruments[0].market)):
        with pytest.raises(OutcomeUnknown):
            await act
    assert (await clob.gateway.heartbeat("")).status == "failed"


async def test_a_refused_signature_of_requests_is_certain(clob: ClobBench) -> None:
    """Expired credentials: no order of this session will be taken, and cancels say so instead of hoping."""
    signed = await three(clob)
    clob.arm('do = "expire_credentials"\nheals = "time"\nfor = 100')
    answers = await posted(clob.gateway, signed)
    assert {(each.outcome, each.refusal) for each in answers} == {("refused", "configuration")}
    [cancel] = await clob.gateway.cancel([ABSENT])
    assert cancel.outcome == "refused"
    with pytest.raises(VenueRefused, match="Unauthorized"):
        await clob.gateway.cancel_all()
    assert (await clob.gateway.heartbeat("")).status == "failed"


class Broken(Exception):
    """Something a client's innards raise that no client promises to raise."""


@pytest.mark.parametrize(
    "error",
    [
        httpx.RemoteProtocolError("<ConnectionTerminated error_code:0, last_stream_id:19999, additional_data:None>"),
        httpx.ReadTimeout("slow"),
        httpx.LocalProtocolError("Illegal header value b'secret-passphrase '"),
        httpx.InvalidURL("no"),
        RuntimeError("client has been closed"),
        KeyError(7),
        Broken("secret-passphrase"),
    ],
)
async def test_whatever_a_client_raises_is_doubt(
    clob: ClobBench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """HTTP/2 connections end after 10,000 requests, in the middle of one; and errors may quote headers."""

    def fails(*arguments: object, **options: object) -> None:
        raise error

    signed = await three(clob)
    with monkeypatch.context() as broken:
        broken.setattr(httpx.AsyncClient, "request", fails)
        broken.setattr(httpx.Client, "request", fails)
        answers = await posted(clob.gateway, signed)
        [cancel] = await clob.gateway.cancel([ABSENT])
        beat = await clob.gateway.heartbeat("")
        with pytest.raises(OutcomeUnknown) as caught:
            await clob.gateway.cancel_all()
    assert {each.outcome for each in answers} == {"unknown"}
    assert (cancel.outcome, beat.status) == ("unknown", "failed")
    told = [*(each.detail for each in answers), cancel.detail, beat.detail]
    assert set(told) == {f"no answer: {type(error).__name__}"}
    assert str(caught.value) == f"cancel all: {told[0]}"
    assert await outcomes(clob, signed) == ["live"] * 3, "and it goes on afterwards"


# Signs


async def test_the_venues_modes_are_told(clob: ClobBench) -> None:
    """Restart, post-only, cancel-only, disabled: what is refused says so, what is done proves no more than it can."""
    exchange, gateway, signs = clob.venue.exchange, clob.gateway, clob.signs
    signed = await three(clob)

    def modes() -> list[tuple[str, bool]]:
        heard: list[tuple[str, bool]] = [(sign.mode, sign.at_least) for sign in signs if isinstance(sign, ModeSign)]
        signs.clear()
        return heard

    exchange.restart(5_000)
    assert await outcomes(clob, signed[:1]) == ["unknown"]
    assert modes() == [("RESTARTING", False)]
    assert [each.outcome for each in await gateway.cancel([ABSENT])] == ["unknown"]
    assert modes() == [("RESTARTING", False)]
    assert not (await gateway.open_orders()).complete
    assert modes() == [("RESTARTING", False)]
    assert (await gateway.heartbeat("")).status == "failed"
    assert modes() == [("RESTARTING", False)]
    clob.venue.pass_time(6)
    assert await outcomes(clob, signed[:1]) == ["live"], "our orders are post-only"
    assert modes() == [("POST_ONLY", True)]
    exchange.set_mode("cancel_only")
    assert await outcomes(clob, signed[1:2]) == ["unknown"]
    assert modes() == [("CANCEL_ONLY", False)]
    assert [each.outcome for each in await gateway.cancel([signed[0].order_id])] == ["cancelled"]
    assert modes() == [("CANCEL_ONLY", True)]
    exchange.set_mode("disabled")
    with pytest.raises(OutcomeUnknown):
        await gateway.cancel_all()
    assert modes() == [("DISABLED", False)]


async def test_the_signers_buckets_are_told_with_every_write(clob: ClobBench) -> None:
    """Placements and cancels have one each; a 429 with them is a certain refusal, without them it is doubt."""
    limits = clob.venue.running.host.intake.limits
    signed = await three(clob)

    def buckets() -> list[RateSign]:
        heard = [sign for sign in clob.signs if isinstance(sign, RateSign)]
        clob.signs.clear()
        return heard

    await posted(clob.gateway, signed[:2])
    [orders] = buckets()
    assert (orders.bucket, orders.remaining, orders.tier, orders.refused) == ("orders", 58, "Standard", False)
    await clob.gateway.cancel([signed[0].order_id])
    [cancels] = buckets()
    assert (cancels.bucket, cancels.remaining) == ("cancels", 119)
    limits.drain(EOA, "orders", 0)
    answers = await posted(clob.gateway, signed[2:])
    assert [(each.outcome, each.refusal, each.retry_s) for each in answers] == [("refused", "rate", 1.0)]
    [empty] = buckets()
    assert (empty.refused, empty.warned, empty.retry_after_s) == (True, True, 1.0)
    limits.drain(EOA, "cancels", -80)
    [told] = await clob.gateway.cancel([signed[1].order_id])
    [owing] = buckets()
    assert told.outcome == "refused" and (owing.bucket, owing.remaining) == ("cancels", -80)
    assert clob.resting() == {signed[1].order_id}


# Secrets


async def test_no_secret_is_shown_by_anything_that_goes_wrong(venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
    """Key, API secret and passphrase are in no log line, no detail, no error and no repr, on a bad day either."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    secrets: set[str] = {KEY[2:]}
    for client in CLIENTS:
        async with clob_bench(venue, client) as bench:
            keys = bench.gateway.credentials
            secrets |= {keys.secret.reveal(), keys.passphrase.reveal()}
            signed = await three(bench)
            for status in (200, 400, 401, 500):
                bench.arm(f'do = "http"\nrequest = "* *"\nstatus = {status}\ncount = 5')
                shown += map(repr, await posted(bench.gateway, signed))
                shown += map(repr, await bench.gateway.cancel([ABSENT]))
                shown.append(repr(await bench.gateway.heartbeat("")))
                shown.append(repr(await bench.gateway.open_orders()))
                try:
                    await bench.gateway.cancel_all()
                except VenueError as error:
                    shown.append(repr(error) + repr(error.__cause__))
            shown += [repr(signed), repr(bench.gateway.account), repr(bench.signs), repr(vars(bench.gateway))]
    shown += [record.getMessage() + repr(record.__dict__) for record in caplog.records]
    assert len(secrets) >= 3
    for secret in secrets:
        assert not any(secret in text for text in shown)


# Orders that cross


async def test_orders_that_cross_are_fak(clob: ClobBench, venue: Venue) -> None:
    """A quote rests post-only; what crosses takes what is there and drops the rest.

    What was taken is in the answer, what it was paid for in the trade; a second one finds nothing (2.4, 2.5, 10.4).
    """
    one = clob.instruments[0]
    best = clob.best_bid()
    resting = venue.exchange.engine.books[one.market].orders()
    there = sum(each.remaining for each in resting if (each.yes_side, each.yes_price) == ("bid", best))
    venue.exchange.split(clob.gateway.account.wallet, one.market, Shares(there + 100 * MICRO))
    wishes = [place(one, 1, 2), place(one, 2, best, side="SELL", size=there / MICRO + 25, crosses=True)]
    signed = await signed_of(clob, *wishes)
    [quoted] = await posted(clob.gateway, signed[:1])
    [took] = await posted(clob.gateway, signed[1:])
    assert (quoted.intent, quoted.outcome) == (1, "live")
    assert (took.intent, took.outcome, took.matched) == (2, "matched", there)
    known = venue.exchange.engine.orders
    assert [(known[each.order_id].new.order_type, known[each.order_id].new.post_only) for each in signed] == [
        ("GTC", True),
        ("FAK", False),
    ]
    assert clob.resting() == {signed[0].order_id}
    read = await clob.gateway.trades_since(0)
    [fill] = read.fills
    trade = next(iter(known[signed[1].order_id].trades))
    assert (fill.trade_id, fill.order_id, fill.size) == (trade, signed[1].order_id, there)
    assert sum(part.cash for part in fill.taken) == venue.exchange.trades[trade].cash
    missed = await signed_of(clob, place(one, 3, best, side="SELL", size=30, crosses=True))
    [answer] = await posted(clob.gateway, missed)
    assert (answer.outcome, answer.refusal) == ("refused", "missed")


async def test_order_that_crosses_needs_a_dollar_and_no_least_size(clob: ClobBench, venue: Venue) -> None:
    """Two shares may cross where five are the least that rests; less than a dollar is refused in known words (2.4)."""
    one = clob.instruments[0]
    venue.exchange.split(clob.gateway.account.wallet, one.market, Shares(100 * MICRO))
    best = clob.best_bid()
    sizes = {1: 0.5, 2: round(1.0 / (best * one.grid.tick) + 1.2, 1)}
    wishes = [place(one, n, best, side="SELL", size=size, crosses=True) for n, size in sizes.items()]
    small, large = [each for wish in wishes for each in await posted(clob.gateway, await signed_of(clob, wish))]
    assert (small.outcome, small.refusal) == ("refused", "grid")
    assert (large.outcome, large.matched) == ("matched", wishes[1].size)
