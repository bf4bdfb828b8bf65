"""Journal entries in export format."""

from collections.abc import Iterable, Mapping


def export(*entries: Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]) -> bytes:
    """Entries, one after the other, as systemd-journal-upload writes them."""
    return b"".join(_entry(entry.items() if isinstance(entry, Mapping) else entry) for entry in entries)


def cursor(number: int, journal: str = "a" * 32) -> str:
    return f"s={journal};i={number:x};b={'b' * 32};m={number:x};t={number:x};x={number:x}"


def _entry(fields: Iterable[tuple[str, str | bytes]]) -> bytes:
    return b"".join(_field(name, value) for name, value in fields) + b"\n"


def _field(name: str, value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    if isinstance(value, str) and value.isprintable():
        return name.encode() + b"=" + content + b"\n"
    return name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n"
