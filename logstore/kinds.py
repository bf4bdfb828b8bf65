"""What kind of column a key of attributes is: chosen once for the whole store, and kept in the catalog."""

import threading
from collections.abc import Sequence

from logstore.attributes import Kind
from logstore.catalog import Catalog
from logstore.columns import choose_kinds
from logstore.survey import KeyFacts


class Kinds:
    """The kinds of a store's keys; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known = catalog.attribute_kinds()
        self._choosing = threading.Lock()

    def of(self, facts: Sequence[KeyFacts]) -> dict[str, Kind]:
        """The kinds of these keys, chosen now where none was; a key that cannot have a column has none."""
        with self._choosing:
            chosen = choose_kinds(facts, self._known)
            if chosen:
                self._catalog.add_attribute_kinds(chosen)
                self._known = {**self._known, **chosen}
            return {key.key: self._known[key.key] for key in facts if key.key in self._known}
