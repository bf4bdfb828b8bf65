"""What ingest/lines.py is to do, in plain Python, line by line."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

CRI = re.compile(r"(\d{4}-\S{15,35}) (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?", re.DOTALL)


@dataclass
class Line:
    source: str
    message: str
    stream: str = ""
    time: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Piece:
    """What is in a message, if it is wrapped."""

    time: str
    stream: str
    text: str
    is_partial: bool
    attrs: dict[str, Any] | None = None


def piece_of(message: str) -> Piece | None:
    if found := CRI.fullmatch(message):
        time, stream, tag, text = found.groups()
        return Piece(time, stream, text or "", tag == "P")
    if not message.startswith('{"log":'):
        return None
    try:
        record = json.loads(message)
    except ValueError:
        return None
    if not {"log", "stream", "time"} <= record.keys() <= {"log", "stream", "time", "attrs"}:
        return None
    log = record["log"]
    return Piece(record["time"], record["stream"], log.removesuffix("\n"), not log.endswith("\n"), record.get("attrs"))


def unwrapped(rows: list[tuple[str, str]], max_bytes: int) -> list[Line]:
    """The lines of (source, message) rows."""
    lines: list[Line] = []
    open_lines: dict[tuple[str, str], Line] = {}
    for source, message in rows:
        piece = piece_of(message)
        if piece is None:
            lines.append(Line(source, message))
            continue
        line = open_lines.pop((source, piece.stream), None)
        if line and len((line.message + piece.text).encode()) <= max_bytes:
            line.message += piece.text
            line.attributes.pop("_partial")
        else:
            line = Line(source, piece.text, piece.stream, piece.time)
            line.attributes |= {"attrs": piece.attrs} if piece.attrs is not None else {}
            lines.append(line)
        if piece.is_partial:
            line.attributes["_partial"] = True
            open_lines[(source, piece.stream)] = line
    return lines


AT = re.compile(r"[ \t]+at .*[(:].*")
FROM = re.compile(r"[ \t]+from .*:\d.*")
BETWEEN = re.compile(r"[ \t]*Caused by: .*|[ \t]+Suppressed: .*|[ \t]*\.\.\. \d.*|[ \t]*--- End of .*")
INNER = re.compile(r"[ \t]+---> .*")
CHAIN = re.compile(r"During handling of the above.*another exception occurred:|The above exception was the direct.*:")
GOROUTINE = re.compile(r"goroutine \d.*\]:")
GO_HEAD = re.compile(r"panic: .*|fatal error: .*|.*: panic serving .*|F\d{4} \d\d:.{12,}")
GO_FUNCTION = re.compile(r"created by .*|\S.*\(.*\)")


def state_of(line: str) -> str:
    if line.endswith("Traceback (most recent call last):"):
        return "python head"
    if GOROUTINE.fullmatch(line):
        return "go"
    return "go head" if GO_HEAD.fullmatch(line) else ""


def next_state(state: str, held: str | None, line: str) -> str | None:
    """The state after a line that goes on with the trace; "?" where the next line tells; None where it does not."""
    is_indented = line[:1] in (" ", "\t") and line != ""
    match state:
        case "" | "frames":
            if AT.fullmatch(line) or FROM.fullmatch(line) or INNER.fullmatch(line):
                return "braces" if line.endswith(" {") else "frames"
            return "frames" if state and BETWEEN.fullmatch(line) else None
        case "braces":
            return "braces" if is_indented else "frames" if line == "}" else None
        case "python head":
            return "python" if is_indented else None
        case "python":
            return "python" if is_indented else "python end" if line else None
        case "python end":
            if held is None:
                return None if line else "?"
            return "python chain" if CHAIN.match(line) else None
        case "python chain":
            return "python chain" if not line else "python head" if line.startswith("Traceback (") else None
        case "go head":
            if GOROUTINE.fullmatch(line):
                return "go"
            if line.startswith(("[signal ", "\tpanic: ")):
                return "go head"
            return "?" if not line and held is None else None
    if GOROUTINE.fullmatch(line):
        return None if held else "go"
    if line.startswith("\t"):
        return None if held == "" else "go"
    if held is not None:
        return None
    return "?" if not line or GO_FUNCTION.fullmatch(line) else None


def joined(rows: list[tuple[str, str]]) -> list[list[int]]:
    """The records that the rows make: of each, its rows."""
    records: list[list[int]] = []
    current: dict[str, tuple[list[int], str, int | None]] = {}

    def begin(source: str, row: int) -> None:
        records.append([row])
        current[source] = (records[-1], state_of(rows[row][1]), None)

    for row, (source, line) in enumerate(rows):
        if source not in current:
            begin(source, row)
            continue
        record, state, held = current[source]
        after = next_state(state, None if held is None else rows[held][1], line)
        if after is None and held is not None:
            begin(source, held)
            record, state, held = current[source]
            after = next_state(state, None, line)
        if after is None:
            begin(source, row)
        elif after == "?":
            current[source] = (record, state, row)
        else:
            record += [row] if held is None else [held, row]
            current[source] = (record, after, None)
    for _, _, held in current.values():
        if held is not None:
            records.append([held])
    return sorted(records)
