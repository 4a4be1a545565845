"""One round of looks before a session of a mode: what is asked, in which order, and what each needs of the others.

Nothing is sent that could place an order or move money, nothing is made on the disk, and nothing stays running. The
official client is not opened here: opening it has a deposit wallet deployed that is not there yet.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.clock import Clock
from core.config import Effective, Settings, environment_names
from core.errors import ConfigError, ListError, VenueError
from core.preflight import account, gather, machine, markets, reach, venue
from core.preflight.ask import Asking
from core.preflight.check import Check, Health, ok, skipped, warn
from core.preflight.reach import Reached
from core.preflight.run import Look, in_thread, looked
from core.profiles import Profiles
from core.runtime.control_socket import LONGEST_PATH
from core.runtime.demo import DemoExchange, throw_away_keys
from core.runtime.logs import Redactor
from core.runtime.places import places_of, state_home
from core.selection.enrich import Catalogue, Sourced
from core.selection.kept import NAME as KEPT_NAME
from core.selection.kept import load as load_kept
from core.selection.listed import MarketList
from core.selection.provider import provider_of, usual_files
from core.store.schema import SCHEMA_VERSION
from core.venue.channel import subscribe_market_frame, subscribe_user_frame
from core.venue.credentials import (
    ApiCredentials,
    BuilderKey,
    RelayerKey,
    Secret,
    Wallet,
    relayer_key_from_environment,
    wallet_from_environment,
)
from core.venue.l1 import l1_headers
from core.venue.l2 import l2_headers
from core.venue.order_id import CHAIN_ID, Exchange, exchange_of
from core.venue.rpc import Rpc
from core.venue.wallets import signer_of, wallets_of

MOST_SEC: Final = 60.0
"""Longest that a round takes, beside the time that the market list may."""
SLOW_SEC: Final = 25.0
"""Longest of a look that asks much, or starts a process."""
NOBODY: Final = "0x" + "00" * 20
NO_ORDER: Final = "0x" + "00" * 32
"""An order id that nobody's order has."""
_BALANCE: Final = "/balance-allowance"
_RESTARTING: Final = frozenset({425, 503})
_JSON: Final = "application/json"


class Round:
    """Everything that is found out on the way; done once."""

    def __init__(
        self,
        effective: Effective | ConfigError,
        environment: Mapping[str, str],
        clock: Clock,
        *,
        mode: str,
        proxies: Sequence[str] = (),
        makes_key: bool = False,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            effective: settings of the run, or why there are none.
            environment: where live mode finds its key; the other modes never look for one.
            clock: of everything.
            mode: of the session; of settings that cannot be read the one that was asked for.
            proxies: names of variables that named a proxy; they are ignored.
            makes_key: API credentials are made where there are none yet, as a start would; else that is only said.
        """
        self._effective = effective
        self._environment = environment
        self._clock = clock
        self._mode = mode
        self._proxies = tuple(proxies)
        self._makes_key = makes_key or mode == "demo"
        self._redactor = Redactor()
        self._asking = Asking(clock)
        self._demo = DemoExchange()
        self._settings = effective.settings if isinstance(effective, Effective) else Settings()
        self._profiles: tuple[str, ...] = ()
        self._wallet: Wallet | None = None
        self._relayer_key: RelayerKey | BuilderKey | None = None
        self._facts: account.WalletFacts | None = None
        self._api: ApiCredentials | None = None
        self._no_api = "there are none"
        """Why, in words."""
        self._has_node = False
        """The chain can be asked."""
        self._cash = 0
        """Base units of pUSD."""
        self._collateral: account.Allowed | None = None
        self._list: MarketList | None = None
        self._found: Mapping[str, Sourced] = {}

    async def done(self) -> Health:
        """Look at everything; ends what it started, also when it is cancelled."""
        began_s, unix = self._clock.monotonic(), self._clock.unix()
        looks = self._looks()
        most_s = MOST_SEC + self._settings.list_deadline_sec
        try:
            checks = await looked(looks, self._clock, self._redactor.clean, most_s)
        finally:
            await asyncio.gather(self._asking.close(), self._demo.stop(), return_exceptions=True)
        return Health(self._mode, checks, unix, self._clock.monotonic() - began_s)

    # What is looked at

    def _looks(self) -> list[Look]:
        """All looks of the mode, in the order in which they are shown; the first that fails gives the exit code."""
        mode = self._mode
        base: tuple[str, ...] = ("settings",)
        looks = [
            Look("settings", self._look_settings),
            Look("environment", self._look_environment),
            Look("user", _at_once(lambda: machine.user(os.geteuid()))),
            Look("core-dumps", _at_once(lambda: machine.core_dumps(*gather.core_limit()))),
        ]
        if mode == "live":
            looks.append(Look("key", self._look_key, base))
        looks += [
            Look("instance", self._look_instance, base, ("key",) if mode == "live" else ()),
            Look("files", self._look_files, base),
            Look("state", self._look_state, base),
            Look("disk", self._look_disk, base),
            Look("latch", self._look_latch, base),
            Look("database", self._look_database, base),
            Look("metrics-port", self._look_metrics_port, base),
            Look("control-socket", self._look_control_socket, base),
        ]
        if mode != "paper":
            looks += [
                Look("signing", self._look_signing),
                Look("client", self._look_client, ("settings", "signing"), deadline_s=SLOW_SEC),
            ]
        if mode == "live":
            looks.append(Look("hosts", _at_once(lambda: machine.hosts(self._settings)), base))
        if mode == "demo":
            looks.append(Look("exchange", self._look_exchange, base, deadline_s=SLOW_SEC))
            base = ("settings", "exchange")
        looks += [
            Look("geoblock", self._look_geoblock, base),
            Look("clob", self._look_clob, base),
            Look("clock", self._look_clock, (*base, "clob")),
            Look("version", self._look_version, (*base, "clob")),
            Look("gamma", self._look_gamma, base),
        ]
        if mode != "paper":
            looks += [
                Look("data", self._look_data, base),
                Look("relayer", self._look_relayer, base),
                Look("rpc", self._look_rpc, base),
            ]
            looks += self._account_looks(base)
        list_s = self._settings.list_deadline_sec + 5.0
        looks += [
            Look("list", self._look_list, base, deadline_s=list_s),
            Look("markets", self._look_markets, ("list", "gamma", "clob"), deadline_s=SLOW_SEC),
            Look("market-channel", self._look_market_channel, base, ("markets",)),
        ]
        if mode != "paper":
            looks.append(Look("allowances", self._look_allowances, ("balance",), ("markets",)))
        return looks

    def _account_looks(self, base: tuple[str, ...]) -> list[Look]:
        """Of the key's account at the venue, or of a throw-away key's at the demo's exchange.

        Nothing that proves who we are is sent to hosts that are refused.
        """
        keyed: tuple[str, ...] = (*base, "key", "hosts") if self._mode == "live" else base
        return [
            Look("wallet", self._look_wallet, keyed, ("relayer",)),
            Look("credentials", self._look_credentials, (*keyed, "clob", "clock")),
            Look("closed-only", self._look_closed_only, ("credentials",)),
            Look("cancels", self._look_cancels, ("credentials",)),
            Look("user-channel", self._look_user_channel, ("credentials",)),
            Look("balance", self._look_balance, ("credentials", "wallet"), ("rpc",)),
        ]

    # This machine

    async def _look_settings(self) -> Check:
        if isinstance(self._effective, ConfigError):
            raise self._effective
        self._profiles = Profiles(self._effective).names
        origins = self._effective.origins.values()
        changed = sum(origin != "default" for origin in origins)
        source = self._effective.tables.source
        where = f"{source}; " if source else ""
        self._redactor.add(self._settings.rpc_url)  # may hold a provider's key
        return ok("settings", f"{where}{len(origins)} settings, {changed} of them not by default")

    async def _look_environment(self) -> Check:
        names, is_live = list(self._environment), self._mode == "live"
        return machine.environment(names, environment_names(), self._proxies, is_live=is_live)

    async def _look_key(self) -> Check:
        wallet = wallet_from_environment(self._environment)
        self._redactor.add(wallet.private_key.reveal())
        signer = signer_of(wallet.private_key)
        key = relayer_key_from_environment(self._environment)
        for secret in () if key is None else msgspec.structs.astuple(key):
            if isinstance(secret, Secret):
                self._redactor.add(secret.reveal())
        self._wallet, self._relayer_key = wallet, key
        return ok("key", f"PK is the key of {signer}")

    async def _look_instance(self) -> Check:
        places = places_of(self._settings, self._environment)
        wallets = {}
        if self._wallet is not None:
            home = state_home(self._environment) / "wallets"
            for address in filter(None, (signer_of(self._wallet.private_key), self._wallet.funder)):
                wallets[home / f"{address.lower()}.lock"] = address
        held = await in_thread(lambda: gather.is_held(places.directory / "lock"))
        words = f"another polymm-tui works in {places.directory}" if held else ""
        holders = await in_thread(lambda: [gather.holder_of(path) for path in wallets])
        return machine.instance(words, [*dict.fromkeys(filter(None, holders))])

    async def _look_files(self) -> Check:
        settings, environment = self._settings, self._environment
        places = places_of(settings, environment)
        source = self._effective.tables.source if isinstance(self._effective, Effective) else ""
        lists = [settings.market_list] if settings.market_list else [str(path) for path in usual_files(environment)]
        key_file = settings.google_credentials if settings.spreadsheet_url and self._mode != "demo" else ""
        troubles, count = await in_thread(lambda: gather.file_troubles(places.directory, source, lists, key_file))
        return machine.files(troubles, count)

    async def _look_state(self) -> Check:
        directory = places_of(self._settings, self._environment).directory

        def look() -> tuple[str, Sequence[str]]:
            there = gather.existing(directory).resolve()
            return gather.file_system(there, gather.mounts()), there.parts

        system, parts = await in_thread(look)
        return machine.place(str(directory), system, (*parts, *directory.parts), is_live=self._mode == "live")

    async def _look_disk(self) -> Check:
        directory = places_of(self._settings, self._environment).directory
        return machine.disk(*await in_thread(lambda: gather.free_bytes(directory)))

    async def _look_latch(self) -> Check:
        directory = places_of(self._settings, self._environment).directory
        return machine.latch(await in_thread(lambda: gather.latch_record(directory, self._clock)))

    async def _look_database(self) -> Check:
        if self._mode == "demo":
            return ok("database", "a demo begins with a new one")
        path = places_of(self._settings, self._environment).database
        schema, trouble = await in_thread(lambda: gather.database_facts(path))
        return machine.database(str(path), schema, SCHEMA_VERSION, trouble)

    async def _look_metrics_port(self) -> Check:
        port = self._settings.metrics_port
        return machine.metrics_port(port, gather.port_trouble(port))

    async def _look_control_socket(self) -> Check:
        path = places_of(self._settings, self._environment).control
        return machine.control_socket(str(path), len(os.fsencode(path)), LONGEST_PATH)

    async def _look_signing(self) -> Check:
        from core.preflight import signing  # its libraries are of no use to paper, and take their time

        return await in_thread(lambda: signing.backend(self._clock))

    async def _look_client(self) -> Check:
        from core.preflight import signing

        await in_thread(lambda: signing.imported(self._settings))
        return await signing.client(self._settings, self._clock)

    async def _look_exchange(self) -> Check:
        began_s = self._clock.monotonic()
        self._settings = await self._demo.start(self._settings)
        self._wallet, self._relayer_key = throw_away_keys()
        self._redactor.add(self._wallet.private_key.reveal())
        took_s = self._clock.monotonic() - began_s
        return ok("exchange", f"the demo exchange came up in {took_s:.1f} s; it is asked here, with a throw-away key")

    # The venue, as anybody may ask it

    async def _look_geoblock(self) -> Check:
        reached = await self._asking.get(self._settings.geoblock_url, "")
        return venue.geoblock(reached, is_trading=self._mode != "paper")

    async def _look_clob(self) -> Check:
        return reach.service("clob", await self._asking.get(self._settings.clob_url, "/ok"), "clob_url")

    async def _look_clock(self) -> Check:
        return venue.clock(await self._asking.get(self._settings.clob_url, "/time"), "clob_url")

    async def _look_version(self) -> Check:
        reached = await self._asking.get(self._settings.clob_url, "/version")
        return venue.version(reached, "clob_url", is_trading=self._mode != "paper")

    async def _look_gamma(self) -> Check:
        reached = await self._asking.get(self._settings.gamma_url, "/markets/keyset", params={"limit": "1"})
        return reach.service("gamma", reached, "gamma_url")

    async def _look_data(self) -> Check:
        params = {"user": NOBODY, "limit": "1"}
        reached = await self._asking.get(self._settings.data_url, "/positions", params=params)
        return reach.service("data", reached, "data_url", is_needed=False)

    async def _look_relayer(self) -> Check:
        reached = await self._deployed(NOBODY, "WALLET")
        return reach.service("relayer", reached, "relayer_url", is_needed=False)

    async def _deployed(self, address: str, kind: str) -> Reached:
        return await self._asking.get(
            self._settings.relayer_url, "/deployed", params={"address": address, "type": kind}
        )

    async def _look_rpc(self) -> Check:
        url = self._settings.rpc_url
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": ()})
        reached = await self._asking.send(url, "POST", "", content=body, headers={"Content-Type": _JSON})
        check = venue.node(reached, CHAIN_ID)
        self._has_node = check.level == "ok"
        return check

    # The account

    async def _look_wallet(self) -> Check:
        assert self._wallet is not None
        signer, funder = signer_of(self._wallet.private_key), self._wallet.funder
        is_old = False
        if funder is None:
            old = wallets_of(signer, account.DEPOSIT)[0]
            is_old = venue.deployed(await self._deployed(old, "WALLET")) is True
        facts = self._facts = account.wallet_facts(signer, funder, has_old_deposit=is_old)
        kind = account.RELAYED.get(-1 if facts.signature_type is None else facts.signature_type)
        is_there = None if kind is None else venue.deployed(await self._deployed(facts.funder, kind))
        if self._mode == "demo":
            return ok("wallet", f"a throw-away key's own address {facts.funder}")
        is_asked = self._settings.gateway == "polymarket-client"
        return account.wallet(facts, is_there, self._relayer_key, is_asked=is_asked)

    async def _look_credentials(self) -> Check:
        assert self._wallet is not None
        key, url = self._wallet.private_key, self._settings.clob_url
        headers = l1_headers(key, int(self._clock.unix()))
        reached, what = await self._asking.get(url, "/auth/derive-api-key", headers=headers), "the API credentials"
        is_new = reached.kind == "answer" and reached.status in (400, 404) and not reached.is_page
        if is_new and not self._makes_key:
            self._no_api = "have not been made yet"
            cause = "the venue has made no API credentials for this key yet: the first start has them made"
            return warn("credentials", cause, "start once, and look again: what needs them is not checked now")
        if is_new:
            reached = await self._asking.send(url, "POST", "/auth/api-key", headers=headers)
            what = "new API credentials"
        if reached.kind == "answer" and reached.status in _RESTARTING and not reached.is_page:
            self._no_api = "are not given while the venue restarts"
            cause = f"the venue restarts (status {reached.status}: {reached.reason or 'no word'})"
            return warn("credentials", cause, "wait about two minutes; a session that starts now waits by itself")
        api = account.api_credentials(reached)
        if api is None:
            return account.credentials_refused(reached, what)
        for secret in (api.secret, api.passphrase):
            self._redactor.add(secret.reveal())
        return await self._tried(api)

    async def _tried(self, api: ApiCredentials) -> Check:
        """Use them for what asks nothing else: the list of open orders."""
        self._api = api
        reached = await self._private("GET", "/data/orders")
        if not reached.is_good:
            self._api = None
            return account.credentials_refused(reached, "the API credentials it gave")
        told = reached.json
        rows = told.get("data") if isinstance(told, dict) else None
        count = len(rows) if isinstance(rows, list) else 0
        return ok("credentials", f"API key {api.key.reveal()[:8]}...; {count} open orders on the account")

    async def _private(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reached:
        """Ask as the account."""
        assert self._wallet is not None and self._api is not None
        address, stamp = signer_of(self._wallet.private_key), int(self._clock.unix())
        headers = l2_headers(address, self._api, stamp, method, path, body.decode())
        if body:
            headers["Content-Type"] = _JSON
        more: dict[str, Any] = {"content": body} if body else {}
        return await self._asking.send(
            self._settings.clob_url, method, path, params=dict(params or {}), headers=headers, **more
        )

    async def _look_closed_only(self) -> Check:
        if self._api is None:
            return skipped("closed-only", "credentials", self._no_api)
        return venue.closed_only(await self._private("GET", "/auth/ban-status/closed-only"))

    async def _look_cancels(self) -> Check:
        if self._api is None:
            return skipped("cancels", "credentials", self._no_api)
        body = msgspec.json.encode([NO_ORDER])
        return venue.cancels(await self._private("DELETE", "/orders", body=body), NO_ORDER)

    async def _look_user_channel(self) -> Check:
        if self._api is None:
            return skipped("user-channel", "credentials", self._no_api)
        api = self._api
        frame = subscribe_user_frame(api.key.reveal(), api.secret.reveal(), api.passphrase.reveal())
        return account.user_channel(await self._asking.listen(self._settings.ws_user_url, frame, _is_pong))

    async def _look_balance(self) -> Check:
        if self._api is None:
            return skipped("balance", "credentials", self._no_api)
        assert self._facts is not None and self._facts.signature_type is not None
        kind = self._facts.signature_type
        told = await self._balance_of("COLLATERAL", kind)
        own = account.base_units(told)
        self._collateral = account.allowed_of("COLLATERAL", told)
        self._cash = own or 0
        balances, holds_shares = {kind: own}, None
        if own == 0:
            others = [other for other in account.KINDS if other != kind]
            answers = await asyncio.gather(*(self._balance_of("COLLATERAL", other) for other in others))
            balances |= dict(zip(others, map(account.base_units, answers), strict=True))
            params = {"user": self._facts.funder, "limit": "1"}
            holds_shares = account.held(await self._asking.get(self._settings.data_url, "/positions", params=params))
        untold, _ = reach.trouble(told, "clob_url")
        bankroll_usd, mined = self._settings.bankroll_usd, await self._mined()
        return account.cash(self._facts, balances, bankroll_usd, mined, untold, holds_shares=holds_shares)

    async def _balance_of(self, asset: str, kind: int, token: str = "") -> Reached:
        params = {"asset_type": asset, "signature_type": str(kind)} | ({"token_id": token} if token else {})
        return await self._private("GET", _BALANCE, params=params)

    async def _mined(self) -> int | None:
        """Cash as the chain tells it; None when it does not."""
        assert self._facts is not None
        if not self._has_node:
            return None
        rpc = Rpc(self._settings.rpc_url)
        try:
            return int(await rpc.cash(self._facts.funder))
        except VenueError:
            return None
        finally:
            await rpc.close()

    async def _look_allowances(self) -> Check:
        if self._api is None:
            return skipped("allowances", "credentials", self._no_api)
        assert self._facts is not None and self._facts.signature_type is not None
        tokens: dict[str, str] = {}
        needed: set[Exchange] = set()
        for one in self._found.values():
            if one.instrument is None or not one.row.enabled:
                continue
            exchange = exchange_of(int(one.instrument.yes_token), one.instrument.neg_risk)
            needed.add(exchange)
            tokens.setdefault("CONDITIONAL-V2" if exchange == "v3" else "CONDITIONAL", one.instrument.yes_token)
        told = [self._collateral]
        for asset, token in tokens.items():
            told.append(account.allowed_of(asset, await self._balance_of(asset, self._facts.signature_type, token)))
        return account.allowances(told, needed or {"v2", "v2_neg_risk"}, self._cash)

    # The markets

    async def _look_list(self) -> Check:
        try:
            self._list = await provider_of(self._settings, self._environment, self._profiles).read()
        except ListError as error:
            count, unix = await in_thread(self._kept)
            return markets.unread(error, count, unix, self._clock.unix())
        count, _ = await in_thread(self._kept)
        return markets.listed(self._list, count)

    def _kept(self) -> tuple[int, float | None]:
        """How many markets the last good list has, and when it was read; 0 and None where there is none to use."""
        if self._mode == "demo":
            return 0, None
        try:
            kept = load_kept(places_of(self._settings, self._environment).directory / KEPT_NAME)
        except ListError:
            return 0, None
        return (0, None) if kept is None else (len(kept.listed) + len(kept.leaving), kept.read_unix)

    async def _look_markets(self) -> Check:
        if self._list is None:
            return skipped("markets", "list", "could not be read")
        catalogue = Catalogue(self._settings, self._clock)
        try:
            self._found = await catalogue.look(self._list.rows)
        finally:
            await catalogue.close()
        kept, _ = await in_thread(self._kept)
        return markets.sources(self._found, kept)

    async def _look_market_channel(self) -> Check:
        instrument = next((one.instrument for one in self._found.values() if one.instrument is not None), None)
        tokens = [] if instrument is None else [instrument.yes_token, instrument.no_token]
        frame = subscribe_market_frame(tokens)
        is_enough = _is_json if tokens else _is_pong
        return markets.market_channel(
            await self._asking.listen(self._settings.ws_market_url, frame, is_enough), len(tokens)
        )


def _at_once(look: Callable[[], Check]) -> Callable[[], Any]:
    """A look that waits for nothing."""

    async def done() -> Check:
        return look()

    return done


def _is_pong(text: str) -> bool:
    return text == "PONG"


def _is_json(text: str) -> bool:
    return text[:1] in ("{", "[")
