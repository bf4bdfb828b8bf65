"""Elasticsearch's `_bulk`, and what its clients ask besides: at the root, below /elasticsearch and below /es.

Documents are read as `ingest.documents` says; the name of the index becomes the attribute `es.index`. Deletions find
nothing, updates are kept as the documents that they bring: a log is only added to.
"""

from typing import Final

from ingest.protocol import Protocol
from ingest.protocols.elasticsearch.answers import refuse
from ingest.protocols.elasticsearch.probes import PROBES
from ingest.protocols.elasticsearch.writes import BULK, ONE

NAME: Final = "elasticsearch"
CHALLENGE: Final = 'Basic realm="security", ApiKey'
PROTOCOL: Final = Protocol(
    NAME, (BULK, ONE), refuse, PROBES, prefixes=("/elasticsearch", "/es", ""), challenge=CHALLENGE
)
