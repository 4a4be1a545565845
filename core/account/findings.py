"""Everything that was found not to fit: counted, kept for the console, told, and heeded where it closes a market."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from core.actions import Action, Finding
from core.risk.quarantine import Quarantine

KEPT_FINDINGS: Final = 100


class Findings:
    """The findings of one session."""

    def __init__(self) -> None:
        self.quarantine = Quarantine()
        self.rows: deque[tuple[float, Finding]] = deque(maxlen=KEPT_FINDINGS)
        """(wall time, finding), newest last."""
        self.counts: dict[tuple[str, str], int] = {}
        """So far, by code and severity."""
        self._told: set[tuple[str, str]] = set()
        """(code, subject) of findings that are told once."""

    def is_news(self, code: str, subject: str) -> bool:
        """Nobody has asked about this code and subject before; asking makes it told."""
        if (code, subject) in self._told:
            return False
        self._told.add((code, subject))
        return True

    def tell(self, findings: Iterable[Finding], unix: float) -> list[Action]:
        """Note findings, close the markets that they close, and hand them on."""
        actions: list[Action] = []
        for finding in findings:
            key = (finding.code, finding.severity)
            self.counts[key] = self.counts.get(key, 0) + 1
            self.rows.append((unix, finding))
            if finding.effect == "quarantine":
                self.quarantine.close(finding.market, finding.text)
            actions.append(finding)
        return actions
