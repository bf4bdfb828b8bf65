"""Health and metrics, for the machines that look after this one."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.access import Readiness
from server.errors import json_response, message_response
from server.service import Service

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """Endpoints over the readiness of one server."""

    def __init__(self, service: Service, readiness: Readiness) -> None:
        self._service = service
        self._readiness = readiness

    async def healthz(self, _request: Request) -> Response:
        """The process answers; no more is asked, so that a slow recovery is not killed."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """200 when records are taken and queries answered, else 503 with the reason."""
        if self._readiness.is_ready:
            return json_response({"status": "ready"})
        return message_response(503, self._readiness.reason, {"retry-after": "1"})

    async def metrics(self, _request: Request) -> Response:
        content = await self._service.administer(self._service.telemetry.render)
        return Response(content, media_type=PROMETHEUS)
