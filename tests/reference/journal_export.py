"""The journal's export format, cut into entries field by field: what the kernel is compared with."""

import re
from typing import Final

FIELDS_MAX: Final = 1024
"""Of one entry, as journald itself has it."""
DECLARED_MAX_BYTES: Final = 768 << 20
"""The largest field that systemd writes; a line followed by a larger number is no binary field."""
LEFT_OUT: Final = "_ingest_error"

Value = str | bytes | list["str | bytes"]
Entry = dict[str, Value]
"""Fields by name; bytes where they are not UTF-8, a list where a name is repeated."""

_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SIZE_BYTES: Final = 8


class Export:
    """The entries of one stream. Keeps what has come of an entry that is not complete: no field over `field_max_bytes`,
    and of all its fields together no more than `entry_max_bytes`."""

    def __init__(self, field_max_bytes: int, entry_max_bytes: int) -> None:
        self._field_max_bytes = field_max_bytes
        self._entry_max_bytes = entry_max_bytes
        self._left = b""
        self._skip_bytes = 0
        self._skips_line = False
        self._entry: Entry = {}
        self._entry_bytes = 0
        self._fields = 0

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that are complete with this."""
        text = self._left + data if self._left else data
        entries: list[Entry] = []
        at = 0
        while (end := self._next(text, at, entries)) > at:
            at = end
        self._left = text[at:]
        return entries

    def end(self) -> list[Entry]:
        """The last entry, should no empty line have ended it."""
        entries = self.feed(b"\n\n")
        self._left, self._skip_bytes, self._skips_line = b"", 0, False
        return entries

    def _next(self, text: bytes, at: int, entries: list[Entry]) -> int:
        """Reads an entry or a field; where the next begins, or `at` if it is not there yet."""
        if self._skip_bytes or self._skips_line:
            return self._skip(text, at)
        end = text.find(b"\n", at)
        if end < 0:
            return self._await_line(text, at)
        if end == at:
            self._finish(entries)
            return end + 1
        name, equals, value = text[at:end].partition(b"=")
        if equals:
            self._add(name, value)
            return end + 1
        return self._binary(text, at, end)

    def _binary(self, text: bytes, at: int, name_end: int) -> int:
        start = name_end + 1 + _SIZE_BYTES
        if len(text) < start:
            return at
        size = int.from_bytes(text[name_end + 1 : start], "little")
        if size > DECLARED_MAX_BYTES or not _NAME.fullmatch(text, at, name_end):
            self._leave_out(f"a line is no field: {text[at:name_end][:80].decode(errors='replace')}")
            return name_end + 1
        if size > self._field_max_bytes:
            self._leave_out_large(text[at:name_end])
            self._skip_bytes = size + 1
            return start
        end = start + size
        if len(text) <= end:
            return at
        self._add(text[at:name_end], text[start:end])
        return end + 1

    def _skip(self, text: bytes, at: int) -> int:
        if self._skip_bytes:
            skipped = min(self._skip_bytes, len(text) - at)
            self._skip_bytes -= skipped
            return at + skipped
        end = text.find(b"\n", at)
        if end < 0:
            return len(text)
        self._skips_line = False
        return end + 1

    def _await_line(self, text: bytes, at: int) -> int:
        name, equals, value = text[at:].partition(b"=")
        if len(value if equals else name) <= self._field_max_bytes:
            return at
        self._leave_out_large(name if equals else name[:64])
        self._skips_line = True
        return len(text)

    def _add(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value)
        if len(value) > self._field_max_bytes or self._entry_bytes + size > self._entry_max_bytes:
            self._leave_out_large(name)
        elif self._fields >= FIELDS_MAX:
            self._leave_out(f"it has more than {FIELDS_MAX:,} fields")
        else:
            self._fields += 1
            self._entry_bytes += size
            add_field(self._entry, name.decode("utf-8", "replace"), _text(value))

    def _leave_out_large(self, name: bytes) -> None:
        self._leave_out(f"the field {name[:80].decode(errors='replace')} is too large (max_line, max_body)")

    def _leave_out(self, reason: str) -> None:
        self._fields += 1
        self._entry.setdefault(LEFT_OUT, f"left out: {reason}")

    def _finish(self, entries: list[Entry]) -> None:
        if self._entry:
            entries.append(self._entry)
        self._entry, self._entry_bytes, self._fields = {}, 0, 0


def add_field(entry: Entry, name: str, value: str | bytes) -> None:
    """Of a name that is there already both values count."""
    known = entry.get(name)
    if known is None:
        entry[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        entry[name] = [known, value]


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
