"""Fluent forward, the protocol of Fluent Bit, Fluentd, Docker's driver and the fluent-logger libraries.

`begin` starts a conversation, `TAKE` decodes its frames. Source: the Forward Protocol Specification v1 and v1.5.
"""

from ingest.protocols.forward.conversation import Heartbeats, begin
from ingest.protocols.forward.decode import NAME, TAKE
from ingest.protocols.forward.handshake import Keys

__all__ = ["NAME", "TAKE", "Heartbeats", "Keys", "begin"]
