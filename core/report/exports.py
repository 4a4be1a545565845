"""The tables of an account as files for other programs: streamed row by row, integers as integers, units in the names.

``micro_usd`` are millionths of a dollar (of prices: a share), ``micro`` millionths of a share, ``unix`` seconds.
"""

import csv
import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final, Literal, NamedTuple

from core.errors import UsageError
from core.report.files import defused

Kind = Literal["int", "float", "text"]
CHUNK: Final = 5_000
"""Rows held at once."""
_OURS: Final = "session IN (SELECT id FROM sessions WHERE account = :account)"


class Column(NamedTuple):
    """One column of an export."""

    name: str
    kind: Kind


class Table(NamedTuple):
    """What can be exported: columns and the statement that gives their rows."""

    columns: tuple[Column, ...]
    query: str
    """With ``:account``."""


def _columns(texts: str = "", ints: str = "", floats: str = "") -> dict[str, Kind]:
    kinds: tuple[tuple[str, Kind], ...] = ((texts, "text"), (ints, "int"), (floats, "float"))
    return {name: kind for names, kind in kinds for name in names.split()}


def _table(order: str, kinds: dict[str, Kind], source: str, **spelled: str) -> Table:
    """Columns in ``order``; each is the column of its name, unless it is ``spelled`` out in SQL."""
    columns = tuple(Column(name, kinds[name]) for name in order.split())
    chosen = ", ".join(spelled.get(column.name, column.name) for column in columns)
    return Table(columns, f"SELECT {chosen} FROM {source}")


TABLES: Final[dict[str, Table]] = {
    "fills": _table(
        "seq session matched_unix market title trade_id order_id intent outcome order_side price_micro_usd size_micro"
        " side layer settlement source transaction_hash",
        _columns(
            "market title trade_id order_id outcome order_side side settlement source transaction_hash",
            "seq session intent price_micro_usd size_micro layer",
            "matched_unix",
        ),
        "sessions s JOIN fills f ON f.session = s.id LEFT JOIN orders o USING (intent)"
        " LEFT JOIN markets m ON m.market = f.market WHERE s.account = :account ORDER BY s.id, f.matched_unix",
        session="f.session", market="f.market", order_id="f.order_id", outcome="f.outcome", order_side="f.order_side",
        price_micro_usd="f.price_micro_usd", size_micro="f.size_micro", intent="f.intent", seq="f.seq",
    ),
    "orders": _table(
        "intent session created_unix updated_unix market order_id token outcome order_side price_micro_usd"
        " tick_micro_usd size_micro filled_micro matched_micro side layer state reason detail settings_hash book"
        " explanation",
        _columns(
            "market order_id token outcome order_side side state reason detail settings_hash book explanation",
            "intent session price_micro_usd tick_micro_usd size_micro filled_micro matched_micro layer",
            "created_unix updated_unix",
        ),
        f"orders WHERE {_OURS} ORDER BY intent",
    ),
    "positions": _table(
        "market title outcome settled_micro provisional_micro",
        _columns("market title outcome", "settled_micro provisional_micro"),
        "positions p LEFT JOIN markets m USING (market) WHERE account = :account ORDER BY market, outcome",
    ),
    "journal": _table(
        "id session unix kind body",
        _columns("kind body", "id session", "unix"),
        f"journal WHERE {_OURS} ORDER BY id",
    ),
    "entries": _table(
        "seq session unix market kind outcome size_micro price_micro_usd amount_micro_usd income key source text",
        _columns(
            "market kind outcome income key source text",
            "seq session size_micro price_micro_usd amount_micro_usd",
            "unix",
        ),
        "entries WHERE account = :account ORDER BY seq",
    ),
    "equity": _table(
        "unix session seq cash_micro_usd equity_micro_usd conservative_micro_usd realised_micro_usd"
        " unrealised_micro_usd fees_micro_usd income_micro_usd flows_micro_usd peak_micro_usd day day_equity_micro_usd"
        " day_flows_micro_usd bankroll_micro_usd is_latched guard_peak_micro_usd",
        _columns(
            "",
            "session seq cash_micro_usd equity_micro_usd conservative_micro_usd realised_micro_usd"
            " unrealised_micro_usd fees_micro_usd income_micro_usd flows_micro_usd peak_micro_usd day"
            " day_equity_micro_usd day_flows_micro_usd bankroll_micro_usd is_latched guard_peak_micro_usd",
            "unix",
        ),
        "equity WHERE account = :account ORDER BY unix, id",
    ),
}  # fmt: skip

Told = Callable[[int], None]
"""Told how many rows have been written."""


def count(db: sqlite3.Connection, table: Table, account: str) -> int:
    """Rows there are.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    query = f"SELECT COUNT(*) FROM ({table.query.partition(' ORDER BY ')[0]})"
    return int(db.execute(query, {"account": account}).fetchone()[0])


def write_csv(db: sqlite3.Connection, table: Table, account: str, stream: BinaryIO, told: Told) -> int:
    """Write a table as CSV in UTF-8 with a header; returns its rows. An empty cell is no value.

    Text that a spreadsheet would take for a formula begins with an apostrophe.

    Raises:
        sqlite3.Error: the file cannot be read.
        OSError: it cannot be written.
    """
    texts = [at for at, column in enumerate(table.columns) if column.kind == "text"]
    stream.write(_csv([[column.name for column in table.columns]]))
    written = 0
    for chunk in _chunks(db, table, account):
        stream.write(_csv(_defused(row, texts) for row in chunk))
        written += len(chunk)
        told(written)
    return written


def write_parquet(db: sqlite3.Connection, table: Table, account: str, stream: BinaryIO, told: Told) -> int:
    """Write a table as Parquet: int64, float64 and string columns; returns its rows.

    Raises:
        UsageError: pyarrow is not installed.
        sqlite3.Error: the file cannot be read.
        OSError: it cannot be written.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # has none
        from pyarrow import parquet
    except ImportError:
        raise UsageError("--parquet needs pyarrow: install polymm-tui[report]") from None
    types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    schema = pa.schema([pa.field(column.name, types[column.kind]) for column in table.columns])
    written = 0
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for chunk in _chunks(db, table, account):
            arrays = [
                pa.array(values, field.type) for values, field in zip(zip(*chunk, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            written += len(chunk)
            told(written)
    return written


def _chunks(db: sqlite3.Connection, table: Table, account: str) -> Iterator[list[tuple[Any, ...]]]:
    cursor = db.execute(table.query, {"account": account})
    while chunk := cursor.fetchmany(CHUNK):
        yield chunk


def _defused(row: Sequence[Any], texts: Sequence[int]) -> list[Any]:
    cells = list(row)
    for at in texts:
        if cells[at] is not None:
            cells[at] = defused(cells[at])
    return cells


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
