"""What a query needs, known before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from query.ast import Query


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every record that the query can see satisfies: start inclusive, end exclusive.

    `identity`: the values that cluster, namespace, pod, container can have; one not named can have any.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    identity: Mapping[str, frozenset[str]] = field(default_factory=dict)


def bounds(query: Query) -> Bounds:
    """Bounds of the records that the query's own filter accepts (a subquery reads others)."""
    raise NotImplementedError


def is_rowwise(query: Query) -> bool:
    """Whether each row of the answer depends on one record alone: where, extend, fields, and no subquery."""
    raise NotImplementedError


def has_subquery(query: Query) -> bool:
    """Whether the query reads records that its own bounds do not cover."""
    raise NotImplementedError


def columns(query: Query) -> frozenset[str]:
    """The stored columns that the query reads, with what its order and its answer need."""
    raise NotImplementedError
