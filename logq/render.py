"""Rows as people and programs read them. Each writer takes whole NDJSON lines and counts what it wrote."""

import json
import re
from typing import Any, BinaryIO, Final

from logq.terminal import BOLD, DIM, RESET, SEVERITY_COLOURS, padded, painted, safe, width

MEASURED_ROWS: Final = 1_000
"""Rows whose widths decide a table's columns; those after them may stand out."""
SOURCE_MAX_WIDTH: Final = 40
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
RECORD_COLUMNS: Final = (
    *("time", "cluster", "namespace", "pod", "container", "stream", "severity", "message"),
    *("trace_id", "span_id", "labels", "attributes", "_seq"),
)


class NdjsonWriter:
    """The server's own lines, byte for byte."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.rows = 0

    def write(self, run: bytes) -> None:
        """Takes whole lines."""
        self.rows += run.count(b"\n")
        self.out.write(run)
        self.out.flush()

    def close(self) -> None:
        """Writes what was held back."""


class JsonWriter(NdjsonWriter):
    """One JSON array, an element a line; the elements are the server's own bytes."""

    def write(self, run: bytes) -> None:
        opening = b",\n" if self.rows else b"[\n"
        self.rows += run.count(b"\n")
        self.out.write(opening + run[:-1].replace(b"\n", b",\n"))
        self.out.flush()

    def close(self) -> None:
        self.out.write(b"\n]\n" if self.rows else b"[]\n")


class RawWriter(NdjsonWriter):
    """Message and newline; a row without a message: its values between tabs."""

    def write(self, run: bytes) -> None:
        lines = run[:-1].split(b"\n")
        self.rows += len(lines)
        self.out.write(b"".join(encoded(raw_text(json.loads(line))) + b"\n" for line in lines))
        self.out.flush()


class TableWriter(NdjsonWriter):
    """The readable layout: records as aligned lines coloured by severity, other rows as a table."""

    def __init__(self, out: BinaryIO, *, colours: bool, marked_seq: int | None = None) -> None:
        super().__init__(out)
        self.colours = colours
        self._records = RecordLayout(colours=colours, marked_seq=marked_seq)
        self._pending: list[dict[str, Any]] = []
        self._table: Table | None = None

    def write(self, run: bytes) -> None:
        rows = [json.loads(line) for line in run[:-1].split(b"\n")]
        if self._is_records(rows[0]):
            self.rows += len(rows)
            self._put(self._records.line(row) for row in rows)
            return
        self.rows += len(rows)
        self._pending += rows
        if self._table or len(self._pending) >= MEASURED_ROWS:
            self._put_table()

    def close(self) -> None:
        if self._pending:
            self._put_table()

    def _is_records(self, row: dict[str, Any]) -> bool:
        return not self._table and not self._pending and "message" in row and "time" in row

    def _put_table(self) -> None:
        if self._table is None:
            self._table = Table(self._pending, colours=self.colours)
            self._put([self._table.header()])
        self._put(map(self._table.line, self._pending))
        self._pending = []

    def _put(self, lines: Any) -> None:
        self.out.write(encoded("".join(f"{line}\n" for line in lines)))
        self.out.flush()


class RecordLayout:
    """`time  SEVERITY  namespace/pod/container  message  further=fields`, aligned."""

    def __init__(self, *, colours: bool, marked_seq: int | None = None) -> None:
        self.colours = colours
        self.marked_seq = marked_seq
        self._source_width = 0

    def line(self, row: dict[str, Any]) -> str:
        """One record without its newline."""
        severity = str(row.get("severity") or "")
        colour = SEVERITY_COLOURS.get(severity, "") if self.colours else ""
        dim = DIM if self.colours else ""
        parts = (
            painted(short_time(str(row["time"])), dim),
            painted(padded(severity.upper(), 5), colour),
            painted(self._source(row), dim),
            coloured_message(str(row["message"]), severity, colours=self.colours),
        )
        further = self._further(row)
        line = "  ".join(part for part in parts) + (f"  {painted(further, dim)}" if further else "")
        if self.marked_seq is None:
            return line
        is_marked = row.get("_seq") == self.marked_seq
        return f"{painted('>', BOLD if self.colours else '') if is_marked else ' '} {line}"

    def _source(self, row: dict[str, Any]) -> str:
        names = (row.get("namespace"), row.get("pod"), row.get("container"))
        source = safe("/".join(str(name) for name in names if name), colours=False)
        self._source_width = max(self._source_width, min(width(source), SOURCE_MAX_WIDTH))
        return padded(source, self._source_width)

    def _further(self, row: dict[str, Any]) -> str:
        fields = {name: value for name, value in row.items() if name not in RECORD_COLUMNS}
        attributes = row.get("attributes")
        if isinstance(attributes, dict):
            message = str(row["message"])
            fields |= {key: value for key, value in attributes.items() if cell(value) not in message}
        if "_seq" in row:
            fields["_seq"] = row["_seq"]
        return safe(" ".join(f"{name}={cell(value)}" for name, value in fields.items()), colours=False)


class Table:
    """Aligned columns with a header; numbers to the right."""

    def __init__(self, rows: list[dict[str, Any]], *, colours: bool) -> None:
        self.colours = colours
        self.names = list(dict.fromkeys(name for row in rows for name in row))
        self._widths = {
            name: max(width(safe(name, colours=False)), *(width(self._cell(row, name)) for row in rows))
            for name in self.names
        }
        self._is_number = {
            name: all(isinstance(row.get(name), int | float | None) for row in rows) for name in self.names
        }

    def header(self) -> str:
        """The columns' names."""
        line = "  ".join(self._aligned(safe(name, colours=False), name) for name in self.names).rstrip()
        return f"{BOLD}{line}{RESET}" if self.colours else line

    def line(self, row: dict[str, Any]) -> str:
        """One row without its newline."""
        return "  ".join(self._aligned(self._cell(row, name), name) for name in self.names).rstrip()

    def _cell(self, row: dict[str, Any], name: str) -> str:
        return safe(short_time(cell(row.get(name))), colours=False)

    def _aligned(self, text: str, name: str) -> str:
        return padded(text, self._widths[name], right=self._is_number[name])


def coloured_message(message: str, severity: str, *, colours: bool) -> str:
    """A message as a terminal may see it; warnings and worse in their colour, unless it has its own."""
    shown = safe(message, colours=colours)
    if not colours or "\x1b" in shown or severity not in ("warn", "error", "fatal"):
        return shown
    return painted(shown, SEVERITY_COLOURS[severity])


def short_time(time: str) -> str:
    """A time as answers write it, to the millisecond; any other text as it is."""
    return f"{time[:23]}Z" if _TIME.fullmatch(time) else time


def cell(value: Any) -> str:
    """A value as text: a string as it is, nothing for null, JSON else."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def raw_text(row: dict[str, Any]) -> str:
    """A row's message; without one its values between tabs."""
    message = row.get("message")
    return message if isinstance(message, str) else "\t".join(cell(value) for value in row.values())


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate, which it has no form for, as the three bytes that JSON's escape stands for."""
    return text.encode("utf-8", "surrogatepass")
