"""The environment of this program and of the processes that it starts of itself."""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from core.venue.credentials import SECRET_NAMES

PROXY_NAMES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
"""Variables that HTTP libraries take a proxy from, in capitals or not."""


def drop_proxies(environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Take away what would send requests through a proxy: keys and orders go to the venue and to nobody between.

    Returns:
        Names of what was there, to be told (reliability.md 5, 18).
    """
    dropped = tuple(name for name in environment if name.upper() in PROXY_NAMES and environment[name])
    for name in dropped:
        del environment[name]
    return dropped


def child_environment() -> dict[str, str]:
    """For a child that runs this very program, whatever lies in the present directory, and that knows no key.

    To be used with ``python -P -m module``.
    """
    ours = {name: value for name, value in os.environ.items() if name not in SECRET_NAMES}
    places = [str(Path(__file__).resolve().parents[1]), ours.get("PYTHONPATH", "")]
    return {**ours, "PYTHONPATH": os.pathsep.join(filter(None, places))}
