"""Records of the corpus as agents write them, in each protocol, with the metadata that agents of Kubernetes add."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgpack
import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.ingest.exports import export
from tests.ingest.pushes import Entry, Stream, push, snappy

Record = Mapping[str, Any]
IDENTITY: Final = ("namespace", "pod", "container", "stream")


def native(records: Sequence[Record]) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def elasticsearch(records: Sequence[Record]) -> bytes:
    """As Fluent Bit's `es` output with the filter `kubernetes`."""
    return b"".join(b'{"create":{"_index":"logs"}}\n' + orjson.dumps(_document(record)) + b"\n" for record in records)


def documents(records: Sequence[Record]) -> bytes:
    """As Fluent Bit's `http` output with `format json_lines`."""
    return b"".join(orjson.dumps(_document(record)) + b"\n" for record in records)


def splunk(records: Sequence[Record]) -> bytes:
    """As Fluent Bit's `splunk` output."""
    return b"".join(
        orjson.dumps({"time": round(time_ns(record) / 1e9, 6), "event": {"time": record["time"], **_kept(record)}})
        for record in records
    )


def datadog(records: Sequence[Record]) -> bytes:
    """As the Datadog agent."""
    return orjson.dumps(list(map(_datadog_log, records)))


def datadog_lines(records: Sequence[Record]) -> bytes:
    """The same fields as NDJSON."""
    return native(list(map(_datadog_log, records)))


def forward(records: Sequence[Record]) -> bytes:
    """As Fluent Bit's `forward` output: one packed message."""
    packer = msgpack.Packer()
    entries = b"".join(
        packer.pack([msgpack.ExtType(0, struct.pack(">II", *divmod(time_ns(record), 1_000_000_000))), _kept(record)])
        for record in records
    )
    return bytes(packer.pack(["kube.var.log.containers.all", entries, {"size": len(records)}]))


def syslog(records: Sequence[Record]) -> bytes:
    """As rsyslog's `RSYSLOG_SyslogProtocol23Format`, with counted octets."""
    frames = (
        f"<14>1 {record['time']} {record['pod']} {record['container']} - - - {record['message']}".encode()
        for record in records
    )
    return b"".join(b"%d %s" % (len(frame), frame) for frame in frames)


def gelf(records: Sequence[Record]) -> bytes:
    """As docker's `gelf` driver."""
    return b"".join(
        orjson.dumps(
            {
                "version": "1.1",
                "host": "node-1",
                "short_message": record["message"],
                "timestamp": time_ns(record) / 1e9,
                "level": 6,
                "_container_name": f"k8s_{record['container']}_{record['pod']}_{record['namespace']}_uid_0",
            }
        )
        + b"\0"
        for record in records
    )


def journald(records: Sequence[Record]) -> bytes:
    """As systemd-journal-upload: a unit's output, with all that journald knows of it."""
    return export(*(_journal_entry(record) for record in records))


def journal_lines(records: Sequence[Record]) -> bytes:
    """The same fields as NDJSON."""
    return native([{"time": record["time"], **_journal_entry(record, "message")} for record in records])


def loki(records: Sequence[Record]) -> bytes:
    """As Promtail: a stream for each container, in a block of snappy."""
    return snappy(push(*(_loki_stream(key, some) for key, some in _by_source(records))))


def otlp(records: Sequence[Record]) -> bytes:
    """As the OpenTelemetry Collector: a resource for each container."""
    request = ExportLogsServiceRequest()
    for (namespace, pod, container, stream), some in _by_source(records):
        group = request.resource_logs.add()
        names = {"k8s.namespace.name": namespace, "k8s.pod.name": pod, "k8s.container.name": container}
        for name, value in names.items():
            group.resource.attributes.add(key=name).value.string_value = value
        logs = group.scope_logs.add().log_records
        for record in some:
            log = logs.add(time_unix_nano=time_ns(record), severity_number=9)
            log.body.string_value = record["message"]
            log.attributes.add(key="log.iostream").value.string_value = stream
    return bytes(request.SerializeToString())


def _datadog_log(record: Record) -> dict[str, Any]:
    return {
        "message": record["message"],
        "status": "info",
        "timestamp": time_ns(record) // 1_000_000,
        "service": record["container"],
        "ddsource": record["container"],
        "ddtags": f"kube_namespace:{record['namespace']},pod_name:{record['pod']},"
        f"kube_container_name:{record['container']}",
    }


def _journal_entry(record: Record, message: str = "MESSAGE") -> dict[str, str]:
    time_us, hashed = time_ns(record) // 1000, hash(record["message"])
    return {
        "__CURSOR": f"s={'a' * 32};i={time_us:x};b={'b' * 32};m={time_us:x};t={time_us:x};x={hashed:x}",
        "__REALTIME_TIMESTAMP": f"{time_us}",
        "__MONOTONIC_TIMESTAMP": f"{time_us % 10**12}",
        "_BOOT_ID": "b" * 32,
        "_TRANSPORT": "stdout",
        "PRIORITY": "6",
        "SYSLOG_FACILITY": "3",
        "_UID": "1000",
        "_GID": "1000",
        "_CAP_EFFECTIVE": "0",
        "_SELINUX_CONTEXT": "unconfined\n",
        "_MACHINE_ID": "c" * 32,
        "_HOSTNAME": "node-1",
        "SYSLOG_IDENTIFIER": record["container"],
        message: record["message"],
        "_PID": "812",
        "_COMM": record["container"],
        "_EXE": f"/usr/bin/{record['container']}",
        "_CMDLINE": f"/usr/bin/{record['container']} --verbose",
        "_SYSTEMD_CGROUP": f"/system.slice/{record['container']}.service",
        "_SYSTEMD_UNIT": f"{record['container']}.service",
        "_SYSTEMD_SLICE": "system.slice",
        "_STREAM_ID": "d" * 32,
    }


def time_ns(record: Record) -> int:
    text = str(record["time"])
    second = int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
    return second * 1_000_000_000 + int(text[20:-1].ljust(9, "0"))


def _document(record: Record) -> dict[str, Any]:
    return {"@timestamp": record["time"], **_kept(record)}


def _kept(record: Record) -> dict[str, Any]:
    return {
        "log": record["message"],
        "stream": record["stream"],
        "kubernetes": {
            "pod_name": record["pod"],
            "namespace_name": record["namespace"],
            "container_name": record["container"],
            "host": "node-1",
            "labels": {"app": record["container"]},
        },
    }


def _by_source(records: Sequence[Record]) -> Iterator[tuple[tuple[str, ...], list[Record]]]:
    found: defaultdict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        found[tuple(record[name] for name in IDENTITY)].append(record)
    return iter(found.items())


def _loki_stream(key: tuple[str, ...], records: Sequence[Record]) -> Stream:
    labels = "{" + ", ".join(f'{name}="{value}"' for name, value in zip(IDENTITY, key, strict=True)) + "}"
    return Stream(labels, tuple(Entry(time_ns(record), str(record["message"]).encode()) for record in records))
