"""Faults at run time under ``/_exchange/faults``: what is armed, what happened, and adding more."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import UsageError
from core.exchange.api.host import Host, answer, refused
from core.exchange.faults.director import Armed
from core.exchange.faults.script import read_toml


class FaultsApi:
    """No part of the venue; no credentials are asked and no fault touches it."""

    def __init__(self, host: Host) -> None:
        self._director = host.director
        self._public = host.public

    def routes(self) -> list[Route]:
        """The routes of this part."""
        return [
            Route("/_exchange/faults", self._public(self._read), methods=["GET"]),
            Route("/_exchange/faults", self._public(self._add), methods=["POST"]),
        ]

    def _read(self, request: Request, body: bytes) -> Response:
        """Every rule, what is going on, and the log, oldest first."""
        director = self._director
        return answer(
            {
                "rules": [_shown(armed) for armed in director.rules],
                "active": [{"rule": effect.number, "until_ms": effect.until_ms} for effect in director.active],
                "log": [msgspec.to_builtins(line) for line in director.log],
            }
        )

    def _add(self, request: Request, body: bytes) -> Response:
        """Arm the ``[[fault]]`` tables of a TOML body; without a trigger they set in at once."""
        try:
            rules = read_toml(body.decode(), "body", at_once=True)
            return answer({"rules": self._director.arm(rules, from_now=True)})
        except (UsageError, UnicodeDecodeError) as error:
            return refused(str(error))


def _shown(armed: Armed) -> dict[str, Any]:
    return {
        "number": armed.number,
        "where": armed.rule.place(),
        "do": armed.do,
        "seen": armed.seen,
        "fired": armed.fired,
        "spent": armed.spent,
    }
