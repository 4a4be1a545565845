"""The exchange as a program of its own: the one line it prints, and its ending.

Two ways in: ``polymm-tui exchange``, which ends on SIGINT or SIGTERM, and ``python -m core.exchange``, the child of a
demo, which ends with its parent.
"""

import argparse
import asyncio
import gc
import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from core.clock import SystemClock
from core.errors import PreflightError, UsageError
from core.exchange.api.playback import RunningPlayback, build_playback
from core.exchange.api.server import RunningExchange, Serving, build_host, loopback, stop_at_eof
from core.exchange.arguments import DEFAULT_SEED, INVENTED_ONLY
from core.exchange.exchange import Exchange
from core.exchange.faults.script import load
from core.exchange.sheets.accounts import EMAIL
from core.exchange.signing import CHAIN_ID, address_of_key
from core.units import usd_from_float
from core.venue.wallets import wallets_of

_STDIN = 0
_STDOUT = 1
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WALLET_KINDS: Final = ("eoa", "proxy", "safe", "deposit")


def run(arguments: argparse.Namespace, *, ends_with_parent: bool) -> int:
    """Serve until told to end.

    Raises:
        UsageError: an argument or a file it names cannot be used.
        PreflightError: stdout takes no line.
    """
    _refuse_unfit(arguments)
    asyncio.run(_serve(arguments, ends_with_parent))
    return 0


def account_of(exchange: Exchange) -> dict[str, Any]:
    """A throw-away key that follows from the seed, its wallets, which find money when first used, and its API key."""
    key = hashlib.sha256(f"throw-away/{exchange.seed}".encode()).hexdigest()
    address = address_of_key(bytes.fromhex(key))
    wallets = {name: wallets_of(address, kind)[0] for kind, name in enumerate(_WALLET_KINDS)}
    credentials = exchange.keys.create(address, 0)
    assert credentials is not None
    return {"private_key": "0x" + key, "address": address, "wallets": wallets, "credentials": credentials.wire()}


def write_service_account(path: Path, fields: dict[str, str]) -> None:
    """Write a throw-away key file that only its owner may read, in place of an older one of an exchange at most.

    Raises:
        UsageError: it cannot be written, or the file holds something else, perhaps a real account's key.
    """
    if path.exists() and not _is_throw_away(path):
        raise UsageError(f"--service-account {path}: a file that no exchange wrote is left alone; name another")
    try:
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(msgspec.json.format(msgspec.json.encode(fields)))
    except OSError as error:
        raise UsageError(f"--service-account {path}: cannot be written: {error}") from error


def _is_throw_away(path: Path) -> bool:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).get("client_email") == EMAIL
    except (OSError, msgspec.DecodeError):
        return False


def _refuse_unfit(arguments: argparse.Namespace) -> None:
    """Refuse arguments that would be ignored."""
    if arguments.gamma and not arguments.recording:
        raise UsageError("--gamma describes the markets of a recording; give --recording FILE too")
    ignored = [
        f"--{name.replace('_', '-')}" for name, usual in INVENTED_ONLY.items() if getattr(arguments, name) != usual
    ]
    if arguments.recording and ignored:
        raise UsageError(f"--recording plays what was recorded; leave out {', '.join(ignored)}")


async def _serve(arguments: argparse.Namespace, ends_with_parent: bool) -> None:
    address = loopback(arguments.host)
    serving, told = _recorded(arguments, address) if arguments.recording else _exchange(arguments, address)
    async with serving:
        if ends_with_parent:
            stop_at_eof(serving, _STDIN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP) if ends_with_parent else _ENDING:
            loop.add_signal_handler(number, serving.stop)
        gc.collect()
        gc.freeze()
        _announce(json.dumps(serving.urls | told))
        await serving.wait()


def _announce(line: str) -> None:
    """Print the one line, past Python's buffer, which would complain again at the end.

    Raises:
        PreflightError: nobody can read it, so nobody could use the exchange.
    """
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        os.write(_STDOUT, f"{line}\n".encode())
    except OSError as error:
        raise PreflightError(f"the line with the addresses cannot be written to stdout: {error}") from error


def _exchange(arguments: argparse.Namespace, address: str) -> tuple[Serving, dict[str, Any]]:
    rules = load(arguments.script) if arguments.script else []
    host = build_host(
        seed=DEFAULT_SEED if arguments.seed is None else arguments.seed,
        markets=arguments.markets,
        speed=arguments.speed,
        auto_cash=usd_from_float(arguments.cash),
        paused=arguments.paused,
        profile=arguments.profile,
        baiter=arguments.baiter,
        clock=SystemClock(),
    )
    host.director.arm(rules)
    told = {"chain_id": CHAIN_ID, "spreadsheet": host.spreadsheet.url} | account_of(host.exchange)
    running = RunningExchange(host, arguments.port, address)
    if arguments.service_account is not None:
        write_service_account(arguments.service_account, host.accounts.file(f"{running.urls['sheets_url']}/token"))
    return running, told


def _recorded(arguments: argparse.Namespace, address: str) -> tuple[Serving, dict[str, Any]]:
    host = build_playback(arguments.recording, clock=SystemClock(), gamma=arguments.gamma, speed=arguments.speed)
    return RunningPlayback(host, arguments.port, address), {"chain_id": CHAIN_ID}
