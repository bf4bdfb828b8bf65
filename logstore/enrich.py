"""What a line says of itself: attributes and severity, read once for every record, whatever its protocol.

A line is read as the first of these that it is; their keys join the attributes, where pushed ones win:

- **JSON**: exactly one object, blanks around it allowed. Its keys are the attributes, types kept; of a repeated key
  the last value counts.
- **klog**: `Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg`, L one of I W E F: the attributes `thread` and `line`
  (numbers) and `source` (the file's name).
- **logfmt**: two or more `key=value`, and nothing else but blanks. A key is letters, digits and `_ . - / @`, not
  beginning with a digit, dot, dash or slash; a value is a JSON string in quotes, or a run (also an empty one) without
  blanks, quotes and `=`. Values are kept as strings, numbers too: the query language compares them as numbers.

Any other line is plain and adds nothing. A JSON line nested deeper than 128 levels is left as it is, with the
attribute `_ingest_error`.

Severity, where the sender gave none, is the first known word or number (as `severity_of_word` in
logstore/native/severity.c has it) among the attributes `severity`, `level`, `lvl`, `loglevel`, `log.level`,
`levelname`, `level_name` (Monolog), `Level`, `LogLevel` (.NET), `@level` (HashiCorp's), `@l` (Serilog's),
`severityText`, `severity_text`; else the klog letter; else, in a plain or klog line, the first of these that begins
within its first 96 bytes: an upper-case word (`WARN`, `ERROR`, `INFO`…) between blanks or brackets, or before `:` or
`,`; the word in any case in square brackets (`[error]`, `[core:error]`); the word in any case that begins the line,
before a colon (`error: …`).

A JSON line without blanks around it is not kept twice. Until somebody reads them (`whole`), its attributes are
`AS_MESSAGE` if it came without any, else the pushed ones, left open with a comma where the line's members follow; if
it has one that was pushed too, they are put together here.
"""

import ctypes
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import KERNEL_OK, KERNEL_REFUSED, ColumnBuffer, TextColumn, kernel, text_addresses
from logstore.native.arrays import ArrayInput
from logstore.record import SEVERITIES, STORED

_Records = TypeVar("_Records", pa.Table, pa.RecordBatch)
AS_MESSAGE: Final = ""
"""Attributes of an enriched record that are its very message."""
OPEN_END: Final = ","
"""Ends the attributes of an enriched record after which its message's members follow."""
_CODE: Final = pa.int32()
_WORDS: Final = pa.array(("", *SEVERITIES), pa.string())
_SEVERITY: Final = STORED.get_field_index("severity")
_ATTRIBUTES: Final = STORED.get_field_index("attributes")


class _Request(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("message_offsets", ctypes.c_void_p),
        ("message", ctypes.c_void_p),
        ("attribute_offsets", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("attribute_validity", ctypes.c_void_p),
        ("validity_at", ctypes.c_int64),
        ("severities", ctypes.c_void_p),
    )


class _Result(ctypes.Structure):
    _fields_ = (("severities", ColumnBuffer), ("attributes", TextColumn))


_enrich: Final = kernel("kernel_enrich", ctypes.POINTER(_Request), ctypes.POINTER(_Result))
_whole: Final = kernel(
    "kernel_attributes_whole",
    ctypes.c_int64,
    ctypes.POINTER(ArrayInput),
    ctypes.POINTER(ArrayInput),
    ctypes.POINTER(TextColumn),
)


def enrich(records: pa.RecordBatch) -> pa.RecordBatch:
    """The records with what their lines say filled in; every other column is the same.

    Cannot fail: a line of which anything is unsure stays as it was.
    """
    if not records.num_rows:
        return records
    message, attributes = records.column("message"), records.column("attributes")
    codes = _codes(records.column("severity"))
    request = _Request(
        records.num_rows,
        *text_addresses(message),
        *text_addresses(attributes),
        _validity_address(attributes),
        attributes.offset,
        codes.buffers()[1].address + 4 * codes.offset,
    )
    result = _Result()
    if _enrich(ctypes.byref(request), ctypes.byref(result)) != KERNEL_OK:
        return records
    rows = records.num_rows
    severity = pa.DictionaryArray.from_arrays(result.severities.to_array(rows, _CODE), _WORDS)
    told = records.set_column(_SEVERITY, records.schema.field(_SEVERITY), severity)
    return told.set_column(_ATTRIBUTES, records.schema.field(_ATTRIBUTES), result.attributes.to_array(rows))


def whole(records: _Records) -> _Records:
    """Enriched records with all attributes in their place."""
    if isinstance(records, pa.Table):
        return pa.Table.from_batches([whole(batch) for batch in records.to_batches()], records.schema)
    attributes, messages = (ArrayInput.of(records.column(name)) for name in ("attributes", "message"))
    told = TextColumn()
    status = _whole(records.num_rows, ctypes.byref(attributes), ctypes.byref(messages), ctypes.byref(told))
    if status == KERNEL_REFUSED:
        raise OverflowError("the attributes are more than one array can hold")
    if status != KERNEL_OK:
        raise MemoryError("whole")
    return records.set_column(_ATTRIBUTES, records.schema.field(_ATTRIBUTES), told.to_array(records.num_rows))


def _codes(severity: pa.DictionaryArray) -> pa.Int32Array:
    """Each row's severity as a position in `_WORDS`."""
    if severity.dictionary.equals(_WORDS):
        return severity.indices
    return pc.fill_null(pc.index_in(severity.dictionary, _WORDS), 0).take(severity.indices)


def _validity_address(column: pa.StringArray) -> int:
    validity = column.buffers()[0]
    return validity.address if validity else 0
