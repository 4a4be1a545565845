"""Query parameters, read strictly: whatever is not plainly of its kind is refused."""

import math
import re
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import QueryParams

_LONGEST: Final = 18
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class BadParam(ValueError):
    """A parameter that is not of its kind; the text says which."""


class Asked:
    """The parameters of one request; a parameter without a value counts as absent.

    Every reader raises :class:`BadParam`.
    """

    def __init__(self, params: QueryParams) -> None:
        self._params = params

    def __contains__(self, name: str) -> bool:
        return bool(self._params.get(name))

    def text(self, name: str) -> str:
        """A text, empty when absent."""
        return self._params.get(name, "")

    def whole(self, name: str, usual: int, least: int = 0, most: int = 10**_LONGEST) -> int:
        """A whole number within bounds."""
        text = self.text(name)
        if not text:
            return usual
        if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST or not least <= int(text) <= most:
            raise BadParam(f"invalid {name}")
        return int(text)

    def number(self, name: str) -> float | None:
        """A finite number in plain decimals."""
        text = self.text(name)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise BadParam(f"invalid {name}")
        return float(text)

    def flag(self, name: str) -> bool | None:
        """``true`` or ``false``, whatever the case."""
        text = self.text(name).lower()
        if text not in ("", "true", "false"):
            raise BadParam(f"invalid {name}")
        return text == "true" if text else None

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of the known values, compared in capitals; empty when absent."""
        text = self.text(name).upper()
        if text and text not in known:
            raise BadParam(f"invalid {name}")
        return text

    def moment(self, name: str) -> float | None:
        """An ISO date or time as unix seconds; without a zone it is UTC."""
        text = self.text(name)
        if not text:
            return None
        try:
            when = datetime.fromisoformat(text)
            unix_s = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            raise BadParam(f"invalid {name}") from error
        if not math.isfinite(unix_s):
            raise BadParam(f"invalid {name}")
        return unix_s

    def repeated(self, name: str, most: int = 1_000) -> frozenset[str]:
        """Every value of a repeated parameter; commas separate values too."""
        values = (part for value in self._params.getlist(name) for part in value.split(","))
        found = frozenset(value.strip() for value in values) - {""}
        if len(found) > most:
            raise BadParam(f"too many values of {name}")
        return found
