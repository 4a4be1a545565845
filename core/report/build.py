"""A report made of the rows of one account: read, fold, split, add up, compare."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from core.account.bookkeeping import OPENING
from core.errors import UsageError
from core.market.naming import Named, meant
from core.portfolio.entries import Booking, Flow
from core.portfolio.ledger import Pico, usd_of
from core.report import exposure, figures, parts
from core.report.figures import Check, Parts, Report, Share
from core.report.history import Columns, History, Mark, Market
from core.report.markouts import markout_rows
from core.report.notes import STALE_SEC, notes_of
from core.report.span import DAY_SEC, Span, day_name, time_name
from core.report.sums import Sums
from core.report.told import Measured, Told, measured, told_of
from core.report.uptime import Quoting, stretches_of
from core.units import Usd, micro_text

POINTS: Final = 480
"""Of the equity's course, at most."""

Progress = Callable[[str, float], None]
"""Told what is being done and which part of the whole is behind, 0 to 1."""


def make_report(
    history: History, span: Span, *, database: str, now: float, market: str | None, progress: Progress
) -> Report:
    """Everything there is to say of a span.

    Args:
        history: the account's rows.
        span: of which the records know something.
        database: name of the file, for people.
        now: unix seconds.
        market: one market only: its condition id, the beginning of it, or a part of its title; None for all.
        progress: told how far it is.

    Raises:
        UsageError: it is not clear which market is meant.
        StoreError: the account's book holds a line of an unknown kind.
        sqlite3.Error: the file cannot be read.
    """
    progress("reading the account's book", 0.0)
    catalogue = history.markets()
    lines = history.lines()
    flows = _flows(lines.get("", []), span)
    ahead = sum(line.unix > now + STALE_SEC for of_market in lines.values() for line in of_market)
    only = None if market is None else _chosen(market, catalogue, lines)
    progress("reading what was measured at the fills", 0.15)
    known = measured(history, span)
    told = list(_tell(history, span, lines, catalogue, known, only, progress))
    progress("adding up", 0.65)
    sums = Sums(told, span)
    report = _Report(history, span, told, catalogue, only)
    progress("what stood in the book", 0.7)
    uptime, orders = report.quoting(sums)
    progress("comparing", 0.9)
    equity, drawdown, points, recorded = report.equity(flows)
    checks = [*report.checks(sums, equity), *recorded]
    markouts = markout_rows(report.fills, known.rows, [(one.market, one.title) for one in told], min(span.end, now))
    made = Report(
        database=database,
        account=history.account,
        other_accounts=len(history.accounts) - 1,
        begin_unix=span.begin,
        end_unix=span.end,
        begin=time_name(span.begin),
        end=time_name(span.end),
        made_unix=now,
        market=only or "",
        is_running=any(not one.is_over and one.end + STALE_SEC >= now for one in report.sessions[-1:]),
        sessions=tuple(
            figures.SessionRow(
                one.number, one.mode, one.version, one.begin, one.end, one.is_over, one.reason, one.is_verified
            )
            for one in report.sessions
        ),
        total=sums.share(("total",)),
        provisional_fills=sum(one.provisional for one in told),
        failed_fills=history.failed_fills(span, only or ""),
        unpriced_fills=sum(one.split.unpriced for one in told),
        unmeasured_fills=sum(one.split.unmeasured for one in told),
        equity=equity,
        by_market=sums.by_market(),
        by_day=sums.by_day(),
        by_side=sums.by_side(),
        by_layer=sums.by_layer(),
        markouts=markouts,
        exposure=report.exposure(),
        uptime=uptime,
        orders=orders,
        income=report.income(),
        drawdown=drawdown,
        positions=report.positions(),
        findings=tuple(figures.Found(*row) for row in history.findings(span, only or "")),
        checks=tuple(checks),
        notes=(),
        points=points,
    )
    progress("done", 1.0)
    return msgspec.structs.replace(
        made, notes=tuple(notes_of(made, [word for one in told for word in one.wrong], ahead))
    )


def _chosen(asked: str, catalogue: dict[str, Market], lines: dict[str, list[Booking]]) -> str:
    named = {name: Named(name, one.title) for name, one in catalogue.items()}
    named |= {name: Named(name, "") for name in lines if name and name not in named}
    found = meant(asked, named.values())
    if len(found) == 1:
        return found[0].market
    what = f"{len(found)} markets are called so" if found else "no such market in it"
    told = sorted(f"{one.market[:14]} {one.title[:40]!r}" for one in found or named.values())
    more = f" and {len(told) - 10} more" if len(told) > 10 else ""
    raise UsageError(f"market {asked[:60]!r}: {what}: {', '.join(told[:10]) or 'it holds none'}{more}")


def _tell(
    history: History,
    span: Span,
    lines: dict[str, list[Booking]],
    catalogue: dict[str, Market],
    known: Measured,
    only: str | None,
    progress: Progress,
) -> Iterator[Told]:
    """Each market that has a line, the account as a whole last."""
    names = sorted(name for name in lines if name) if only is None else [only]
    looks = exposure.moments(span.begin, span.end, len(names))
    mark = history.last_mark(span.begin, span.end)
    for number, name in enumerate([*names, ""] if only is None else names):
        title = catalogue[name].title if name in catalogue else "" if name else "the account as a whole"
        of_market = lines.pop(name, [])  # the largest part of the memory
        yield told_of(name, title, number, of_market, span, known, history, looks, 0 if mark is None else mark.seq)
        progress("folding and splitting", 0.3 + 0.35 * (number + 1) / (len(names) + 1))


def _flows(lines: Sequence[Booking], span: Span) -> defaultdict[str, int]:
    """Cash that came and went within a span, micro-dollars: ``opening``, ``deposit`` and ``withdrawal``."""
    kinds: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        if isinstance(line.entry, Flow) and span.begin <= line.unix < span.end:
            amount = line.entry.amount
            kind = "opening" if line.key == OPENING else "deposit" if amount > 0 else "withdrawal"
            kinds[kind] += amount
    return kinds


class _Report:
    """The sections that are no sums."""

    def __init__(
        self, history: History, span: Span, told: Sequence[Told], catalogue: dict[str, Market], only: str | None
    ) -> None:
        self._history, self._span, self._told, self._catalogue, self._only = history, span, told, catalogue, only
        self.sessions = tuple(one for one in history.sessions if one.begin < span.end and one.end >= span.begin)
        fills = np.concatenate([one.fills for one in told])
        self.fills = fills[np.argsort(fills["seq"], kind="stable")]

    def quoting(self, sums: Sums) -> tuple[tuple[figures.Uptime, ...], tuple[figures.OrderCounts, ...]]:
        """Uptime and what became of orders, by market."""
        numbers = _Numbers({one.market: number for number, one in enumerate(self._told) if one.market})
        orders_of = self._history.orders(self._span, numbers)
        quoting = Quoting(orders_of, self._history.order_events(self._span))
        last = max(session.end for session in self._history.sessions)
        uptime, orders = [], []
        for market, number in numbers.items():
            if self._only not in (None, market):
                continue
            title = self._catalogue[market].title if market in self._catalogue else ""
            counts = quoting.counts(number, market, title, self._span, sums.filled(number))
            if counts.orders or counts.filled_micro:
                orders.append(counts)
            live = stretches_of(self.sessions, self._history.joined(market), self._span)
            if live:
                uptime.append(quoting.uptime(number, market, title, live, last))
        uptime.sort(key=lambda row: (row.title, row.market))
        orders.sort(key=lambda row: (row.title, row.market))
        return tuple(uptime), tuple(orders)

    def exposure(self) -> figures.Exposure:
        """What could have been lost."""
        gross = exposure.gross((one.course for one in self._told if one.course), self._span.begin, self._span.end)
        held = [
            exposure.Held(one.market, state.yes.shares, state.no.shares, usd_of(state.value(one.marks[-1] or Usd(0))))
            for one in self._told
            for state in one.states[-1:]
            if state.payout is None and one.marks[-1] is not None
        ]
        worst = exposure.worst_of(held, self._catalogue)
        return figures.Exposure(gross.mean, gross.most, gross.most_unix, gross.last, worst, gross.samples)

    def income(self) -> tuple[figures.Income, ...]:
        """Rewards and rebates, estimated and paid, by day and market."""
        first, last = int(self._span.begin // DAY_SEC), int((self._span.end - 1e-3) // DAY_SEC)
        found: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for row in self._history.estimates(first, last):
            if self._only in (None, row.market):
                amounts = found[day_name(row.day * DAY_SEC), row.market]
                amounts[0] += row.reward
                amounts[2] += row.rebate
        for one in self._told:
            for day, paid in one.paid.items():
                if paid.rewards or paid.rebates:
                    amounts = found[self._span.days[day], one.market]
                    amounts[1] += paid.rewards
                    amounts[3] += paid.rebates
        titles = {one.market: one.title for one in self._told} | {m: one.title for m, one in self._catalogue.items()}
        return tuple(
            figures.Income(day, market, titles.get(market, ""), *map(Usd, amounts))
            for (day, market), amounts in sorted(found.items())
        )

    def positions(self) -> tuple[figures.OpenPosition, ...]:
        """What was held at the end, the most valuable first."""
        rows = [self._position(one) for one in self._told if one.states[-1].yes.shares or one.states[-1].no.shares]
        return tuple(sorted(rows, key=lambda row: (-abs(row.value_micro_usd), row.market)))

    def _position(self, one: Told) -> figures.OpenPosition:
        state, mark, fair = one.states[-1], one.marks[-1], one.last_fair
        value = parts.value_of(state, mark)
        yes, no = ((held.cost // held.shares if held.shares else None) for held in (state.yes, state.no))
        return figures.OpenPosition(
            market=one.market,
            title=one.title,
            yes_micro=state.yes.shares,
            no_micro=state.no.shares,
            yes_average_micro_usd=yes,
            no_average_micro_usd=no,
            mark_micro_usd=mark,
            mark_age_s=None if fair is None else self._span.end - fair.unix,
            is_resolved=state.payout is not None,
            value_micro_usd=usd_of(value),
            unrealised_micro_usd=usd_of(Pico(value - state.cost)),
            realised_micro_usd=usd_of(state.realised),
        )

    def equity(
        self, kinds: dict[str, int]
    ) -> tuple[figures.Equity | None, figures.Drawdown | None, tuple[figures.Point, ...], list[Check]]:
        """Value at both ends, largest fall, course, and whether what was recorded fits; nothing of one market alone.

        Args:
            kinds: flows of cash within the span, micro-dollars: ``opening``, ``deposit`` and ``withdrawal``.
        """
        if self._only is not None:
            return None, None, (), []
        profits, cash, flows = ([0] * 2 for _ in range(3))
        for one in self._told:
            for at in (0, -1):
                state = one.states[at]
                profits[at] += parts.trading(state, one.marks[at]) - state.fees + state.income
                cash[at] += state.cash
                flows[at] += state.contributed
        ends = [usd_of(Pico(profit)) + usd_of(Pico(flow)) for profit, flow in zip(profits, flows, strict=True)]
        total = usd_of(Pico(flows[1])) - usd_of(Pico(flows[0]))
        found = figures.Equity(
            begin_micro_usd=Usd(ends[0]),
            end_micro_usd=Usd(ends[1]),
            begin_cash_micro_usd=usd_of(Pico(cash[0])),
            end_cash_micro_usd=usd_of(Pico(cash[1])),
            flows_micro_usd=Usd(total),
            opening_micro_usd=Usd(kinds["opening"]),
            deposits_micro_usd=Usd(kinds["deposit"]),
            withdrawals_micro_usd=Usd(kinds["withdrawal"]),
            found_micro_usd=Usd(total - kinds["opening"] - kinds["deposit"] - kinds["withdrawal"]),
        )
        marks = self._history.equity(self._span.begin, self._span.end)
        last = self._history.last_mark(self._span.begin, self._span.end)
        recorded = [] if last is None else [self._recorded(last)]
        return found, _drawdown(marks), _points(marks, self._span), recorded

    def _recorded(self, mark: Mark) -> Check:
        """Compare the cash and the flows that a session wrote down with the lines it knew then."""
        cash = sum(one.recorded[0] for one in self._told) + self._history.failed_since(mark)
        flows = sum(one.recorded[1] for one in self._told)
        ours, theirs = (usd_of(Pico(cash)), usd_of(Pico(flows))), (mark.cash, mark.flows)
        name = "the value last recorded"
        if all(abs(a - b) <= 1 for a, b in zip(ours, theirs, strict=True)):
            return Check(name, "agrees", f"cash and flows of {time_name(mark.unix)} are the fold of the lines before")
        told = [f"cash {micro_text(pair[0])}, flows {micro_text(pair[1])} dollars" for pair in (ours, theirs)]
        return Check(name, "DIFFERS", f"at {time_name(mark.unix)} by the lines {told[0]}; recorded are {told[1]}")

    def checks(self, sums: Sums, equity: figures.Equity | None) -> list[Check]:
        """What must agree, and whether it does."""
        views = [f"{one.title or one.market}: {word}" for one in self._told if (word := one.books.check())]
        lines = [f"{one.title or one.market}: {one.split.trouble}" for one in self._told if one.split.trouble]
        total = sums.share(("total",))
        rows = {"market": sums.by_market(), "day": sums.by_day(), "side": sums.by_side(), "layer": sums.by_layer()}
        unlike = [f"by {name}" for name, shares in rows.items() if _added(shares) != (total.parts, total.trades.fills)]
        checks = [
            _check(
                "average cost, first in first out, and net", views, "the three views give the same total everywhere"
            ),
            _check("ledger and line by line", lines, "every valued day of every market gives the same profit"),
            _check("sums", unlike, "rows by market, day, side and layer add up to the total"),
        ]
        if equity is not None:
            gained = equity.end_micro_usd - equity.begin_micro_usd - equity.flows_micro_usd
            profit = total.parts.total_micro_usd
            unlike = (
                [] if gained == profit else [f"{micro_text(gained)} against a profit of {micro_text(profit)} dollars"]
            )
            checks.append(_check("equity", unlike, "equity at the end less that at the begin less flows is the total"))
        return checks


def _check(name: str, wrong: list[str], agreed: str) -> Check:
    return Check(name, "DIFFERS", "; ".join(wrong[:5])) if wrong else Check(name, "agrees", agreed)


def _added(shares: Sequence[Share]) -> tuple[Parts, int]:
    amounts = [sum(column) for column in zip(*(_amounts(share.parts) for share in shares), strict=True)]
    parts = msgspec.convert(dict(zip(Parts.__struct_fields__, amounts, strict=True)), Parts) if amounts else Parts()
    return parts, sum(share.trades.fills for share in shares)


def _amounts(one: Parts) -> tuple[int, ...]:
    return tuple(getattr(one, name) for name in Parts.__struct_fields__)


class _Numbers(dict[str, int]):
    """Numbers of markets; who is met for the first time gets the next."""

    def __missing__(self, market: str) -> int:
        number = self[market] = len(self) + 1  # the account as a whole has one too
        return number


def _drawdown(marks: Columns) -> figures.Drawdown | None:
    """The largest fall of recorded equity less flows from its highest before; None without a mark."""
    if not len(marks):
        return None
    profits = marks["equity"] - marks["flows"]
    peaks = np.maximum.accumulate(profits)
    trough = int(np.argmax(peaks - profits))
    peak = int(np.argmax(profits[: trough + 1]))
    fall, equity = int(peaks[trough] - profits[trough]), int(marks["equity"][peak])
    times = float(marks["unix"][peak]), float(marks["unix"][trough])
    return figures.Drawdown(Usd(fall), fall / equity if equity > 0 else 0.0, *times, len(marks))


def _points(marks: Columns, span: Span) -> tuple[figures.Point, ...]:
    """The last mark of every stretch of time, of :data:`POINTS` that the span is cut into."""
    stretches = ((marks["unix"] - span.begin) / ((span.end - span.begin) / POINTS)).astype(np.int64)
    shown = marks[np.append(stretches[1:] != stretches[:-1], True)[: len(marks)]]
    rows = zip(*(shown[name].tolist() for name in ("unix", "equity", "flows")), strict=True)
    return tuple(figures.Point(unix, Usd(equity), Usd(equity - flows)) for unix, equity, flows in rows)
