"""Fields of one act, filled in at the bottom of the page."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.events import Key, Paste
from textual.geometry import Size

from core.events import OperatorCommand
from polymm_tui.screens.bindings import bindings_of, live_keys
from polymm_tui.screens.dialogs import Dialog, wrapped
from polymm_tui.screens.form_parts import Field, Form, FormError
from widgets.format import clean, fit, wrap_words
from widgets.line_widget import Row, row

_FIELD_LABEL: Final = 12
_FIELD_LEAST: Final = 10
_NOTES_SHOWN: Final = 6
_TEXT_MOST: Final = 400
"""Characters of one field."""


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
        super().__init__(title, form.window_s, form.about)
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
        self.stay(form.window_s)
        self.draw()

    @property
    def texts(self) -> dict[str, str]:
        """Text of each field by name."""
        return dict(self._texts)

    def lines(self, room: Size) -> list[Row]:
        """The fields, what is wrong with them, and what holds now."""
        width = max(20, room.width - 6)
        rows = [row(f" {line}") for line in wrapped(self._form.lead, room)]
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
        last = "   ".join(part for part in (*keys, self.closing) if part)
        return [*rows, row(), row((f" {fit(last, width).rstrip()}", "muted"))]

    def _field_row(self, place: int, field: Field, width: int) -> Row:
        is_here = place == self._place
        text, told = clean(self._texts[field.name]), clean(field.hint)
        shown = f"‹ {text} ›" if field.choices else f"{text}▏" if is_here else text
        room = max(_FIELD_LEAST, width - _FIELD_LABEL - len(told) - 4)
        if len(shown) > room:  # the end is where the typing is
            shown = "…" + shown[-(room - 1) :]
        role = "warn" if field.name == self._wrong else "badge" if is_here else ""
        hint = fit(f"  {told}", max(0, width - _FIELD_LABEL - len(shown) - 3)).rstrip()
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
        self.draw()

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
        self.draw()

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
        self.draw()
