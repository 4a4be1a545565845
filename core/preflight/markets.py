"""The market list, and what the venue says of each of its markets. Pure: a list that was read, answers that came."""

from collections.abc import Mapping, Sequence
from typing import Final

from core.errors import ListError
from core.preflight.check import Check, fail, failed_with, ok, warn
from core.preflight.reach import Reached, trouble
from core.selection.enrich import Sourced
from core.selection.listed import MarketList, RejectedRow

_LIST: Final = "correct these rows; `polymm-tui markets list` shows all of them"


def listed(found: MarketList, kept: int) -> Check:
    """What the list's source gave: rows that can be used, and rows that cannot.

    Args:
        found: the list.
        kept: markets of the last good list, 0 without one: a start begins with them, so nothing there is left alone.
    """
    told = f"{found.source}: {_count(len(found.rows), 'row')}"
    off = sum(not row.enabled for row in found.rows)
    told += f", {off} of them not enabled" if off else ""
    if off == len(found.rows) and kept:
        cause = f"{told}: none is left to make; a start looks after the {_count(kept, 'market')} of the last good list"
        return warn("list", cause, "`polymm-tui markets diff` shows what then waits for your approval")
    if off == len(found.rows):
        return fail("list", f"{told}: none is left to make", "set `enabled` to yes for the markets to be made")
    if found.rejected:
        cause = f"{told}, and {len(found.rejected)} rejected"
        return warn("list", cause, _LIST, details=(*map(_rejected, found.rejected), *found.notes))
    if found.notes:
        return warn("list", f"{told}; {found.notes[0]}", "see whether that is meant", details=found.notes[1:])
    return ok("list", told)


def unread(error: ListError, kept: int, read_unix: float | None, unix: float) -> Check:
    """A list that cannot be read: a start goes on with the last good one, where there is one.

    Args:
        error: why.
        kept: markets of the last good list; 0 without one.
        read_unix: when that was read; None when not known.
        unix: now.
    """
    check = failed_with("list", error)
    if not kept:
        return check
    age = "" if read_unix is None else f", read {max(0.0, unix - read_unix) / 60:.0f} minutes ago,"
    cause = f"{check.cause}; a start goes on with the last good list of {_count(kept, 'market')}{age}"
    return warn("list", cause.rstrip(","), check.next_step)


def sources(found: Mapping[str, Sourced], kept: int) -> Check:
    """Whether catalogue and exchange agree on each market that is to be made (reliability.md 4.10, D10 to D13).

    One that they do not agree on is not made; that stops nothing but it, unless no other is left.

    Args:
        found: what the sources say, by market.
        kept: markets of the last session, which are looked after whatever is said of them now.
    """
    wanted = [one for one in found.values() if one.row.enabled]
    if not wanted and kept:
        return ok(
            "markets", f"none is enabled; the {_count(kept, 'market')} of the last session are asked about at a start"
        )
    refused = [_line(one, one.refusals) for one in wanted if one.refusals]
    waiting = [_line(one, one.lags) for one in wanted if one.lags and not one.refusals]
    noted = [_line(one, one.notes) for one in wanted if one.notes and not (one.refusals or one.lags)]
    good = len(wanted) - len(refused) - len(waiting)
    lines = (*refused, *waiting, *noted)
    told = f"{good} of {_count(len(wanted), 'market')} agree in Gamma and the CLOB"
    step = "`polymm-tui markets screen` shows every market with its numbers; correct the rows, or wait for the venue"
    if not good and kept:
        cause = f"{told}; {_count(kept, 'market')} of the last session would still be looked after"
        return warn("markets", cause, step, details=lines)
    if not good:
        return fail("markets", f"{told}: {lines[0]}" if lines else told, step, details=lines[1:])
    if lines:  # what is worth knowing stops nothing, and is told all the same
        parts = [f"{len(refused)} contradict themselves or take no orders"] if refused else []
        parts += [f"{len(waiting)} are not settled yet"] if waiting else []
        parts += [f"{len(noted)} have something worth knowing"] if noted else []
        return warn("markets", f"{told}; {', '.join(parts)}", step, details=lines)
    return ok("markets", told)


def market_channel(reached: Reached, tokens: int) -> Check:
    """Whether the channel of the books talks to us.

    Args:
        reached: what came of subscribing.
        tokens: that were subscribed.
    """
    if reached.kind == "timeout" and tokens:
        cause = f"{reached.place} took the connection and said nothing within {reached.seconds:.1f} s"
        return fail("market-channel", cause, "wait and look again; check ws_market_url")
    cause, step = trouble(reached, "ws_market_url")
    if cause:
        return fail("market-channel", cause, step)
    what = "sends books" if tokens else "answers"
    return ok("market-channel", f"{reached.place} {what} after {reached.seconds * 1000:.0f} ms")


def _rejected(row: RejectedRow) -> str:
    where = f"row {row.row}, {row.column}" if row.column else f"row {row.row}"
    return f"{where}, {row.value!r}: {row.reason}"


def _line(one: Sourced, why: Sequence[str]) -> str:
    title = one.market.instrument.title if one.market is not None else one.row.note
    more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
    return f"{one.row.market[:12]} {title[:40]}: {why[0]}{more}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
