"""The ``calibrate`` command, and its report for people: aligned, 80 columns, each number with its error."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from core.config import Settings
from core.errors import UsageError
from core.lab import calibrate as lab
from core.lab.calibrate import Arrivals, Calibration, Drift, Estimate, Evidence, TooThin, Volatility, with_error
from core.lab.past_sessions import is_database, read_past
from core.lab.recording import known_instruments
from core.lab.tapes import evidence_of
from core.market.naming import Named, meant
from polymm_tui.streams import give
from widgets.format import ELLIPSIS, clean, wrap_words

THIN: Final = 7
"""Exit code: nothing can be proposed for any market, because the data are too thin."""
WIDTH: Final = 80
_LABEL: Final = 17
_SHOWN: Final = 20
"""Markets told in full; the rest is counted."""
_KEPT: Final = ("k_vol", "vol_horizon_sec", "k_fee_ticks", "min_edge_ticks")
"""Settings of a past session that a proposal stands beside."""

Row = tuple[str, str]


def run_calibrate(path: Path, settings: Settings, *, gamma: Path | None, market: str | None, as_json: bool) -> int:
    """Say what the data in a recording or a database speak for; returns the exit code.

    Raises:
        UsageError: it cannot be read, or there is no such market in it.
    """
    report = calibration_report(path, settings, gamma, market)
    give(json.dumps(msgspec.to_builtins(report)) if as_json else "\n".join(calibration_lines(report)))
    return 0 if report["proposed"] else THIN


def calibration_report(path: Path, settings: Settings, gamma: Path | None, market: str | None) -> dict[str, Any]:
    """Everything the command tells, for programs."""
    problems = sessions = 0
    if is_database(path):
        past = read_past(path)
        evidence, sessions, source = past.evidence, past.sessions, "database"
        used = {name: past.settings[name] for name in _KEPT if type(past.settings.get(name)) in (int, float)}
        settings = replace(settings, **used)
    else:
        evidence, inspection = evidence_of(path, known_instruments(path, gamma), settings)
        source, problems = "recording", inspection.reading.problem_count
    if market is not None:
        evidence = _chosen(market, evidence)
    found = [lab.calibrate(one, settings) for one in evidence]
    found.sort(key=lambda one: (-one.trades, one.market, one.tick))
    return {
        "file": str(path),
        "source": source,
        "sessions": sessions,
        "problems": problems,
        "proposed": any(_is_carried(one) for one in found),
        "in_force": {name: getattr(settings, name) for name in _KEPT},
        "wanted": {
            "arrivals": lab.LEAST_ARRIVALS,
            "quote_seconds": lab.LEAST_EXPOSURE_SEC,
            "returns": lab.LEAST_RETURNS,
            "moves": lab.LEAST_MOVES,
            "fills": lab.LEAST_DRIFTS,
            "fill_stretches": lab.LEAST_DRIFT_BLOCKS,
            "tick_moves": lab.LEAST_EXITS,
            "relative_error": lab.WORST_ERROR,
        },
        "markets": found,
    }


def _chosen(asked: str, evidence: list[Evidence]) -> list[Evidence]:
    """The market that was asked for, on all its grids.

    Raises:
        UsageError: none is meant, or it is not clear which.
    """
    found = meant(asked, {one.market: Named(one.market, one.title) for one in evidence}.values())
    if len(found) == 1:
        return [one for one in evidence if one.market == found[0].market]
    names = ", ".join(_name(one.market, one.title) for one in found or [Named(e.market, e.title) for e in evidence])
    what = f"{len(found)} markets are called so" if found else "no such market in it"
    raise UsageError(f"{clean(asked)[:60]}: {what}: {names or 'it holds none'}")


def _is_carried(one: Calibration) -> bool:
    """All estimates that a proposal rests on could be made."""
    drift = any(isinstance(item.drift, Estimate) for item in one.drifts)
    return isinstance(one.arrivals, Arrivals) and isinstance(one.volatility[0].price, Estimate) and drift


def calibration_lines(report: dict[str, Any]) -> list[str]:
    """The report as lines."""
    found: list[Calibration] = report["markets"]
    verdict = "estimates below" if report["proposed"] else "too thin for a proposal"
    lines = wrap_words(f"{clean(report['file'])}: {report['source']}, {verdict}", WIDTH)
    if report["problems"]:
        lines.append(f"{report['problems']:,} lines could not be used; `polymm-tui inspect` tells them")
    for one in found[:_SHOWN]:
        lines += ["", *_market_lines(one, report["in_force"])]
    if len(found) > _SHOWN:
        lines += ["", f"and {len(found) - _SHOWN:,} more markets with fewer trades; choose one with --market"]
    if not found:
        lines += ["", "no market with a book in it"]
    return lines


def _market_lines(one: Calibration, in_force: dict[str, float]) -> list[str]:
    lines = wrap_words(_name(one.market, one.title), WIDTH)
    kind = "fills of ours" if isinstance(one.arrivals, Arrivals) and one.arrivals.of.startswith("fills") else "trades"
    rows: list[Row] = [
        ("data", f"{one.seconds:,.0f} s with a price, {one.trades:,} {kind}, tick {one.tick * 100:g} cents"),
        *_arrivals(one.arrivals),
        *_labelled("volatility", [text for each in one.volatility for text in _volatility(each)]),
        *_labelled("drift", [_drift(each, one.tick) for each in one.drifts]),
        ("a tick's move", _thin_or(one.tick_moves, lambda known: f"takes {with_error(known)} s on average")),
        *_proposal(one, in_force),
    ]
    for label, value in rows:
        for n, part in enumerate(wrap_words(value, WIDTH - _LABEL)):
            lines.append(f"{'' if n else label:<{_LABEL}}{part}".rstrip())
    return lines


def _arrivals(arrivals: Arrivals | TooThin) -> Iterable[Row]:
    if isinstance(arrivals, TooThin):
        yield "arrivals", _thin(arrivals)
        return
    yield "arrivals", f"{arrivals.of} reach d ticks at A exp(-kappa d) a second and side"
    yield "", f"A      {with_error(arrivals.rate)}"
    yield (
        "",
        f"kappa  {with_error(arrivals.kappa)} a tick, from {arrivals.kappa.n:,} within {arrivals.near_ticks} ticks",
    )
    told = [row for row in arrivals.rows if row.seen or row.fitted >= 0.5]
    reached = ", ".join(f"{row.ticks} ticks {row.seen} ({row.fitted:.0f})" for row in told)
    agree = "agree" if arrivals.fits else "DISAGREE, the exponential misfits here"
    yield "", f"reached at least, seen (fitted): {reached}; they {agree}"


def _volatility(one: Volatility) -> Iterable[str]:
    lag = f"returns over {one.lag_s:g} s"
    if isinstance(one.price, TooThin):
        yield _thin(one.price)
    else:
        yield f"{with_error(one.price, 100)} cents a root second, {lag}"
    if isinstance(one.logit, Estimate):
        yield f"{with_error(one.logit)} logits a root second, {lag}"


def _drift(one: Drift, tick: float) -> str:
    told = _thin_or(one.drift, lambda known: f"{with_error(known, 1 / tick)} ticks, {known.n:,} fills")
    worth = f", worth {with_error(one.markout, 1 / tick)} ticks then" if isinstance(one.markout, Estimate) else ""
    return f"after {one.horizon_s:g} s: {told}{worth}"


def _proposal(one: Calibration, in_force: dict[str, float]) -> Iterable[Row]:
    proposal = one.proposal
    for key, estimate in (("k_vol", proposal.k_vol), ("vol_horizon_sec", proposal.vol_horizon_sec)):
        told = "no proposal" if estimate is None else with_error(estimate)
        yield key.upper(), f"{told}; now {in_force[key]:g}"
    yield from _labelled("because", proposal.reasons)


def _labelled(label: str, texts: Sequence[str]) -> Iterable[Row]:
    return [("" if n else label, text) for n, text in enumerate(texts)]


def _thin_or(estimate: Estimate | TooThin, told: Callable[[Estimate], str]) -> str:
    return _thin(estimate) if isinstance(estimate, TooThin) else told(estimate)


def _thin(thin: TooThin) -> str:
    return f"too thin: {thin.too_thin}"


def _name(market: str, title: str) -> str:
    """A market's title or, without one, the ends of its id."""
    plain = clean(market)
    short = f"{plain[:10]}{ELLIPSIS}{plain[-4:]}" if len(plain) > 20 else plain
    told = clean(title)
    return short if not told or told == short else f"{told[:60]} ({short})"
