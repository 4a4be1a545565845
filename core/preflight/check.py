"""What one look at a condition of starting says, and what a whole round of them comes to."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from core.errors import ConfigError, CredentialError, InstanceError, PolymmError, PreflightError

Level = Literal["ok", "warn", "fail", "skipped"]
"""``fail`` keeps a live session from starting, ``warn`` does not; ``skipped``: one that it needs has failed."""
MOST_TEXT: Final = 600
"""Characters of a cause or a step: some of their words are foreign."""
MOST_DETAILS: Final = 40
_CHMOD: Final = re.compile(r": (chmod \S+ it)$")
_LAST: Final = re.compile(r"; ((?:(?!; ).)*)$", re.DOTALL)
"""What to do, at the end of an error's text: behind the last semicolon, if it is no mode to be set behind a colon."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One look: what was found and what to do about it. Texts may hold foreign words."""

    name: str
    """Stable: programs may read it."""
    level: Level
    cause: str
    """What was found, with numbers; of one that is not well, why."""
    next_step: str = ""
    """What to do about it; "" where there is nothing to do."""
    details: tuple[str, ...] = ()
    """Lines below it: one for each file, contract or market that is not well."""
    exit_code: int = 0
    """What a program ends with for it alone: 0 unless it has failed."""
    seconds: float = 0.0
    """How long the look took."""


class Health(msgspec.Struct, frozen=True):
    """A whole round, in the order in which the checks are shown."""

    mode: str
    checks: tuple[Check, ...]
    unix: float
    seconds: float

    @property
    def exit_code(self) -> int:
        """Of the first that failed; 0 when none did."""
        return next((check.exit_code for check in self.checks if check.level == "fail"), 0)

    def of(self, level: Level) -> list[Check]:
        """The checks that came out so."""
        return [check for check in self.checks if check.level == level]


def ok(name: str, cause: str, **more: Any) -> Check:
    """A condition that is met."""
    return Check(name=name, level="ok", cause=cause, **more)


def warn(name: str, cause: str, next_step: str, **more: Any) -> Check:
    """One that is not as it should be, and keeps nobody from starting."""
    return Check(name=name, level="warn", cause=cause, next_step=next_step, **more)


def fail(
    name: str, cause: str, next_step: str, exit_code: int = PreflightError.exit_code, details: Sequence[str] = ()
) -> Check:
    """One that is not met; by default the program ends with the code of a preflight error."""
    return Check(name=name, level="fail", cause=cause, next_step=next_step, exit_code=exit_code, details=tuple(details))


def skipped(name: str, needed: str, why: str = "failed") -> Check:
    """One that nobody could look at, because of another."""
    return Check(name=name, level="skipped", cause=f"not checked: {needed} {why}")


def first_of(lines: Sequence[str]) -> str:
    """The first of some lines, and how many more there are."""
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


def failed_with(name: str, error: PolymmError) -> Check:
    """An error of this program's own: their texts are a cause and, at their end, what to do."""
    text = str(error)
    remedy = _CHMOD.search(text) or _LAST.search(text)
    if remedy is not None:
        cause, step = text[: remedy.start()], remedy[1]
    elif isinstance(error, CredentialError):
        cause, step = text, "correct it in the environment of this command"
    else:
        cause, step = text, "see to that, and look again"
    code = error.exit_code if isinstance(error, (ConfigError, CredentialError, InstanceError)) else 3
    return fail(name, cause, step, code)


def tidied(check: Check, clean: Callable[[str], str], seconds: float) -> Check:
    """The same without secrets, of bounded length, with the time it took.

    Args:
        check: as it was made.
        clean: takes secrets out of a text.
        seconds: how long the look took.
    """
    details = tuple(clean(line)[:MOST_TEXT] for line in check.details[:MOST_DETAILS])
    if len(check.details) > MOST_DETAILS:
        details += (f"and {len(check.details) - MOST_DETAILS} more",)
    return msgspec.structs.replace(
        check,
        cause=clean(check.cause)[:MOST_TEXT],
        next_step=clean(check.next_step)[:MOST_TEXT],
        details=details,
        seconds=seconds,
    )
