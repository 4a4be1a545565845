"""What stands on a terminal too small for figures."""

from widgets.line_widget import LineWidget, Row, message_rows


class Notice(LineWidget):
    """Says that the terminal is too small and which keys still work."""

    DEFAULT_CSS = """
    Notice { height: 1fr; }
    """

    def __init__(self, least: tuple[int, int], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._least = least
        self._size_text = ""

    def show(self, size_text: str) -> None:
        """Name the terminal's size."""
        self._size_text = size_text
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """What is wrong and what still works; the session goes on meanwhile."""
        return message_rows(
            [
                f"{self._size_text} is too small: {self._least[0]}x{self._least[1]} is the least.",
                "Trading goes on.",
                "Keys for all markets, KILL, help and quit still work.",
            ],
            height,
        )
