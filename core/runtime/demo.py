"""The demo's exchange: a child process that lives as long as this one holds its standard input."""

import asyncio
import contextlib
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import replace
from typing import Any, Final

import msgspec

from core.children import child_environment
from core.config import Settings
from core.errors import PreflightError
from core.venue.credentials import RelayerKey, Secret, Wallet

START_SEC: Final = 20.0
STOP_SEC: Final = 3.0
PROFILE: Final = "lively"
"""How busy the demo's markets are: something is to be seen within a minute."""


class DemoExchange:
    """Starts and stops the exchange room's process."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def start(self, settings: Settings) -> Settings:
        """Start it and return the settings with its addresses.

        Raises:
            PreflightError: it did not come up.
        """
        arguments = ["-P", "-m", "core.exchange", "--seed", str(settings.seed), "--markets", str(settings.demo_markets)]
        arguments += ["--profile", PROFILE]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            "--port",
            "0",
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            env=child_environment(),
        )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_SEC)
            told = msgspec.json.decode(line, type=dict[str, Any])
        except (TimeoutError, msgspec.DecodeError) as error:
            await self.stop()
            raise PreflightError("the demo exchange did not start; run `python -m core.exchange` to see why") from error
        services = {name: value for name, value in told.items() if name.endswith("_url") and isinstance(value, str)}
        urls = {name: value for name, value in services.items() if name != "sheets_url"}
        # The sheet is the user's: a service account's tokens are shown to nobody but whom the settings name.
        return replace(settings, **urls)  # type: ignore[arg-type]

    async def stop(self) -> None:
        """Let go of its standard input, on which it ends by itself; insist if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_SEC)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def throw_away_keys() -> tuple[Wallet, RelayerKey]:
    """A key that nobody keeps, its own address as the wallet, and one for the demo's relayer, which takes any."""
    from core.exchange.signing import address_of_key

    key = secrets.token_bytes(32)
    address = address_of_key(key)
    return Wallet(Secret("0x" + key.hex()), address), RelayerKey(Secret(secrets.token_hex(16)), address)
