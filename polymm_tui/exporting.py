"""The ``export`` command: a table of ``mm_state.db`` as a file for other programs."""

import io
from pathlib import Path

from core.clock import Clock, SystemClock
from core.errors import UsageError
from core.report.exports import TABLES, count, write_csv, write_parquet
from core.report.files import whole_file
from core.report.history import History, opened
from polymm_tui.reporting import Waiting
from polymm_tui.streams import give, say


def run_export(
    database: Path,
    what: str,
    *,
    form: str,
    path: Path | None,
    force: bool,
    account: str | None,
    clock: Clock | None = None,
) -> int:
    """Export a table of one account; returns the exit code.

    Args:
        database: the file to read.
        what: one of :data:`core.report.exports.TABLES`.
        form: ``csv`` or ``parquet``.
        path: where it goes; None for stdout, which takes CSV only.
        force: replace a file that is there.
        account: None for that of the last session.
        clock: says when progress is shown.

    Raises:
        UsageError: there is no such file or account, a library is missing, or the target cannot be written.
        StoreError: the file cannot be read.
    """
    table = TABLES[what]
    if path is None and form == "parquet":
        raise UsageError("--parquet needs a file: name it with -o")
    with opened(database) as db, Waiting(clock or SystemClock()) as waiting:
        history = History(db, account)
        rows = max(1, count(db, table, history.account))

        def told(written: int) -> None:
            waiting.tell(f"exporting {what}", written / rows)

        if path is None:
            stream = io.BytesIO()
            write_csv(db, table, history.account, stream, told)
            give(stream.getvalue().decode().rstrip("\n"))
            return 0
        write = write_parquet if form == "parquet" else write_csv
        with whole_file(path, force=force) as target:
            written = write(db, table, history.account, target, told)
    say(f"polymm-tui: {path} is written, {written:,} rows")
    return 0
