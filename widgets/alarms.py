"""What wants an operator, the most urgent first: what it is, what to do first, what happens while nobody does."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from core.views import AlarmPriority, AlarmView
from widgets.format import age, brief, clean, fit, utc_clock, wrap_words
from widgets.line_widget import Row, ScrollingLineWidget, Span, message_rows, row

WIDE: Final = 100
"""Cells from which an alarm has one line, and only the selected one says what to do."""
TALL: Final = 9
"""Lines from which the selected one says all there is to say."""
_SIGNS: Final[dict[AlarmPriority, str]] = {1: "!1", 2: "▲2", 3: "·3"}
_ROLES: Final[dict[AlarmPriority, str]] = {1: "alarm", 2: "warn", 3: ""}
_URGENCY: Final[dict[AlarmPriority, str]] = {1: "act now", 2: "act soon", 3: "look"}
_WORD: Final = 16
_STATE: Final = 10
_AGE: Final = 5
_MARKET_LEAST: Final = 18
_MARKET_MOST: Final = 34
_INDENT: Final = 5
_LABEL: Final = 12
_TEXT_LINES: Final = 4
"""Of the text of the selected alarm: a venue may say more than anybody reads."""
_EMPTY: Final = "no alarm: nothing wants you"


class AlarmPage(NamedTuple):
    """All lines, and the alarms they belong to."""

    rows: list[Row]
    alarms: tuple[AlarmView, ...]
    """In the order in which they stand."""
    firsts: tuple[int, ...]
    """First line of each."""

    def lines_of(self, place: int) -> range:
        """Its lines."""
        end = self.firsts[place + 1] if place + 1 < len(self.firsts) else len(self.rows)
        return range(self.firsts[place], end)


def ordered(alarms: Sequence[AlarmView]) -> tuple[AlarmView, ...]:
    """As they come, but what follows from another stands below that one; what is shelved stays last."""
    by_key = {alarm.key: alarm for alarm in alarms}
    below: dict[str, list[AlarmView]] = {}
    heads: list[AlarmView] = []
    for alarm in alarms:
        root = _root(alarm, by_key)
        if root is alarm:
            heads.append(alarm)
        else:
            below.setdefault(root.key, []).append(alarm)
    return tuple(each for head in heads for each in (head, *below.get(head.key, ())))


def _root(alarm: AlarmView, by_key: Mapping[str, AlarmView]) -> AlarmView:
    """The listed alarm from which this one follows in the end; itself where there is none."""
    root, seen = alarm, {alarm.key}
    while root.cause in by_key:
        if root.cause in seen:
            return alarm
        root = by_key[root.cause]
        seen.add(root.key)
    return root


def alarm_page(
    alarms: Sequence[AlarmView], titles: Mapping[str, str], unix: float, width: int, selected: str, height: int = TALL
) -> AlarmPage:
    """Every line of the pane.

    Args:
        alarms: by priority, as in the view.
        titles: of markets by condition id; foreign text.
        unix: session time.
        width: cells.
        selected: key of the alarm that is told in full.
        height: lines; where they are few, what to do has to be enough.
    """
    order = ordered(alarms)
    if not order:
        return AlarmPage(message_rows([_EMPTY], 6), (), ())
    rows: list[Row] = []
    firsts: list[int] = []
    for alarm in order:
        firsts.append(len(rows))
        first, text = _first_row(alarm, titles, unix, width, alarm.key == selected)
        rows.append(first)
        if alarm.key == selected and height >= TALL:
            rows += _details(alarm, text, unix, width)
        elif alarm.key == selected or (width < WIDE and calls(alarm)):
            said = "; ".join(part for part in (f"do: {clean(alarm.action)}", clean(alarm.consequence)) if part)
            rows.append(row(" " * _INDENT, fit(said, width - _INDENT - 1).rstrip()))
    return AlarmPage(rows, order, tuple(firsts))


def calls(alarm: AlarmView) -> bool:
    """It waits to be acknowledged: it is not shelved, and follows from no other."""
    return not (alarm.acknowledged or alarm.cause or alarm.shelved_s is not None)


def _first_row(
    alarm: AlarmView, titles: Mapping[str, str], unix: float, width: int, is_selected: bool
) -> tuple[Row, str]:
    """What it is, and the text if that is cut here."""
    title = brief(titles.get(alarm.market, "")) or clean(alarm.market)
    text = clean(alarm.text)
    head = _wide_head(alarm, title, text, unix, width) if width >= WIDE else _narrow_head(alarm, title, text, unix)
    ground = "alarm" if alarm.priority == 1 and calls(alarm) else "cursor" if is_selected else ""
    made = row("›" if is_selected else " ", *_on(ground, head, width - 1), ground=ground)
    return made, "" if made.text.rstrip().endswith(text) else text


def _wide_head(alarm: AlarmView, title: str, text: str, unix: float, width: int) -> list[Span]:
    """One line: sign, word, state, age, market, text."""
    market = max(_MARKET_LEAST, min(_MARKET_MOST, width // 5))
    return [
        *_sign_and_word(alarm, fit(_word(alarm), _WORD - (2 if alarm.cause else 0))),
        Span(fit(_state(alarm), _STATE), _word_role(alarm)),
        Span(f"{age(unix - alarm.since_unix):>{_AGE - 1}}  ", "muted"),
        Span(fit(fit(title, market - 1), market), _text_role(alarm)),
        Span(text, _text_role(alarm)),
    ]


def _narrow_head(alarm: AlarmView, title: str, text: str, unix: float) -> list[Span]:
    """The first of two lines, or the only one of an alarm that calls nobody."""
    state = _state(alarm)
    return [
        *_sign_and_word(alarm, f"{_word(alarm)} "),
        Span(f"{state} " if state != "now" else "", _word_role(alarm)),
        Span(f"{age(unix - alarm.since_unix)}  ", "muted"),
        Span(f"{title}: {text}" if title else text, _text_role(alarm)),
    ]


def _sign_and_word(alarm: AlarmView, word: str) -> tuple[Span, ...]:
    below = "└ " if alarm.cause else ""
    role = _ROLES[alarm.priority] if calls(alarm) else "muted"
    return Span(below, "muted"), Span(f"{_SIGNS[alarm.priority]} ", role), Span(word, _word_role(alarm) or "strong")


def _word(alarm: AlarmView) -> str:
    return clean(alarm.code.replace("_", " "))


def _state(alarm: AlarmView) -> str:
    """How it stands with it: over without anybody having seen it, seen, on the shelf, a consequence, or now."""
    if alarm.shelved_s is not None:
        return f"shelf {age(alarm.shelved_s)}"
    if not alarm.standing:
        return "over"
    return "seen" if alarm.acknowledged else "follows" if alarm.cause else "now"


def _word_role(alarm: AlarmView) -> str:
    return "" if calls(alarm) else "muted"


def _text_role(alarm: AlarmView) -> str:
    return "" if calls(alarm) and alarm.standing else "muted"


def _on(ground: str, spans: Sequence[Span], room: int) -> list[Span]:
    """The spans cut to a line; on the ground of an alarm they keep its one colour."""
    made: list[Span] = []
    for text, role in spans:
        cut = text if cell_len(text) <= room else fit(text, room)
        made.append(Span(cut, "" if ground == "alarm" else role))
        room -= cell_len(cut)
    return made


def _details(alarm: AlarmView, text: str, unix: float, width: int) -> list[Row]:
    """All there is to say of the selected alarm; ``text`` where the line above has cut it."""
    rows = _detail("in full", text, width) if text else []
    rows += _detail("do first", f"{clean(alarm.action)} ({clean(alarm.pane)})", width, "strong")
    if alarm.consequence:
        rows += _detail("until then", clean(alarm.consequence), width)
    return rows + _detail("since", _course(alarm, unix), width, "muted")


def _course(alarm: AlarmView, unix: float) -> str:
    """When and how often it was raised, and who has seen or shelved it."""
    parts = [f"{utc_clock(alarm.since_unix)} UTC, {age(unix - alarm.since_unix)}"]
    parts += [f"raised {alarm.count} times"] if alarm.count > 1 else []
    if alarm.shelved_s is not None:
        parts.append(f"shelved by {clean(alarm.by)} for {age(alarm.shelved_s)} more: {clean(alarm.reason)}")
    elif alarm.acknowledged:
        parts.append(f"acknowledged by {clean(alarm.by)}")
    elif not alarm.standing:
        parts.append("over; it stays here until it is acknowledged")
    elif alarm.cause:
        parts.append(f"follows from {clean(alarm.cause.split(':')[0].replace('_', ' '))}, and calls nobody")
    return ", ".join(parts)


def _detail(label: str, text: str, width: int, role: str = "") -> list[Row]:
    lines = wrap_words(text, width - _INDENT - _LABEL - 1)[:_TEXT_LINES]
    return [
        row(" " * _INDENT, (f"{label if place == 0 else '':<{_LABEL}}", "muted"), (line, role))
        for place, line in enumerate(lines)
    ]


class Alarms(ScrollingLineWidget):
    """Draws :func:`alarm_page`; its cursor stays on the same alarm as long as that is listed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._alarms: tuple[AlarmView, ...] = ()
        self._names: Mapping[str, str] = {}
        self._unix = 0.0
        self._key = ""
        self._place = 0
        """Where the cursor is; the next alarm takes it when that one goes."""
        self._page = AlarmPage([], (), ())

    def show(self, alarms: Sequence[AlarmView], titles: Mapping[str, str], unix: float) -> None:
        """Draw the alarms of a view.

        Args:
            alarms: by priority, as in the view.
            titles: of markets by condition id.
            unix: session time.
        """
        self._alarms, self._names, self._unix = tuple(alarms), titles, unix
        self.update_rows()

    @property
    def selected(self) -> AlarmView | None:
        """The alarm under the cursor; None without any."""
        order = ordered(self._alarms)
        return order[self._settle(order)] if order else None

    def move(self, step: int) -> None:
        """Move the cursor by alarms, and keep it in sight."""
        order = ordered(self._alarms)
        if not order:
            return
        self._place = min(max(self._settle(order) + step, 0), len(order) - 1)
        self._key = order[self._place].key
        self._lay_out(*self.size)
        lines = self._page.lines_of(self._place)
        self._skip = min(lines.start, max(self._skip, lines.stop - self.size.height))
        self.update_rows()

    def _settle(self, order: Sequence[AlarmView]) -> int:
        """The place of the cursor among the alarms as they are now."""
        found = next((place for place, each in enumerate(order) if each.key == self._key), None)
        self._place = min(self._place, len(order) - 1) if found is None else found
        self._key = order[self._place].key
        return self._place

    def _lay_out(self, width: int, height: int) -> None:
        order = ordered(self._alarms)
        if order:
            self._settle(order)
        self._page = alarm_page(self._alarms, self._names, self._unix, width, self._key, height)

    def make_rows(self, width: int, height: int) -> list[Row]:
        """Those lines of :func:`alarm_page` that are in sight."""
        self._lay_out(width, height)
        skip = self.clamp_skip(len(self._page.rows), height)
        return self._page.rows[skip : skip + height]

    def retitle(self) -> None:
        """Count what waits, by priority, and say how much is out of sight."""
        counts = [(word, sum(calls(a) and a.priority == p for a in self._alarms)) for p, word in _URGENCY.items()]
        said = ", ".join(f"{count} {word}" for word, count in counts if count)
        quiet = sum(not calls(alarm) for alarm in self._alarms)
        told = [said] if said else []
        told += [f"{quiet} quiet"] if quiet else []
        count, height = len(self._page.rows), self.size.height
        place = f"{self._skip + 1}–{self._skip + height} of {count} lines" if count > height else "most urgent first"
        self.set_titles(f"Alarms{': ' if told else ''}{', '.join(told)}", place)
