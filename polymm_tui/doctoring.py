"""``polymm-tui doctor``, and the same looks before a live session: what is well, what is not, and what to do."""

import asyncio
import json
import os
import resource
import time
from collections.abc import Sequence
from typing import Any, Final

from core.clock import SystemClock
from core.config import Effective
from core.errors import ConfigError, CredentialError, InstanceError, PolymmError, PreflightError, StoreError
from core.preflight.check import Check, Health, Level
from core.preflight.rounds import Round
from polymm_tui.streams import give, say
from widgets.format import clean, fit, wrap_words

WIDTH: Final = 80
_LEVEL: Final = 6
_NAME: Final = 16
_SIGNS: Final[dict[Level, str]] = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skipped": "-"}
_ERRORS: Final[dict[int, type[PolymmError]]] = {
    kind.exit_code: kind for kind in (ConfigError, PreflightError, InstanceError, StoreError, CredentialError)
}
_DETAILS_SHOWN: Final = 8


def run_doctor(effective: Effective | ConfigError, mode: str, proxies: Sequence[str], *, as_json: bool) -> int:
    """Look at everything and say it; returns the exit code: 0 when nothing failed.

    Args:
        effective: settings of the run, or why there are none.
        mode: whose session is meant.
        proxies: variables that named a proxy, and are ignored.
        as_json: one object on one line, in place of the table.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as a session does it, and a key may be read here too
    health = asyncio.run(Round(effective, os.environ, SystemClock(), mode=mode, proxies=proxies).done())
    give(health_json(health) if as_json else "\n".join(health_lines(health)))
    return health.exit_code


def look_before_live(effective: Effective, proxies: Sequence[str], *, as_json: bool) -> tuple[str, ...]:
    """The same looks before a live session: what is not well is said, and what has failed keeps it from starting.

    Returns:
        The warnings, a line each, for the session's own log of events.

    Raises:
        PolymmError: something failed; its text and its exit code are those of the first that did.
    """
    work = Round(effective, os.environ, SystemClock(), mode="live", proxies=proxies, makes_key=True)
    health = asyncio.run(work.done())
    failed = health.of("fail")
    warnings = tuple(_line(check) for check in health.of("warn"))
    for line in (*warnings, *map(_line, failed[1:])):
        say(f"polymm-tui: {line}")
    if not failed:
        say(f"polymm-tui: {_summary(health)}")
        return warnings
    if as_json:
        reason = f"not started: {clean(failed[0].cause)}"
        give(json.dumps({"exit_reason": reason, "open_orders": None, **_plain(health)}))
    more = f" ({len(failed) - 1} more above)" if len(failed) > 1 else ""
    text = f"not started: {_line(failed[0])}{more}; `polymm-tui doctor --mode live` shows everything"
    raise _ERRORS.get(failed[0].exit_code, PolymmError)(text)


def health_lines(health: Health) -> list[str]:
    """All checks as text of 80 columns, each with what to do about it."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(health.unix))
    lines = [f"polymm-tui doctor, {health.mode} mode, {moment}", ""]
    for check in health.checks:
        head = f"{_SIGNS[check.level]:<{_LEVEL}}{fit(clean(check.name), _NAME - 1)} "
        lines += _hung(head, clean(check.cause))
        shown = check.details[:_DETAILS_SHOWN]
        for detail in shown:
            lines += _hung(" " * (_LEVEL + _NAME) + ". ", clean(detail))
        if len(check.details) > len(shown):
            lines.append(" " * (_LEVEL + _NAME) + f". and {len(check.details) - len(shown)} more: see --json")
        if check.next_step:
            lines += _hung(" " * (_LEVEL + _NAME) + "> ", clean(check.next_step))
    return [*lines, "", _summary(health)]


def health_json(health: Health) -> str:
    """The same for programs, as one line of ASCII."""
    return json.dumps(_plain(health))


def _plain(health: Health) -> dict[str, Any]:
    checks = [
        {
            "name": check.name,
            "level": check.level,
            "cause": clean(check.cause),
            "next_step": clean(check.next_step),
            "details": [clean(line) for line in check.details],
            "exit_code": check.exit_code,
            "seconds": round(check.seconds, 3),
        }
        for check in health.checks
    ]
    return {
        "mode": health.mode,
        "exit_code": health.exit_code,
        "unix": health.unix,
        "seconds": round(health.seconds, 3),
        "checks": checks,
    }


def _summary(health: Health) -> str:
    parts = [(len(health.of("fail")), "failed"), (len(health.of("warn")), "to look at")]
    parts.append((len(health.of("skipped")), "not checked"))
    found = ", ".join(f"{count} {words}" for count, words in parts if count) or "all well"
    return f"{len(health.checks)} checks in {health.seconds:.1f} s: {found}"


def _line(check: Check) -> str:
    step = f"; {clean(check.next_step)}" if check.next_step else ""
    return f"{check.name}: {clean(check.cause)}{step}"


def _hung(head: str, text: str) -> list[str]:
    """Words beside a head, further lines below where they began."""
    wrapped = wrap_words(text, WIDTH - len(head)) or [""]
    return [(head if number == 0 else " " * len(head)) + line for number, line in enumerate(wrapped)]
