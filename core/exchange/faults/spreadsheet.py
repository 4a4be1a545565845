"""``sheet``: accidents of the spreadsheet with the market list, as Google answers them and as people make them."""

from functools import partial
from typing import Any, Final

import msgspec

from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect
from core.exchange.faults.requests import Asked, Plan, Reply
from core.exchange.sheets.cells import Cell, Render, rendered, typed
from core.exchange.sheets.errors import DISABLED, google_error

_READS: Final = "/sheets/v4/spreadsheets/"
_VALUES: Final = "/values"
_LONG_NUMBER: Final = 16
"""From so many digits on a spreadsheet cannot keep a number."""
_FLOOD_ROWS: Final = 10_000
_ANSWERS: Final[dict[str, tuple[str, str, str]]] = {
    "denied": ("PERMISSION_DENIED", "", ""),
    "missing": ("NOT_FOUND", "", ""),
    "quota": ("RESOURCE_EXHAUSTED", "", "RATE_LIMIT_EXCEEDED"),
    "unauthenticated": ("UNAUTHENTICATED", "", "ACCESS_TOKEN_EXPIRED"),
    "unavailable": ("UNAVAILABLE", "", ""),
    "disabled": ("PERMISSION_DENIED", DISABLED, "SERVICE_DISABLED"),
}
"""Status, text and reason of the error each stands for."""

_Rows = list[list[Cell]]


class SheetEffect(Effect):
    """Reads of the spreadsheet are refused, or show what somebody did to it."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Refuse a read, or change the cells it gets."""
        verb = self.verb
        assert isinstance(verb, verbs.Sheet)
        if self.over(now_ms) or not asked.path.startswith(_READS):
            return
        if verb.what in _ANSWERS:
            body, status = google_error(*_ANSWERS[verb.what][:2], reason=_ANSWERS[verb.what][2])
            plan.reply = self._hit(asked, Reply(status=status, body=body))
        elif _VALUES not in asked.path:
            if verb.what == "no_tab":
                plan.edits.append(_renamed)
        elif verb.what == "no_tab":
            named = asked.path.partition(f"{_VALUES}/")[2] or asked.query.get("ranges", "")
            body, status = google_error("INVALID_ARGUMENT", f"Unable to parse range: {named}")
            plan.reply = self._hit(asked, Reply(status=status, body=body))
        else:
            plan.edits.append(partial(self._edit, asked))

    def _hit(self, asked: Asked, reply: Reply) -> Reply:
        self.spend()
        self.note(f"{asked.method} {asked.path}")
        return reply

    def _edit(self, asked: Asked, body: bytes) -> bytes:
        """The same answer with other cells."""
        verb = self.verb
        assert isinstance(verb, verbs.Sheet)
        told: dict[str, Any] = msgspec.json.decode(body)
        how: Render = "FORMATTED_VALUE"
        if asked.query.get("valueRenderOption") == "UNFORMATTED_VALUE":
            how = "UNFORMATTED_VALUE"
        self.spend()
        self.note(f"{asked.method} {asked.path}")
        for each in told.get("valueRanges", [told]):
            rows = spoiled(each.get("values", []), verb.what, how)
            each.pop("values", None)
            if rows:
                each["values"] = rows
        return msgspec.json.encode(told)


def _renamed(body: bytes) -> bytes:
    """The spreadsheet's description with other titles of its tabs."""
    told: dict[str, Any] = msgspec.json.decode(body)
    for each in told["sheets"]:
        each["properties"]["title"] += " (old)"
    return msgspec.json.encode(told)


def spoiled(rows: _Rows, what: str, how: Render) -> _Rows:
    """The cells of a list, its header first, after an accident.

    Args:
        rows: as they are.
        what: the accident, one of those of the verb ``sheet`` that concern cells.
        how: the rendering that was asked for.
    """
    header, data = rows[:1], rows[1:]
    if what == "empty":
        return []
    if what == "header":
        return header
    if what == "half":
        return header + data[: len(data) // 2]
    if what == "mangled":
        return header + [[_mangled(cell, how) for cell in row] for row in data]
    if what == "errors":
        return header + [[cell if place % 2 == 0 else "#REF!" for place, cell in enumerate(row)] for row in data]
    if what == "header_renamed":
        return [[f"{cell} (old)" if place == 1 else cell for place, cell in enumerate(row)] for row in header] + data
    if what == "repeated":
        return header + data + data
    assert what == "flood"
    return header + [data[number % len(data)] for number in range(_FLOOD_ROWS)] if data else rows


def _mangled(cell: Cell, how: Render) -> Cell:
    """What is left of a long id when its column is formatted as a number."""
    if isinstance(cell, str) and cell.isascii() and cell.isdigit() and len(cell) >= _LONG_NUMBER:
        return rendered(typed(cell), how)
    return cell
