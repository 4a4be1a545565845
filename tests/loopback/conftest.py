"""What no test on loopback has to wait for: certificates that nobody checks, and a server's pauses at its end."""

import ssl
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from tests.loopback.pauses import NO_TLS, uvicorn_pauses


@pytest.fixture(scope="module", autouse=True)
def _quick_starts_and_ends() -> Iterator[None]:
    with patch.object(ssl, "create_default_context", lambda *arguments, **options: NO_TLS), uvicorn_pauses(0.005):
        yield
