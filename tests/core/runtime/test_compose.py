"""Which markets a session makes: those that pass, with a line for each that was left out."""

import sys
import threading
from pathlib import Path

import pytest

from core.errors import PreflightError, VenueRestarting, VenueUnavailable
from core.runtime import compose as compose_module
from core.runtime.compose import composer
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.gamma import GammaClient, GammaMarket
from core.venue.gateway_clob import Account
from tests.builders import NOON, a_market
from tests.core.runtime.fakes import FakeGateway, composing, session_in


def listed(**over: object) -> GammaMarket:
    return GammaMarket(instrument=a_market(**over), liquidity=1e6, volume_7d=1e6, volume_30d=2e6, tradable=True)


async def made(root: Path, monkeypatch: pytest.MonkeyPatch, *markets: GammaMarket) -> tuple[list[str], list[str]]:
    """Condition ids of the markets that are made, and what the event log says."""

    async def told(self: GammaClient, conditions: tuple[str, ...]) -> tuple[list[GammaMarket], list[str]]:
        return list(markets), []

    monkeypatch.setattr(GammaClient, "markets", told)
    session = session_in(root, composing(FakeGateway()), markets=("0x1",), min_market_life_sec=900.0)
    painted = threading.Event()
    painted.set()
    try:
        parts = await composer({}, painted)(session)
        found = [one.instrument.market for one in parts.instruments]
    except PreflightError:
        found = []
    finally:
        session.places.release()
    return found, [event.text for event in session._events]


@pytest.mark.parametrize(("life_s", "is_made"), [(899.0, False), (900.0, False), (901.0, True), (None, True)])
async def test_markets_of_a_quarter_of_an_hour_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life_s: float | None, is_made: bool
) -> None:
    """They are over before a quote has learned anything (market-making.md 2.5); one without dates passes."""
    dates = {} if life_s is None else {"start_unix": float(NOON), "end_unix": NOON + life_s}
    found, told = await made(tmp_path, monkeypatch, listed(**dates))
    assert bool(found) == is_made
    assert any("left out for a life of 900 seconds at most" in text for text in told) != is_made


async def test_a_venue_that_restarts_is_waited_for_and_any_other_trouble_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders of an earlier session may be there: giving up at the start would leave them without an owner."""
    tries = 0

    class Restarting(FakeGateway):
        async def open(self) -> None:
            nonlocal tries
            tries += 1
            raise VenueRestarting("status 425") if tries <= 5 else VenueUnavailable("nobody there")

    monkeypatch.setattr(compose_module, "RESTART_WAITS_SEC", (0.001, 0.002, 0.004))
    session = session_in(tmp_path, composing(FakeGateway()))
    with pytest.raises(VenueUnavailable, match="nobody there"):
        await compose_module.open_account(Restarting(), session)
    session.places.release()
    waits = ["0.001", "0.002", "0.004", "0.004", "0.004"]
    assert [event.text for event in session._events] == [f"status 425; trying again in {wait} s" for wait in waits]


@pytest.mark.parametrize("is_broken_inside", [False, True])
async def test_a_client_that_cannot_send_transactions_costs_operations_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_broken_inside: bool
) -> None:
    """The fallback gateway exists for the day on which that client is broken: trading goes on, and says what lacks."""
    if is_broken_inside:
        from core.venue.onchain import OnChain

        async def other_parts(self: OnChain) -> None:
            raise PreflightError("polymarket-client is not what this program was written for")

        monkeypatch.setattr(OnChain, "_connected", other_parts)
    else:
        for name in ("core.venue.onchain", "core.venue.gateway_polymarket"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, "polymarket", None)
    session = session_in(tmp_path, composing(FakeGateway()))
    key, address = "0x" + "1" * 64, "0x" + "2" * 40
    api = ApiCredentials(key=Secret("key"), secret=Secret("secret"), passphrase=Secret("passphrase"))
    account = Account(address=address, wallet=address, signature_type=0, credentials=api)
    wallet = Wallet(Secret(key), address)
    chain, route = await compose_module._chain(session, session.settings, wallet, account, None)
    session.places.release()
    assert chain is None and route.route is None
    assert "is not what this program was written for" in route.obstacle
