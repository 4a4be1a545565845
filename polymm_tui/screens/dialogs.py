"""Dialogs at the bottom of the page: the leader menu, the second half of KILL, the question, the help.

None of them covers the status strip. Each knows its texts only; what an answer does is the app's business.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Key, Paste
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from core.events import OperatorCommand
from core.views import ConsoleView
from polymm_tui.operator import ACTS, acts_in
from polymm_tui.screens.bindings import bindings_of, live_keys
from polymm_tui.screens.forms import Field, Form, FormError
from widgets.format import clean, fit, wrap_words
from widgets.line_widget import Row, ScrollingLineWidget, row

KILL_WINDOW_S: Final = 2.0
LEADER_WINDOW_S: Final = 5.0
CONFIRM_WINDOW_S: Final = 10.0
PREVIEW_WINDOW_S: Final = 60.0
"""For a question with figures to read."""
ARMING_S: Final = 0.15
"""A question ignores answers this long, so that keys typed before it appeared do not answer it."""

_TITLE_MARGIN: Final = 4
"""Cells of the border beside a title."""

_Result = TypeVar("_Result")

DIALOG_CSS: Final = """
Dialog, HelpScreen { background: transparent; overflow: hidden; align: center bottom; }
HelpScreen { align: center middle; }
Sheet {
    width: 1fr;
    height: auto;
    border: round $focus-line;
    border-title-color: $key;
    border-title-style: bold;
    border-subtitle-color: $muted;
    background: $panel;
}
HelpScreen Sheet { width: 100; max-width: 100%; margin: 2 0 0 0; }
KillScreen Sheet { border: heavy $alarm-text; background: $alarm; color: $alarm-text; border-title-color: $alarm-text; }
"""
"""Loaded by the app."""


class Sheet(ScrollingLineWidget, can_focus=False):
    """Fixed rows, as high as there are, scrolled where the terminal is lower."""

    def __init__(self, title: str, hint: str = "") -> None:
        """Prepare; ``title`` may be foreign text."""
        super().__init__()
        self._lines: list[Row] = []
        self._hint = hint
        self._heading = clean(title)

    def show(self, rows: list[Row]) -> None:
        """Draw rows; more of them make the sheet higher."""
        self._lines = rows
        self.styles.height = min(len(rows) + 2, self.app.size.height - 2)
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """The rows as given, from the first one that is not scrolled away."""
        skip = self.clamp_skip(len(self._lines), height)
        return self._lines[skip:]

    def retitle(self) -> None:
        """The title as far as it fits, and how much is out of sight."""
        count, height = len(self._lines), self.size.height
        place = f"{self._skip + 1}–{self._skip + height} of {count}, pgdn for more" if count > height else ""
        heading = fit(self._heading, self.size.width - _TITLE_MARGIN).rstrip()
        self.set_titles(heading, " · ".join(part for part in (place, self._hint) if part))


class Dialog(ModalScreen[_Result], inherit_bindings=False):
    """A sheet at the bottom; a key without meaning in it closes it with nothing done."""

    AUTO_FOCUS = None

    def __init__(self, title: str, window_s: float | None) -> None:
        super().__init__()
        self.sheet = Sheet(title)
        self._window_s = window_s
        self._until: float | None = None

    def compose(self) -> ComposeResult:
        """The sheet alone."""
        yield self.sheet

    def on_mount(self) -> None:
        """Draw."""
        self.sheet.show(self.lines())

    def lines(self) -> list[Row]:
        """The rows of the sheet."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Close when its window is over; told the time, monotonic seconds, in every frame in which it is uppermost."""
        if self._window_s is None:
            return
        if self._until is None:
            self._until = now + self._window_s
        elif now >= self._until:
            self.give_up()

    def give_up(self) -> None:
        """Close without doing anything; returns nothing, because a handler must not await a dismissal."""
        self.dismiss(None)

    def action_back(self) -> None:
        """Close without doing anything."""
        self.give_up()

    async def on_key(self, event: Key) -> None:
        """Keys that are no act here."""
        if event.key not in self.active_bindings:
            event.stop()
            self.take_key(event)

    def take_key(self, event: Key) -> None:
        """An unknown key leaves."""
        self.give_up()


class LeaderScreen(Dialog[str]):
    """Acts on everything, one letter each; answers with the id of the act."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("leader")

    def __init__(self) -> None:
        super().__init__("All markets", LEADER_WINDOW_S)

    def lines(self) -> list[Row]:
        """Key, word and sentence of every act."""
        return act_lines(live_keys(self), [act.id for act in acts_in("leader")])

    def action_trade(self, identity: str) -> None:
        """Answer with an act."""
        self.dismiss(identity)


class KillScreen(Dialog[bool]):
    """Waits two seconds for the second half of KILL."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("kill")

    def __init__(self, again: list[str]) -> None:
        """Wait for one of the keys ``again``, as the operator knows them."""
        super().__init__("KILL", KILL_WINDOW_S)
        self._again = again

    def lines(self) -> list[Row]:
        """What the next key does."""
        back = "/".join(live_keys(self)["kill.back"][0])
        return [
            row(f" Press {' or '.join(self._again)} within {KILL_WINDOW_S:.0f} seconds to KILL:"),
            row(" every order on the account is cancelled, also what is not ours,"),
            row(" and nothing is placed until somebody re-arms (palette, or `polymm-tui rearm`)."),
            row(f" {back} or waiting: nothing happens."),
        ]

    def action_again(self) -> None:
        """The second half."""
        self.dismiss(True)


class ConfirmScreen(Dialog[bool]):
    """Asks a question and answers with a bool; the safe answer is marked at first."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("confirm")

    def __init__(
        self,
        title: str,
        sentences: Sequence[str],
        yes: str,
        no: str,
        *,
        quitting: bool = False,
        about: Callable[[ConsoleView], Hashable] | None = None,
        window_s: float = CONFIRM_WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the question.

        Args:
            title: what it is about.
            sentences: object, amount, and what cannot be undone; may contain foreign text.
            yes: word for the dangerous answer.
            no: word for the safe one.
            quitting: the key that asks to quit also says yes.
            about: picks out of a view what the question is about; when that changes, the question closes.
            window_s: the question closes by itself after this, seconds.
            clock: monotonic seconds.
        """
        super().__init__(title, window_s)
        self._sentences = sentences
        self._words = (yes, no)
        self._quitting = quitting
        self._about = about
        self._subject: Hashable = None
        self._clock = clock
        self._opened = clock()
        self._yes_marked = False

    def lines(self) -> list[Row]:
        """The sentences and both answers."""
        live = live_keys(self)
        text = wrapped(self._sentences, self.app.size)
        yes, no = (
            f" {live[identity][0][0]}  {word} "
            for identity, word in zip(("confirm.yes", "confirm.no"), self._words, strict=True)
        )
        hint = f"{live['confirm.choose'][0][0]}: other   {live['confirm.enter'][0][0]}: take the marked"
        marks = ("badge", "muted") if self._yes_marked else ("muted", "badge")
        return [
            *[row(f" {line}") for line in text],
            row(),
            row(" ", (yes, marks[0]), "   ", (no, marks[1]), (f"   {hint}", "muted")),
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The quit key answers only the question about quitting."""
        return self._quitting or action != "answer_quit"

    def follow(self, view: ConsoleView) -> bool:
        """Close when what the question is about has changed; says whether it closed."""
        if self._about is None:
            return False
        subject = self._about(view)
        if self._subject is None:
            self._subject = subject
        elif subject != self._subject:
            self.dismiss(False)
            return True
        return False

    def action_answer(self, yes: bool) -> None:
        """Answer; a yes is not heard before the question has stood a moment."""
        if not yes or self._clock() - self._opened >= ARMING_S:
            self.dismiss(yes)

    def action_answer_quit(self) -> None:
        """Yes to quitting."""
        self.action_answer(True)

    def action_enter(self) -> None:
        """Give the marked answer."""
        self.action_answer(self._yes_marked)

    def action_choose(self) -> None:
        """Mark the other answer."""
        self._yes_marked = not self._yes_marked
        self.sheet.show(self.lines())


def preview_room(terminal: Size) -> tuple[int, int]:
    """Cells and lines that the sentences of a question may take."""
    return max(20, terminal.width - 6), max(1, terminal.height - _OTHER_LINES)


def wrapped(sentences: Sequence[str], terminal: Size) -> list[str]:
    """Sentences, which may be foreign text, in lines for a terminal; those that would hide the answers are counted."""
    width, most = preview_room(terminal)
    lines = [line for sentence in sentences for line in wrap_words(clean(sentence), width)]
    more = len(lines) - most
    return lines if more <= 0 else [*lines[:most], f"and {more} lines more"]


_FIELD_LABEL: Final = 12
_FIELD_LEAST: Final = 10
_NOTES_SHOWN: Final = 6
_OTHER_LINES: Final = 12
"""Lines of the terminal that a preview leaves to strip, border, fields and answers."""


class FormScreen(Dialog[None]):
    """Fields of one act; a filled-in form is handed over to be shown what it would do, and stays until that is done."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("form")

    def __init__(
        self,
        title: str,
        form: Form,
        make: Callable[[dict[str, str]], OperatorCommand],
        submit: Callable[["FormScreen", OperatorCommand], None],
    ) -> None:
        """Prepare the form.

        Args:
            title: what it is about; may contain foreign text.
            form: fields and notes.
            make: turns the texts of the fields into a command, or raises FormError, which is shown at its field.
            submit: asks what a command would do, or sends it; the answer comes back by :meth:`tell`, or as a question
                above, or closes the form.
        """
        super().__init__(title, form.window_s)
        self.heading = title
        """As given."""
        self._form = form
        self._make = make
        self._submit = submit
        self._texts = {field.name: field.text for field in form.fields}
        self._untouched = set(self._texts)
        """Fields as they were opened: the first character typed takes the place of what stands there."""
        self._place = 0
        self._said = ""
        self._wrong = ""
        """Name of the field that cannot be used; "" when all can, or when it is not known which."""

    @property
    def form(self) -> Form:
        """What is filled in."""
        return self._form

    def renew(self, form: Form) -> None:
        """Take the place of the form with the same fields; what was typed and said stays, and its time begins anew."""
        self._form = form
        self._until = None
        self._draw()

    @property
    def texts(self) -> dict[str, str]:
        """Text of each field by name."""
        return dict(self._texts)

    def lines(self) -> list[Row]:
        """The fields, what is wrong with them, and what holds now."""
        width = max(20, self.app.size.width - 6)
        rows = [row(f" {line}") for line in wrapped(self._form.lead, self.app.size)]
        rows += [row()] if rows else []
        rows += [self._field_row(place, field, width) for place, field in enumerate(self._form.fields)]
        if self._said:
            rows += [row((f" ▲ {line}", "warn")) for line in wrap_words(clean(self._said), width - 2)]
        notes = self._form.notes
        if notes:
            rows.append(row())
            rows += [row((f" {fit(clean(note), width).rstrip()}", "muted")) for note in notes[:_NOTES_SHOWN]]
            if len(notes) > _NOTES_SHOWN:
                rows.append(row((f" and {len(notes) - _NOTES_SHOWN} more: `polymm-tui config show`", "muted")))
        live = live_keys(self)
        keys = [
            f"{live[identity][0][0]}: {word}"
            for identity, word in (
                ("form.preview", "show what it does" if self._form.previews else "do it"),
                ("form.next", "next field"),
                ("form.choose", "other choice"),
                ("form.back", "back"),
            )
        ]
        return [*rows, row(), row((f" {fit('   '.join(keys), width).rstrip()}", "muted"))]

    def _field_row(self, place: int, field: Field, width: int) -> Row:
        is_here = place == self._place
        text = self._texts[field.name]
        shown = f"‹ {text} ›" if field.choices else f"{text}▏" if is_here else text
        room = max(_FIELD_LEAST, width - _FIELD_LABEL - len(field.hint) - 4)
        if len(shown) > room:  # the end is where the typing is
            shown = "…" + shown[-(room - 1) :]
        role = "warn" if field.name == self._wrong else "badge" if is_here else ""
        hint = fit(f"  {field.hint}", max(0, width - _FIELD_LABEL - len(shown) - 3)).rstrip()
        return row(
            (f"{'›' if is_here else ' '}{field.label:<{_FIELD_LABEL}}", "strong" if is_here else "muted"),
            (f" {shown} ", role),
            (hint, "muted"),
        )

    def tell(self, text: str, field: str = "") -> None:
        """Say what is wrong, at a field if it is known which."""
        self._said, self._wrong = text, field
        for place, each in enumerate(self._form.fields):
            if each.name == field:
                self._place = place
        self._draw()

    async def on_key(self, event: Key) -> None:
        """Carry out keys in the order in which they were pressed.

        Textual runs an act only when its key has reached the app, after the characters that came in one packet with
        it: what is typed after a tab would go into the field before.
        """
        event.prevent_default()  # Textual calls the handler of every base class
        act = self.active_bindings.get(event.key)
        if act is None or act.node is self:
            event.stop()
        if act is None:
            self.take_key(event)
        elif act.node is self:
            await self.run_action(act.binding.action)

    def take_key(self, event: Key) -> None:
        """A character goes into the field; other keys without meaning do nothing."""
        character = event.character
        field = self._form.fields[self._place]
        if character is None or not character.isprintable() or field.choices:
            return
        self._type(field, character)

    def on_paste(self, event: Paste) -> None:
        """Pasted text is typed."""
        event.stop()
        field = self._form.fields[self._place]
        if not field.choices:
            self._type(field, clean(event.text))

    def action_go(self, step: int) -> None:
        """Another field."""
        self._place = (self._place + step) % len(self._form.fields)
        self._draw()

    def action_choose(self) -> None:
        """The next choice of a field that has choices."""
        field = self._form.fields[self._place]
        if field.choices:
            place = field.choices.index(self._texts[field.name])
            self._write(field.choices[(place + 1) % len(field.choices)])

    def action_erase(self) -> None:
        """One character less."""
        field = self._form.fields[self._place]
        if not field.choices:
            self._write(self._texts[field.name][:-1])

    def action_preview(self) -> None:
        """Hand the form over, or say what is wrong with it."""
        try:
            command = self._make(self.texts)
        except FormError as error:
            self.tell(str(error), error.field)
            return
        self.tell("")
        self._submit(self, command)

    def _type(self, field: Field, text: str) -> None:
        self._write(text if field.name in self._untouched else self._texts[field.name] + text)

    def _write(self, text: str) -> None:
        name = self._form.fields[self._place].name
        self._texts[name] = text[:_TEXT_MOST]
        self._untouched.discard(name)
        self._said = self._wrong = ""
        self._draw()

    def _draw(self) -> None:
        self.sheet.show(self.lines())


_TEXT_MOST: Final = 400
"""Characters of one field."""


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """What every key does on the page below; scrolls where the terminal is low, any other key closes."""

    AUTO_FOCUS = None
    _SCROLL: ClassVar[dict[str, int]] = {"down": 1, "up": -1, "pagedown": 10, "pageup": -10}

    def __init__(self, page: Screen[Any], keys_of: Callable[[str], list[str]]) -> None:
        """Prepare the help.

        Args:
            page: the screen whose live keys are told.
            keys_of: labels of the keys of an act, for the acts behind the leader key.
        """
        super().__init__()
        self._live = live_keys(page)
        self._keys_of = keys_of
        self.sheet = Sheet("Keys", "any other key closes")

    def compose(self) -> ComposeResult:
        """The sheet alone."""
        yield self.sheet

    def on_mount(self) -> None:
        """Keys of the page, then the acts behind the leader key, then the signs of the ladder."""
        page = [act.id for act in ACTS if act.id in self._live]
        first = self._keys_of("app.leader")[0]
        after = {
            act.id: ([f"{first} {key}" for key in self._keys_of(act.id)], True)
            for act in acts_in("leader")
            if act.command is not None
        }
        self.sheet.show([*act_lines(self._live, page), row(), *act_lines(after, list(after)), row(), *_SIGNS])

    def on_key(self, event: Key) -> None:
        """Scroll or close."""
        event.stop()
        if event.key in self._SCROLL:
            self.sheet.scroll_lines(self._SCROLL[event.key])
        else:
            self.dismiss(None)


_SIGNS: Final = [
    row((" 300¹ ours: shares left, layer  N on the NO token  … on its way  × cancel sent  ? unknown", "muted")),
    row((" ★ scores for rewards, says the venue", "muted")),
    row((" ~1.9k shares ahead of ours, estimate  ▴▾ last trade bought, sold  · deeper than seen here", "muted")),
]
"""What the ladder's signs mean."""


def act_lines(live: dict[str, tuple[list[str], bool]], identities: Sequence[str]) -> list[Row]:
    """One line per act: its keys, its word, its sentence."""
    acts = {act.id: act for act in ACTS}
    return [
        row(
            (f" {' '.join(live[identity][0]):<12}", "key" if live[identity][1] else "muted"),
            f"{acts[identity].word:<14}",
            (acts[identity].sentence, "muted"),
        )
        for identity in identities
    ]
