"""`logq explain`: what a query would read, why it skips the rest, and what it cost where it was run."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from logq.client import Client
from logq.config import target
from logq.errors import FOUND, UsageError
from logq.facts import document
from logq.query import scoped_query, time_range
from logq.render import encoded
from logq.terminal import BOLD, DIM, columns, padded, painted, safe, wants_colour, width

REASON_MIN_WIDTH: Final = 30
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_DECIMALS_BELOW: Final = 10
_KILO: Final = 1000


def run(options: Namespace) -> int:
    """Shows it, or writes the server's answer as JSON."""
    if not options.words:
        raise UsageError("which query? logq explain QUERY")
    query = scoped_query(options, server := target(options))
    params = {"q": query.text, **time_range(options)}
    if options.analyze:
        params["analyze"] = "true"
    answer = document(Client(server), "/api/v1/explain", params, query)
    if (options.output or ("table" if sys.stdout.isatty() else "json")) == "json":
        text = json.dumps(answer, ensure_ascii=False) + "\n"
    else:
        is_coloured = wants_colour(options, sys.stdout)
        text = "".join(f"{line}\n" for line in shown(answer, columns(), colours=is_coloured))
    sys.stdout.buffer.write(encoded(text))
    return FOUND


def shown(answer: Mapping[str, Any], size: int, *, colours: bool) -> Iterator[str]:
    """The lines for a terminal of that many columns; an older server's answer has fewer of them. SQL is not wrapped."""
    bold, dim = (BOLD, DIM) if colours else ("", "")
    yield from _paragraph("reads", _reads(answer), size, bold)
    if "remembered" in answer:
        yield from _paragraph("remembered", _remembered(answer), size, bold)
    yield from _stages(answer.get("stages", ()), size, bold, dim)
    if "analyze" in answer:
        yield from _analyzed(answer["analyze"], size, bold, dim)
    yield ""
    yield painted("sql", bold)
    yield from (safe(line, colours=False) for line in str(answer.get("sql", "")).split("\n"))


def _reads(answer: Mapping[str, Any]) -> str:
    parts = [_share(answer.get("segments", {}), "segment"), _share(answer.get("row_groups", {}), "row group")]
    parts += [f"at most {_bytes(answer['bytes'])}"] if "bytes" in answer else []
    if answer.get("buffered_records"):
        parts.append(_some(answer["buffered_records"], "buffered record"))
    if answer.get("counted_records"):
        parts.append(f"{_some(answer['counted_records'], 'record')} counted without reading them")
    return ", ".join(filter(None, parts))


def _remembered(answer: Mapping[str, Any]) -> str:
    if answer["remembered"]:
        return "yes: asked again, nothing is read"
    known = answer.get("remembered_segments")
    return f"in part: {_some(known, 'segment')} would not be read again" if known else "no"


def _share(counts: Mapping[str, Any], unit: str) -> str:
    return f"{counts.get('read', 0):,} of {_some(counts['all'], unit)}" if "all" in counts else ""


def _stages(stages: Sequence[Mapping[str, Any]], size: int, bold: str, dim: str) -> Iterator[str]:
    """A line a stage: what comes in, what is left, why; the reason goes on in lines of its own column."""
    if not stages:
        return
    rows = [("stage", "in", "out", "why")]
    for stage in stages:
        unit = str(stage["unit"]).replace("_", " ").removesuffix("s")
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in stage["skipped"].items())
        why = f"skips {skipped}; {stage['reason']}" if skipped else str(stage["reason"])
        rows.append((str(stage["stage"]), _some(stage["in"], unit), f"{stage['out']:,}", why))
    cells = [tuple(safe(cell, colours=False) for cell in row) for row in rows]
    first, second, third = (max(width(row[at]) for row in cells) for at in range(3))
    indent = first + second + third + 6
    yield ""
    for at, (name, came, left, why) in enumerate(cells):
        head = f"{padded(name, first)}  {padded(came, second)}  {padded(left, third, right=True)}  "
        lines = list(_wrapped(why, max(size - indent, REASON_MIN_WIDTH)))
        yield painted(head + lines[0], bold) if at == 0 else head + painted(lines[0], dim)
        yield from (" " * indent + painted(line, dim) for line in lines[1:])


def _analyzed(figures: Mapping[str, Any], size: int, bold: str, dim: str) -> Iterator[str]:
    slices = figures["slices"]
    notes = (("narrowed", "for times alone first"), ("direct", "without SQL"), ("halved", "again in halves"))
    more = "".join(f", {slices[name]:,} {text}" for name, text in notes if slices.get(name))
    parts = [
        f"{_some(figures['rows'], 'row')} in {_ms(figures['ms'])}",
        f"read {_some(figures['row_groups'], 'row group')}, {_bytes(figures['bytes'])}, "
        f"{_some(figures['rows_scanned'], 'record')}",
        f"{slices['read']:,} of {_some(slices['all'], 'slice')} of time{more}",
    ]
    yield ""
    yield from _paragraph("analyzed", "; ".join(parts), size, bold)
    names = [safe(str(stage["stage"]).replace("_", " "), colours=False) for stage in figures["stages"]]
    times = [_ms(stage["ms"]) for stage in figures["stages"]]
    first, second = max(map(width, names), default=0), max(map(width, times), default=0)
    for stage, name, took in zip(figures["stages"], names, times, strict=True):
        cpu = f"  {painted(_ms(stage['cpu_ms']) + ' CPU', dim)}" if "cpu_ms" in stage else ""
        yield f"  {padded(name, first)}  {padded(took, second, right=True)}{cpu}"


def _paragraph(name: str, text: str, size: int, bold: str) -> Iterator[str]:
    indent = len("remembered") + 2
    for at, line in enumerate(_wrapped(safe(text, colours=False), max(size - indent, REASON_MIN_WIDTH))):
        yield (painted(padded(name, indent), bold) if at == 0 else " " * indent) + line


def _wrapped(text: str, size: int) -> Iterator[str]:
    """At least one line; a word that is too long is cut."""
    line = ""
    for word in _pieces(text.split(" "), size):
        if line and width(line) + 1 + width(word) > size:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _pieces(words: Iterable[str], size: int) -> Iterator[str]:
    for word in words:
        start = end = 0
        taken = 0
        for end, character in enumerate(word):
            taken += width(character)
            if taken > size:
                yield word[start:end]
                start, taken = end, width(character)
        yield word[start:]


def _some(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _bytes(count: int) -> str:
    amount, unit = float(count), 0
    while amount >= _KILO and unit < len(_UNITS) - 1:
        amount, unit = amount / _KILO, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit and amount < _DECIMALS_BELOW else f"{amount:.0f} {_UNITS[unit]}"


def _ms(amount: float) -> str:
    return f"{amount:,.1f} ms"
