"""A market of the list as the console and the shell show it."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, get_args

from msgspec.structs import replace

from core.selection.changes import Change, Entry, Kept, Proposal, words
from core.selection.income import Income
from core.selection.listed import ListRow, RejectedRow
from core.selection.screen import Screening, UsedFigures
from core.selection.standings import Standing
from core.views import (
    IncomeView,
    ListedMarketView,
    ListStanding,
    ProposalLineView,
    ProposalView,
    RejectedRowView,
    RuleView,
)

_PLACES: Final = {standing: place for place, standing in enumerate(get_args(ListStanding))}


def market_view(
    row: ListRow,
    standing: ListStanding,
    reason: str,
    *,
    title: str = "",
    screening: Screening | None = None,
    figures: UsedFigures | None = None,
    notes: tuple[str, ...] = (),
) -> ListedMarketView:
    """One market of the list.

    Args:
        row: of the list.
        standing: what became of it.
        reason: why it is not simply made, in words; "" when it is.
        title: as the venue tells it, foreign; "" while it has not.
        screening: None when it was not screened.
        figures: what it was screened by.
        notes: what its sources say that is no obstacle, in words.
    """
    income = None if screening is None else screening.income
    return ListedMarketView(
        market=row.market,
        title=title,
        row=row.row,
        standing=standing,
        reason=reason,
        rules=() if screening is None else rule_views(screening),
        figures="" if figures is None else figures.words,
        score=None if screening is None or math.isnan(screening.score) else screening.score,
        income_usd=None if income is None else income.usd_per_day,
        income_frac=None if income is None else income.frac,
        income=None if income is None else income_view(income),
        notes=notes,
        note=row.note,
        profile=row.profile,
        max_usd=row.max_usd,
    )


def standing_view(entry: Entry, standing: Standing, found: ListedMarketView | None) -> ListedMarketView:
    """A market as it stands.

    Args:
        entry: of the list.
        standing: what becomes of it.
        found: all that was found out of it; None when it was not looked at.
    """
    row = entry.row
    if found is None:
        return market_view(row, standing.standing, standing.reason, title=entry.title)
    return replace(
        found, row=row.row, standing=standing.standing, reason=standing.reason,
        title=found.title or entry.title, note=row.note, profile=row.profile, max_usd=row.max_usd,
    )  # fmt: skip


def with_rest(view: ListedMarketView, left: str) -> ListedMarketView:
    """A market with what still keeps it, if anything."""
    return replace(view, reason="; ".join(filter(None, (view.reason, left)))) if left else view


def in_order(views: Iterable[ListedMarketView]) -> tuple[ListedMarketView, ...]:
    """By standing, then by expected income, then as listed."""

    def key(view: ListedMarketView) -> tuple[int, bool, float, int]:
        return _PLACES[view.standing], view.income_usd is None, -(view.income_usd or 0.0), view.row

    return tuple(sorted(views, key=key))


def rule_views(screening: Screening) -> tuple[RuleView, ...]:
    """Every rule, in fixed order."""
    return tuple(RuleView(each.rule, each.passed, each.value, each.bound) for each in screening.results)


def income_view(income: Income) -> IncomeView:
    """An estimate term by term."""
    drift = income.break_even_drift
    return IncomeView(
        reward_usd=income.reward_usd,
        rebate_usd=income.rebate_usd,
        spread_usd=income.spread_usd,
        drift_usd=income.drift_usd,
        capital_usd=income.capital_usd,
        at_risk_usd=income.at_risk_usd,
        break_even_cents=None if drift is None else drift * 100.0,
        words=income.words,
    )


def proposal_view(proposal: Proposal, titles: Mapping[str, str]) -> ProposalView:
    """Changes that wait, line by line.

    Args:
        proposal: what waits.
        titles: by market, foreign, as far as known.
    """
    lines = change_views(proposal.changes, titles)
    return ProposalView(proposal.token, proposal.since_unix, proposal.why, lines)


def change_views(changes: Iterable[Change], titles: Mapping[str, str]) -> tuple[ProposalLineView, ...]:
    """Changes, each in words; ``titles`` as in :func:`proposal_view`."""
    return tuple(
        ProposalLineView(change.kind, change.market, titles.get(change.market, ""), words(change)) for change in changes
    )


def rejection_notes(kept: Kept) -> tuple[str, ...]:
    """That the list in force is not what was read, where an operator wanted it so."""
    if kept.rejected is None:
        return ()
    count = len(kept.rejected.changes)
    told = (
        "1 change of the list that was rejected is"
        if count == 1
        else f"{count} changes of the list that were rejected are"
    )
    return (f"{told} not done",)


def rejected_views(rejected: Iterable[RejectedRow]) -> tuple[RejectedRowView, ...]:
    """Rows that cannot be used."""
    return tuple(RejectedRowView(each.row, each.column, each.value, each.reason) for each in rejected)
