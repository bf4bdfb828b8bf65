"""Calls over gRPC within the memory for bodies."""

import threading
from collections.abc import Callable, Iterator
from typing import Final

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from ingest.protocols import otlp
from server.grpc_listener import UNREAD_BYTES
from tests.serving import ServerProcess, free_port

MIB: Final = 1 << 20
HELD: Final = "logstore_ingest_held_bytes"


def export(message: str) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = message
    return bytes(request.SerializeToString())


class Calling:
    """A server that has room for two messages of unknown size, and its channel."""

    def __init__(self, server: Callable[..., ServerProcess]) -> None:
        port = free_port()
        self.server = server(
            otlp_grpc_listen=f"127.0.0.1:{port}", max_body="8MiB", ingest_memory=2 * UNREAD_BYTES, ingest_wait="1s"
        )
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)])
        self.export = self.channel.stream_unary(otlp.EXPORT.path)

    def hold(self, message: bytes, release: threading.Event) -> grpc.Future:
        """A call whose message does not come before `release`."""

        def messages() -> Iterator[bytes]:
            release.wait()
            yield message

        return self.export.future(messages())


@pytest.fixture
def calling(server: Callable[..., ServerProcess]) -> Iterator[Calling]:
    running = Calling(server)
    with running.channel:
        yield running


def test_messages_count_before_and_after_they_are_there(calling: Calling) -> None:
    release = threading.Event()
    calls = [calling.hold(export("x" * (5 * MIB)), release) for _ in range(2)]
    try:
        calling.server.await_metric(f"{HELD} 8.388608e+06")
        assert calling.server.post(b'{"message": "no room"}\n').status_code == 429
        with pytest.raises(grpc.RpcError) as caught:
            calling.export(iter([export("no room")]))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        release.set()
    codes = {call.code() for call in calls}
    assert grpc.StatusCode.OK in codes or codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    calling.server.await_metric(f"{HELD} 0.0")
    assert calling.server.post(b'{"message": "room again"}\n').status_code == 200
    calling.export(iter([export("room again")]))


def test_a_caller_that_goes_away_gives_its_share_back(calling: Calling) -> None:
    release = threading.Event()
    call = calling.hold(export("never sent"), release)
    calling.server.await_metric(f"{HELD} 4.194304e+06")
    call.cancel()
    calling.server.await_metric(f"{HELD} 0.0")
    release.set()
