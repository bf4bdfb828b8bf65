"""Writes logstore/native/word_table.h, RE2's letters and digits: `python -m tests.native.word_table`."""

from pathlib import Path

import duckdb

TABLE = Path(__file__).parents[2] / "logstore" / "native" / "word_table.h"
SURROGATES = range(0xD800, 0xE000)
RANGES_A_LINE = 6


def word_characters() -> set[int]:
    """The code points above ASCII of the categories L and N."""
    query = r"""
        SELECT i FROM range(128, 1114112) t(i)
        WHERE (i < 55296 OR i > 57343) AND regexp_matches(chr(i::INTEGER), '^[\pL\pN]$')
    """
    return {code for (code,) in duckdb.connect().execute(query).fetchall()}


def ranges(codes: set[int]) -> list[tuple[int, int]]:
    """First and last of each run of neighbours."""
    firsts = sorted(code for code in codes if code - 1 not in codes)
    lasts = sorted(code for code in codes if code + 1 not in codes)
    return list(zip(firsts, lasts, strict=True))


def source(codes: set[int]) -> str:
    items = [f"{{0x{first:04X}, 0x{last:04X}}}," for first, last in ranges(codes)]
    lines = [" ".join(items[i : i + RANGES_A_LINE]) for i in range(0, len(items), RANGES_A_LINE)]
    return "\n".join(
        [
            "/* Letters and digits above ASCII (Unicode's categories L and N), as first and last of each range.",
            " * Generated: python -m tests.native.word_table */",
            "static const uint32_t word_ranges[][2] = {",
            *(f"    {line}" for line in lines),
            "};",
            "",
        ]
    )


if __name__ == "__main__":
    TABLE.write_text(source(word_characters()))
