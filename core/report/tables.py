"""A report as sections of words and tables, for a terminal and for a page alike. Amounts in dollars, to the cent.

Texts of the venue stand in them as received: whoever draws them makes them harmless.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from core.report.figures import Income, Markout, OpenPosition, OrderCounts, Report, Share, Uptime
from core.report.markouts import LEAST_FILLS, LEAST_STRETCHES
from core.report.span import time_name
from core.units import MICRO

MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"
MARKET: Final = "market"
"""Head of the column with titles, which may be cut where there is no room."""
_NO_CENTS: Final = 100_000
"""Dollars from which on cents are left out."""
_NO_HUNDREDTHS: Final = 10_000
"""Shares from which on only whole ones are told."""
_PARTS: Final = ("fills", "shares", "spread", "adverse", "carry", "other", "total")

Chart = Literal["", "equity", "days", "markets", "markouts"]


class Section(NamedTuple):
    """Some words, and a table below them."""

    name: str
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """The first holds names, the others numbers."""
    rows: tuple[tuple[str, ...], ...] = ()
    texts: tuple[int, ...] = ()
    """Columns that hold words all the same, which may be broken into lines."""
    chart: Chart = ""
    """What may be drawn here."""


def sections(report: Report) -> list[Section]:
    """Everything a report says, in the order in which people read."""
    made: list[Section] = [_head(report), _profit(report)]
    for make in (
        _equity, _days, _markets, _sides, _markouts, _exposure, _uptime, _orders, _income, _positions, _findings,
        _sessions,
    ):  # fmt: skip
        section = make(report)
        if section is not None:
            made.append(section)
    return [*made, _checks(report), Section("What to know", report.notes)]


def dollars(micro: int | float) -> str:
    """``"1,234.56"``, ``"−3.20"``; without cents from 100,000 dollars on."""
    cents = round(abs(micro) * 100 / MICRO)
    sign = MINUS if micro < 0 and cents else ""
    whole, rest = divmod(cents, 100)
    return f"{sign}{round(abs(micro) / MICRO):,}" if whole >= _NO_CENTS else f"{sign}{whole:,}.{rest:02d}"


def signed(micro: int | float) -> str:
    """Dollars with a sign; zero has none."""
    text = dollars(micro)
    return f"+{text}" if micro > 0 and text != "0.00" else text


def share_count(micro: int) -> str:
    """Shares with at most two decimals, from 10,000 on whole."""
    hundredths = round(abs(micro) * 100 / MICRO)
    whole, rest = divmod(hundredths, 100)
    cut = f"{whole:,}.{rest:02d}".rstrip("0").rstrip(".")
    text = cut if whole < _NO_HUNDREDTHS else f"{round(hundredths / 100):,}"
    return f"{MINUS if micro < 0 and hundredths else ''}{text}"


def percent(fraction: float) -> str:
    """``"97.3 %"``."""
    return f"{100 * fraction:.1f} %"


def lasting(seconds: float) -> str:
    """``"45 s"``, ``"12 min"``, ``"7.5 h"``, ``"3.2 d"``."""
    for limit, divisor, unit in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (172_800.0, 3_600.0, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.{1 if unit == 'h' else 0}f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def name_of(market: str, title: str) -> str:
    """A market's title or, without one, the beginning and the end of its id."""
    return title or (f"{market[:8]}..{market[-4:]}" if len(market) > 16 else market)


def _head(report: Report) -> Section:
    running = ", a session is running" if report.is_running else ""
    sessions = f"{len(report.sessions)} session{'' if len(report.sessions) == 1 else 's'}"
    modes = ", ".join(sorted({one.mode for one in report.sessions}))
    words = [
        f"{report.begin} to {report.end} UTC, {lasting(report.end_unix - report.begin_unix)}",
        f"account {report.account} ({modes or 'no session'}), {sessions}{running}",
    ]
    if report.market:
        words.append(f"only the market {report.market}")
    return Section(f"Report of {report.database}", tuple(words))


def _profit(report: Report) -> Section:
    parts, trades = report.total.parts, report.total.trades
    rows = [
        ("spread capture", signed(parts.spread_micro_usd), "dealing away from the fair value"),
        ("adverse selection", signed(parts.adverse_micro_usd), "its move within 300 s of our fills"),
        ("carry", signed(parts.carry_micro_usd), "its later moves, on what was held"),
    ]
    if parts.unknown_micro_usd or report.unpriced_fills:
        rows.append(("not attributed", signed(parts.unknown_micro_usd), "no fair value was known"))
    rows += [
        ("fees", signed(-parts.fees_micro_usd), "paid"),
        ("rebates", signed(parts.rebates_micro_usd), "paid to us"),
        ("rewards", signed(parts.rewards_micro_usd), "paid to us"),
    ]
    if parts.other_income_micro_usd:
        rows.append(("other income", signed(parts.other_income_micro_usd), "paid to us"))
    rows.append(("TOTAL", signed(parts.total_micro_usd), _total_words(report)))
    shares, turnover = share_count(trades.shares_micro), dollars(trades.turnover_micro_usd)
    return Section(
        "Profit",
        (f"{trades.fills:,} fills, {shares} shares for {turnover} dollars",),
        ("part", "dollars", "what it is"),
        tuple(rows),
        texts=(2,),
    )


def _total_words(report: Report) -> str:
    return "the sum" if report.equity is None else "the sum, and the change of equity less flows"


def _equity(report: Report) -> Section | None:
    found = report.equity
    if found is None:
        return None
    rows = [
        ("at the begin", dollars(found.begin_micro_usd), dollars(found.begin_cash_micro_usd)),
        ("at the end", dollars(found.end_micro_usd), dollars(found.end_cash_micro_usd)),
    ]
    flows = [
        ("cash when the book began", found.opening_micro_usd),
        ("deposits", found.deposits_micro_usd),
        ("withdrawals", found.withdrawals_micro_usd),
        ("shares found or missed", found.found_micro_usd),
    ]
    words = [f"flows {signed(found.flows_micro_usd)}: " + "; ".join(f"{n} {signed(m)}" for n, m in flows if m)]
    if not found.flows_micro_usd and not any(amount for _, amount in flows):
        words = ["no flows: nothing was deposited or withdrawn"]
    drawdown = report.drawdown
    if drawdown is None:
        words.append("no value was recorded in this span: no drawdown, no course")
    else:
        when = f"from {time_name(drawdown.peak_unix)} to {time_name(drawdown.trough_unix)}"
        fall = dollars(drawdown.largest_micro_usd)
        words.append(f"largest drawdown {fall} dollars, {percent(drawdown.fraction)} of the equity, {when}")
    return Section("Equity", tuple(words), ("", "equity", "cash"), tuple(rows), chart="equity")


def _share_row(name: str, share: Share) -> tuple[str, ...]:
    parts = share.parts
    trading = parts.spread_micro_usd + parts.adverse_micro_usd + parts.carry_micro_usd
    return (
        name,
        f"{share.trades.fills:,}",
        share_count(share.trades.shares_micro),
        signed(parts.spread_micro_usd),
        signed(parts.adverse_micro_usd),
        signed(parts.carry_micro_usd),
        signed(parts.total_micro_usd - trading),
        signed(parts.total_micro_usd),
    )


def _days(report: Report) -> Section | None:
    rows = tuple(_share_row(one.day, one) for one in report.by_day)
    return Section("By day", (), ("day (UTC)", *_PARTS), rows, chart="days")


def _markets(report: Report) -> Section | None:
    rows = tuple(_share_row(name_of(one.market, one.title), one) for one in report.by_market)
    return Section("By market", (), (MARKET, *_PARTS), rows, chart="markets") if rows else None


def _sides(report: Report) -> Section | None:
    rows = [_share_row(one.side, one) for one in report.by_side]
    rows += [_share_row(_place(one.side, one.layer), one) for one in report.by_layer if one.side != "held"]
    words = (
        "of the YES book; carry: what the fills' shares did until the end of the span; 'held': what no fill of it made",
    )
    return Section("By side and layer", words, ("side", *_PARTS), tuple(rows))


def _markouts(report: Report) -> Section | None:
    horizons = sorted({one.horizon_s for one in report.markouts})
    groups: dict[str, list[Markout]] = {}
    for one in report.markouts:
        side = one.side or "all" if one.layer is None else _place(one.side, one.layer)
        groups.setdefault(name_of(one.market, one.title) if one.market else side, []).append(one)
    if not any(one.fills for one in report.markouts):
        return Section("Markouts", ("nothing was measured",))
    rows = tuple(
        (name, f"{max(one.fills for one in row):,}", *(_markout(one) for one in row)) for name, row in groups.items()
    )
    unit = "cents a share after the fill, positive is good for us, with the standard error"
    thin = (
        f"? too thin to conclude: fewer than {LEAST_FILLS} fills, fewer than {LEAST_STRETCHES} stretches of the "
        "horizon with fills, or an error as large as the value"
    )
    pending = ", ".join(f"{one.pending:,} after {one.horizon_s:g} s" for one in groups["all"] if one.pending)
    unmeasured = max(one.unmeasured for one in groups["all"])
    words = [unit, thin]
    if pending:
        words.append(f"still pending: {pending}")
    if unmeasured:
        words.append(f"up to {unmeasured:,} fills were not measured: no fair value, or the session had ended")
    columns = (MARKET, "n", *(f"{horizon:g} s" for horizon in horizons))
    return Section("Markouts", tuple(words), columns, rows, chart="markouts")


def _place(side: str, layer: int | None) -> str:
    """A layer as people count: 1 is nearest the touch. It is not known for an order that is not in the file."""
    return f"{side} layer {NOTHING if layer is None or layer < 0 else layer + 1}"


def _markout(one: Markout) -> str:
    if one.markout_micro_usd is None:
        return NOTHING
    value = f"{one.markout_micro_usd * 100 / MICRO:+.2f}".replace("-", MINUS)
    error = "" if one.markout_error_micro_usd is None else f"\u00b1{one.markout_error_micro_usd * 100 / MICRO:.2f}"
    return f"{value}{error}{'?' if one.too_thin else ''}"


def _exposure(report: Report) -> Section | None:
    found = report.exposure
    worst = "loss" if found.end_worst_micro_usd >= 0 else "gain"
    words = (
        f"mean gross {dollars(found.mean_gross_micro_usd)}, largest {dollars(found.max_gross_micro_usd)} dollars at "
        f"{time_name(found.max_gross_unix)}, at the end {dollars(found.end_gross_micro_usd)}",
        f"in the worst outcome of every event, at the end, a {worst} of {dollars(abs(found.end_worst_micro_usd))}",
        f"sampled at {found.samples:,} moments: every fill and regularly between",
    )
    return Section("Exposure", words)


def _uptime(report: Report) -> Section | None:
    rows = [_uptime_row(one) for one in report.uptime]
    if not rows:
        return None
    seconds = sum(one.session_s for one in report.uptime)
    both, one_side, none = (
        sum(getattr(one, name) * one.session_s for one in report.uptime) / seconds if seconds else 0.0
        for name in ("two_sided", "one_sided", "none")
    )
    rows.append(("all", lasting(seconds), percent(both), percent(one_side), percent(none)))
    words = ("quotes in the book, share of the time in which a session made the market",)
    return Section("Uptime", words, (MARKET, "time", "two sides", "one side", "none"), tuple(rows))


def _uptime_row(one: Uptime) -> tuple[str, ...]:
    shares = (percent(one.two_sided), percent(one.one_sided), percent(one.none))
    return (name_of(one.market, one.title), lasting(one.session_s), *shares)


def _orders(report: Report) -> Section | None:
    if not report.orders:
        return None
    counts = [one.cancels for one in report.orders]
    filled = sum(one.filled_micro for one in report.orders)
    rows = [_orders_row(one) for one in report.orders]
    total = [
        sum(getattr(one, name) for one in report.orders)
        for name in ("orders", "cancels", "rejected", "denied", "unknown", "still_unknown")
    ]
    each = f"{sum(counts) * 1_000 * MICRO / filled:,.0f}" if filled else NOTHING
    rows.append(("all", f"{total[0]:,}", f"{total[1]:,}", each, *(f"{n:,}" for n in total[2:])))
    words = ("'denied' by our own rules; 'doubt': nobody knew for a while whether the venue had it, 'still' not known",)
    heads = (MARKET, "orders", "cancels", "/1000 sh", "rejected", "denied", "doubt", "still")
    return Section("Orders", words, heads, tuple(rows))


def _orders_row(one: OrderCounts) -> tuple[str, ...]:
    each = NOTHING if one.cancels_per_1000_shares is None else f"{one.cancels_per_1000_shares:,.0f}"
    last = (one.rejected, one.denied, one.unknown, one.still_unknown)
    return (name_of(one.market, one.title), f"{one.orders:,}", f"{one.cancels:,}", each, *(f"{n:,}" for n in last))


def _income(report: Report) -> Section | None:
    if not report.income:
        return None
    fields: tuple[Callable[[Income], int], ...] = (
        lambda one: one.estimated_rewards_micro_usd,
        lambda one: one.paid_rewards_micro_usd,
        lambda one: one.estimated_rebates_micro_usd,
        lambda one: one.paid_rebates_micro_usd,
    )
    days = sorted({one.day for one in report.income})
    rows = [
        (day, *(dollars(sum(field(one) for one in report.income if one.day == day)) for field in fields))
        for day in days
    ]
    rows.append(("all", *(dollars(sum(map(field, report.income))) for field in fields)))
    words = ("estimates are in no total; a day is paid after its end; what was paid stands on the day it is for",)
    heads = ("day (UTC)", "rewards est.", "paid", "rebates est.", "paid")
    return Section("Rewards and rebates", words, heads, tuple(rows))


def _positions(report: Report) -> Section | None:
    if not report.positions:
        return Section("Open positions", ("none",))
    unclaimed = sum(one.value_micro_usd for one in report.positions if one.is_resolved)
    words = ["averages and marks in cents a share; a mark is of YES"]
    if unclaimed:
        words.append(f"unclaimed payouts: {dollars(unclaimed)} dollars")
    heads = (MARKET, "YES", "avg", "NO", "avg", "mark", "age", "value", "unreal.")
    return Section("Open positions", tuple(words), heads, tuple(_position(one) for one in report.positions))


def _position(one: OpenPosition) -> tuple[str, ...]:
    mark = "at cost" if one.mark_micro_usd is None else _cents(one.mark_micro_usd)
    age = "payout" if one.is_resolved else NOTHING if one.mark_age_s is None else lasting(one.mark_age_s)
    return (
        name_of(one.market, one.title),
        share_count(one.yes_micro),
        _cents(one.yes_average_micro_usd),
        share_count(one.no_micro),
        _cents(one.no_average_micro_usd),
        mark,
        age,
        dollars(one.value_micro_usd),
        signed(one.unrealised_micro_usd),
    )


def _cents(micro: int | None) -> str:
    return NOTHING if micro is None else f"{micro * 100 / MICRO:.1f}".replace("-", MINUS)


def _findings(report: Report) -> Section | None:
    if not report.findings:
        return None
    rows = tuple((one.code, one.severity, f"{one.count:,}", one.text) for one in report.findings)
    return Section("Findings", (), ("code", "severity", "n", "one of them"), rows, texts=(1, 3))


def _sessions(report: Report) -> Section | None:
    if not report.sessions:
        return None
    rows = tuple(
        (
            str(one.number),
            one.mode,
            time_name(one.begin_unix)[:16],
            lasting(one.end_unix - one.begin_unix),
            one.reason if one.is_over else "runs, or ended without a word",
            "yes" if one.is_verified else "no",
        )
        for one in report.sessions
    )
    return Section("Sessions", (), ("no", "mode", "begin (UTC)", "lasted", "end", "cleared"), rows, texts=(1, 2, 4, 5))


def _checks(report: Report) -> Section:
    rows = tuple((one.verdict, one.name, one.text) for one in report.checks)
    return Section("Self-checks", (), ("verdict", "check", "what it says"), rows, texts=(1, 2))
