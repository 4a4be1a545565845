"""Whether orders can be signed, and whether a kill can still stop them: tried on this machine, nothing leaves it.

Source: order-clients.md (coincurve; private names of the client), reliability.md 4.6 (I-8), 2.5 (P21).
"""

import socket
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import httpx
from coincurve import PrivateKey
from eth_keys.backends import get_backend

from core.clock import Clock
from core.config import Settings
from core.exchange.signing import address_of_key, checksummed, recover
from core.preflight.check import Check, fail, ok, warn
from core.venue.credentials import Secret, Wallet
from core.venue.wire_stop import Brake, OrdersStopped, check_writes

_TRIAL_KEY: Final = bytes.fromhex("11" * 32)
_TRIAL_DIGEST: Final = bytes.fromhex("22" * 32)
SLOW_SEC: Final = 0.002
"""A signature takes 0.06 ms with coincurve and 3 ms without (order-clients.md, measured)."""
_TRIES: Final = 20
_TRIAL_BODY: Final = b'{"order":"trial"}'
_ANSWER_SEC: Final = 0.2
"""Nobody answers: so long is waited in vain for it when nothing has stopped the request."""


def backend(clock: Clock) -> Check:
    """Sign with a throw-away key, see whose the signature is, and how long it took."""
    name = type(get_backend()).__name__
    if name != "CoinCurveECCBackend":
        cause = f"signatures are made by {name}, which takes milliseconds an order while nothing else moves"
        return fail("signing", cause, "install coincurve")
    key = PrivateKey(_TRIAL_KEY)
    took = []
    for _ in range(_TRIES):
        began_s = clock.monotonic()
        raw = key.sign_recoverable(_TRIAL_DIGEST, hasher=None)
        took.append(clock.monotonic() - began_s)
    signature = "0x" + raw[:64].hex() + f"{27 + raw[64]:02x}"
    if checksummed(recover(_TRIAL_DIGEST, signature)) != address_of_key(_TRIAL_KEY):
        return fail("signing", "a signature does not belong to the key that made it", "install coincurve anew")
    typical_s = sorted(took)[_TRIES // 2]
    told = f"coincurve {_version('coincurve')}: {typical_s * 1000:.2f} ms a signature, which recovers its address"
    if typical_s > SLOW_SEC:
        return warn("signing", told, "see what else keeps this machine busy")
    return ok("signing", told)


def imported(settings: Settings) -> None:
    """Import the order client that was chosen, which takes most of a second.

    Raises:
        PreflightError: it is not there, or of a version that this program does not know.
    """
    if settings.gateway == "py-clob-client-v2":
        import_module("core.venue.gateway_clob_v2")
    else:
        import_module("core.venue.gateway_polymarket")


async def client(settings: Settings, clock: Clock) -> Check:
    """Import the order client that was chosen, and see that its connections can be stopped.

    Raises:
        PreflightError: it is not there, or of a version that this program does not know.
    """
    if settings.gateway == "py-clob-client-v2":
        from core.venue.gateway_clob_v2 import ClobV2Gateway

        await ClobV2Gateway(settings, Wallet(Secret(_TRIAL_KEY.hex()), None), clock, lambda sign: None).close()
        return ok("client", f"py-clob-client-v2 {_version('py-clob-client-v2')}, its requests can be held back")
    from core.venue.gateway_polymarket import environment_for, trial_connections

    environment_for(settings)
    left = await bytes_past_a_kill(trial_connections)
    if left:
        return fail(
            "client",
            f"polymarket-client {_version('polymarket-client')}: a kill would not hold an order back",
            "install polymarket-client>=0.14,<0.15 and httpx>=0.28,<1, and nothing newer",
        )
    return ok("client", f"polymarket-client {_version('polymarket-client')}; a kill holds its orders back")


async def bytes_past_a_kill(make: Callable[[str], httpx.AsyncClient]) -> bool:
    """Whether a request with orders gets its body past a pulled kill switch, to a listener of our own on loopback.

    Args:
        make: makes the client's connections to an address.

    Raises:
        AttributeError: the client's inside is not the one known here.
    """
    brake, stops = Brake(lambda: True), list[bool]()

    async def hold(request: httpx.Request) -> None:
        brake.hold_async(request, stops.append)

    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody accepts: what comes waits in the system
        listener.setblocking(False)
        http = make(f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            http.event_hooks["request"].append(hold)
            await check_writes(http, lambda: brake.look(None))
            await http.post("/orders", content=_TRIAL_BODY, timeout=_ANSWER_SEC)
        except OrdersStopped:
            pass
        except httpx.HTTPError:
            return True  # it went on to wait for an answer, or broke elsewhere: nothing has stopped it
        finally:
            await http.aclose()
        return _arrived(listener) != b"" or stops != [True]


def _arrived(listener: socket.socket) -> bytes:
    """What the first connection has sent so far."""
    try:
        connection, _ = listener.accept()
        with connection:
            connection.setblocking(False)
            return connection.recv(65_536)
    except BlockingIOError:
        return b""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown)"
