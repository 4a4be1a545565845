"""What a session writes at once, and the rows that it becomes."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from core.actions import Finding
from core.events import FillSeen, JobSeen
from core.jobs.job import Job
from core.market.instrument import Instrument
from core.orders.fills import TrackedFill
from core.orders.manager import Touched
from core.orders.order import Order
from core.portfolio.entries import Booking, EquityMark
from core.quoting.adjust import KeptAdjustments
from core.risk.control import Control
from core.store.lines import CONTROL_COLUMNS, MARK_COLUMNS, entry_columns
from core.units import Side

FairRow = tuple[str, float, int, int | None, int | None]
"""market, unix, tick, fair value and microprice from then on: micro-dollars; None where there is none to believe."""
MarkoutRow = tuple[str, str, float, str, Side, int, int, int, int]
"""trade, order, seconds, market, side, layer, size, what dealing away from the fair value earned and what it did then,
both signed for us: micro-shares and micro-dollars a share. Of a fill that failed later the row stays; its settlement
in ``fills`` says so."""
EstimateRow = tuple[int, str, int, int, float]
"""UTC day, market, rewards and rebates that were earned by our reckoning since the last row (micro-dollars), and the
seconds that were reckoned with; rows of a day and market add up."""
MOST: Final = 2**63 - 1
"""Largest integer of sqlite's."""
Statement = tuple[str, list[tuple[Any, ...]]]
"""An SQL statement and the rows it is for."""


class Changes(msgspec.Struct):
    """Everything that has changed since the last write.

    Times are monotonic seconds of the session's clock where nothing else is said.
    """

    touched: Touched = msgspec.field(default_factory=lambda: Touched([], [], [], []))
    """Orders and fills as they are now, every state that an order entered, every word on a fill."""
    findings: list[tuple[float, Finding]] = msgspec.field(default_factory=list)
    entries: list[Booking] = msgspec.field(default_factory=list)
    """Lines of the account's book that no fill made; one whose key is known is no row."""
    equity: list[EquityMark] = msgspec.field(default_factory=list)
    controls: list[Control] = msgspec.field(default_factory=list)
    """States set and lifted, in their order."""
    markets: list[Instrument] = msgspec.field(default_factory=list)
    """Facts that are new or have changed."""
    estimates: list[EstimateRow] = msgspec.field(default_factory=list)
    adjustments: list[KeptAdjustments] = msgspec.field(default_factory=list)
    jobs: list[tuple[float, Job]] = msgspec.field(default_factory=list)
    """Planned since; a known number is no row."""
    job_steps: list[tuple[float, JobSeen]] = msgspec.field(default_factory=list)
    """What became of jobs; empty ids and no baseline leave those that are known."""
    settings: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Settings that orders name, by hash; known ones are no rows."""
    fairs: list[FairRow] = msgspec.field(default_factory=list)
    markouts: list[MarkoutRow] = msgspec.field(default_factory=list)
    trades_read_until: float | None = None
    """Unix seconds up to which the account's trades were read completely; an earlier time changes nothing."""


class Moment(msgspec.Struct, frozen=True):
    """When, in which session and for which account rows are made; turns monotonic seconds into unix seconds."""

    session: int
    account: str
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
    f"INSERT INTO fills VALUES ({', '.join('?' * 14)}) ON CONFLICT (trade_id, order_id) DO UPDATE SET"
    " settlement = excluded.settlement, source = excluded.source, transaction_hash = excluded.transaction_hash,"
    " seq = CASE seq WHEN 0 THEN excluded.seq ELSE seq END"
)
_ORDER_EVENT: Final = "INSERT INTO order_events (intent, unix, state, detail) VALUES (?, ?, ?, ?)"
_SETTLEMENT: Final = "INSERT OR IGNORE INTO settlements VALUES (?, ?, ?, ?, ?, ?)"
_FINDING: Final = (
    "INSERT INTO findings (session, unix, code, severity, effect, market, subject, text, ours, venue)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENTRY: Final = (
    "INSERT INTO entries SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14"
    " WHERE NOT EXISTS (SELECT 1 FROM entries WHERE account = ?1 AND key = ?12)"
)
"""A number taken twice, unlike a key told twice, is a mistake of ours and fails."""
_EQUITY: Final = f"INSERT INTO equity (session, account, {MARK_COLUMNS}) VALUES ({', '.join('?' * 19)})"
_CONTROL: Final = f"INSERT INTO controls (session, {CONTROL_COLUMNS}) VALUES ({', '.join('?' * 9)})"
_ADJUSTED: Final = "INSERT INTO adjustments (session, market, unix, body) VALUES (?, ?, ?, ?)"
_MARKET: Final = f"INSERT OR REPLACE INTO markets VALUES ({', '.join('?' * 21)})"
_ESTIMATE: Final = (
    "INSERT INTO estimates VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, day, market) DO UPDATE SET"
    " reward_micro_usd = reward_micro_usd + excluded.reward_micro_usd,"
    " rebate_micro_usd = rebate_micro_usd + excluded.rebate_micro_usd, sampled_s = sampled_s + excluded.sampled_s"
)
_JOB: Final = f"INSERT INTO jobs VALUES ({', '.join('?' * 19)}) ON CONFLICT (job_id) DO NOTHING"
_JOB_STEP: Final = (
    "UPDATE jobs SET state = ?3, transaction_id = COALESCE(NULLIF(?4, ''), transaction_id),"
    " transaction_hash = COALESCE(NULLIF(?5, ''), transaction_hash), nonce = COALESCE(?6, nonce), detail = ?8,"
    " baseline = COALESCE(?9, baseline), updated_unix = ?2 WHERE job_id = ?1"
)
_JOB_EVENT: Final = (
    "INSERT INTO job_events (job_id, unix, state, transaction_id, transaction_hash, nonce, amount_micro_usd, detail)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
)
_SETTINGS: Final = "INSERT OR IGNORE INTO settings VALUES (?, ?)"
_FAIR: Final = "INSERT OR REPLACE INTO fairs VALUES (?, ?, ?, ?, ?, ?)"
_MARKOUT: Final = "INSERT OR REPLACE INTO markouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PROGRESS: Final = (
    "INSERT INTO progress VALUES (?, 'trades', ?)"
    " ON CONFLICT (account, name) DO UPDATE SET unix = MAX(unix, excluded.unix)"
)
_encode: Final = msgspec.json.Encoder().encode


def statements_of(changes: Changes, moment: Moment) -> list[Statement]:
    """The statements that write ``changes``, those without rows left out. Rows are made now: orders go on changing."""
    session, account, unix_of = moment.session, moment.account, moment.unix_of
    touched, read_until = changes.touched, changes.trades_read_until
    job_steps = [_job_step_row(seen, unix_of(at)) for at, seen in changes.job_steps]
    made: list[tuple[str, Iterable[tuple[Any, ...]]]] = [
        (_SETTINGS, [(name, json_text(body)) for name, body in changes.settings.items()]),
        (_ORDER, [_order_row(order, moment) for order in touched.orders]),
        (_ORDER_EVENT, [(step.intent, unix_of(step.at_s), step.state, step.detail) for step in touched.states]),
        (_FILL, [_fill_row(known, session) for known in touched.fills]),
        (_SETTLEMENT, [_settlement_row(word, unix_of(at)) for at, word in touched.steps]),
        (_FINDING, [_finding_row(finding, session, unix_of(at)) for at, finding in changes.findings]),
        (_ENTRY, [_entry_row(booking, moment) for booking in changes.entries]),
        (_EQUITY, [(session, account, *msgspec.structs.astuple(mark)) for mark in changes.equity]),
        (_CONTROL, [(session, *msgspec.structs.astuple(control)) for control in changes.controls]),
        (_ADJUSTED, [(session, kept.market, moment.unix, json_text(kept)) for kept in changes.adjustments]),
        (_JOB, [_job_row(job, moment, unix_of(at)) for at, job in changes.jobs]),
        (_JOB_STEP, job_steps),
        (_JOB_EVENT, [step[:8] for step in job_steps]),
        (_MARKET, [_market_row(instrument, moment.unix) for instrument in changes.markets]),
        (_ESTIMATE, [(account, *row) for row in changes.estimates]),
        (_FAIR, [(session, *row) for row in changes.fairs]),
        (_MARKOUT, [(session, *row) for row in changes.markouts]),
        (_PROGRESS, [] if read_until is None else [(account, read_until)]),
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


def within_reach(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows whose integers are sqlite's: one that is too large becomes the largest of its sign."""
    return [tuple(max(-MOST, min(MOST, value)) if isinstance(value, int) else value for value in row) for row in rows]


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
        known.seq,
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


def _entry_row(booking: Booking, moment: Moment) -> tuple[Any, ...]:
    return (
        moment.account,
        booking.seq,
        moment.session,
        booking.unix,
        booking.market,
        *entry_columns(booking.entry),
        booking.key,
        booking.source,
        booking.text,
    )


def _job_row(job: Job, moment: Moment, unix: float) -> tuple[Any, ...]:
    return (
        job.job_id,
        moment.session,
        moment.account,
        job.kind,
        job.market,
        job.size,
        job.cash,
        job.route,
        job.by,
        job.reason,
        "planned",
        "",
        "",
        None,
        None,
        "",
        json_text(job),
        job.created_unix,
        unix,
    )


def _job_step_row(seen: JobSeen, unix: float) -> tuple[Any, ...]:
    before = seen.baseline
    return (
        seen.job_id,
        unix,
        seen.state,
        seen.transaction_id,
        seen.transaction,
        None if before is None else before.nonce,
        seen.amount,
        seen.detail,
        None if before is None else json_text(before),
    )


def _market_row(instrument: Instrument, unix: float) -> tuple[Any, ...]:
    fees = instrument.fees
    return (
        instrument.market,
        instrument.title,
        instrument.event_id,
        instrument.group,
        instrument.group_size,
        instrument.yes_token,
        instrument.no_token,
        instrument.grid.tick_usd,
        instrument.min_size,
        instrument.neg_risk,
        json_text(instrument.tags),
        *((None, None, None) if fees is None else (fees.rate, fees.exponent, fees.rebate)),
        instrument.reward_min_size,
        instrument.reward_max_spread_cents,
        instrument.reward_daily_usd,
        instrument.start_unix,
        instrument.game_start_unix,
        instrument.end_unix,
        unix,
    )
