"""Signing and the hooks of a kill are tried, not assumed: a client that a kill could not stop is found out."""

import httpx
import pytest

from core.clock import SystemClock
from core.config import Settings
from core.preflight import signing

CLOCK = SystemClock()


def test_a_signature_is_made_and_recovered() -> None:
    check = signing.backend(CLOCK)
    assert check.level in ("ok", "warn") and "coincurve" in check.cause and "ms a signature" in check.cause


def test_signing_in_pure_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It blocks the loop for milliseconds an order (order-clients.md)."""
    monkeypatch.setattr(signing, "get_backend", object)
    check = signing.backend(CLOCK)
    assert check.level == "fail" and check.next_step == "install coincurve"


def test_a_slow_machine_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "SLOW_SEC", -1.0)
    assert signing.backend(CLOCK).level == "warn"


def test_a_signature_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "recover", lambda digest, signature: bytes(20))
    assert signing.backend(CLOCK).level == "fail"


@pytest.mark.parametrize("gateway", ["polymarket-client", "py-clob-client-v2"])
async def test_both_clients_are_there_and_can_be_held_back(gateway: str) -> None:
    settings = Settings(gateway=gateway)  # type: ignore[arg-type]
    signing.imported(settings)
    check = await signing.client(settings, CLOCK)
    assert check.level == "ok" and gateway in check.cause


async def test_a_client_that_a_kill_stops_lets_nothing_past() -> None:
    assert not await signing.bytes_past_a_kill(lambda url: httpx.AsyncClient(base_url=url, trust_env=False))


async def test_a_client_that_a_kill_cannot_stop_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer HTTP library may not tell its moments any more: then the order's bytes are seen to arrive."""

    async def changed_nothing(client: httpx.AsyncClient, look: object) -> None:
        """As if the connections' inside were another."""

    class Deaf(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.extensions.pop("trace", None)
            return await super().handle_async_request(request)

    monkeypatch.setattr(signing, "check_writes", changed_nothing)
    assert await signing.bytes_past_a_kill(lambda url: httpx.AsyncClient(base_url=url, transport=Deaf()))
