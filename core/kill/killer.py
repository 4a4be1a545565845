"""Cancels everything of an account and sees it gone; synchronous, and without a key that could place an order.

``DELETE /cancel-all`` is about everything placed with these API credentials, also what the session does not know of
(polymarket-api.md 4.2). Tried until it is proven, with pauses, whatever the venue answers.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from core.clock import Clock
from core.kill.line import Answer, Line, LineError, is_local
from core.kill.page import Cause, Page
from core.kill.report import KillReport
from core.kill.stored import KillCredentials
from core.kill.sweep import DEADLINES_S, Failure, Step, Sweep
from core.venue.l2 import l2_headers
from core.venue.pages import PageLedger

CANCEL_ALL: Final = "/cancel-all"
CANCEL: Final = "/orders"
LIST: Final = "/data/orders"
WARM_DEADLINE_S: Final = 5.0
_TIME: Final = "/time"
_OK: Final = "/ok"
_FORBIDDEN: Final = frozenset({401, 403})
"""Statuses of who will not be heard later either."""
_NAP_S: Final = 0.05
"""Between looks at whether to go on at all."""
_SLACK_S: Final = 1.0
"""A step is over this long after its deadline."""
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


class Killer:
    """Holds a connection ready and kills when it is told to; :meth:`warm` may run in another thread."""

    def __init__(
        self,
        credentials: KillCredentials,
        clock: Clock,
        who: Literal["watchdog", "shell"],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is opened yet.

        Raises:
            ValueError: the venue's address is none (:class:`core.kill.line.Line`).
        """
        self._credentials = credentials
        self._clock = clock
        self._who = who
        self._sleep = sleep
        self._line: Line | None = Line(credentials.clob_url)
        self._line_lock = threading.Lock()
        self._ahead_s = 0.0
        """The venue's clock before ours; asked for when it refuses our signature."""
        self._refused_s = math.inf
        """Since when every connection was refused."""
        self._page: Page | None = None
        """Where it is told how long a step may take; None before the first kill."""

    @property
    def gone_since_s(self) -> float:
        """Since when nobody has listened at a venue on this machine; infinity if somebody does, or it is elsewhere."""
        return self._refused_s if is_local(self._credentials.clob_url) else math.inf

    def warm(self, *, proves: bool) -> str:
        """Open the connection, or use it so that it stays open; one that does not answer is replaced at a kill.

        While it is being used here it cannot be used to kill: then the killer opens another.

        Args:
            proves: ask what a kill asks too, with our signature; what refuses the credentials is trouble then.

        Returns:
            Why nothing could be cancelled now; "" when the venue has answered, be it that it restarts.
        """
        line, target = self._take(), LIST if proves else _OK
        try:
            headers = self._headers("GET", LIST, b"") if proves else None
            answer = line.ask("GET", target, WARM_DEADLINE_S, headers)
            if answer.status == 401:
                self._ask_time(line, WARM_DEADLINE_S)
        except LineError as error:
            return f"GET {target}: {error}"
        except Exception as error:  # noqa: BLE001 - nobody would keep the connection warm any more
            line.close()
            return f"GET {target}: {type(error).__name__}"
        self._give(line)
        return _failure(f"GET {target}", answer).text if proves and answer.status in _FORBIDDEN else ""

    def run(
        self,
        pull: int,
        cause: Cause,
        page: Page | None,
        goes_on: Callable[[], bool],
        told: Callable[[KillReport], None] = lambda report: None,
    ) -> KillReport:
        """Cancel until zero open orders are proven.

        Args:
            pull: of which pull of the switch it is the answer.
            cause: who pulled, and why.
            page: where it is told that a killer works, and how far; None when it cannot be had.
            goes_on: asked after every request and in every pause; when it says no, the kill ends as it is.
            told: takes every report.
        """
        line, self._page = self._take(), page
        sweep = Sweep(self._clock.monotonic())
        began_s, began_unix = self._clock.monotonic(), self._clock.unix()
        report = KillReport(pull=pull, by=cause.by, reason=cause.reason, killer=self._who, began_unix=began_unix)
        while not sweep.is_verified:
            step = sweep.next()
            if page is not None:
                page.answer(pull, step.at_s + step.deadline_s + _SLACK_S)
            if not self._wait_until(step.at_s, goes_on):
                break
            self._carry_out(step, sweep, line)
            report = msgspec.structs.replace(
                report,
                elapsed_s=self._clock.monotonic() - began_s,
                sent=sweep.sent,
                confirmed=sweep.confirmed,
                left=sweep.left,
                unknown=sweep.unknown,
                verified=sweep.is_verified,
                trouble=sweep.trouble,
            )
            if page is not None:
                with suppress(OSError):  # the disk's trouble is none of the kill's
                    page.write_report(report)
            told(report)
            if not sweep.is_verified and not goes_on():
                break
        if page is not None:
            page.answer(pull, 0.0)
        self._give(line)
        return report

    def sees_nothing(self) -> bool:
        """One complete list shows no open order; False also when there was none."""
        line = self._take()
        try:
            return self._open_orders(line, DEADLINES_S[0]) == (set(), 0)
        except _Refused:
            return False
        finally:
            self._be_busy(-math.inf)
            self._give(line)

    def close(self) -> None:
        """Let go of the connection that is kept."""
        with self._line_lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _wait_until(self, at_s: float, goes_on: Callable[[], bool]) -> bool:
        """Sleep until a moment, if there is still time; False when it is not to go on."""
        while (left_s := at_s - self._clock.monotonic()) > 0:
            if not goes_on():
                return False
            self._sleep(min(left_s, _NAP_S))
        return True

    def _carry_out(self, step: Step, sweep: Sweep, line: Line) -> None:
        sweep.sending(step, self._clock.monotonic())
        try:
            match step.do:
                case "cancel_all":
                    told = self._cancel(line, CANCEL_ALL, b"", step.deadline_s)
                    sweep.cancelled(*told, self._clock.monotonic())
                case "cancel":
                    told = self._cancel(line, CANCEL, msgspec.json.encode(step.ids), step.deadline_s)
                    sweep.cancelled(*told, self._clock.monotonic())
                case "list":
                    sweep.listed(*self._open_orders(line, step.deadline_s), self._clock.monotonic())
        except _Refused as refused:
            sweep.failed(step, refused.failure, self._clock.monotonic())
        except Exception as error:  # noqa: BLE001 - a kill is given up for nothing, not even for a mistake of ours
            sweep.failed(step, Failure(text=f"{step.do}: {type(error).__name__}"), self._clock.monotonic())

    def _cancel(self, line: Line, path: str, body: bytes, deadline_s: float) -> tuple[Set[str], Set[str]]:
        """Ask for cancels; the orders that the answer names as cancelled, and as not (polymarket-api.md 4.2)."""
        where = f"DELETE {path}"
        told = self._ask(line, "DELETE", path, "", body, deadline_s)
        done, refused = (told.get("canceled"), told.get("not_canceled") or {}) if isinstance(told, dict) else (None, {})
        if not isinstance(done, list) or not all(isinstance(order, str) for order in done):
            raise _Refused(Failure(text=f"{where}: no answer to a cancel"))
        kept = {order.lower() for order in refused} if isinstance(refused, dict) else set()
        return {order.lower() for order in done} - kept, kept

    def _open_orders(self, line: Line, deadline_s: float) -> tuple[Set[str], int]:
        """The ids in a complete list of open orders, and the number of its rows without one."""
        ledger, is_more = PageLedger(LIST), True
        while is_more:
            query = f"?next_cursor={quote(ledger.cursor, safe='')}" if ledger.cursor else ""
            is_more = ledger.take(self._ask(line, "GET", LIST, query, b"", deadline_s))
        if ledger.problems:
            raise _Refused(Failure(text=ledger.problems[0]))
        ids = [row.get("id") if isinstance(row, dict) else None for row in ledger.rows]
        named = {order.lower() for order in ids if isinstance(order, str) and order}
        return named, sum(1 for order in ids if not (isinstance(order, str) and order))

    def _ask(self, line: Line, method: str, path: str, query: str, body: bytes, deadline_s: float) -> Any:
        """One private request; its answer as JSON.

        Raises:
            _Refused: none came, or not one of the venue's own with status 200.
        """
        where = f"{method} {path}"
        self._be_busy(deadline_s)
        try:
            answer = line.ask(method, path + query, deadline_s, self._headers(method, path, body), body)
        except LineError as error:
            self._refused_s = min(self._refused_s, self._clock.monotonic()) if error.is_refused else math.inf
            raise _Refused(Failure(text=f"{where}: {error}")) from None
        self._refused_s = math.inf
        if answer.status == 401:
            self._be_busy(deadline_s)
            self._ask_time(line, deadline_s)
        if answer.status != 200:
            raise _Refused(_failure(where, answer))
        try:
            return msgspec.json.decode(answer.body)
        except _UNREADABLE:
            raise _Refused(Failure(text=f"{where}: the answer is not JSON")) from None

    def _headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        now = int(self._clock.unix() + self._ahead_s)
        return l2_headers(self._credentials.address, self._credentials.api, now, method, path, body.decode())

    def _ask_time(self, line: Line, deadline_s: float) -> None:
        """Go by the venue's clock: a signature is refused when its timestamp is far off (polymarket-api.md 3.3)."""
        try:
            told = msgspec.json.decode(line.ask("GET", _TIME, deadline_s).body, type=int)
        except (LineError, *_UNREADABLE):
            return
        self._ahead_s = told - self._clock.unix()

    def _be_busy(self, for_s: float) -> None:
        """Tell whoever waits for a sign of life how long a request may take."""
        if self._page is not None:
            self._page.be_busy(max(self._clock.monotonic() + for_s + _SLACK_S, 0.0))

    def _take(self) -> Line:
        with self._line_lock:
            line, self._line = self._line, None
        return line or Line(self._credentials.clob_url)

    def _give(self, line: Line) -> None:
        with self._line_lock:
            other, self._line = self._line, line
        if other is not None:
            other.close()


class _Refused(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure


def _failure(where: str, answer: Answer) -> Failure:
    why = ", the venue refuses the API credentials (check the clock too)" if answer.status == 401 else ""
    return Failure(text=f"{where}: status {answer.status}{why}", status=answer.status, retry_s=answer.retry_s)
