"""Which markets a session makes: those that pass, with a line for each that was left out."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import PreflightError, VenueRestarting, VenueUnavailable
from core.runtime import compose as compose_module
from core.runtime.compose import composer
from core.selection.enrich import Catalogue, Sourced
from core.selection.listed import ListRow
from core.venue.credentials import ApiCredentials, Secret, Wallet
from core.venue.gamma import GammaMarket
from core.venue.gateway_clob import Account
from tests.builders import a_market
from tests.core.runtime.fakes import FakeGateway, composing, session_in


def listed(passes: bool) -> GammaMarket:
    return GammaMarket(
        instrument=a_market(), liquidity=1e6 if passes else 0.0, volume_7d=1e6, volume_30d=2e6, tradable=True
    )


async def made(root: Path, monkeypatch: pytest.MonkeyPatch, market: GammaMarket) -> tuple[list[str], list[str]]:
    """Condition ids of the markets that are made, and what the event log says."""
    instrument = market.instrument

    async def look(self: Catalogue, rows: Sequence[ListRow]) -> dict[str, Sourced]:
        return {row.market: Sourced(row, market, None, instrument, (), (), ()) for row in rows}

    monkeypatch.setattr(Catalogue, "look", look)
    session = session_in(root, composing(FakeGateway()), markets=(instrument.market,))
    painted = threading.Event()
    painted.set()
    environment = {"HOME": str(root), "XDG_CONFIG_HOME": str(root)}
    try:
        parts = await composer(environment, painted)(session)
        found = [one.instrument.market for one in parts.instruments]
    except PreflightError:
        found = []
    finally:
        session.places.release()
    return found, [event.text for event in session._events]


@pytest.mark.parametrize("passes", [True, False])
async def test_a_session_makes_what_passes_and_names_what_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: bool
) -> None:
    """The list says what may be made, the screen what is worth it; with nothing left there is no session."""
    found, told = await made(tmp_path, monkeypatch, listed(passes))
    assert bool(found) == passes
    assert any("left out for liquidity" in text for text in told) != passes


async def test_without_a_list_there_is_no_session(tmp_path: Path) -> None:
    """The way to one is named."""
    session = session_in(tmp_path, composing(FakeGateway()))
    painted = threading.Event()
    painted.set()
    with pytest.raises(PreflightError, match=r"markets discover --out markets\.csv"):
        await composer({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}, painted)(session)
    session.places.release()


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
