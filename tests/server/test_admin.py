"""The administration commands, as an operator types them."""

import gzip
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.corpus import records
from tests.serving import PROGRAM, ServerProcess

Start = Callable[..., ServerProcess]
COUNT = 1_000


def logstore(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """A data directory filled by `logstore import`, and the records."""
    directory = tmp_path_factory.mktemp("admin")
    made = records(COUNT, seed=3)
    source = directory / "records.ndjson.gz"
    source.write_bytes(gzip.compress("\n".join(json.dumps(record) for record in made).encode()))
    done = logstore("import", source, "--data", directory / "data")
    assert (done.returncode, done.stdout) == (0, b"1000 records imported, 0 lines not taken\n"), done.stderr
    yield directory / "data", made


Imported = tuple[Path, list[dict[str, Any]]]


def exported(data: Path, *flags: str) -> list[dict[str, Any]]:
    done = logstore("export", *flags, "--data", data)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_export_gives_back_what_was_imported_oldest_first(imported: Imported) -> None:
    data, made = imported
    keys = ("namespace", "pod", "container", "stream", "message")
    assert [[r[k] for k in keys] for r in exported(data)] == [[r[k] for k in keys] for r in made]
    shop = [r["message"] for r in made if r["namespace"] == "shop"]
    assert [r["message"] for r in exported(data, "namespace=shop")] == shop


def test_parquet_goes_in_and_out(imported: Imported, tmp_path: Path) -> None:
    data, _ = imported
    done = logstore("export", "--format", "parquet", "--data", data)
    (tmp_path / "all.parquet").write_bytes(done.stdout)
    assert logstore("import", tmp_path / "all.parquet", "--data", tmp_path / "copy").returncode == 0
    assert exported(tmp_path / "copy") == exported(data)
    files = logstore("files", "--data", data).stdout.decode().splitlines()
    assert logstore("import", *files, "--data", tmp_path / "again").returncode == 0
    order = lambda record: (record["time"], record["message"])  # noqa: E731
    assert sorted(exported(tmp_path / "again"), key=order) == sorted(exported(data), key=order)


def test_files_lists_what_holds_every_record(imported: Imported) -> None:
    data, _ = imported
    listed = logstore("files", "--sql", "--data", data).stdout.decode()
    query = f"select count(*) from read_parquet([{listed}], union_by_name=true, hive_partitioning=true)"
    assert duckdb.sql(query).fetchall() == [(COUNT,)]
    described = [json.loads(line) for line in logstore("files", "--json", "--data", data).stdout.splitlines()]
    assert sum(file["rows"] for file in described) == COUNT
    assert all(Path(file["path"]).stat().st_size == file["bytes"] for file in described)


def test_check_finds_no_damage_and_then_the_damage(imported: Imported, tmp_path: Path) -> None:
    data, _ = imported
    backup = tmp_path / "backup"
    assert logstore("backup", backup, "--data", data).returncode == 0
    sound = logstore("check", "--data", backup)
    assert (sound.returncode, b"no damage" in sound.stdout) == (0, True)
    victim = next((backup / "segments").rglob("*.parquet"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.unlink()  # it may be a hard link to the original
    victim.write_bytes(content)
    damaged = logstore("check", "--data", backup)
    assert damaged.returncode == 1
    assert str(victim).encode() in damaged.stdout
    victim.unlink()
    assert b"it is not there" in logstore("check", "--data", backup).stdout
    assert logstore("check", "--data", data).returncode == 0


def test_check_reads_what_the_first_version_wrote(tmp_path: Path) -> None:
    old = shutil.copytree(Path(__file__).parents[1] / "data" / "store-1", tmp_path / "data")
    checked = logstore("check", "--data", old)
    assert (checked.returncode, b"no damage" in checked.stdout) == (0, True), checked.stdout


def test_a_backup_under_writes_holds_all_that_was_acknowledged_before(server: Start, tmp_path: Path) -> None:
    process = server(flush_age="200ms")
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            message = f"line {number}"
            if process.post(json.dumps({"message": message}).encode()).status_code == 200:
                acknowledged.append(message)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 50:
            stop.wait(0.01)
        before = list(acknowledged)
        done = logstore("backup", tmp_path / "backup", "--data", process.data)
        assert done.returncode == 0, done.stderr
    finally:
        stop.set()
        writer.join()
    restored = [record["message"] for record in exported(tmp_path / "backup")]
    assert len(restored) == len(set(restored))
    assert set(before) <= set(restored) <= set(acknowledged) | {f"line {len(acknowledged)}"}
    assert logstore("check", "--data", tmp_path / "backup").returncode == 0


def test_compact_leaves_every_record_in_fewer_files(server: Start) -> None:
    process = server()
    for number in range(10):
        process.post(b'{"time":"2026-03-01T12:00:00Z","message":"line %d"}' % number)
        process.flush()
    assert process.stop() == 0
    before = logstore("files", "--data", process.data).stdout.splitlines()
    done = logstore("compact", "--data", process.data)
    assert done.returncode == 0, done.stderr
    after = logstore("files", "--data", process.data).stdout.splitlines()
    assert len(after) < len(before)
    assert [record["message"] for record in exported(process.data)] == [f"line {number}" for number in range(10)]


def test_import_names_the_lines_it_does_not_take(tmp_path: Path) -> None:
    body = b'{"message":"a"}\nnonsense\n{"message":"b"}\n'
    done = logstore("import", "-", "--namespace", "piped", "--data", tmp_path / "data", stdin=body)
    assert (done.returncode, done.stdout) == (0, b"2 records imported, 1 lines not taken\n")
    assert b'"line":2' in done.stderr
    assert {record["namespace"] for record in exported(tmp_path / "data")} == {"piped"}


@pytest.mark.parametrize("command", ["check", "compact", "export", "import"])
def test_commands_that_need_the_directory_wait_for_no_running_server(
    server: Start, command: str, tmp_path: Path
) -> None:
    process = server()
    (tmp_path / "a.ndjson").write_text('{"message":"a"}\n')
    extra = [tmp_path / "a.ndjson"] if command == "import" else []
    done = logstore(command, *extra, "--data", process.data)
    assert done.returncode == 1
    assert b"in use by another logstore" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "a | b"), b'unknown pipe "b"'),
        (("export", "--start", "yesterday"), b"yesterday"),
        (("import", "/nonexistent.ndjson"), b"/nonexistent.ndjson cannot be read"),
        (("import", "/nonexistent.parquet"), b"/nonexistent.parquet cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(imported: Imported, arguments: tuple[str, ...], message: bytes) -> None:
    done = logstore(*arguments, "--data", imported[0])
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_backup_never_overwrites(imported: Imported, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    done = logstore("backup", tmp_path, "--data", imported[0])
    assert done.returncode == 2
    assert b"not empty" in done.stderr
    assert (tmp_path / "precious").read_text() == "x"


def test_version(imported: Imported) -> None:
    assert logstore("version").stdout.startswith(b"logstore 0.")
