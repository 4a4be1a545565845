"""Pictures of the page for a report: one file each, never over another one."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from core.runtime.places import state_home


def pictures_home(environment: Mapping[str, str]) -> Path:
    """Where pictures go: beside the state of the sessions."""
    own = environment.get("POLYMM_STATE_DIR")
    return (Path(own) if own else state_home(environment)) / "screenshots"


def keep_picture(directory: Path, svg: str, unix: float) -> Path:
    """Write a picture that only its owner can read, under a name of its time.

    Args:
        directory: made if it is missing.
        svg: the picture.
        unix: session time, seconds; 0 before the first view.

    Returns:
        Its path: the first free one of ``20260101T120000Z.svg``, ``20260101T120000Z-2.svg`` and so on.

    Raises:
        OSError: it cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp, number = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(unix)), 1
    while True:
        path = directory / (f"{stamp}.svg" if number == 1 else f"{stamp}-{number}.svg")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            number += 1
            continue
        with open(handle, "w", encoding="utf-8") as file:
            file.write(svg)
        return path
