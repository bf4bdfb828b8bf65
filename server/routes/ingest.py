"""POST /api/v1/logs: a body in, its records durable, one answer out. A plain ASGI endpoint."""

from starlette.types import Receive, Scope, Send

from server.errors import message_response
from server.params import Params
from server.service import Service


class IngestParams(Params):
    """Defaults for records that do not say it themselves."""


class Ingest:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await message_response(501, "not yet")(scope, receive, send)
