"""What stands on a terminal too small for figures."""

from collections.abc import Sequence

from widgets.line_widget import LineWidget, Row, message_rows


class Notice(LineWidget):
    """Says that the terminal is too small and which keys still work."""

    DEFAULT_CSS = """
    Notice { height: 1fr; }
    """

    def __init__(self, least: tuple[int, int], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._least = least
        self._size_text = self._state = ""
        self._keys: Sequence[tuple[str, str]] = ()

    def show(self, size_text: str, keys: Sequence[tuple[str, str]] = (), state: str = "") -> None:
        """Name the terminal's size, the keys that work all the same with their words, and how the session stands."""
        self._size_text, self._keys, self._state = size_text, keys, state
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """What is wrong, how the session stands, and what still works."""
        return message_rows(
            [
                f"{self._size_text} is too small: {self._least[0]}x{self._least[1]} is the least.",
                self._state,
                "   ".join(f"{key} {word}" for key, word in self._keys),
            ],
            height,
        )
