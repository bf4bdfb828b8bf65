"""Text → AST."""

from query.ast import Query


def parse(text: str, now_ns: int | None = None) -> Query:
    """Parse a query; relative times in it count from `now_ns` (the clock's, unless given).

    Raises:
        InvalidQuery: with position and hint.
    """
    raise NotImplementedError
