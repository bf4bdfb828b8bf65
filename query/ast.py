"""What a query says, as plain data: filters and expressions (one family, so one evaluator), and pipes.

Every node compares by what it says, not by where it stands: `at`, its place in the text, does not count.
A filter is an expression whose left side is a field's name; `x != y` is `Not` of `x = y`, and so on.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from logstore.errors import Position

START = Position(1, 1)


class Operator(StrEnum):
    """How two values are compared."""

    EQ = "="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


class Affix(StrEnum):
    """Where a text has to stand in a value."""

    ANYWHERE = "*="
    START = "^="
    END = "$="


class Dimension(StrEnum):
    DURATION = "duration"
    SIZE = "size"


# Values that a query writes out


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted value, or an unquoted one that is no number and has no unit."""

    value: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """An unquoted number, kept as it was written."""

    text: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit, as it was written: `250ms`, `1h30m`, `10MB`; `amount` is in ns or bytes."""

    text: str
    dimension: Dimension
    amount: int
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Null:
    at: Position = field(default=START, compare=False, repr=False)


Literal: TypeAlias = Text | Number | Quantity

# Expressions


@dataclass(frozen=True, slots=True)
class Name:
    """A field: the column of that name if there is one, else the attribute, else the label."""

    name: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the registry in query/sql/functions.py."""

    function: str
    arguments: tuple["Expression", ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negative:
    operand: "Expression"
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+`, `-`, `*`, `/` or `%` of two numbers; null if either is none or the result is not finite."""

    operator: str
    left: "Expression"
    right: "Expression"
    at: Position = field(default=START, compare=False, repr=False)


# Conditions: true or false, never null


@dataclass(frozen=True, slots=True)
class All:
    """`*`: every record."""

    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """The text stands in the value, neither starting nor (unless `prefix`) ending inside a word.

    Case does not count.
    """

    target: "Expression"
    text: str
    prefix: bool = False
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Present:
    """`field:*`: there, not null and not empty."""

    target: "Expression"
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: Operator
    left: "Expression"
    right: "Expression"
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """`=~`: RE2, anywhere in the value."""

    target: "Expression"
    pattern: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Contains:
    """`*=`, `^=`, `$=`: the value contains, starts with or ends with the text; case counts."""

    target: "Expression"
    affix: Affix
    text: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """`in (a, b)`: the value's text form is one of these."""

    target: "Expression"
    values: tuple[str, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InQuery:
    """`in (filter | pipe …)`: the value's text form is among the one column of that query's answer."""

    target: "Expression"
    query: "Query"
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """A condition whose answer `records` has as a column, in the place of one that a query says."""

    column: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    items: tuple["Expression", ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple["Expression", ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    item: "Expression"
    at: Position = field(default=START, compare=False, repr=False)


Condition: TypeAlias = (
    All | Phrase | Present | Comparison | Match | Contains | OneOf | InQuery | Decided | And | Or | Not
)
Expression: TypeAlias = Text | Number | Quantity | Boolean | Null | Name | Call | Negative | Arithmetic | Condition
Filter: TypeAlias = Expression
"""What stands before the first pipe; always a condition."""

# Pipes


@dataclass(frozen=True, slots=True)
class Where:
    condition: Expression
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fields:
    """Only these fields come out, and only they are seen by later pipes."""

    names: tuple[Name, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    name: str
    expression: Expression
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Extend:
    """New fields; each assignment sees those before it."""

    assignments: tuple[Assignment, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`p99(duration_ms) as slow`; `name` is what the column is called."""

    function: str
    argument: Expression | None
    name: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """What rows are grouped by, and what that column is called."""

    expression: Expression
    name: str
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stats:
    aggregates: tuple[Aggregate, ...]
    by: tuple[Key, ...] = ()
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SortKey:
    name: Name
    descending: bool = False
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sort:
    keys: tuple[SortKey, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Limit:
    rows: int
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Top:
    """The `rows` most frequent combinations of the fields, with their `count`, most frequent first."""

    rows: int
    names: tuple[Name, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Uniq:
    """Each combination of the fields once, as its first row has it, in the order that pipes see; nothing else of it."""

    names: tuple[Name, ...]
    at: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Patterns:
    """The `rows` most frequent patterns of the records' messages: texts with a wildcard for each word with a digit."""

    rows: int
    at: Position = field(default=START, compare=False, repr=False)


Pipe: TypeAlias = Where | Fields | Extend | Stats | Sort | Limit | Top | Uniq | Patterns


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `now_ns` is what its relative times count from."""

    filter: Filter
    pipes: tuple[Pipe, ...] = ()
    now_ns: int = field(default=0, compare=False)


Node: TypeAlias = Expression | Pipe | Assignment | Aggregate | Key | SortKey | Query
