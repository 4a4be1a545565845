"""What the journal says of earlier sessions, folded into one event for the engine (reliability.md 4.5)."""

from typing import Any, Final

import aiosqlite

from core.events import FillSeen, KnownFill, KnownOrder, Recovered
from core.store.schema import LIVING, OWED, PROVISIONAL
from core.units import micro_text

RECENT_SEC: Final = 86_400.0
"""An order that ended so long before the trades were last read, with all its fills told and final, is history."""
MARGIN_SEC: Final = 600.0
"""Trades are read from a little before what they are read for, by a clock that is not quite the venue's."""
_READ_FROM: Final = f"""SELECT MIN(unix) FROM (
  SELECT :read_until AS unix
  UNION ALL SELECT created_unix FROM orders WHERE {LIVING}
  UNION ALL SELECT created_unix FROM orders WHERE {OWED}
  UNION ALL SELECT matched_unix FROM fills WHERE {PROVISIONAL} AND matched_unix > 0
)"""
"""From when on the session will ask for trades."""
_WANTED: Final = f"""WITH wanted AS (
  SELECT intent FROM orders WHERE {LIVING}
  UNION SELECT intent FROM orders WHERE {OWED}
  UNION SELECT intent FROM orders WHERE updated_unix >= :recent
  UNION SELECT intent FROM orders WHERE updated_unix >= :listed AND filled_micro > 0
  UNION SELECT intent FROM fills WHERE {PROVISIONAL}
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
FROM wanted JOIN orders o USING (intent) JOIN fills f USING (intent) ORDER BY f.rowid"""
_HOLDINGS: Final = "SELECT market, outcome, settled_micro FROM positions WHERE settled_micro != 0"
_CLOSED: Final = """WITH released AS (
  SELECT json_extract(body, '$.market') AS market, MAX(unix) AS unix FROM journal
  WHERE kind = 'command' AND json_extract(body, '$.act') = 'resume' GROUP BY 1
)
SELECT code = 'failed_trade', market, text, f.unix FROM findings f LEFT JOIN released r USING (market)
WHERE (code = 'failed_trade' OR effect = 'quarantine') AND f.unix > COALESCE(r.unix, 0.0) ORDER BY f.unix, f.id"""
"""What closed markets since an operator last resumed them; failed trades do so by their number and for a while."""
_NEXT_INTENT: Final = "SELECT COALESCE(MAX(intent), 0) + 1 FROM orders"
_READ_UNTIL: Final = "SELECT COALESCE(MAX(unix), 0.0) FROM progress WHERE name = 'trades'"


async def fold(db: aiosqlite.Connection) -> Recovered:
    """Fold the tables as of one moment.

    Orders are those that may be at the venue, those whose fills are not all told or not final, those that ended within
    :data:`RECENT_SEC` of the last complete read of trades or later, of which a fill may still be told (all when there
    never was one), and those with a fill that a list of trades will show again: it reaches back to the making of the
    oldest order in doubt and to the oldest trade that is not final. Fills are all fills of these orders.

    Raises:
        sqlite3.Error: the tables cannot be read.
    """
    await db.execute("BEGIN")  # one snapshot for all reads
    try:
        [(next_intent,)] = await db.execute_fetchall(_NEXT_INTENT)
        [(read_until,)] = await db.execute_fetchall(_READ_UNTIL)
        [(read_from,)] = await db.execute_fetchall(_READ_FROM, {"read_until": read_until})
        closed = list(await db.execute_fetchall(_CLOSED))
        since = {"recent": read_until - RECENT_SEC, "listed": read_from - MARGIN_SEC}
        return Recovered(
            orders=tuple(_order(row) for row in await db.execute_fetchall(_ORDERS, since)),
            fills=tuple(_fill(row) for row in await db.execute_fetchall(_FILLS, since)),
            holdings=tuple((row[0], row[1], row[2]) for row in await db.execute_fetchall(_HOLDINGS)),
            closures=tuple((market, why) for has_failed, market, why, _ in closed if not has_failed),
            failures=tuple((market, unix) for has_failed, market, _, unix in closed if has_failed),
            next_intent=next_intent,
            read_until_unix=read_until,
        )
    finally:
        await db.rollback()


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
