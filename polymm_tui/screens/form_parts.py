"""What forms are made of: fields, what is wrong with one, and figures read from texts. Without Textual."""

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from core.events import Act
from core.quoting.adjust import LONGEST_S
from core.views import ConsoleView

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"^(\d+(?:\.\d+)?|\.\d+)\s*([smhd]?)$")


class FormError(ValueError):
    """A field cannot be used as filled in; the text says what it wants."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        """Name of the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form."""

    name: str
    label: str
    hint: str
    """What it wants, shown beside it."""
    text: str = ""
    """What stands in it at first."""
    choices: tuple[str, ...] = ()
    """The only texts it may have; () for free text."""


@dataclass(frozen=True, slots=True)
class Form:
    """What an operator fills in for one act."""

    act: Act
    title: str
    fields: tuple[Field, ...]
    notes: tuple[str, ...] = ()
    """Lines below the fields: what holds now."""
    lead: tuple[str, ...] = ()
    """Lines above the fields: what would be done."""
    previews: bool = True
    """The session is asked first what it would do; otherwise the filled-in form is sent as it is."""
    window_s: float | None = None
    """It closes by itself after this; None: it does not."""
    confirm: str = ""
    """What the preview in ``lead`` is confirmed with."""
    about: Callable[[ConsoleView], Hashable] | None = None
    """Picks out of a view what it is about; when that changes, the form closes."""


def number_of(text: str, field: str, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        FormError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise FormError(field, f"wants a number {low:g} .. {high:g}, not {text!r}")
    return value


def duration_of(text: str, field: str) -> float | None:
    """Seconds; None for an empty text.

    Raises:
        FormError: it is no time.
    """
    if not text.strip():
        return None
    match = _DURATION.match(text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else math.nan
    if not 0.0 < seconds <= LONGEST_S:
        raise FormError(
            field, f"wants a time as 90s, 5m, 2h, at most {LONGEST_S / 86_400:g}d, or nothing, not {text!r}"
        )
    return seconds
