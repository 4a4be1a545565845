"""What stands at both ends of a session in each mode.

The official order client is imported here and only when orders can be placed: it costs most of a second.
"""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from core.config import Settings
from core.errors import ListError, PreflightError, VenueRestarting
from core.events import InstrumentAdded, RouteSeen
from core.kill.stored import KillCredentials
from core.runtime.demo import DemoExchange, throw_away_keys
from core.runtime.places import state_home
from core.runtime.selecting import Selecting
from core.runtime.session import Compose, Parts, Session
from core.selection.books import read_books
from core.selection.enrich import Catalogue
from core.selection.provider import provider_of
from core.units import usd_from_float
from core.venue.channel import subscribe_user_frame
from core.venue.credentials import (
    BuilderKey,
    RelayerKey,
    Secret,
    Wallet,
    relayer_key_from_environment,
    wallet_from_environment,
)
from core.venue.gateway import Gateway
from core.venue.gateway_paper import PaperGateway
from core.venue.paper import PaperVenue
from core.venue.public_rest import PublicRest
from core.venue.resolutions import Resolutions
from core.venue.wallets import signer_of

if TYPE_CHECKING:
    from core.venue.gateway_clob import Account, ClobGateway
    from core.venue.onchain import OnChain

FIRST_PAINT_SEC: Final = 5.0
"""Longest that heavy imports wait for the console's first paint."""
RESTART_WAITS_SEC: Final = (1.0, 2.0, 4.0, 8.0)
"""Between tries to open an account at a venue that restarts (reliability.md 2.2, X01)."""


class Selected(NamedTuple):
    """The market list of a session."""

    selection: Selecting
    instruments: tuple[InstrumentAdded, ...]
    """Markets of it that are made."""
    close: Callable[[], Awaitable[None]]


def composer(environment: Mapping[str, str], painted: threading.Event) -> Compose:
    """The function that makes a session's parts for its mode.

    Args:
        environment: where live mode finds its key; the other modes never look.
        painted: set when the console stands, or at once without one.
    """

    async def compose(session: Session) -> Parts:
        match session.settings.mode:
            case "demo":
                return await _demo(session, environment, painted)
            case "paper":
                return await _paper(session, environment)
            case "live":
                return await _live(session, environment, painted)

    return compose


async def _demo(session: Session, environment: Mapping[str, str], painted: threading.Event) -> Parts:
    exchange = DemoExchange()
    await asyncio.to_thread(painted.wait, FIRST_PAINT_SEC)
    session.note("info", "starting the demo exchange")
    try:
        settings = await exchange.start(session.settings)
        selected = await _selected(session, settings, environment)
        wallet, relayer_key = throw_away_keys()
        return await _signed(session, settings, wallet, selected, relayer_key, exchange.stop)
    except BaseException:
        await exchange.stop()
        raise


async def _live(session: Session, environment: Mapping[str, str], painted: threading.Event) -> Parts:
    wallet = wallet_from_environment(environment)
    session.redactor.add(wallet.private_key.reveal())
    session.redactor.add(session.settings.rpc_url)  # may hold a provider's key
    for address in (signer_of(wallet.private_key), wallet.funder):
        if address is not None:
            session.places.claim_wallet(address, state_home(environment))
    relayer_key = relayer_key_from_environment(environment)
    for secret in () if relayer_key is None else msgspec.structs.astuple(relayer_key):
        if isinstance(secret, Secret):
            session.redactor.add(secret.reveal())
    await asyncio.to_thread(painted.wait, FIRST_PAINT_SEC)
    selected = await _selected(session, session.settings, environment)
    return await _signed(session, session.settings, wallet, selected, relayer_key, _nothing)


async def _signed(
    session: Session,
    settings: Settings,
    wallet: Wallet,
    selected: Selected,
    relayer_key: RelayerKey | BuilderKey | None,
    close: Callable[[], Awaitable[None]],
) -> Parts:
    """Parts that place real orders: at the venue, or at the demo's exchange."""
    session.redactor.add(wallet.private_key.reveal())
    gateway = gateway_of(settings, wallet, session)
    try:
        await open_account(gateway, session)
    except BaseException:
        await gateway.close()
        raise
    api = gateway.credentials
    for secret in (api.secret, api.passphrase):
        session.redactor.add(secret.reveal())

    def user_frame() -> bytes:
        return subscribe_user_frame(api.key.reveal(), api.secret.reveal(), api.passphrase.reveal())

    try:
        chain, route = await _chain(session, settings, wallet, gateway.account, relayer_key)
    except BaseException:
        await gateway.close()
        raise

    async def close_all() -> None:
        await selected.close()
        if chain is not None:
            await chain.close()
        await close()

    return Parts(
        settings=settings,
        gateway=gateway,
        chain=chain,
        route=route,
        rest=PublicRest(settings.clob_url),
        instruments=selected.instruments,
        selection=selected.selection,
        user_frame=user_frame,
        owner=api.key.reveal(),
        wallet=gateway.account.wallet,
        close=close_all,
        kill=KillCredentials(settings.clob_url, gateway.account.address, api),
        has_own_venue=settings.mode == "demo",
    )


async def _chain(
    session: Session, settings: Settings, wallet: Wallet, account: "Account", key: RelayerKey | BuilderKey | None
) -> tuple["OnChain | None", RouteSeen]:
    """What carries out inventory operations, and how; a client that cannot costs them alone, and trading goes on."""
    venue: Literal["demo", "live"] = "demo" if settings.mode == "demo" else "live"
    chain = None
    try:
        from core.venue.onchain import OnChain  # imports the client, which takes most of a second

        chain = OnChain(settings, wallet.private_key, account, key, session.clock)
        await chain.open()
    except BaseException as error:
        if chain is not None:
            await chain.close()
        if isinstance(error, PreflightError):
            return None, RouteSeen(venue=venue, route=None, obstacle=str(error))
        raise
    return chain, RouteSeen(venue=venue, route=chain.route, obstacle=chain.obstacle)


async def open_account(gateway: Gateway, session: Session) -> None:
    """Open a gateway; a venue that restarts is waited for: orders of an earlier session may be there.

    Raises:
        CredentialError, VenueUnavailable, PreflightError: it cannot be opened.
    """
    for wait_s in itertools.chain(RESTART_WAITS_SEC, itertools.repeat(RESTART_WAITS_SEC[-1])):
        try:
            return await gateway.open()
        except VenueRestarting as error:
            session.note("warning", f"{error}; trying again in {wait_s:g} s")
            await asyncio.sleep(wait_s)


def gateway_of(settings: Settings, wallet: Wallet, session: Session) -> "ClobGateway":
    """The client that was chosen, not opened; each is imported only then."""
    if settings.gateway == "py-clob-client-v2":
        from core.venue.gateway_clob_v2 import ClobV2Gateway

        return ClobV2Gateway(settings, wallet, session.clock, session.take_sign, session.is_closed)
    from core.venue.gateway_polymarket import PolymarketGateway

    return PolymarketGateway(settings, wallet, session.clock, session.take_sign, session.is_closed)


async def _paper(session: Session, environment: Mapping[str, str]) -> Parts:
    settings, engine = session.settings, session.engine
    venue = PaperVenue(lambda market: engine.desks[market].tracked)
    cash = usd_from_float(settings.paper_cash_usd)
    resolutions = Resolutions(settings.gamma_url, None)
    gateway = PaperGateway(venue, cash, session.clock, session.emit_quietly, resolutions)
    selected = await _selected(session, settings, environment)
    return Parts(
        settings=settings,
        gateway=gateway,
        chain=None,
        route=RouteSeen(venue="paper", route=None, obstacle="a paper account has no wallet"),
        rest=PublicRest(settings.clob_url),
        instruments=selected.instruments,
        selection=selected.selection,
        user_frame=None,
        owner="",
        wallet="",
        close=selected.close,
    )


async def _selected(session: Session, settings: Settings, environment: Mapping[str, str]) -> Selected:
    """Read the market list, and choose what is made.

    Raises:
        PreflightError: there is no list, or no market of it can be made.
        VenueError: Gamma or the CLOB does not answer.
    """
    profiles = session.engine.profiles
    try:
        provider = provider_of(settings, environment, () if profiles is None else profiles.names)
    except ListError as error:
        raise PreflightError(str(error)) from error
    catalogue, rest = Catalogue(settings, session.clock), PublicRest(settings.clob_url)
    selection = Selecting(session, settings, provider, catalogue, partial(read_books, rest), session.places.market_list)

    async def close() -> None:
        await selection.close()
        await catalogue.close()
        await rest.close()

    try:
        return Selected(selection, await selection.first(), close)
    except BaseException:
        await close()
        raise


async def _nothing() -> None:
    """Nothing was started that would have to be ended."""
