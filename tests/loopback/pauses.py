"""What clients and servers spend on loopback for nothing."""

import asyncio
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final
from unittest.mock import patch

import uvicorn.server

from core.exchange.api import host
from core.exchange.crowd import participants
from core.runtime import loop_lag

NO_TLS: Final = ssl.create_default_context()
"""Nothing on loopback is encrypted, and each client's own certificates would cost most of a start."""


class _Paced:
    """``asyncio`` as the server's module sees it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def sleep(self, _: float) -> Awaitable[None]:
        return asyncio.sleep(self._seconds)


def uvicorn_pauses(seconds: float) -> AbstractContextManager[Any]:
    """How long a server sleeps between looks at whether it is to end, by default 0.1 s, several times in an end."""
    return patch.object(uvicorn.server, "asyncio", _Paced(seconds))


def long_naps() -> AbstractContextManager[Any]:
    """Participants of a paused exchange look seldom whether they may trade, not four times a second each."""
    return patch.object(participants, "_NAP_S", 60.0)


@contextmanager
def seldom_looks(*, lively: bool) -> Iterator[None]:
    """Have tasks look seldom whether something is due: on a clock that jumps each look costs a turn of the loop.

    Args:
        lively: a crowd trades; without, the exchange is paused.
    """
    with (
        patch.object(host, "PULSE_MS", 200),
        patch.object(loop_lag, "PERIOD_SEC", 1.0),
        nullcontext() if lively else long_naps(),
        uvicorn_pauses(0.5),
    ):
        yield
