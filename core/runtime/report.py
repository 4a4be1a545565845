"""What a run tells at its end: one object for programs, one sentence for people."""

from typing import Any

from core.engine import Engine
from core.money_views import desk_pnl, total_pnl
from core.units import MICRO


def run_report(
    engine: Engine, *, mode: str, duration_s: float, frames: int, open_orders: int, exit_reason: str, now: float
) -> dict[str, Any]:
    """The members common to all modes; dollars and shares as decimal numbers.

    ``open_orders`` is what the venue was seen to have open at the end.
    """
    pnl, counts = total_pnl(engine, now), engine.orders.counts
    return {
        "mode": mode,
        "duration_s": round(duration_s, 3),
        "messages": engine.tally.messages,
        "frames": frames,
        "decisions": engine.tally.decisions,
        "orders_placed": counts.placed,
        "orders_cancelled": counts.cancelled,
        "cancels_per_1000_shares": 1e9 * counts.cancels / counts.filled if counts.filled else None,
        "rejects": counts.rejects,
        "fills": counts.fills,
        "open_orders": open_orders,
        "unknown_orders": engine.orders.in_doubt(),
        "positions": [
            {
                "market": desk.market,
                "title": desk.instrument.title,
                "yes": desk.inventory.yes / MICRO,
                "no": desk.inventory.no / MICRO,
                "net": desk.inventory.net / MICRO,
                "pnl": desk_pnl(desk, now).total / MICRO,
            }
            for desk in engine.desks.values()
        ],
        "pnl": {
            "realised": pnl.realised / MICRO,
            "unrealised": pnl.unrealised / MICRO,
            "total": pnl.total / MICRO,
        },
        "exit_reason": exit_reason,
    }
