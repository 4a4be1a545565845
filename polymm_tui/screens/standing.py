"""How the session stands, in one sentence for a terminal that has no room for figures. Pure."""

from core.views import ConsoleView
from widgets.control_words import state_words


def standing_words(view: ConsoleView | None, silent_s: float) -> str:
    """What is known; nothing is claimed that is not.

    Args:
        view: on show; None before the first.
        silent_s: seconds for which the session has not been heard of; 0.0 while it is.
    """
    if view is None:
        return "Nothing has been heard of the session yet."
    open_orders = f"{view.open_orders:,} open order{'' if view.open_orders == 1 else 's'} of ours"
    if silent_s:
        return f"The session is silent for {silent_s:.0f}s: {open_orders} when it was last heard of."
    if view.kill.killed:
        return f"KILLED: nothing is placed; {open_orders}."
    held = next((each for each in view.controls if not each.market and each.state != "ACTIVE"), None)
    return f"{'The session runs' if held is None else f'All markets: {state_words(held.state)}'}; {open_orders}."
