"""The attributes of a segment's records, put together in SQL of what its file has."""

from collections.abc import Sequence

from logstore.attributes import Kind
from logstore.columns import AttributeColumns
from query import extension
from query.keys import quoted_name
from query.sql.fragment import literal


def whole_attributes(each: Sequence[AttributeColumns]) -> tuple[str, bool]:
    """Of records of several segments, which are all those of their messages alone, or not all; and whether the
    segments' files have to be read by the names of all their columns."""
    kinds = {key: kind for one in each for key, kind in one.kinds}
    omitted = list(dict.fromkeys(key for one in each for key in one.omitted))
    if not kinds and not omitted:
        return "attributes", False
    if all(one.of_line for one in each):
        return "line_attributes(message)", False
    return _joined(kinds, omitted), any(one.kinds != each[0].kinds for one in each)


def _joined(kinds: dict[str, Kind], omitted: list[str]) -> str:
    """What is left of them, their columns and the message."""
    columns = "".join(f", {quoted_name(key)}" for key in kinds)
    return f"whole_attributes(attributes, message, {literal(extension.told(list(kinds), omitted))}{columns})"
