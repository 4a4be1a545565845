"""Processes that this program starts of itself."""

import os
from pathlib import Path

from core.venue.credentials import SECRET_NAMES


def child_environment() -> dict[str, str]:
    """For a child that runs this very program, whatever lies in the present directory, and that knows no key.

    To be used with ``python -P -m module``.
    """
    ours = {name: value for name, value in os.environ.items() if name not in SECRET_NAMES}
    places = [str(Path(__file__).resolve().parents[1]), ours.get("PYTHONPATH", "")]
    return {**ours, "PYTHONPATH": os.pathsep.join(filter(None, places))}
