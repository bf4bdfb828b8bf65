"""Lines that readers of different filters share, against those that each would have had by itself."""

import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.record import IDENTITY, STORED
from query.sharing import SharedLines
from query.sql import Column, Kind

COLUMNS = (Column("message", Kind.TEXT),)
MESSAGES = st.lists(st.text() | st.sampled_from(["\r\n", "\n", "\x0b\x1c\x85\u2028", ""]), min_size=1, max_size=20)


@given(st.data(), MESSAGES)
def test_each_reader_gets_its_lines_and_their_numbers(data: st.DataObject, messages: list[str]) -> None:
    others = dict.fromkeys((*IDENTITY, "stream", "severity"), "")
    told = [{**others, "time": 0, "message": message, "_seq": 7 + at} for at, message in enumerate(messages)]
    records = pa.Table.from_pylist(told, schema=STORED)
    rows = st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)).map(np.array)
    masks = data.draw(st.lists(rows, min_size=1, max_size=4))
    shared = SharedLines(COLUMNS, records, masks)
    for mask in (*masks, masks[0] & data.draw(rows)):
        got = shared.of(mask)
        expected = [at for at in range(len(messages)) if mask[at]]
        assert [json.loads(line)["message"] for line in got.lines.split(b"\n")[:-1]] == [
            messages[at] for at in expected
        ]
        assert got.seqs == tuple(7 + at for at in expected)
        assert got.rows == len(expected)
