"""Each failure planted in the exchange is named by the doctor: which check, how bad, why, and what to do about it."""

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.clock import Clock, SystemClock
from core.config import Effective, Settings, load
from core.errors import ConfigError
from core.exchange.faults.script import read_toml
from core.kill.latch import Latch, LatchRecord
from core.preflight import ask
from core.preflight.check import Check, Health
from core.preflight.rounds import Round
from core.runtime.demo import DemoExchange
from core.runtime.places import Places
from core.selection.changes import Entry, Kept
from core.selection.kept import NAME, save
from core.selection.listed import ListRow
from core.store.database import Store
from core.store.schema import SCHEMA_VERSION
from core.units import MICRO, Usd
from core.venue.credentials import SECRET_NAMES
from core.venue.wallets import wallets_of
from polymm_tui.doctoring import health_json, health_lines
from tests.loopback.venue import EOA, KEY, PATIENCE_S, Venue, venue_running

MARKETS = 2
DAY = timedelta(days=1)


class Clinic:
    """A quiet exchange, and an operator's environment that points at it."""

    def __init__(self, venue: Venue, home: Path) -> None:
        self.venue = venue
        self.home = home
        self.clock: Clock = venue._clock
        self.api_key = venue.exchange.keys.of_address(EOA)[0].api_key
        urls = {name: str(url) for name, url in venue.urls.items() if name.endswith("_url")}
        variables = {f"POLYMM_{name.upper()}": url for name, url in urls.items() if name != "rpc_url"}
        markets = ",".join(venue.exchange.listings)
        self.environment = variables | {
            "POLYGON_RPC_URL": urls["rpc_url"],
            "POLYMM_MARKETS": markets,
            "METRICS_PORT": "0",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "PK": KEY,
            "BROWSER_ADDRESS": wallets_of(EOA, 3)[0],
            "RELAYER_API_KEY": "relayer-key-of-a-test",
            "RELAYER_API_KEY_ADDRESS": EOA,
        }

    def arm(self, *faults: str) -> None:
        """Add faults in the script's words, each the lines of one table."""
        if not faults:
            return
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults).replace("@KEY", self.api_key)
        self.venue.running.host.director.arm(read_toml(text, "test", at_once=True), from_now=True)
        self.venue.pass_time(0)

    async def look(self, mode: str = "live", **variables: str) -> Health:
        """One round; a variable that is "" is taken away."""
        told = {name: value for name, value in (self.environment | variables).items() if value}
        clock = SystemClock() if mode == "demo" else self.clock  # the demo's exchange has the machine's clock
        work = Round(settings_of(told, mode), told, clock, mode=mode, makes_key=True)
        return await work.done()


def settings_of(environment: Mapping[str, str], mode: str) -> Effective | ConfigError:
    try:
        return load(None, environment, {"mode": mode})
    except ConfigError as error:
        return error


def of(health: Health, name: str) -> Check:
    return next(check for check in health.checks if check.name == name)


def words(check: Check) -> str:
    return " | ".join((check.cause, *check.details, check.next_step))


@pytest.fixture
async def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clinic]:
    monkeypatch.setattr(ask, "ANSWER_SEC", 1.0)  # what never answers need not be waited for long

    async with venue_running(markets=MARKETS) as venue:
        venue.exchange.keys.create(EOA, 0)
        for kind in range(4):
            venue.exchange.admit(wallets_of(EOA, kind)[0])
        yield Clinic(venue, tmp_path)


async def test_a_venue_that_is_well_is_called_well(clinic: Clinic) -> None:
    """Every check says ok but those that tell the truth about a test: an exchange on this machine, perhaps as root,
    and a directory whose path may be too long for a socket."""
    health = await clinic.look()
    worth_a_word = {check.name for check in health.checks if check.level != "ok"}
    assert worth_a_word <= {"hosts", "user", "control-socket"}, health.checks
    assert health.exit_code == 0
    names = [check.name for check in health.checks]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mode", ["demo", "paper", "live"])
async def test_every_check_is_in_the_handbook(clinic: Clinic, mode: str) -> None:
    """Names are what programs read: one that is renamed or new is written down."""
    book = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    told = clinic.environment
    looks = [look.name for look in Round(settings_of(told, mode), told, clinic.clock, mode=mode)._looks()]
    assert [name for name in looks if f"`{name}`" not in book] == []


class Planted(NamedTuple):
    """A fault, and what has to be said of it."""

    check: str
    level: str
    cause: str
    step: str
    faults: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    exit_code: int = 3


def http(request: str, status: int, text: str | None = None, **more: str) -> str:
    lines = ['do = "http"', f'request = "{request}"', f"status = {status}", "for = 1000"]
    lines += [] if text is None else [f"text = '{text}'"]
    return "\n".join([*lines, *(f'{name} = "{value}"' for name, value in more.items())])


OTHER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
PLANTED: Mapping[str, Planted] = {
    # the venue as a whole
    "the CLOB is out of order": Planted(
        "clob", "fail", "out of order (status 500", "status.polymarket.com", (http("GET /ok", 500),)
    ),
    "the page of a proxy": Planted(
        "clob", "fail", "a page for a browser (status 200)", "proxy", (http("GET /ok", 200, body="html"),)
    ),
    "the page of a guard": Planted(
        "clob", "fail", "a page for a browser (status 403)", "geoblock", (http("GET /ok", 403, body="html"),)
    ),
    "the CLOB sends elsewhere": Planted(
        "clob", "fail", "sends elsewhere (status 307)", "clob_url",
        ('do = "redirect"\nrequest = "GET /ok"\nto = "http://127.0.0.1:9/ok"\nfor = 1000',),
    ),
    "too many questions": Planted("clob", "fail", "too often (status 429", "wait", (http("GET /ok", 429),)),
    "an answer that never comes": Planted(
        "clob", "fail", "did not answer within", "firewall",
        ('do = "blackhole"\nrequest = "GET /ok"\nmoment = "before"\nfor = 1000',),
    ),
    "an answer that is cut off": Planted(
        "clob", "fail", "broke", "on the way",
        ('do = "blackhole"\nrequest = "GET /ok"\nmoment = "before"\nthen = "cut"\nfor = 1000',),
    ),
    "nobody listens": Planted(
        "clob", "fail", "127.0.0.1:9 refuses connections", "clob_url", (), {"POLYMM_CLOB_URL": "http://127.0.0.1:9"}
    ),
    "a name that is none": Planted(
        "gamma", "fail", "the name of no-such-host.invalid:443 is not found", "name server", (),
        {"POLYMM_GAMMA_URL": "https://no-such-host.invalid"},
    ),
    "Gamma is out of order": Planted(
        "gamma", "fail", "status 503", "wait", (http("GET /gamma/markets/keyset", 503),)
    ),
    "the index is out of order": Planted(
        "data", "warn", "status 502", "wait", (http("GET /data-api/positions", 502),), exit_code=0
    ),
    "the relayer is out of order": Planted(
        "wallet", "fail", "the relayer does not say", "relayer", (http("GET /relayer/deployed", 503),)
    ),
    "a node of another chain": Planted(
        "rpc", "fail", "chain 1, and Polygon is 137", "POLYGON_RPC_URL",
        (http("POST /rpc", 200, '{"jsonrpc":"2.0","id":1,"result":"0x1"}'),),
    ),
    "the node is out of order": Planted("rpc", "warn", "status 500", "wait", (http("POST /rpc", 500),), exit_code=0),
    # whom it is closed to, and what it speaks
    "the venue is closed to us": Planted(
        "geoblock", "fail", "no orders from US, NY", "no way around", ('do = "geoblock"\nfor = 1000',)
    ),
    "nobody tells of the geoblock": Planted(
        "geoblock", "warn", "status 500", "wait", (http("GET /api/geoblock", 500),), exit_code=0
    ),
    "another version of orders": Planted(
        "version", "fail", "version 3, and this program signs version 2", "update", ('do = "version"\nfor = 1000',)
    ),
    "no version": Planted("version", "fail", "tells no version", "clob_url", (http("GET /version", 200, "{}"),)),
    "the venue's clock is ahead": Planted(
        "clock", "fail", "behind the venue's", "NTP", ('do = "clock_offset"\nseconds = 10\nfor = 1000',)
    ),
    "the venue's clock is a little behind": Planted(
        "clock", "warn", "ahead of the venue's", "NTP",
        ('do = "clock_offset"\nseconds = -2.5\nfor = 1000',), exit_code=0,
    ),
    "no time": Planted("clock", "fail", "tells no time", "clob_url", (http("GET /time", 200, '"late"'),)),
    # the account
    "a restart": Planted(
        "credentials", "warn", "the venue restarts (status 425", "waits by itself", ('do = "restart"',), exit_code=0
    ),
    "no cancels": Planted(
        "cancels", "fail", "Trading is currently disabled", "taken back",
        ('do = "mode"\nmode = "disabled"\nfor = 1000',),
    ),
    "a cancel that is not understood": Planted(
        "cancels", "warn", "does not take the cancel of an order that nobody has: Invalid order payload", "by hand",
        (http("DELETE /orders", 400, '{"error":"Invalid order payload"}'),), exit_code=0,
    ),
    "the key is refused": Planted(
        "credentials", "fail", "Invalid L1 Request headers", "PK",
        (http("GET /auth/derive-api-key", 401, '{"error":"Invalid L1 Request headers"}'),), exit_code=13,
    ),
    "the credentials are refused": Planted(
        "credentials", "fail", "Unauthorized/Invalid api key", "made anew",
        (http("GET /data/orders", 401, '{"error":"Unauthorized/Invalid api key"}'),), exit_code=13,
    ),
    "only closing": Planted(
        "closed-only", "fail", "only close positions", "support", ('do = "closed_only"\nkey = "@KEY"\nfor = 1000',)
    ),
    "the user channel takes nobody": Planted(
        "user-channel", "fail", "status 503", "wait", ('do = "disconnect"\nchannel = "user"\nfor = 1000',)
    ),
    "the user channel breaks off": Planted(
        "user-channel", "fail", "broke", "ws_user_url", ('do = "reset"\nchannel = "user"\nfor = 1000',)
    ),
    "another wallet": Planted(
        "wallet", "fail", f"{OTHER} is no wallet of the key's address {EOA}", "BROWSER_ADDRESS", (),
        {"BROWSER_ADDRESS": OTHER}, exit_code=13,
    ),
    "a wallet that is not there": Planted(
        "wallet", "fail", "does not exist", "deposit", (http("GET /relayer/deployed", 200, '{"deployed": false}'),),
        exit_code=13,
    ),
    "a wallet that a start would make": Planted(
        "wallet", "warn", "is not there yet", "deposit", (http("GET /relayer/deployed", 200, '{"deployed": false}'),),
        {"BROWSER_ADDRESS": ""}, exit_code=0,
    ),
    "a relayer key of somebody else": Planted(
        "wallet", "warn", f"{OTHER} is not the key's address", "refused", (),
        {"RELAYER_API_KEY_ADDRESS": OTHER}, exit_code=0,
    ),
    "half a relayer key": Planted(
        "key", "fail", "the relayer's credentials are not complete: set RELAYER_API_KEY too", "environment", (),
        {"RELAYER_API_KEY": ""},
        exit_code=13,
    ),
    "no key": Planted("key", "fail", "needs a private key: set PK", "environment", (), {"PK": ""}, exit_code=13),
    "no money": Planted(
        "balance", "warn", "no cash", "deposit", ('do = "stale_balance"\nshows = "zero"\nfor = 1000',), exit_code=0
    ),
    "more money than it works with": Planted(
        "balance", "warn", "more than the bankroll of 100.00", "what it works with", (),
        {"BANKROLL_USD": "100"}, exit_code=0,
    ),
    "less money than it is given": Planted(
        "balance", "warn", "less than the bankroll", "BANKROLL_USD", (), {"BANKROLL_USD": "90000"}, exit_code=0
    ),
    "no balance": Planted(
        "balance", "fail", "no balance of this wallet: 127.0.0.1", "credentials", (http("GET /balance-allowance", 400),)
    ),
    "the chain knows of less": Planted(
        "balance", "warn", "the chain 0.00 dollars", "lags",
        (http("POST /rpc", 200, '{"jsonrpc":"2.0","id":1,"result":"0x' + "0" * 61 + '089"}'),), exit_code=0,
    ),
    "an exchange without approval": Planted(
        "allowances", "fail", "Exchange V2 (0xe111180000d2663c0091e4f400237545b87b996b) may take no pUSD", "approve",
        ('do = "allowance"\nspender = "exchange"',),
    ),
    "the neg-risk exchange without tokens": Planted(
        "allowances", "fail", "Neg-risk Exchange V2", "approve",
        ('do = "allowance"\nasset = "conditional"\nspender = "neg_risk_exchange"',),
    ),
    "an adapter without approval": Planted(
        "allowances", "warn", "CtfCollateralAdapter", "merged", ('do = "allowance"\nspender = "adapter"',), exit_code=0
    ),
    "an approval that is nearly used up": Planted(
        "allowances", "warn", "only 5.00 dollars of 50,000.00", "approve",
        ('do = "allowance"\nspender = "exchange"\namount = 5000000',), exit_code=0,
    ),
    # the markets
    "no list": Planted("list", "fail", "no market list", "markets discover", (), {"POLYMM_MARKETS": ""}),
    "a market that nobody knows": Planted(
        "markets", "fail", "not known", "markets screen", (), {"POLYMM_MARKETS": "0x" + "5a" * 32}
    ),
    "Gamma says the other contract": Planted(
        "markets", "warn", "1 of 2 markets agree", "markets screen",
        ('do = "disagree"\nmarket = 0\nwhat = "neg_risk"\nfor = 1000',), exit_code=0,
    ),
    "Gamma says swapped tokens": Planted(
        "markets", "warn", "1 of 2 markets agree", "markets screen",
        ('do = "disagree"\nmarket = 0\nwhat = "tokens"\nfor = 1000',), exit_code=0,
    ),
    "Gamma's tick is late": Planted(
        "markets", "warn", "1 are not settled yet", "markets screen",
        ('do = "disagree"\nmarket = 0\nwhat = "tick"\nfor = 1000',), exit_code=0,
    ),
    "a market that is past its end": Planted(
        "markets", "warn", "CLOB; 1 have something worth knowing | 0x", "markets screen",
        ('do = "disagree"\nmarket = 0\nwhat = "ended"\nfor = 1000',), exit_code=0,
    ),
    "a market that the CLOB does not know yet": Planted(
        "markets", "warn", "1 are not settled yet", "wait",
        ('do = "disagree"\nmarket = 0\nwhat = "hydrating"\nsource = "clob"\nfor = 1000',), exit_code=0,
    ),
    "a market that takes no orders": Planted(
        "markets", "warn", "contradict themselves or take no orders", "markets screen",
        ('do = "disagree"\nmarket = 1\nwhat = "accepting"\nsource = "clob"\nfor = 1000',), exit_code=0,
    ),
    "the market channel is shut": Planted(
        "market-channel", "fail", "status 503", "wait", ('do = "disconnect"\nchannel = "market"\nfor = 1000',)
    ),
    "the market channel is dumb": Planted(
        "market-channel", "fail", "said nothing", "ws_market_url",
        ('do = "drop"\nchannel = "market"\nkinds = ["dump"]\nfor = 1000',),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
async def test_a_planted_failure_is_named_with_cause_and_step(clinic: Clinic, name: str) -> None:
    planted = PLANTED[name]
    clinic.arm(*planted.faults)
    health = await clinic.look(**planted.environment)
    check = of(health, planted.check)
    assert check.level == planted.level, health.checks
    assert planted.cause in words(check)
    assert planted.step in check.next_step
    assert health.exit_code == planted.exit_code


SHEETS: Mapping[str, tuple[str, str]] = {
    "denied": ("fail", "no access (403): share the sheet with"),
    "missing": ("fail", "Google has no spreadsheet"),
    "quota": ("fail", "quota"),
    "unauthenticated": ("fail", "(401)"),
    "unavailable": ("fail", "Google has trouble of its own (503)"),
    "disabled": ("fail", "the Google Sheets API is not enabled"),
    "no_tab": ("fail", "the spreadsheet has no tab"),
    "empty": ("fail", "is empty"),
    "header": ("fail", "below its header there is no market"),
    "mangled": ("fail", "the spreadsheet made a number of it"),
    "errors": ("fail", "a formula error"),
    "header_renamed": ("fail", 'no column "yes_token_id"'),
    "repeated": ("warn", "2 rows, and 2 rejected"),
    "flood": ("fail", "has 10000 rows"),
}


def with_a_sheet(clinic: Clinic) -> dict[str, str]:
    """An operator whose markets stand in the exchange's own spreadsheet."""
    host, key_file = clinic.venue.running.host, clinic.home / "service-account.json"
    key_file.write_text(json.dumps(host.accounts.file(f"{clinic.venue.urls['sheets_url']}/token")))
    key_file.chmod(0o600)
    sheet = {"SPREADSHEET_URL": host.spreadsheet.url, "GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}
    return sheet | {"POLYMM_MARKETS": ""}


@pytest.mark.parametrize("what", SHEETS)
async def test_each_accident_of_the_sheet_is_named(clinic: Clinic, what: str) -> None:
    """Through the real client; the rest is looked at all the same, and nothing of the account's key is shown."""
    variables = with_a_sheet(clinic)
    level, cause = SHEETS[what]
    clinic.arm(f'do = "sheet"\nwhat = "{what}"\nfor = 1000')
    health = await clinic.look(**variables)
    check = of(health, "list")
    assert check.level == level and cause in words(check) and check.next_step
    assert of(health, "allowances").level == "ok"
    key = clinic.venue.running.host.accounts.file("")["private_key"]
    assert not any(line in health_json(health) for line in key.splitlines() if line)


async def test_a_sheet_that_is_well_gives_the_markets(clinic: Clinic) -> None:
    health = await clinic.look(**with_a_sheet(clinic))
    assert 'sheet "Selected Markets": 2 rows' in of(health, "list").cause
    assert of(health, "markets").cause == "2 of 2 markets agree in Gamma and the CLOB"


async def test_a_key_file_that_others_can_read_is_named(clinic: Clinic) -> None:
    variables = with_a_sheet(clinic)
    os.chmod(variables["GOOGLE_APPLICATION_CREDENTIALS"], 0o644)
    check = of(await clinic.look(**variables), "files")
    assert check.level == "fail" and "service account file" in check.cause and "chmod 600" in check.next_step


def state_of(clinic: Clinic) -> Path:
    """The directory of the live session, which is made."""
    directory = clinic.home / "state" / "polymm-tui" / "live"
    directory.mkdir(parents=True, mode=0o700)
    return directory


def keep_a_list(clinic: Clinic, directory: Path) -> None:
    """What a session of ten minutes ago has left: one market that it made."""
    row = ListRow(row=1, market=next(iter(clinic.venue.exchange.listings)))
    entry = Entry(row=row, listed_unix=0.0)
    save(directory / NAME, Kept(source="s", read_unix=clinic.clock.unix() - 600, listed=(entry,)))


async def test_a_last_good_list_turns_an_unreadable_one_into_a_warning(clinic: Clinic) -> None:
    """A session would start with it, so the doctor must not refuse."""
    keep_a_list(clinic, state_of(clinic))
    clinic.arm('do = "sheet"\nwhat = "denied"\nfor = 1000')
    health = await clinic.look(**with_a_sheet(clinic))
    check = of(health, "list")
    assert check.level == "warn" and "last good list of 1 market, read 10 minutes ago" in check.cause
    assert health.exit_code == 0


@pytest.mark.parametrize(("has_kept", "level"), [(True, "warn"), (False, "fail")])
async def test_a_list_with_every_market_off_starts_what_has_to_drain(
    clinic: Clinic, has_kept: bool, level: str
) -> None:
    """Switch all off and restart: what the last session holds must not be left with nobody."""
    directory = state_of(clinic)
    if has_kept:
        keep_a_list(clinic, directory)
    rows = [
        f"{each.instrument.market},{each.instrument.yes_token},{each.instrument.no_token},,,,,no\n"
        for each in clinic.venue.exchange.listings.values()
    ]
    path = clinic.home / "markets.csv"
    path.write_text(
        "market_id,yes_token_id,no_token_id,Liquidity,Volume_24h,Volume_7d,Volume_30d,enabled\n" + "".join(rows)
    )
    path.chmod(0o600)
    health = await clinic.look(POLYMM_MARKETS="", POLYMM_MARKET_LIST=str(path))
    check = of(health, "list")
    assert check.level == level and "none is left to make" in check.cause
    assert ("the 1 market of the last good list" in check.cause) == has_kept
    assert health.exit_code == (0 if has_kept else 3)


async def test_what_depends_on_a_failure_adds_no_cause_of_its_own(clinic: Clinic) -> None:
    """One broken thing is one failure, and everything behind it names that one, however far away."""
    clinic.arm(http("GET /ok", 500))
    health = await clinic.look()
    assert [check.name for check in health.of("fail")] == ["clob"]
    assert {check.name: check.cause for check in health.of("skipped")} == dict.fromkeys(
        (
            "clock",
            "version",
            "credentials",
            "closed-only",
            "cancels",
            "user-channel",
            "balance",
            "markets",
            "allowances",
        ),
        "not checked: clob failed",
    )


def self_signed(folder: Path) -> Path:
    """A new key, and the certificate that it made for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
    certificate = made.sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "self-signed.pem"
    path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_certificate_that_nobody_vouches_for_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    """Somebody on the way could read along: told apart from a venue that is down (reliability.md 5, 18)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    variables = {"POLYMM_CLOB_URL": f"https://127.0.0.1:{port}", "POLYMM_WS_MARKET_URL": f"wss://127.0.0.1:{port}/ws"}
    health = await clinic.look(**variables)
    server.close()
    for name in ("clob", "market-channel"):
        check = of(health, name)
        assert check.level == "fail" and "no certificate to be trusted (self-signed certificate" in check.cause


async def test_a_port_that_speaks_no_tls_is_named(clinic: Clinic) -> None:
    """Mostly http written as https."""
    port = clinic.venue.urls["port"]
    check = of(await clinic.look(POLYMM_CLOB_URL=f"https://127.0.0.1:{port}"), "clob")
    assert check.level == "fail" and "speaks no TLS that is understood" in check.cause and "clob_url" in check.next_step


async def test_several_failures_are_each_named(clinic: Clinic) -> None:
    """Independent ones are looked at side by side, so one run tells all of them."""
    clinic.arm(
        'do = "geoblock"\nfor = 1000', 'do = "version"\nfor = 1000', 'do = "closed_only"\nkey = "@KEY"\nfor = 1000'
    )
    assert [check.name for check in (await clinic.look()).of("fail")] == ["geoblock", "version", "closed-only"]


async def test_nothing_that_proves_who_we_are_goes_to_hosts_that_are_refused(clinic: Clinic) -> None:
    """Signatures and credentials are what a false venue is after: one wrong address is enough to send none."""
    asked = listened(clinic)
    health = await clinic.look(POLYMM_DATA_URL="https://data-api.polymarket.com.invalid")
    assert of(health, "hosts").level == "fail" and health.exit_code == 3
    causes = {of(health, name).cause for name in ("wallet", "credentials", "cancels", "user-channel", "balance")}
    assert causes == {"not checked: hosts failed"}
    assert asked and not any("/auth/" in line or "/data/" in line or "DELETE" in line for line in asked)


def listened(clinic: Clinic) -> list[str]:
    """Fills with what the exchange is asked from now on."""
    asked: list[str] = []
    serve = clinic.venue.running.host.serve

    async def note(request: Any, body: bytes, act: Callable[[], Any]) -> Any:
        asked.append(f"{request.method} {request.url.path}")
        return await serve(request, body, act)

    clinic.venue.running.host.serve = note  # type: ignore[method-assign]
    return asked


async def test_nothing_that_trades_is_sent_and_nothing_changes(clinic: Clinic) -> None:
    """No order, no transaction, no heartbeat; the account's money and orders are what they were."""
    await clinic.look()
    before = clinic.venue.fingerprint()
    asked = listened(clinic)
    assert (await clinic.look()).exit_code == 0
    assert clinic.venue.fingerprint() == before
    writes = {line for line in asked if not line.startswith("GET ")}
    assert writes == {"DELETE /orders", "POST /rpc"}
    assert not any("heartbeat" in line or "submit" in line for line in asked)


def contents(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a directory, itself included: its mode, when it was changed, what it holds."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (directory, *directory.rglob("*"))
    }


async def test_what_a_session_has_left_stays_byte_for_byte(clinic: Clinic) -> None:
    """A closed database has no log beside it, and none is made by looking into it."""
    directory = state_of(clinic)
    store = Store(directory / "mm_state.db", clinic.clock)
    await store.open("live", "1", 1, {})
    await store.end("done", verified=True)
    places = Places(directory.parent, "live")
    places.claim()
    places.release()
    Latch(directory, 0.0).close()
    keep_a_list(clinic, directory)
    before = contents(clinic.home)
    health = await clinic.look()
    assert health.exit_code == 0 and of(health, "database").cause == f"schema {SCHEMA_VERSION}"
    assert contents(clinic.home) == before


async def test_by_hand_no_credentials_are_made(clinic: Clinic) -> None:
    """A look changes nothing at the venue; what a first start makes is said, and what needs it is not checked."""
    keys, told = clinic.venue.exchange.keys, clinic.environment
    keys.drop(keys.of_address(EOA)[0].api_key)
    health = await Round(settings_of(told, "live"), told, clinic.clock, mode="live").done()
    check = of(health, "credentials")
    assert check.level == "warn" and "has made no API credentials" in check.cause
    assert keys.of_address(EOA) == []
    assert of(health, "closed-only").cause == "not checked: credentials have not been made yet"
    assert health.exit_code == 0


async def test_the_money_is_found_in_another_wallet_of_the_key(clinic: Clinic) -> None:
    """The usual mistake is the wrong wallet of the right key: which one holds the money is said."""
    deposit, own = clinic.environment["BROWSER_ADDRESS"].lower(), EOA.lower()
    for address, wallet in clinic.venue.exchange.ledger.accounts.items():
        wallet.cash = wallet.cash if address == own else Usd(0)
    check = of(await clinic.look(), "balance")
    assert check.level == "fail" and check.exit_code == 13
    assert "no cash" in check.cause and deposit in check.cause.lower()
    assert own in check.next_step.lower()


async def test_a_wallet_whose_money_is_all_in_shares_may_start(clinic: Clinic) -> None:
    """It is the right one, whatever lies elsewhere: its positions need the session."""
    deposit, own = clinic.environment["BROWSER_ADDRESS"].lower(), EOA.lower()
    market = next(iter(clinic.venue.exchange.listings))
    for address, wallet in clinic.venue.exchange.ledger.accounts.items():
        wallet.cash = wallet.cash if address == own else Usd(0)
    clinic.venue.exchange.ledger.accounts[deposit].tokens[market, "YES"] = 50 * MICRO
    health = await clinic.look()
    check = of(health, "balance")
    assert check.level == "warn" and "it holds outcome tokens" in check.cause and health.exit_code == 0


async def test_a_user_channel_of_another_venue_is_named(clinic: Clinic) -> None:
    """It knows nothing of the credentials and hangs up: without fills told a session would be blind."""
    async with venue_running(markets=1) as other:
        health = await clinic.look(POLYMM_WS_USER_URL=other.urls["ws_user_url"])
    check = of(health, "user-channel")
    assert check.level == "fail" and "closed the user channel" in check.cause and "ws_user_url" in check.next_step
    assert health.exit_code == 13


@pytest.mark.parametrize("mode", ["demo", "paper"])
async def test_demo_and_paper_need_no_key_and_never_look_for_one(clinic: Clinic, mode: str) -> None:
    """Paper never touches a key; the demo brings its own exchange and throws its key away."""
    keys = dict.fromkeys(SECRET_NAMES, "")
    health = await clinic.look(mode, **keys, BROWSER_ADDRESS="", RELAYER_API_KEY_ADDRESS="")
    assert health.exit_code == 0, health.checks
    assert "key" not in {check.name for check in health.checks}
    private = {"credentials", "balance", "allowances", "cancels"}
    assert private.isdisjoint({check.name for check in health.checks}) == (mode == "paper")


async def test_a_demo_leaves_nothing_running(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exchange ends with the look, also when the look is given up."""
    is_up, children = asyncio.Event(), list[Any]()
    start = DemoExchange.start

    async def noted(self: DemoExchange, settings: Settings) -> Settings:
        told = await start(self, settings)
        children.append(self._process)
        is_up.set()
        return told

    monkeypatch.setattr(DemoExchange, "start", noted)
    told = clinic.environment
    task = asyncio.create_task(Round(settings_of(told, "demo"), told, clinic.clock, mode="demo").done())
    async with asyncio.timeout(PATIENCE_S):
        await is_up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await clinic.look("demo")).exit_code == 0
    assert len(children) == 2 and all(child.returncode is not None for child in children)


async def test_a_name_server_that_takes_its_time_puts_no_clock_wrong(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding the address is over before the venue is asked for its time."""
    told = clinic.environment
    work = Round(settings_of(told, "live"), told, clinic.clock, mode="live")
    assert (await work._look_clob()).level == "ok"
    find = ask._find

    async def slow(url: str) -> None:
        await find(url)
        clinic.venue.pass_time(4.0)

    monkeypatch.setattr(ask, "_find", slow)
    check = await work._look_clock()
    await work._asking.close()
    assert check.level == "ok", check


async def test_a_name_server_that_says_nothing_costs_a_deadline(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked in a thread that nobody waits for, neither in the look nor at the program's end."""
    monkeypatch.setattr(ask, "NAME_SEC", 0.1)
    look, released = socket.getaddrinfo, threading.Event()

    def silent(host: Any, *others: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            released.wait(PATIENCE_S)
        return look(host, *others, **options)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    names = ("POLYMM_CLOB_URL", "POLYMM_GAMMA_URL", "POLYGON_RPC_URL")
    try:
        health = await clinic.look(
            **dict.fromkeys(names, "https://silent.invalid"), POLYMM_WS_MARKET_URL="wss://s.invalid"
        )
    finally:
        released.set()
    for name in ("clob", "gamma", "rpc", "market-channel"):
        assert "did not answer" in of(health, name).cause


async def test_no_secret_is_shown(clinic: Clinic) -> None:
    """Neither in the table nor in JSON, whatever fails: key, API secret, passphrase, relayer key."""
    keys = None
    for faults in ((), (http("GET /data/orders", 401, '{"error":"' + KEY + '"}'),), (http("GET /ok", 500),)):
        clinic.arm(*faults)
        health = await clinic.look()
        shown = "\n".join(health_lines(health)) + health_json(health)
        keys = keys or clinic.venue.exchange.keys.of_address(EOA)[0]
        for secret in (KEY[2:], keys.secret, keys.passphrase, clinic.environment["RELAYER_API_KEY"]):
            assert secret.lower() not in shown.lower()


async def test_a_latch_that_is_pulled_is_told(clinic: Clinic) -> None:
    """A session may start killed, and quotes nothing: whoever starts it has to know."""
    directory = state_of(clinic)
    latch = Latch(directory, 0.0)
    latch.write(LatchRecord(state="killed", epoch=1, by="an operator", reason="smoke", unix=1.0))
    latch.close()
    check = of(await clinic.look(), "latch")
    assert check.level == "warn" and "an operator: smoke" in check.cause and "rearm" in check.next_step


async def test_every_answer_is_bounded_in_time(clinic: Clinic) -> None:
    """A venue that swallows every question costs a few deadlines in a row, never the operator's evening."""
    clinic.arm('do = "blackhole"\nrequest = "* /*"\nmoment = "before"\nfor = 1000')
    async with asyncio.timeout(15):
        health = await clinic.look()
    assert health.exit_code == 3
    assert "did not answer" in of(health, "clob").cause and "did not answer" in of(health, "gamma").cause
