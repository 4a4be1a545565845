"""Lists that come page by page: the rows, and why these may not be all (reliability.md X30)."""

from typing import Any, Final

END_CURSOR: Final = "LTE="
"""Of the last page (polymarket-api.md 4.2)."""
MOST_PAGES: Final = 100


class PageLedger:
    """Takes the pages of one list in their order; what is missing of any of them is named."""

    def __init__(self, path: str) -> None:
        self.rows: list[Any] = []
        self.problems: list[str] = []
        """Why rows may be missing; none: the list is complete."""
        self.cursor = ""
        """Of the page to ask for next; "" for the first."""
        self._path = path
        self._number = 0
        self._seen = {""}

    def take(self, page: Any) -> bool:
        """Note a page as it was decoded; whether another one is to be asked for."""
        self._number += 1
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            return self._ended("not a page of rows")
        self.rows += page["data"]
        told = page.get("next_cursor")
        self.cursor = str(told) if isinstance(told, str | int) else ""
        is_last = self.cursor == END_CURSOR
        self.problems += [f"{self._where}: {why}" for why in _misfits(page, self._number, is_last=is_last)]
        if is_last:
            return False
        if self.cursor in self._seen:
            return self._ended("no cursor that leads on")
        self._seen.add(self.cursor)
        if self._number == MOST_PAGES:
            self.problems.append(f"{self._path}: more than {MOST_PAGES} pages")
            return False
        return True

    def failed(self, why: str) -> None:
        """Note that the next page did not come."""
        self._number += 1
        self._ended(why)

    @property
    def _where(self) -> str:
        return f"{self._path}, page {self._number}"

    def _ended(self, why: str) -> bool:
        self.problems.append(f"{self._where}: {why}")
        return False


def _misfits(page: dict[str, Any], number: int, *, is_last: bool) -> list[str]:
    """What the envelope says against its rows: another number of them, or not as many as others follow or led here."""
    told, count, limit = len(page["data"]), page.get("count"), page.get("limit")
    misfits = []
    if isinstance(count, int) and count != told:
        misfits.append(f"{told} rows, said to be {count}")
    if isinstance(limit, int) and told < limit and not is_last:
        misfits.append(f"{told} rows of {limit}, and more pages follow")
    if not told and number > 1:
        misfits.append("no row, though the page before led here")
    return misfits
