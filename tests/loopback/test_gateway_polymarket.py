"""The official client behind our gateway, against the exchange: its private names, ids, legs, cancels and doubts."""

import asyncio
import dataclasses
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from polymarket._internal.actions.orders.post import parse_order_response
from polymarket.errors import RequestRejectedError, TransportError

from core.actions import Place
from core.clock import SystemClock
from core.config import Settings
from core.errors import CredentialError, OutcomeUnknown, VenueRefused, VenueUnavailable
from core.market.instrument import Instrument
from core.units import MICRO, OrderSide, Outcome, Shares
from core.venue.credentials import Secret, Wallet
from core.venue.gamma import parse_market
from core.venue.gateway import SignedPlace
from core.venue.gateway_polymarket import PolymarketGateway, _leg, environment_for
from tests.end_to_end.program import CANARY_KEY, Exchange, address_of, exchange

ABSENT = "0x" + "77" * 32


def settings_of(venue: Exchange) -> Settings:
    return Settings(mode="live", **{name: url for name, url in venue.urls.items() if name.endswith("_url")})


def gateway_of(venue: Exchange, key: str = CANARY_KEY) -> PolymarketGateway:
    return PolymarketGateway(settings_of(venue), Wallet(Secret(key), address_of(key)), SystemClock())


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """An exchange whose participants stand still: what moves in these books is ours."""
    with exchange("--seed", "21", "--markets", "4", "--paused") as running:
        yield running


@pytest.fixture(scope="module")
def instruments(venue: Exchange) -> list[Instrument]:
    return [parse_market(raw).instrument for raw in venue.markets()]


@pytest.fixture
async def gateway(venue: Exchange) -> AsyncIterator[PolymarketGateway]:
    made = gateway_of(venue)
    await made.open()
    yield made
    await made.cancel_all()
    await made.close()


def place(
    instrument: Instrument, intent: int, tick: int, *, outcome: Outcome = "YES", side: OrderSide = "BUY", size: int = 20
) -> Place:
    grid = instrument.grid
    price = grid.ticks(grid.text(tick))  # type: ignore[arg-type]
    return Place(
        intent=intent, market=instrument.market, token=instrument.token_of(outcome), order_side=side, price=price,
        price_text=grid.text(price), size=Shares(size * MICRO), side="bid", layer=0, reason="test",
    )  # fmt: skip


async def sign(gateway: PolymarketGateway, instrument: Instrument, *places: Place) -> list[SignedPlace]:
    return [await gateway.sign(wish, instrument.neg_risk) for wish in places]


def test_the_clients_private_names_are_still_there() -> None:
    """There is no public way to point the client elsewhere; when these names move, this fails before a user does."""
    addresses = {name: f"http://{name}" for name in ("clob_url", "gamma_url", "data_url", "relayer_url", "rpc_url")}
    sockets = {"ws_market_url": "ws://market", "ws_user_url": "ws://user"}
    made = environment_for(Settings(**addresses, **sockets))  # type: ignore[arg-type]
    told = str(dataclasses.asdict(made)) if dataclasses.is_dataclass(made) else str(vars(made))
    for address in (*addresses.values(), *sockets.values()):
        assert address in told, "an address was not taken over"


async def test_the_id_computed_before_sending_is_the_one_the_exchange_gives(
    venue: Exchange, gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """After a lost answer the id is all we have; on plain and neg-risk markets, both tokens, it must be right."""
    assert {instrument.neg_risk for instrument in instruments} == {True, False}
    signed: list[SignedPlace] = []
    for number, instrument in enumerate(instruments):
        both = (place(instrument, 2 * number, 2), place(instrument, 2 * number + 1, 2, outcome="NO"))
        signed += await sign(gateway, instrument, *both)
    answers = await gateway.post(signed)
    assert [answer.outcome for answer in answers] == ["live"] * len(signed)
    ids = {one.order_id for one in signed}
    assert ids == set(venue.open_orders(address_of(CANARY_KEY)))
    assert ids == {order.order_id for order in await gateway.open_orders()}
    seen = await gateway.read_order(signed[0].order_id)
    assert seen is not None and seen.status == "live"


async def test_each_leg_of_a_batch_gets_its_own_answer(
    venue: Exchange, gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """One refused order says nothing about its neighbours: crossing, too small and good ones keep their places."""
    instrument = instruments[0]
    top = instrument.grid.k - 1
    wishes = [
        place(instrument, 1, 2),
        place(instrument, 2, top),
        place(instrument, 3, 3, size=1),
        place(instrument, 4, 4),
    ]
    answers = await gateway.post(await sign(gateway, instrument, *wishes))
    assert [(answer.intent, answer.outcome) for answer in answers] == [
        (1, "live"), (2, "refused"), (3, "refused"), (4, "live"),
    ]  # fmt: skip
    assert "crosses book" in answers[1].detail and "lower than the minimum" in answers[2].detail


async def test_sending_the_same_order_again_is_doubt_and_never_a_second_order(
    venue: Exchange, gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """ "Duplicated" speaks of an order that the venue has: to take it for a refusal would forget a resting order."""
    signed = await sign(gateway, instruments[0], place(instruments[0], 1, 2))
    first, second = [(await gateway.post(signed))[0] for _ in range(2)]
    assert (first.outcome, second.outcome) == ("live", "unknown") and "Duplicated" in second.detail
    assert len(venue.open_orders(address_of(CANARY_KEY))) == 1


async def test_cancels_say_what_became_of_each_order(gateway: PolymarketGateway, instruments: list[Instrument]) -> None:
    """Cancelled, gone before, and never heard of: the second and third are for fills and reads to decide."""
    signed = await sign(gateway, instruments[0], place(instruments[0], 1, 2))
    await gateway.post(signed)
    order = signed[0].order_id
    assert {(a.order_id, a.outcome) for a in await gateway.cancel([order, ABSENT])} == {
        (order, "cancelled"), (ABSENT, "gone"),
    }  # fmt: skip
    [again] = await gateway.cancel([order])
    assert again.outcome == "gone"
    seen, unseen = await gateway.read_order(order), await gateway.read_order(ABSENT)
    assert seen is not None and seen.status == "cancelled"
    assert unseen is not None and unseen.status == "absent"


async def test_cancel_all_ends_everything_and_says_what(
    gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """The one request of the kill."""
    signed = await sign(gateway, instruments[0], *(place(instruments[0], n, 2 + n) for n in range(3)))
    await gateway.post(signed)
    answers = await gateway.cancel_all()
    assert {answer.order_id for answer in answers} == {one.order_id for one in signed}
    assert {answer.outcome for answer in answers} == {"cancelled"}
    assert await gateway.open_orders() == [] and await gateway.cancel_all() == []


async def test_many_open_orders_are_read_page_by_page(
    gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """ "Zero open" may be said only of the whole list."""
    fine = next(instrument for instrument in instruments if instrument.grid.k == 1000)
    wishes = [place(fine, n, 2 + n % 20) for n in range(105)]
    for start in range(0, len(wishes), 15):
        answers = await gateway.post(await sign(gateway, fine, *wishes[start : start + 15]))
        assert {answer.outcome for answer in answers} == {"live"}
        await asyncio.sleep(15 / 40)  # the venue takes forty orders a second, and sixty at once
    assert len({order.order_id for order in await gateway.open_orders()}) == 105


async def test_the_account_is_read_for_the_right_wallet(
    venue: Exchange, gateway: PolymarketGateway, instruments: list[Instrument]
) -> None:
    """Cash in micro-dollars, one holding for each token asked."""
    tokens = [instruments[0].yes_token, instruments[0].no_token]
    account = await gateway.account(tokens)
    [told] = [one for one in venue.ledger()["accounts"] if one["address"] == address_of(CANARY_KEY)]
    assert account.cash == round(float(told["cash"]) * MICRO)
    assert [token for token, _ in account.holdings] == tokens


async def test_on_a_dead_connection_everything_is_unknown_and_nothing_is_good_news(
    instruments: list[Instrument],
) -> None:
    """The exchange dies between signing and sending: no outcome is invented, neither success nor failure."""
    with exchange("--seed", "21", "--markets", "4", "--paused") as mortal:
        gateway = gateway_of(mortal)
        await gateway.open()
        signed = await sign(gateway, instruments[0], *(place(instruments[0], n, 2 + n) for n in range(2)))
        mortal.process.send_signal(signal.SIGKILL)
        mortal.process.wait(5)
        assert [answer.outcome for answer in await gateway.post(signed)] == ["unknown", "unknown"]
        assert [answer.outcome for answer in await gateway.cancel([ABSENT])] == ["unknown"]
        assert await gateway.read_order(ABSENT) is None
        with pytest.raises(OutcomeUnknown):
            await gateway.cancel_all()
        with pytest.raises(VenueUnavailable):
            await gateway.open_orders()
        with pytest.raises(VenueUnavailable):
            await gateway.account([])
        await gateway.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, VenueRefused), (401, VenueRefused), (500, OutcomeUnknown), (503, OutcomeUnknown), (425, OutcomeUnknown)],
)
async def test_a_cancel_all_that_failed_is_refused_only_when_the_venue_said_so(
    gateway: PolymarketGateway, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    """A server that fails may have carried the request out."""
    rejected = RequestRejectedError("no", status=status)
    monkeypatch.setattr(gateway._client, "cancel_all", _raiser(rejected))
    with pytest.raises(error):
        await gateway.cancel_all()
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (400, "invalid order version, please use the latest clob-client", "refused"),
        (401, "Unauthorized/Invalid api key", "refused"),
        (404, "market not found", "refused"),
        (400, "<html>a proxy's page</html>", "unknown"),
        (500, "invalid order version, please use the latest clob-client", "unknown"),
        (503, "trading is disabled", "unknown"),
    ],
)
async def test_a_batch_that_was_turned_away_as_a_whole(
    gateway: PolymarketGateway,
    instruments: list[Instrument],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    text: str,
    outcome: str,
) -> None:
    """Only the venue's own words with a definite status prove that nothing was placed."""
    signed = await sign(gateway, instruments[0], place(instruments[0], 1, 2))
    monkeypatch.setattr(gateway._client, "post_orders", _raiser(RequestRejectedError(text, status=status)))
    assert [answer.outcome for answer in await gateway.post(signed)] == [outcome]
    monkeypatch.setattr(gateway._client, "post_orders", _raiser(TransportError("lost")))
    assert [answer.outcome for answer in await gateway.post(signed)] == ["unknown"]
    monkeypatch.undo()


@pytest.mark.parametrize("key", ["0x" + "00" * 32, "0x" + "ff" * 32])
async def test_a_number_that_is_no_key_is_refused_without_being_shown(venue: Exchange, key: str) -> None:
    """Zero and numbers beyond the curve have the shape of a key."""
    gateway = PolymarketGateway(settings_of(venue), Wallet(Secret(key), None), SystemClock())
    with pytest.raises(CredentialError) as caught:
        await gateway.open()
    assert key[2:] not in str(caught.value) and key[2:] not in repr(caught.value)
    await gateway.close()


async def test_a_wallet_that_does_not_belong_to_the_key_cannot_trade(
    venue: Exchange, instruments: list[Instrument]
) -> None:
    """A mistyped BROWSER_ADDRESS is found out before an order rests, in whatever step."""
    stranger = address_of("0x" + "12" * 32)
    gateway = PolymarketGateway(settings_of(venue), Wallet(Secret(CANARY_KEY), stranger), SystemClock())
    with pytest.raises((CredentialError, VenueRefused, VenueUnavailable)):
        await gateway.open()
        signed = await sign(gateway, instruments[0], place(instruments[0], 1, 2))
        [answer] = await gateway.post(signed)
        assert answer.outcome == "refused"
        raise VenueRefused(answer.detail)
    await gateway.close()


def _raiser(error: Exception) -> Any:
    async def fail(*arguments: object, **options: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"errorMsg": "invalid post-only order: order crosses book"}, "refused"),
        ({"errorMsg": "not enough balance / allowance: the balance is not enough"}, "refused"),
        ({"errorMsg": "Size (1.08) lower than the minimum: 5"}, "refused"),
        ({"errorMsg": "order 0xaa is invalid. Duplicated."}, "unknown"),
        ({"errorMsg": ""}, "unknown"),
        ({"errorMsg": "order timed out"}, "unknown"),
        ({"success": True, "orderID": "0xaa", "status": "unmatched"}, "unknown"),
        ({"success": True, "orderID": "0xaa", "status": "resting"}, "unknown"),
        ({"success": True, "orderID": "0xbb", "status": "live"}, "unknown"),
        ({"success": True, "orderID": "0xAA", "status": "live"}, "live"),
    ],
)
def test_a_leg_is_refused_only_in_the_venue_s_own_words(answer: dict[str, object], outcome: str) -> None:
    """What may be resting at the venue is never taken for refused: it would be placed again and again."""
    blank = {"success": False, "errorMsg": "", "orderID": "", "status": "", "makingAmount": "", "takingAmount": ""}
    leg = parse_order_response(blank | answer)
    signed = SignedPlace(
        place=place(Instrument("m", "1", "2", "t", "0.01", Shares(5)), 1, 2), order_id="0xaa", payload=None
    )
    assert _leg(signed, leg).outcome == outcome
