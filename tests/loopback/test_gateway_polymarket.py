"""The official client behind our gateway: its private names, keys and wallets it refuses, long lists, a dead venue."""

import contextlib
import dataclasses
import sys
from importlib import import_module
from typing import Any

import pytest
from polymarket import AsyncSecureClient

from core.clock import SystemClock
from core.config import Settings
from core.errors import CredentialError, OutcomeUnknown, PreflightError, VenueRefused, VenueUnavailable
from core.venue import gateway_polymarket
from core.venue.credentials import Secret, Wallet
from core.venue.gateway_polymarket import PolymarketGateway, environment_for
from tests.loopback.gateways import ABSENT, CLIENTS, Client, clob_bench, place, posted
from tests.loopback.venue import EOA, KEY, Venue, venue_running


def gateway_of(venue: Venue, key: str = KEY, wallet: str | None = EOA) -> PolymarketGateway:
    urls = {name: url for name, url in venue.urls.items() if name.endswith("_url")}
    return PolymarketGateway(
        Settings(mode="live", **urls), Wallet(Secret(key), wallet), SystemClock(), lambda sign: None
    )


# Where it is pointed, and what of it is needed


def test_the_clients_private_names_are_still_there() -> None:
    """There is no public way to point the client elsewhere; when these names move, this fails before a user does."""
    addresses = {name: f"http://{name}" for name in ("clob_url", "gamma_url", "data_url", "relayer_url", "rpc_url")}
    sockets = {"ws_market_url": "ws://market", "ws_user_url": "ws://user"}
    made = environment_for(Settings(**addresses, **sockets))  # type: ignore[arg-type]
    config = made._config
    assert (config.clob_market_ws_url, config.clob_user_ws_url) == ("ws://market", "ws://user")
    assert {name: getattr(config, name) for name in addresses} == addresses
    assert config.chain_id == 137


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A configuration with other names than today's."""

    clob_http: str = ""


def test_a_client_whose_environment_moved_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with a traceback, and before a key is read."""
    monkeypatch.setattr(gateway_polymarket, "PRODUCTION_CONFIG", Elsewhere())
    with pytest.raises(PreflightError, match=r"polymarket-client [\d.]+ .* install >=0\.14,<0\.15"):
        environment_for(Settings())


@pytest.mark.parametrize("missing", ["polymarket", "polymarket._internal.environment"])
def test_a_client_that_is_absent_or_without_its_private_modules_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The remedy stands in the text; the traceback of an import would tell nobody."""
    monkeypatch.delitem(sys.modules, "core.venue.gateway_polymarket")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PreflightError, match=r"install >=0\.14,<0\.15"):
        import_module("core.venue.gateway_polymarket")


@pytest.mark.parametrize("missing", ["secure_clob", "order_metadata"])
async def test_a_client_whose_inside_moved_is_refused_in_words_and_closed(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without our grids it would ask in the middle of quotes; without our hook no answer could be judged."""
    names = [name for name in ("secure_clob", "order_metadata", "environment_config") if name != missing]

    class Moved:
        closed = False

        def __init__(self) -> None:
            hooks = type("Hooks", (), {"event_hooks": {"response": []}})()
            parts = {"secure_clob": type("Transport", (), {"_client": hooks})(), "order_metadata": None}
            context = dataclasses.make_dataclass("Context", [(name, Any, None) for name in names], frozen=True)
            self._ctx = context(**{name: parts.get(name) for name in names})

        async def close(self) -> None:
            Moved.closed = True

    async def create(**options: Any) -> Moved:
        return Moved()

    monkeypatch.setattr(AsyncSecureClient, "create", create)
    gateway = PolymarketGateway(Settings(), Wallet(Secret(KEY), EOA), SystemClock(), lambda sign: None)
    with pytest.raises(PreflightError, match="polymarket-client"):
        await gateway.open()
    await gateway.close()
    assert Moved.closed


async def test_nothing_works_before_it_is_open() -> None:
    gateway = PolymarketGateway(Settings(), Wallet(Secret(KEY), EOA), SystemClock(), lambda sign: None)
    with pytest.raises(VenueUnavailable):
        await gateway.cancel([ABSENT])
    with pytest.raises(VenueUnavailable):
        _ = gateway.credentials
    with pytest.raises(VenueUnavailable):
        await gateway.open_orders()
    await gateway.close()


# Keys and wallets


@pytest.mark.parametrize("key", ["0x" + "00" * 32, "0x" + "ff" * 32])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_number_that_is_no_key_is_refused_without_being_shown(key: str, client: Client) -> None:
    """Zero and numbers beyond the curve have the shape of a key."""
    gateway = CLIENTS[client](Settings(), Wallet(Secret(key), EOA), SystemClock(), lambda sign: None)
    with pytest.raises(CredentialError) as caught:
        await gateway.open()
    assert key[2:] not in str(caught.value) + repr(caught.value) + repr(caught.value.__context__)
    await gateway.close()


async def test_a_wallet_that_does_not_belong_to_the_key_cannot_trade() -> None:
    """A mistyped BROWSER_ADDRESS is found out before an order rests, in whatever step."""
    async with venue_running() as venue:
        gateway = gateway_of(venue, wallet="0x" + "12" * 20)
        with pytest.raises((CredentialError, VenueRefused, VenueUnavailable)):
            await gateway.open()
            [answer] = await posted(gateway, [await gateway.sign(place(venue.instrument("plain"), 1, 2), False)])
            assert answer.outcome == "refused"
            raise VenueRefused(answer.detail)
        await gateway.close()


async def test_a_venue_that_restarts_refuses_no_credentials() -> None:
    """Wait and try again, not: fix your key."""
    async with venue_running() as venue:
        venue.exchange.restart(5_000)
        gateway = gateway_of(venue)
        with pytest.raises(VenueUnavailable, match="status 425"):
            await gateway.open()
        await gateway.close()


# Long lists, and a venue that dies


@pytest.mark.parametrize("client", CLIENTS)
async def test_many_open_orders_are_read_page_by_page(client: Client) -> None:
    """ "Zero open" may be said only of the whole list."""
    async with venue_running(markets=4) as venue, clob_bench(venue, client) as bench:
        market = bench.instruments[0]
        wishes = [place(market, n, 2 + n % 20) for n in range(105)]
        for start in range(0, len(wishes), 15):
            signed = [await bench.gateway.sign(wish, market.neg_risk) for wish in wishes[start : start + 15]]
            assert {answer.outcome for answer in await posted(bench.gateway, signed)} == {"live"}
            venue.pass_time(15 / 40)  # the venue takes forty orders a second, and sixty at once
        read = await bench.gateway.open_orders()
        assert read.complete and {order.order_id for order in read.orders} == bench.resting()
        assert len(read.orders) == 105


@pytest.mark.parametrize("client", CLIENTS)
async def test_on_a_dead_connection_everything_is_unknown_and_nothing_is_good_news(client: Client) -> None:
    """The exchange dies between signing and sending: no outcome is invented, neither success nor failure."""
    async with contextlib.AsyncExitStack() as end:
        async with venue_running() as venue:
            bench = await end.enter_async_context(clob_bench(venue, client))
            gateway = bench.gateway
            signed = [await gateway.sign(place(venue.instrument("plain"), n, 2 + n), False) for n in range(2)]
        assert [answer.outcome for answer in await posted(gateway, signed)] == ["unknown", "unknown"]
        assert [answer.outcome for answer in await gateway.cancel([ABSENT])] == ["unknown"]
        assert (await gateway.heartbeat("")).status == "failed"
        assert await gateway.read_order(ABSENT) is None and await gateway.read_scoring([ABSENT]) is None
        for read in (await gateway.open_orders(), await gateway.trades_since(0), await gateway.balances([])):
            assert not read.complete and read.problem
        assert not (await gateway.positions([])).complete
        with pytest.raises(OutcomeUnknown):
            await gateway.cancel_all()
