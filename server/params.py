"""Request parameters, from query string, form or JSON object, into one model; nothing unknown passes."""

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from logstore.errors import InvalidInput

PARAMETERS_MAX: Final = 64

Model = TypeVar("Model", bound="Params")


class Params(BaseModel):
    """Base of all parameter models; a field's description is its documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def from_query_string(model: type[Model], query_string: bytes) -> Model:
    """The parameters of a URL. Raises InvalidInput."""
    return validate(model, _pairs(query_string, "the query string"))


def from_body(model: type[Model], body: bytes, content_type: str, query_string: bytes) -> Model:
    """The parameters of a POST: a JSON object or a form, and the URL's. Raises InvalidInput."""
    given = _pairs(query_string, "the query string")
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        in_body: dict[str, Any] = {}
    elif kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        in_body = _pairs(body, "the form")
    else:
        in_body = _json_object(body)
    for name in in_body:
        if name in given:
            raise InvalidInput(f"parameter {name!r} is given in the URL and in the body")
    return validate(model, {**given, **in_body})


def validate(model: type[Model], given: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise InvalidInput("; ".join(_explain(error, model))) from None


def openapi_parameters(model: type[Params]) -> list[dict[str, Any]]:
    """The model as OpenAPI query parameters."""
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": part.pop("description", ""),
            "schema": {key: value for key, value in part.items() if key != "title"},
        }
        for name, part in schema["properties"].items()
    ]


def _pairs(text: bytes, where: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            text.decode("ascii" if where == "the query string" else "utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except UnicodeDecodeError:
        raise InvalidInput(f"{where} is not percent-encoded UTF-8") from None
    except ValueError:
        raise InvalidInput(f"{where} has more than {PARAMETERS_MAX} parameters") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"parameter {name!r} is given twice")
        found[name] = value
    return found


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidInput("the body is nested too deeply") from None
    except ValueError as error:
        raise InvalidInput(f"the body is no JSON object: {error}") from None
    if not isinstance(content, dict):
        raise InvalidInput('the body must be a JSON object, such as {"q": "error", "start": "-1h"}')
    return content


def _no_constant(name: str) -> Callable[[], None]:
    raise ValueError(f"{name} is no JSON")


def _explain(error: ValidationError, model: type[Params]) -> Iterable[str]:
    for item in error.errors(include_url=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            yield f"unknown parameter {name!r}{_nearest(name, model)}"
        elif item["type"] == "missing":
            yield f"parameter {name!r} is missing"
        else:
            yield f"parameter {name!r}: {item['msg'].removeprefix('Value error, ')}"


def _nearest(name: str, model: type[Params]) -> str:
    known = list(model.model_fields)
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; there are {', '.join(known)}" if known else ""
