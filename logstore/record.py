"""The canonical record: one Arrow schema that every protocol decodes to and every stage passes on."""

from typing import Final

import pyarrow as pa

IDENTITY: Final = ("cluster", "namespace", "pod", "container")
SEVERITIES: Final = ("trace", "debug", "info", "warn", "error", "fatal")
IDENTITY_MAX_BYTES: Final = 253
NODE_NAMESPACE: Final = "_node"

DAY_NS: Final = 86_400 * 1_000_000_000
TIME_MIN_NS: Final = -9_214_560_000_000_000_000
"""1678-01-01T00:00:00Z; an earlier time is replaced by the receiver's."""
TIME_MAX_NS: Final = 9_214_646_400_000_000_000 - 1
"""The last nanosecond of 2261."""

WORD: Final = pa.dictionary(pa.int32(), pa.string())
"""The type of columns whose texts come again and again."""

SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.timestamp("ns"), nullable=False),
        pa.field("cluster", WORD, nullable=False),
        pa.field("namespace", WORD, nullable=False),
        pa.field("pod", WORD, nullable=False),
        pa.field("container", WORD, nullable=False),
        pa.field("stream", WORD, nullable=False),
        pa.field("severity", WORD, nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("labels", WORD),
        pa.field("trace_id", pa.string()),
        pa.field("span_id", pa.string()),
        pa.field("attributes", pa.string()),
    ]
)
"""A record as accepted. `labels` and `attributes` are JSON object texts, null where there are none;
`labels` has its keys sorted, so that equal label sets are equal texts."""

SEQ: Final = pa.field("_seq", pa.int64(), nullable=False)

STORED: Final = SCHEMA.append(SEQ)
"""A record as kept: numbered in the order of acceptance."""

COLUMNS: Final = tuple(STORED.names)
