"""The page envelope of the CLOB's public lists: a cursor is the base64 of an offset (polymarket-api.md 4.2)."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from core.exchange import refusals, signing
from core.exchange.api.params import BadParam

END_CURSOR: Final = "LTE="
"""Where a list ends; the base64 of -1."""

T = TypeVar("T")


def cursor_page(items: Sequence[T], cursor: str, size: int, shown: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """The page a cursor points at, the first without one.

    Raises:
        BadParam: it is no cursor, or the one of the end.
    """
    try:
        start = signing.decimal(base64.b64decode(cursor, validate=True).decode()) if cursor else 0
    except (binascii.Error, ValueError) as error:
        raise BadParam(refusals.CURSOR) from error
    page = items[start : start + size]
    end = start + size
    following = base64.b64encode(str(end).encode()).decode() if end < len(items) else END_CURSOR
    return {"limit": size, "count": len(page), "next_cursor": following, "data": [shown(item) for item in page]}
