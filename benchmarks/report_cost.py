"""A report over 100,000 fills of 30 days in 20 markets: seconds and memory of the command as people run it."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.account_history import Plan, make

PLAN: Final = Plan(fills=100_000, days=30, markets=20, step_s=30, sessions=30, explanations=True)
SECONDS_BAR: Final = 5.0
MEMORY_BAR_MB: Final = 300.0
ROUNDS: Final = 3
_FORMS: Final[dict[str, list[str]]] = {
    "on a terminal": ["report"],
    "as a page with charts": ["report", "--html", "PAGE", "--force"],
    "of one day": ["report", "--day", "2024-10-20"],
    "export of the orders, Parquet": ["export", "--orders", "--parquet", "-o", "PAGE", "--force"],
}
_BARRED: Final = ("on a terminal", "as a page with charts")


def run() -> bool:
    """Print the cost of each form; True when a report of everything stays within both bars.

    The time that counts is that of a core: it is what people wait where one is free.
    """
    reached = True
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mm_state.db"
        maker = multiprocessing.Process(target=make, args=(database, PLAN))  # its memory is not to be measured
        maker.start()
        maker.join()
        size = database.stat().st_size / 1e6
        print(
            f"report over {PLAN.fills:,} fills, {PLAN.days} days, {PLAN.markets} markets; the file has {size:,.0f} MB"
        )
        for name, arguments in _FORMS.items():
            told = [_once(database, [one.replace("PAGE", f"{folder}/out") for one in arguments]) for _ in range(ROUNDS)]
            wall, cpu, memory = (min(column) for column in zip(*told, strict=True))
            print(f"  {name}: {cpu:.1f} s of a core ({wall:.1f} s beside other work), {memory:.0f} MB")
            if name in _BARRED:
                reached = reached and cpu < SECONDS_BAR and memory < MEMORY_BAR_MB
    print(f"  bars {SECONDS_BAR:.0f} s and {MEMORY_BAR_MB:.0f} MB: {'reached' if reached else 'NOT reached'}")
    return reached


def _once(database: Path, arguments: list[str]) -> tuple[float, float, float]:
    """Wall seconds, seconds of a core, and peak memory in MB of one run."""
    command = [sys.executable, "-m", "polymm_tui", *arguments, "--database", str(database)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        words = process.stderr.read().decode() if process.stderr is not None else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {words}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
