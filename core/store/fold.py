"""What the journal says of earlier sessions, folded into one event for the engine (reliability.md 4.5)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import aiosqlite
import msgspec

from core.errors import StoreError
from core.events import FillSeen, KnownFill, KnownJob, KnownOrder, Recovered
from core.jobs.job import Baseline, Job
from core.market.instrument import Instrument
from core.portfolio.entries import Booking, EquityMark
from core.portfolio.ledger import posting_of
from core.quoting.adjust import KeptAdjustments
from core.store.changes import json_text
from core.store.lines import CONTROLS, FIRST_MARK, LAST_MARK, LINES, booking_of, control_of, mark_of
from core.store.schema import LIVING, OURS, OWED, PROVISIONAL, UNDER_WAY
from core.units import Usd, micro_text

RECENT_SEC: Final = 86_400.0
"""An order that ended so long before the trades were last read, with all its fills told and final, is history."""
MARGIN_SEC: Final = 600.0
"""Trades are read from a little before what they are read for, by a clock that is not quite the venue's."""
_READ_FROM: Final = f"""SELECT MIN(unix) FROM (
  SELECT :read_until AS unix
  UNION ALL SELECT created_unix FROM orders WHERE {LIVING} AND {OURS}
  UNION ALL SELECT created_unix FROM orders WHERE {OWED} AND {OURS}
  UNION ALL SELECT matched_unix FROM fills WHERE {PROVISIONAL} AND matched_unix > 0 AND {OURS}
)"""
"""From when on the session will ask for trades."""
_WANTED: Final = f"""WITH wanted AS (
  SELECT intent FROM orders WHERE {LIVING} AND {OURS}
  UNION SELECT intent FROM orders WHERE {OWED} AND {OURS}
  UNION SELECT intent FROM orders WHERE updated_unix >= :recent AND {OURS}
  UNION SELECT intent FROM orders WHERE updated_unix >= :listed AND filled_micro > 0 AND {OURS}
  UNION SELECT intent FROM fills WHERE {PROVISIONAL} AND {OURS}
)"""
_ORDERS: Final = f"""{_WANTED}
SELECT intent, order_id, market, token, outcome, order_side, tick_micro_usd, price_micro_usd, size_micro, filled_micro,
  matched_micro, side, layer, state, reason, created_unix
FROM wanted JOIN orders USING (intent) ORDER BY intent"""
_TICK: Final = 6
"""Where among these the tick stands, which :class:`KnownOrder` has as text; the others are as they are there."""
_FILLS: Final = f"""{_WANTED}
SELECT f.trade_id, f.order_id, f.size_micro, f.settlement, f.matched_unix, f.source, f.market, o.token, f.order_side,
  f.price_micro_usd, f.transaction_hash, intent
FROM wanted CROSS JOIN orders o USING (intent) CROSS JOIN fills f USING (intent) ORDER BY f.rowid"""
"""Joined in this order, so that an account is not made to look at the fills of all others."""
NEXT_SEQ: Final = f"""SELECT 1 + MAX(
  (SELECT COALESCE(MAX(seq), 0) FROM fills WHERE {OURS}),
  (SELECT COALESCE(MAX(seq), 0) FROM entries WHERE account = :account)
)"""
"""Number of the account's next line; those of fills that failed are taken too."""
_FAIRS: Final = """SELECT market, fair FROM (
  SELECT value AS market, (
    SELECT fair_micro_usd FROM sessions s CROSS JOIN fairs f ON f.session = s.id AND f.market = value
    WHERE fair_micro_usd IS NOT NULL AND f.unix <= :until ORDER BY s.id DESC, f.unix DESC LIMIT 1
  ) AS fair FROM json_each(:markets)
) WHERE fair IS NOT NULL"""
"""What a session had last seen of each market by then, whoever's: a fair value is no account's."""
_EVER: Final = 1e18
"""Unix seconds that no row is after."""
_SAMPLED_SEC: Final = 1.0
"""A mark's fair values may be written so much later than the mark."""
_JOBS: Final = f"""SELECT body, state, transaction_id, transaction_hash, baseline FROM jobs
WHERE account = :account AND {UNDER_WAY} ORDER BY job_id"""
_TRANSACTIONS: Final = """SELECT DISTINCT LOWER(e.transaction_hash) FROM jobs JOIN job_events e USING (job_id)
WHERE account = :account AND e.transaction_hash != '' ORDER BY 1"""
"""A transaction that took the place of another has its own hash; both are ours."""
_CLOSED: Final = f"""WITH released AS (
  SELECT json_extract(body, '$.market') AS market, MAX(unix) AS unix FROM journal
  WHERE kind = 'command' AND json_extract(body, '$.act') = 'resume' AND json_extract(body, '$.sides') = 'both'
    AND {OURS} GROUP BY 1
)
SELECT code = 'failed_trade', market, text, f.unix FROM findings f LEFT JOIN released r USING (market)
WHERE (code = 'failed_trade' OR effect = 'quarantine') AND f.unix > COALESCE(r.unix, 0.0) AND {OURS}
ORDER BY f.unix, f.id"""
"""What closed markets since an operator last resumed them; failed trades do so by their number and for a while."""
_INSTRUMENTS: Final = """
SELECT market, yes_token, no_token, title, tick_micro_usd, min_size_micro, neg_risk, event_group, group_size
FROM markets WHERE market IN (SELECT value FROM json_each(?))"""
_ADJUSTED: Final = (
    "SELECT body FROM adjustments WHERE id IN (SELECT MAX(id) FROM adjustments GROUP BY market) ORDER BY id"
)
_NEXT_INTENT: Final = "SELECT COALESCE(MAX(intent), 0) + 1 FROM orders"
_NEXT_JOB: Final = "SELECT COALESCE(MAX(job_id), 0) + 1 FROM jobs"
_READ_UNTIL: Final = "SELECT COALESCE(MAX(unix), 0.0) FROM progress WHERE account = :account AND name = 'trades'"
_job: Final = msgspec.json.Decoder(Job)
_adjustments: Final = msgspec.json.Decoder(KeptAdjustments)
_baseline: Final = msgspec.json.Decoder(Baseline)


async def fold(db: aiosqlite.Connection, account: str) -> Recovered:
    """Fold the tables as of one moment; only intents and jobs are numbered through all accounts.

    Orders are those that may be at the venue, those whose fills are not all told or not final, those that ended within
    :data:`RECENT_SEC` of the last complete read of trades or later, of which a fill may still be told (all when there
    never was one), and those with a fill that a list of trades will show again: it reaches back to the making of the
    oldest order in doubt and to the oldest trade that is not final. Fills are all fills of these orders.

    Args:
        db: open.
        account: whose session begins.

    Raises:
        sqlite3.Error: the tables cannot be read.
        StoreError: they hold what no program of ours writes.
    """
    await db.execute("BEGIN")  # one snapshot for all reads
    try:
        ours: dict[str, Any] = {"account": account}
        [(next_intent,)] = await db.execute_fetchall(_NEXT_INTENT)
        [(next_seq,)] = await db.execute_fetchall(NEXT_SEQ, ours)
        [(next_job,)] = await db.execute_fetchall(_NEXT_JOB)
        [(read_until,)] = await db.execute_fetchall(_READ_UNTIL, ours)
        [(read_from,)] = await db.execute_fetchall(_READ_FROM, ours | {"read_until": read_until})
        closed = list(await db.execute_fetchall(_CLOSED, ours))
        marks = list(await db.execute_fetchall(LAST_MARK, ours))
        bookings = [booking_of(row) for row in await db.execute_fetchall(LINES, ours)]
        opening = await _opening_of(db, marks, ours)
        begun = [] if opening is None else [booking for booking in bookings if booking.seq < opening.seq]
        since = ours | {"recent": read_until - RECENT_SEC, "listed": read_from - MARGIN_SEC}
        return Recovered(
            orders=tuple(_order(row) for row in await db.execute_fetchall(_ORDERS, since)),
            fills=tuple(_fill(row) for row in await db.execute_fetchall(_FILLS, since)),
            bookings=tuple(bookings),
            equity=mark_of(marks[0]) if marks else None,
            day_opening=opening,
            marks=await _fairs(db, bookings, _EVER),
            day_marks=() if opening is None else await _fairs(db, begun, opening.unix + _SAMPLED_SEC),
            held=tuple(_instrument(row) for row in await db.execute_fetchall(_INSTRUMENTS, (_held(bookings),))),
            jobs=tuple(_known_job(row) for row in await db.execute_fetchall(_JOBS, ours)),
            own_transactions=tuple(made for (made,) in await db.execute_fetchall(_TRANSACTIONS, ours)),
            next_job=next_job,
            controls=tuple(control_of(row) for row in await db.execute_fetchall(CONTROLS, ours)),
            adjustments=tuple(_adjusted(body) for (body,) in await db.execute_fetchall(_ADJUSTED)),
            closures=tuple((market, why) for has_failed, market, why, _ in closed if not has_failed),
            failures=tuple((market, unix) for has_failed, market, _, unix in closed if has_failed),
            next_intent=next_intent,
            next_seq=next_seq,
            read_until_unix=read_until,
        )
    finally:
        await db.rollback()


async def _opening_of(db: aiosqlite.Connection, marks: list[Any], ours: dict[str, Any]) -> EquityMark | None:
    """What the day of the last mark is measured against; None where it was not written down."""
    if not marks:
        return None
    day = mark_of(marks[0]).day
    first = [mark_of(row) for row in await db.execute_fetchall(FIRST_MARK, ours | {"day": day})]
    return first[0] if first and first[0].opens_day else None


async def _fairs(db: aiosqlite.Connection, bookings: Iterable[Booking], until: float) -> tuple[tuple[str, Usd], ...]:
    """Last fair values by ``until``, unix seconds, of the markets in which these lines leave something."""
    rows = await db.execute_fetchall(_FAIRS, {"markets": _held(bookings), "until": until})
    return tuple((market, fair) for market, fair in rows)


def _instrument(row: Any) -> Instrument:
    market, yes_token, no_token, title, tick, min_size, neg_risk, group, group_size = row
    return Instrument(
        market=market,
        yes_token=yes_token,
        no_token=no_token,
        title=title,
        tick_text=micro_text(tick),
        min_size=min_size,
        neg_risk=bool(neg_risk),
        group=group,
        group_size=group_size,
    )


def _order(row: Any) -> KnownOrder:
    values = list(row)
    values[_TICK] = micro_text(values[_TICK])
    return KnownOrder(*values)


def _fill(row: Any) -> KnownFill:
    trade_id, order_id, size, settlement, unix, source, market, token, order_side, price, transaction, intent = row
    told = FillSeen(
        trade_id=trade_id,
        order_id=order_id,
        size=size,
        settlement=settlement,
        unix=unix,
        source=source,
        market=market,
        token=token,
        order_side=order_side,
        price=micro_text(price),
        transaction=transaction,
    )
    return KnownFill(told, intent)


def _held(bookings: Iterable[Booking]) -> str:
    """The markets in which shares are left, as a JSON list."""
    left: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for booking in bookings:
        change, shares = posting_of(booking.entry), left[booking.market]
        shares[0] += change.yes
        shares[1] += change.no
    return json_text([market for market, shares in left.items() if any(shares)])


def _known_job(row: Any) -> KnownJob:
    body, state, transaction_id, transaction, baseline = row
    try:
        before = None if baseline is None else _baseline.decode(baseline)
        return KnownJob(_job.decode(body), state, transaction_id, transaction, before)
    except msgspec.DecodeError as error:
        raise StoreError(f"a job of an earlier session cannot be read: {error}") from error


def _adjusted(body: str) -> KeptAdjustments:
    try:
        return _adjustments.decode(body)
    except msgspec.DecodeError as error:
        raise StoreError(f"an adjustment of an earlier session cannot be read: {error}") from error
