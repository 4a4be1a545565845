"""The ``explain`` command: why a market is quoted as it is, for people in 80 columns or as JSON for programs.

Terms are shown in thousandths of a tick and hundredths of a share, rounded so that what is shown adds up too; JSON has
the exact integers (billionths of a tick, micro-shares). All text is made harmless, whoever wrote it.
"""

import json
import time
from collections.abc import Iterable, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Final

import msgspec

from core.config import Effective
from core.errors import UsageError
from core.explaining import Explained, explained
from core.lab.recording import known_instruments
from core.lab.replay import Replay, parse_moment
from core.profiles import Profiles
from core.quoting.explain import NANO, LayerExplanation, MarketExplanation, OrderExplanation, Term, why_words
from core.runtime.control_socket import Explain, ask
from core.units import MICRO, SIZE_QUANTUM, Grid, grid_of
from polymm_tui.naming import candidate_lines
from polymm_tui.sessions import the_session
from polymm_tui.streams import give
from widgets.format import MINUS, clean, fit, model_cents, number, shares, wrap_words

WIDTH: Final = 80
NOT_MEANT: Final = 2
_THOUSANDTH: Final = NANO // 1000
_NAME: Final = 17
_NUMBER: Final = 11
_SIZE_NAME: Final = 24

_BINDING: Final = {
    "model": "the model",
    "post-only": "post-only, kept off the other side of the book",
    "group bound": "the group: bids of one event may not sum above a dollar",
    "price bound": "PRICE_MIN or PRICE_MAX",
    "least edge": "MIN_EDGE_TICKS",
    "flatten": "flattening: touch, fair value and what may still be lost",
    "base": "BASE_SIZE_USD and LAYER_RATIO",
    "side cap": "MAX_SIZE_USD",
    "inventory fade": "the fade between soft and hard cap",
    "operator size": "the operator's factor",
    "least size": "the market's least size",
    "reward minimum": "REWARD_BUMP",
    "time": "the time left to the end of the market",
}
"""The rule that had the last word, in words and with the setting to look at; others stand for themselves."""


def explain_session(asked: str, effective: Effective, *, as_json: bool) -> int:
    """Ask the session that is meant; returns the exit code.

    Raises:
        UsageError: it is not clear which market is meant, or which session.
        PreflightError: no session runs, or it does not answer.
    """
    return _tell(asked, ask(the_session(effective).control, Explain(asked), Explained), as_json)


def explain_recording(
    asked: str, path: Path, effective: Effective, *, at: str | None, gamma: Path | None, as_json: bool
) -> int:
    """Play a recording to a moment, its end if ``at`` is None, and explain there; returns the exit code.

    Raises:
        UsageError: the recording cannot be read or does not reach the moment, or it is not clear which market is meant.
    """
    moment = None if at is None else parse_moment(at)
    replay = Replay(path, effective.settings, known_instruments(path, gamma), Profiles(effective))
    if moment is None:
        replay.run()
    elif not replay.run_until(moment):
        _refuse_empty(path, replay)
        raise UsageError(
            f"{path}: ends {replay.now:.3f} s after its start, at unix time {replay.unix:.3f}: before {at}"
        )
    _refuse_empty(path, replay)
    return _tell(asked, explained(replay.engine, asked, replay.now, replay.unix), as_json)


def _refuse_empty(path: Path, replay: Replay) -> None:
    if not replay.frames:
        raise UsageError(f"{path}: no frame of a channel in it; `polymm-tui inspect` tells what it holds")


def _tell(asked: str, told: Explained, as_json: bool) -> int:
    """Print the answer; returns the exit code.

    Raises:
        UsageError: it is not clear which market is meant.
    """
    if as_json:
        # json escapes what is not ASCII: nothing that a stranger wrote may reach a terminal as a control character.
        give(json.dumps(msgspec.to_builtins(told)))
        return NOT_MEANT if told.explanation is None else 0
    if told.explanation is None:
        raise UsageError("\n".join(candidate_lines(asked, told.candidates)))
    give("\n".join(explanation_lines(told.explanation, told.unix)))
    return 0


def explanation_lines(told: MarketExplanation, unix: float) -> list[str]:
    """A market's plan, side by side with what adds up to it."""
    grid = grid_of(told.tick)
    lines = wrap_words(clean(told.title) or clean(told.market), WIDTH)
    lines += wrap_words(clean(told.market), WIDTH)
    fair = "none" if told.fair is None else f"{model_cents(told.fair, grid.decimals)}c"
    source = f", deviation from: {clean(told.sigma_source)}" if told.sigma_source else ""
    lines += wrap_words(f"{_moment(unix)}, fair {fair}, tick {grid.cents(1)}c{source}", WIDTH)
    if told.blocked:
        lines += wrap_words(f"not quoted: {clean(told.blocked)}", WIDTH)
    for condition in told.conditions:
        lines += wrap_words(clean(condition), WIDTH)
    for side, group in groupby(told.layers, key=lambda layer: layer.side):
        lines += ["", *_side(side, list(group), grid)]
    for held in told.held_back:
        lines += wrap_words(f"held back: {held.side} layer {held.layer + 1}: {clean(held.why)}", WIDTH)
    lines += ["", *_orders(told.orders, grid)]
    return lines


def _side(side: str, layers: Sequence[LayerExplanation], grid: Grid) -> Iterable[str]:
    """A side's layers; those that the same rule forbids without any number are one line."""
    for forbidden, group in groupby(layers, key=lambda layer: "" if layer.price_terms else layer.forbidden):
        several = list(group)
        if forbidden:
            whole = len(several) == len(layers)
            numbers = "" if whole else f" layer {_numbers(several)}"
            yield from wrap_words(f"no {side}{numbers}: {clean(why_words(forbidden))}", WIDTH)
        else:
            for layer in several:
                yield from _layer(layer, grid)


def _layer(layer: LayerExplanation, grid: Grid) -> Iterable[str]:
    price = "no price" if layer.ticks is None else f"{grid.cents(layer.ticks)}c"
    head = f"{layer.side} layer {layer.layer + 1}: {price}, {shares(layer.size)} sh"
    if layer.forbidden:
        head = f"no {layer.side} layer {layer.layer + 1} at {price}: {clean(why_words(layer.forbidden))}"
    yield from wrap_words(head, WIDTH)
    left = [f"{'price':<{_NAME}}{'ticks':>{_NUMBER}}{'cents':>{_NUMBER}}"]
    decimals = 3 + max(0, grid.decimals - 2)
    for name, parts in _shown(layer.price_terms, _THOUSANDTH):
        cents = _signed(parts * grid.tick_usd / (10 * MICRO), decimals)
        ticks = _signed(parts / 1000, 3)
        left.append(f"{fit(clean(name), _NAME)}{number(ticks, _NUMBER)}{number(cents, _NUMBER)}")
    right = [f"{'size':<{_SIZE_NAME}}{'shares':>{_NUMBER}}"]
    for name, parts in _shown(layer.size_terms, SIZE_QUANTUM):
        right.append(f"{fit(clean(name), _SIZE_NAME)}{number(_signed(parts / 100, 2), _NUMBER)}")
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"  {one:<{_NAME + 2 * _NUMBER}}  {other}".rstrip()
    if layer.binding:
        by_price, _, by_size = layer.binding.partition("; ")
        last = f"last word on the price: {_binding(by_price)}" + (
            f"; on the size: {_binding(by_size)}" if by_size else ""
        )
        yield from (f"  {part}" for part in wrap_words(last, WIDTH - 2))


def _shown(terms: Sequence[Term], quantum: int) -> list[tuple[str, int]]:
    """Names with whole quanta, and their sum; each is off by less than one so that all of them add up."""
    shown, total = [], 0
    for term in terms:
        before, total = (total + quantum // 2) // quantum, total + term.amount
        shown.append((term.name, (total + quantum // 2) // quantum - before))
    return [*shown, ("=", (total + quantum // 2) // quantum)]


def _orders(orders: Sequence[OrderExplanation], grid: Grid) -> Iterable[str]:
    if not orders:
        yield "no orders"
    for order in sorted(orders, key=lambda one: (one.side == "ask", one.layer)):
        frame = "" if order.outcome == "YES" else f" ({order.order_side.lower()}s NO)"
        head = f"order: {order.side} layer {order.layer + 1}, {grid.cents(order.ticks)}c, {shares(order.remaining)} sh"
        yield from wrap_words(f"{head}{frame}, {clean(order.state)}: {clean(order.verdict) or 'not judged yet'}", WIDTH)


def _binding(name: str) -> str:
    return _BINDING.get(name, clean(name))


def _numbers(layers: Sequence[LayerExplanation]) -> str:
    numbers = [layer.layer + 1 for layer in layers]
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _signed(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def _moment(unix: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix))
    except (OverflowError, ValueError, OSError):
        return f"unix time {unix:g}"
