"""The OpenAPI description of the routes that are plain ASGI applications, beside those FastAPI describes itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from server.params import Params, openapi_parameters


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, for the description."""

    method: str
    path: str
    tag: str
    summary: str
    params: type[Params]
    bodies: Mapping[str, str] = field(default_factory=dict)
    """Media type → example."""

    def describe(self) -> dict[str, Any]:
        described: dict[str, Any] = {
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": openapi_parameters(self.params),
            "responses": {"200": {"description": "OK"}},
        }
        if self.bodies:
            content = {media_type: {"example": example} for media_type, example in self.bodies.items()}
            described["requestBody"] = {"content": content}
        return described


def describe_also(app: FastAPI, operations: list[Operation]) -> None:
    """Make `app.openapi()`, and with it /openapi.json, tell of `operations` too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            for operation in operations:
                methods = schema["paths"].setdefault(operation.path, {})
                methods[operation.method] = operation.describe()
            schema["paths"] = dict(sorted(schema["paths"].items()))
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
