"""What a session writes at once, and the rows that it becomes."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from core.actions import Finding
from core.events import FillSeen
from core.orders.fills import TrackedFill
from core.orders.manager import Touched
from core.orders.order import Order
from core.units import Outcome, Side

MarkRow = tuple[str, int | None, int, int, int, int]
"""market, fair, YES, NO, realised, unrealised: micro-dollars and micro-shares."""
FairRow = tuple[str, float, int, int | None, int | None]
"""market, unix, tick, fair value and microprice from then on: micro-dollars; None where there is none to believe."""
MarkoutRow = tuple[str, str, float, str, Side, int, int, int, int]
"""trade, order, seconds, market, side, layer, size, what dealing away from the fair value earned and what it did then,
both signed for us: micro-shares and micro-dollars a share. Of a fill that failed later the row stays; its settlement
in ``fills`` says so."""
Correction = tuple[float, str, Outcome, int, str]
"""monotonic seconds, market, outcome, micro-shares to add (negative to take away), why."""
Statement = tuple[str, list[tuple[Any, ...]]]
"""An SQL statement and the rows it is for."""


class Changes(msgspec.Struct):
    """Everything that has changed since the last write.

    Times are monotonic seconds of the session's clock where nothing else is said.
    """

    touched: Touched = msgspec.field(default_factory=lambda: Touched([], [], [], []))
    """Orders and fills as they are now, every state that an order entered, every word on a fill."""
    findings: list[tuple[float, Finding]] = msgspec.field(default_factory=list)
    corrections: list[Correction] = msgspec.field(default_factory=list)
    settings: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Settings that orders name, by hash; known ones are no rows."""
    marks: list[MarkRow] = msgspec.field(default_factory=list)
    fairs: list[FairRow] = msgspec.field(default_factory=list)
    markouts: list[MarkoutRow] = msgspec.field(default_factory=list)
    trades_read_until: float | None = None
    """Unix seconds up to which the account's trades were read completely; an earlier time changes nothing."""


class Moment(msgspec.Struct, frozen=True):
    """When and in which session rows are made; turns monotonic seconds into unix seconds."""

    session: int
    unix: float
    monotonic: float

    def unix_of(self, at_s: float) -> float:
        """The unix time of a monotonic one."""
        return self.unix - (self.monotonic - at_s)


_ORDER: Final = (
    f"INSERT INTO orders VALUES ({', '.join('?' * 22)}) ON CONFLICT (intent) DO UPDATE SET"
    " order_id = excluded.order_id, filled_micro = excluded.filled_micro, matched_micro = excluded.matched_micro,"
    " state = excluded.state, reason = excluded.reason, detail = excluded.detail, updated_unix = excluded.updated_unix"
)
_FILL: Final = (
    f"INSERT INTO fills VALUES ({', '.join('?' * 13)}) ON CONFLICT (trade_id, order_id) DO UPDATE SET"
    " settlement = excluded.settlement, source = excluded.source, transaction_hash = excluded.transaction_hash"
)
_ORDER_EVENT: Final = "INSERT INTO order_events (intent, unix, state, detail) VALUES (?, ?, ?, ?)"
_SETTLEMENT: Final = "INSERT OR IGNORE INTO settlements VALUES (?, ?, ?, ?, ?, ?)"
_FINDING: Final = (
    "INSERT INTO findings (session, unix, code, severity, effect, market, subject, text, ours, venue)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CORRECTION: Final = "INSERT INTO corrections (session, unix, market, outcome, micro, reason) VALUES (?, ?, ?, ?, ?, ?)"
_SETTINGS: Final = "INSERT OR IGNORE INTO settings VALUES (?, ?)"
_MARK: Final = "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FAIR: Final = "INSERT OR REPLACE INTO fairs VALUES (?, ?, ?, ?, ?, ?)"
_MARKOUT: Final = "INSERT OR REPLACE INTO markouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PROGRESS: Final = (
    "INSERT INTO progress VALUES ('trades', ?) ON CONFLICT (name) DO UPDATE SET unix = MAX(unix, excluded.unix)"
)
_encode: Final = msgspec.json.Encoder().encode


def statements_of(changes: Changes, moment: Moment) -> list[Statement]:
    """The statements that write ``changes``, those without rows left out. Rows are made now: orders go on changing."""
    session, unix_of = moment.session, moment.unix_of
    touched, read_until = changes.touched, changes.trades_read_until
    made: list[tuple[str, Iterable[tuple[Any, ...]]]] = [
        (_SETTINGS, [(name, json_text(body)) for name, body in changes.settings.items()]),
        (_ORDER, [_order_row(order, moment) for order in touched.orders]),
        (_ORDER_EVENT, [(step.intent, unix_of(step.at_s), step.state, step.detail) for step in touched.states]),
        (_FILL, [_fill_row(known, session) for known in touched.fills]),
        (_SETTLEMENT, [_settlement_row(word, unix_of(at)) for at, word in touched.steps]),
        (_FINDING, [_finding_row(finding, session, unix_of(at)) for at, finding in changes.findings]),
        (_CORRECTION, [(session, unix_of(at), *rest) for at, *rest in changes.corrections]),
        (_MARK, [(session, market, moment.unix, *rest) for market, *rest in changes.marks]),
        (_FAIR, [(session, *row) for row in changes.fairs]),
        (_MARKOUT, [(session, *row) for row in changes.markouts]),
        (_PROGRESS, [] if read_until is None else [(read_until,)]),
    ]
    return [(statement, storable(rows)) for statement, rows in made if rows]


def json_text(body: object) -> str:
    """JSON of a struct or of plain objects, also where foreign text in it has lone surrogates."""
    try:
        return _encode(body).decode()
    except UnicodeEncodeError:
        whole = json.dumps(msgspec.to_builtins(body), ensure_ascii=False, separators=(",", ":"))
        return whole.encode(errors="replace").decode()


def storable(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows without what sqlite or its tools choke on: lone surrogates become "?", NUL the replacement character."""
    return [tuple(_plain(value) if isinstance(value, str) else value for value in row) for row in rows]


def _plain(text: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _order_row(order: Order, moment: Moment) -> tuple[Any, ...]:
    return (
        order.intent,
        moment.session,
        order.order_id,
        order.market,
        order.token,
        order.outcome,
        order.order_side,
        order.usd,
        order.grid.tick_usd,
        order.size,
        order.filled,
        order.matched,
        order.side,
        order.layer,
        order.state.value,
        order.reason,
        order.detail,
        order.settings_hash,
        order.book,
        None if order.explanation is None else json_text(order.explanation),
        moment.unix_of(order.created_s),
        moment.unix,
    )


def _fill_row(known: TrackedFill, session: int) -> tuple[Any, ...]:
    fill, word = known.fill, known.word
    return (
        fill.trade_id,
        fill.order_id,
        fill.intent,
        session,
        fill.market,
        fill.outcome,
        fill.order_side,
        fill.usd,
        fill.size,
        word.settlement,
        word.source,
        word.transaction,
        fill.unix,
    )


def _settlement_row(word: FillSeen, unix: float) -> tuple[Any, ...]:
    return (word.trade_id, word.order_id, word.settlement, unix, word.source, word.transaction)


def _finding_row(finding: Finding, session: int, unix: float) -> tuple[Any, ...]:
    return (
        session,
        unix,
        finding.code,
        finding.severity,
        finding.effect,
        finding.market,
        finding.subject,
        finding.text,
        finding.ours,
        finding.venue,
    )
