"""`logq histogram`: how many records when, drawn as bars of eighths of a character, split by severity."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

from logq.client import Client
from logq.config import target
from logq.errors import FOUND, NOTHING, Refusal, UsageError
from logq.notes import Progress, with_place
from logq.query import scoped_query, time_range
from logq.render import cell, encoded
from logq.terminal import DIM, SEVERITY_COLOURS, columns, painted, safe, wants_colour
from logq.times import duration_ns, moment

DEFAULT_BUCKETS: Final = 30
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_OTHER_COLOURS: Final = ("\x1b[34m", "\x1b[35m", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[31m")
_WORST_FIRST: Final = ("fatal", "error", "warn", "info", "debug", "trace")


def run(options: Namespace) -> int:
    """Draws, or writes the buckets; 0 if any record was counted."""
    server = target(options)
    query = scoped_query(options, server)
    params = {"q": query.text, **time_range(options), **_buckets(options)}
    if options.by:
        params["by"] = options.by
    with Progress("counting"):
        try:
            answer = Client(server).ask_json("/api/v1/histogram", params)
        except Refusal as refusal:
            raise with_place(refusal, query) from None
    buckets = answer.get("buckets", [])
    output = options.output or ("table" if sys.stdout.isatty() else "ndjson")
    if output == "json":
        text = json.dumps(answer, ensure_ascii=False) + "\n"
    elif output == "ndjson":
        text = "".join(json.dumps(bucket, ensure_ascii=False) + "\n" for bucket in buckets)
    else:
        is_coloured = wants_colour(options, sys.stdout)
        text = "".join(f"{line}\n" for line in drawn(buckets, columns(), colours=is_coloured))
    sys.stdout.buffer.write(encoded(text))
    return FOUND if any(bucket["count"] for bucket in buckets) else NOTHING


def drawn(buckets: Sequence[Mapping[str, Any]], size: int, *, colours: bool) -> list[str]:
    """A line a bucket: time, bar, count and its parts; as wide as the terminal at most."""
    if not buckets:
        return []
    times = _short_times([str(bucket["time"]) for bucket in buckets])
    largest = max(int(bucket["count"]) for bucket in buckets)
    count_width = len(f"{largest:,}")
    parts = [_parts(bucket.get("by") or {}) for bucket in buckets]
    legend_width = max(len(_legend(each)) for each in parts)
    bar_width = size - len(times[0]) - count_width - 4 - (legend_width + 2 if legend_width else 0)
    if bar_width < 20:
        bar_width, legend_width = max(10, size - len(times[0]) - count_width - 4), 0
    painter = _Painter(parts, colours=colours)
    lines = []
    for time, bucket, part in zip(times, buckets, parts, strict=True):
        count = int(bucket["count"])
        bar = painter.bar(count, part, count / largest * bar_width if largest else 0.0, bar_width)
        legend = f"  {painter.legend(part)}" if legend_width and part else ""
        lines.append(f"{painted(time, DIM if colours else '')}  {bar}  {count:>{count_width},}{legend}".rstrip())
    return lines


class _Painter:
    """Colours the parts of a bar, the same part the same colour in every bar."""

    def __init__(self, parts: Sequence[Mapping[str, int]], *, colours: bool) -> None:
        self._colours: dict[str, str] = {}
        names = sorted({name for part in parts for name in part})
        for index, name in enumerate(names):
            other = "" if name in ("", "other") else _OTHER_COLOURS[index % len(_OTHER_COLOURS)]
            self._colours[name] = SEVERITY_COLOURS.get(name, other) if colours else ""

    def bar(self, count: int, part: Mapping[str, int], length: float, size: int) -> str:
        """A bar of `length` characters to the eighth, filled to `size`; a count that is not 0 shows."""
        eighths = max(round(length * 8), 1 if count else 0)
        full, rest = divmod(eighths, 8)
        names = self._spread(part, count, full + (rest > 0))
        characters = "█" * full + (_EIGHTHS[rest] if rest else "")
        bar = ""
        for name, start, end in names:
            bar += painted(characters[start:end], self._colours.get(name, ""))
        return bar + " " * (size - len(characters))

    def legend(self, part: Mapping[str, int]) -> str:
        """`error 12  warn 3`."""
        return "  ".join(painted(f"{name} {count:,}", self._colours.get(name, "")) for name, count in part.items())

    def _spread(self, part: Mapping[str, int], count: int, cells: int) -> list[tuple[str, int, int]]:
        """Which cells belong to which part, in proportion."""
        spans: list[tuple[str, int, int]] = []
        done, start = 0, 0
        for name, share in [*part.items(), ("", max(0, count - sum(part.values())))]:
            done += share
            end = round(done / count * cells) if count else 0
            if end > start:
                spans.append((name, start, end))
                start = end
        return spans


def _parts(by: Mapping[str, Any]) -> dict[str, int]:
    """Worst severity first, then as they come; without what nothing tells of."""
    order = {name: index for index, name in enumerate(_WORST_FIRST)}
    named = sorted(by.items(), key=lambda item: order.get(item[0], len(order)))
    return {safe(cell(name), colours=False): int(count) for name, count in named if count and name}


def _legend(part: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {count:,}" for name, count in part.items())


def _short_times(times: Sequence[str]) -> list[str]:
    """Without what all have: fractions that are zero, seconds that are zero."""
    if any(not time[19:].startswith(".000000000") for time in times):
        return [time[:23] + "Z" for time in times]
    if any(time[17:19] != "00" for time in times):
        return [f"{time[:10]} {time[11:19]}Z" for time in times]
    return [f"{time[:10]} {time[11:16]}Z" for time in times]


def _buckets(options: Namespace) -> dict[str, str]:
    if options.interval:
        if duration_ns(options.interval) is None:
            raise UsageError(f"--interval: {options.interval!r} is no duration", "as 30s, 5m, 1h")
        return {"interval": moment(options.interval, "--interval").removeprefix("-")}
    return {"buckets": str(options.buckets or DEFAULT_BUCKETS)}
