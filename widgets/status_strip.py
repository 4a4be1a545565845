"""The two lines that are always visible: mode, control, feeds, orders; money, exposure, alarms, engine time."""

from collections.abc import Sequence
from math import inf
from typing import Final

from rich.cells import cell_len

from core.views import ConsoleView, KillView
from widgets.format import age, fit, utc_clock
from widgets.line_widget import LineWidget, Row, Span, row
from widgets.strip_parts import (
    TINY,
    Part,
    alarm_spans,
    first_line,
    kill_parts,
    last_known,
    mode_part,
    money_parts,
    part,
    second_line,
)

SILENT_AFTER_S: Final = 2.0
"""An engine whose time has not moved for longer is said to be gone."""
STARTING_AFTER_S: Final = 15.0
"""The same before there are markets: loading the order client keeps the engine from its work for seconds."""


def status_rows(
    view: ConsoleView | None,
    width: int,
    silent_s: float = 0.0,
    console: str = "",
    kill: KillView | None = None,
    access: str = "",
) -> list[Row]:
    """The two lines of the strip.

    Args:
        view: the newest view; None before the first.
        width: cells.
        silent_s: seconds for which the engine's time has stood still.
        console: what is wrong with the console itself, in words; "" when nothing is.
        kill: of use before the first view only, which has its own.
        access: see :func:`widgets.strip_parts.access_parts`.
    """
    if view is None and kill is not None and kill.killed:
        top = [part(" starting …", "", 0), *kill_parts(kill)]
        return [_line(top, width, "alarm"), row(" waiting for the session", ground="alarm")]
    if view is None:
        return [row((" starting …", "strong"), ground="bar"), row((" waiting for the session", "muted"), ground="bar")]
    top, bottom = first_line(view, width, access), second_line(view, width, console)
    zone = " UTC " if width >= TINY else " "
    right = (*alarm_spans(view, width), Span(f"{utc_clock(view.unix)}{zone}", "muted"))
    patience_s = SILENT_AFTER_S if view.markets else STARTING_AFTER_S
    is_silent = silent_s > patience_s and not view.finished
    is_killed = view.control == "KILLED" or view.kill.killed
    if is_silent and view.kill.killed:  # the switch answers for itself: what became of the orders is its word alone
        top = [mode_part(view), *kill_parts(view.kill)]
        bottom = [part(f"NO ENGINE for {age(silent_s)}: figures are old", "", 0), *money_parts(view, width, console)]
    elif is_silent:
        top = [part(f" NO ENGINE for {age(silent_s)}: what stands below is old", "", 0), *last_known(view)]
        bottom = money_parts(view, width, console)
    ground = "alarm" if is_silent or is_killed else "bar"
    return [_line(top, width, ground), _line(bottom, width, ground, right, indent=" ")]


def _line(parts: Sequence[Part], width: int, ground: str, right: Sequence[Span] = (), indent: str = "") -> Row:
    """What there is room for, in its order; what stands on the right is never left out."""
    at_right = sum(cell_len(span.text) for span in right)
    kept = fitting(parts, width - len(indent) - (at_right + 1 if right else 0))
    plain = ground == "alarm"
    spans = [Span(indent)]
    for index, each in enumerate(kept):
        spans.append(Span(_separator(index), "" if plain else "muted"))
        spans += [Span(span.text) if plain else span for span in each.spans]
    if right:
        gap = width - sum(cell_len(span.text) for span in spans) - at_right
        spans += [Span(" " * max(1, gap)), *[Span(span.text) if plain else span for span in right]]
    return row(*spans, ground=ground)


def fitting(parts: Sequence[Part], room: int) -> list[Part]:
    """The parts that a line of so many cells has room for, in their order, at least one of them, cut if it must.

    Lower ranks go first; of the first rank that does not fit whole, those that do; nothing of higher ranks.
    """
    kept: set[int] = set()
    taken = 0
    full: float = inf
    for place in sorted(range(len(parts)), key=lambda place: parts[place].rank):
        rank = parts[place].rank
        if rank > full:
            break
        wide = sum(cell_len(span.text) for span in parts[place].spans)
        cells = max(wide, parts[place].least) + cell_len(_separator(len(kept)))
        if kept and taken + cells > room:
            full = rank
            continue
        taken += cells
        kept.add(place)
    if taken <= room:
        return [parts[place] for place in sorted(kept)]
    alone = parts[kept.pop()]  # nothing else was kept beside it
    text = "".join(span.text for span in alone.spans)
    return [part(fit(text, room), alone.spans[-1].role, alone.rank)]


def _separator(before: int) -> str:
    """What stands before a part that has so many before it."""
    return "" if not before else " │ " if before == 1 else "  "


class StatusStrip(LineWidget):
    """Draws :func:`status_rows`; repeats nothing that did not change."""

    DEFAULT_CSS = """
    StatusStrip { dock: top; height: 2; width: 1fr; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: ConsoleView | None = None
        self._silent_s = 0.0
        self._trouble = ""
        self._kill: KillView | None = None
        self._access = ""

    def show(
        self,
        view: ConsoleView | None,
        silent_s: float = 0.0,
        console: str = "",
        kill: KillView | None = None,
        access: str = "",
    ) -> None:
        """Draw a view; see :func:`status_rows` for the rest."""
        self._view, self._silent_s, self._trouble, self._kill, self._access = view, silent_s, console, kill, access
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`status_rows`."""
        return status_rows(self._view, width, self._silent_s, self._trouble, self._kill, self._access)
