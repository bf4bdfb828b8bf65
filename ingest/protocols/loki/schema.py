"""Loki's push messages (grafana/loki, pkg/push/push.proto), made here so that nothing is generated at build time.

Texts are declared as bytes: agents written in Go send what is not UTF-8, and one such line must not fail its push.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "logstore.loki"
_KINDS: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final = {
    "PushRequest": {1: ("streams", "Stream", _KINDS.LABEL_REPEATED)},
    "Stream": {1: ("labels", "", _KINDS.LABEL_OPTIONAL), 2: ("entries", "Entry", _KINDS.LABEL_REPEATED)},
    "Entry": {
        1: ("timestamp", "Timestamp", _KINDS.LABEL_OPTIONAL),
        2: ("line", "", _KINDS.LABEL_OPTIONAL),
        3: ("metadata", "Pair", _KINDS.LABEL_REPEATED),
    },
    "Pair": {1: ("name", "", _KINDS.LABEL_OPTIONAL), 2: ("value", "", _KINDS.LABEL_OPTIONAL)},
}
"""Fields by number: name, message type or '' for bytes, label."""


def _push_request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="logstore/loki.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, label) in fields.items():
            if kind:
                type_name = f".{_PACKAGE}.{kind}"
                message.field.add(name=field, number=number, label=label, type=_KINDS.TYPE_MESSAGE, type_name=type_name)
            else:
                message.field.add(name=field, number=number, label=label, type=_KINDS.TYPE_BYTES)
    time = file.message_type.add(name="Timestamp")
    time.field.add(name="seconds", number=1, label=_KINDS.LABEL_OPTIONAL, type=_KINDS.TYPE_INT64)
    time.field.add(name="nanos", number=2, label=_KINDS.LABEL_OPTIONAL, type=_KINDS.TYPE_INT32)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.PushRequest"))


PushRequest: Final[Any] = _push_request()
"""`streams[].labels`, `.entries[].timestamp.{seconds, nanos}`, `.line`, `.metadata[].{name, value}`."""
