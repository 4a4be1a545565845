"""One thing that is not as it should be, at one moment."""

from typing import NamedTuple

from core.alarms.kinds import Kind


class Condition(NamedTuple):
    """What holds now, of which kind, and where."""

    kind: Kind
    text: str
    """With its numbers; may contain foreign text."""
    market: str = ""
    """Condition id; "" where it is about no single one."""
    subject: str = ""
    """What it is about beside the market, for instance a finding's code; "" where a market has one at most."""
    causes: tuple[str, ...] = ()
    """Keys of alarms each of which would explain it, the likeliest first."""
    stamp: float = 0.0
    """When it last happened again, if it is a moment rather than a state, seconds since 1970: more calls again."""

    @property
    def key(self) -> str:
        """Names it as long as it is told."""
        return key_of(self.kind.code, self.market, self.subject)


def key_of(code: str, market: str = "", subject: str = "") -> str:
    """The key of an alarm."""
    return ":".join(part for part in (code, market, subject) if part)
