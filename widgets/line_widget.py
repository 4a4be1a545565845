"""Base of every live widget: rows of text made by a pure function, painted line by line.

A widget keeps the rows it shows. New rows are compared with them and only the lines that differ are painted again;
that is what makes ten frames a second cheap. Rows name *roles* (bid, own, muted); the theme gives roles their colours.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NamedTuple, Protocol, overload

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

ROLES: Final = (
    "bid",
    "ask",
    "bid-bar",
    "ask-bar",
    "own",
    "model",
    "muted",
    "strong",
    "good",
    "warn",
    "alarm",
    "badge",
    "cursor",
    "shade",
    "bar",
    "area",
    "key",
)
"""Names a row may use for its spans and its ground; each is a component class ``line--<role>``."""


class Span(NamedTuple):
    """A piece of a row in one style."""

    text: str
    role: str = ""


class Row(NamedTuple):
    """One line: its pieces and the role that colours the whole line."""

    spans: tuple[Span, ...] = ()
    ground: str = ""

    @property
    def text(self) -> str:
        """The characters of the row without styles."""
        return "".join(span.text for span in self.spans)


def row(*spans: Span | tuple[str, str] | str, ground: str = "") -> Row:
    """Build a row; a plain string is a span in the ordinary text colour, empty texts are dropped."""
    made = [span if type(span) is Span else Span(span) if isinstance(span, str) else Span(*span) for span in spans]
    return Row(tuple([span for span in made if span[0]]), ground)


class MadeRows(Sequence[Row]):
    """Rows of a long list, made when they are asked for: a page costs what a page costs, however long the list is."""

    def __init__(self, count: int, make: Callable[[int], Row]) -> None:
        """``make`` is handed a number from 0 to less than ``count``."""
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        numbers = range(self._count)[place]
        return self._make(numbers) if isinstance(numbers, int) else [self._make(number) for number in numbers]


def message_rows(lines: list[str], height: int, role: str = "muted") -> list[Row]:
    """An empty state said in words: the lines a third of the way down."""
    return [*[Row()] * max(0, (height - len(lines)) // 3), *[row("  ", (line, role)) for line in lines]]


class LineWidget(Widget):
    """A widget whose lines are made by :meth:`make_rows` and repainted only where they changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{role}" for role in ROLES}
    key_label = ""
    """Key that leads to the widget; stands before its title."""
    stale_words = ""
    """Says that what is shown is old; stands before the title."""

    DEFAULT_CSS = """
    LineWidget {
        background: $surface;
        color: $foreground;
        scrollbar-size: 0 0;
        & > .line--bid { color: $bid; text-style: $bid-style; }
        & > .line--ask { color: $ask; text-style: $ask-style; }
        & > .line--bid-bar { color: $bid; background: $bid-bar; text-style: $bid-style; }
        & > .line--ask-bar { color: $ask; background: $ask-bar; text-style: $ask-style; }
        & > .line--own { color: $own; text-style: $own-style; }
        & > .line--model { color: $model; text-style: $model-style; }
        & > .line--muted { color: $muted; }
        & > .line--strong { text-style: bold; }
        & > .line--good { color: $good; text-style: $good-style; }
        & > .line--warn { color: $warn; text-style: $warn-style; }
        & > .line--alarm { color: $alarm-text; background: $alarm; text-style: $alarm-style; }
        & > .line--badge { color: $badge-text; background: $badge; text-style: bold; }
        & > .line--cursor { background: $cursor-line; text-style: $cursor-style; }
        & > .line--shade { background: $shade; }
        & > .line--bar { background: $panel; }
        & > .line--area { color: $area; }
        & > .line--key { color: $key; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: list[Row] = []
        self._styles: dict[tuple[str, str], Style] = {}
        self._base: Style | None = None
        self._made_for = Size(0, 0)
        self._titles = ("", "")

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows on show, top first."""
        return tuple(self._rows)

    def make_rows(self, width: int, height: int) -> list[Row]:
        """The rows that belong into ``width`` cells and ``height`` lines now; fewer rows leave blank lines."""
        raise NotImplementedError

    def update_rows(self) -> None:
        """Make the rows again and repaint those that differ."""
        width, height = self.size
        if not width or not height:
            return
        old = self._rows
        new = self._remake()
        blank = Row()
        changed = [
            Region(0, y, width, 1)
            for y in range(max(len(old), len(new)))
            if (old[y] if y < len(old) else blank) != (new[y] if y < len(new) else blank)
        ]
        if changed:
            self.refresh(*changed)
        self.retitle()

    def retitle(self) -> None:
        """Write into the border what follows from the rows; called after they were made."""

    def _remake(self) -> list[Row]:
        self._made_for = self.size
        self._rows = self.make_rows(*self.size)[: self.size.height]
        return self._rows

    def set_titles(self, title: str, subtitle: str = "") -> None:
        """Write cleaned texts into the border; unchanged ones cost nothing."""
        if (title, subtitle) != self._titles:
            self._titles = (title, subtitle)
            self._write_titles()

    def set_key_label(self, key: str) -> None:
        """Write the label of the key that leads here before the title."""
        if key != self.key_label:
            self.key_label = key
            self._write_titles()

    def set_stale(self, words: str) -> None:
        """Write before the title that what is shown is old; "" when it is not."""
        if words != self.stale_words:
            self.stale_words = words
            self._write_titles()

    def _write_titles(self) -> None:
        title, subtitle = self._titles
        title = f"{self.stale_words} · {title}" if self.stale_words else title
        self.border_title = Content(f"[{self.key_label}] {title}" if self.key_label else title)
        self.border_subtitle = Content(subtitle)

    def on_resize(self) -> None:
        """Rows depend on the size."""
        self.size_changed()

    def size_changed(self) -> None:
        """Make the rows for the new size; widgets that keep a position adapt it first."""
        self.update_rows()

    def notify_style_update(self) -> None:
        """Forget styles looked up under another theme or class."""
        super().notify_style_update()
        self._styles.clear()
        self._base = None

    def render_line(self, y: int) -> Strip:
        """Turn one row into segments."""
        width = self.size.width
        if self._made_for != self.size:
            # The first paint at a size comes before its resize message.
            self._remake()
        if y >= len(self._rows):
            return Strip.blank(width, self._style("", ""))
        spans, ground = self._rows[y]
        base = self._style(ground, "")
        strip = Strip([Segment(text, self._style(ground, role) if role else base) for text, role in spans])
        return strip.adjust_cell_length(width, base)

    def _style(self, ground: str, role: str) -> Style:
        style = self._styles.get((ground, role))
        if style is None:
            if self._base is None:
                self._base = self.rich_style
            style = self._base
            for name in (ground, role):
                if name:
                    style += self.get_component_rich_style(f"line--{name}", partial=True)
            self._styles[ground, role] = style
        return style


class Numbered(Protocol):
    """An entry of a list that grows at its end."""

    @property
    def seq(self) -> int:
        """Grows with every entry."""


def newer_than(entries: Sequence[Numbered], seq: int) -> int:
    """How many entries, oldest first, came after the one with number ``seq``."""
    count = 0
    for entry in reversed(entries):
        if entry.seq <= seq:
            break
        count += 1
    return count


class ScrollingLineWidget(LineWidget, can_focus=True):
    """A line widget over a list of entries, of which some may be scrolled away at the top."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._skip = 0

    def scroll_lines(self, lines: int) -> None:
        """Scroll; positive goes on towards the end of the list."""
        self._skip += lines
        self.update_rows()

    def page_lines(self) -> int:
        """Entries that a page key scrolls."""
        return max(1, self.size.height - 2)

    def clamp_skip(self, count: int, visible: int) -> int:
        """Entries to leave out: never so many that the last page would not be full."""
        self._skip = max(0, min(self._skip, count - max(1, visible)))
        return self._skip

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll back."""
        self.scroll_lines(-1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll on."""
        self.scroll_lines(1)


class PagedLineWidget(ScrollingLineWidget):
    """A scrolling line widget over a sequence of rows, of which those are drawn that are in sight."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._count = 0

    def all_rows(self, width: int) -> Sequence[Row]:
        """Every row there is, at this width; for subclasses. A long list should be :class:`MadeRows`."""
        raise NotImplementedError

    def make_rows(self, width: int, height: int) -> list[Row]:
        """Those in sight."""
        rows = self.all_rows(width)
        self._count = len(rows)
        skip = self.clamp_skip(self._count, height)
        return list(rows[skip : skip + height])

    def place(self) -> str:
        """Which rows are in sight, for a border; "" when all are."""
        height = self.size.height
        if self._count <= height:
            return ""
        return f"{self._skip + 1}–{self._skip + height} of {self._count} lines, pgdn"
