"""GET /api/v1/tail, as a client reads it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.serving import ServerProcess

Start = Callable[..., ServerProcess]


def post(server: ServerProcess, pod: str, *messages: str) -> None:
    body = "\n".join(json.dumps({"message": message}) for message in messages).encode()
    assert server.post(body, params={"pod": pod}).json()["accepted"] == len(messages)


@contextmanager
def tail(server: ServerProcess, headers: dict[str, str] | None = None, **params: str | int) -> Iterator[Iterator[str]]:
    """The lines of a tail; its headers have come."""
    with (
        httpx.Client(base_url=server.url, timeout=20) as client,
        client.stream("GET", "/api/v1/tail", params=params, headers=headers or {}) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield answer.iter_lines()


def take(lines: Iterator[str], count: int) -> tuple[list[str], str]:
    """So many messages, and the last cursor before or after them."""
    messages: list[str] = []
    cursor = ""
    for line in lines:
        record = json.loads(line) if line else {}
        if "message" in record:
            messages.append(record["message"])
        cursor = record.get("@tail", {}).get("cursor", cursor)
        if len(messages) >= count and cursor and "@tail" in record:
            return messages, cursor
    raise AssertionError(f"the tail ended after {messages}")


def test_it_begins_with_what_is_accepted_after_its_headers(shared: ServerProcess) -> None:
    post(shared, "begin", "before")
    with tail(shared, q='pod="begin"') as lines:
        post(shared, "begin", "one", "two")
        assert take(lines, 2)[0] == ["one", "two"]


def test_a_backlog_comes_first(shared: ServerProcess) -> None:
    post(shared, "backlog", *(f"old {number}" for number in range(5)))
    with tail(shared, q='pod="backlog"', backlog=3) as lines:
        assert take(lines, 3)[0] == ["old 2", "old 3", "old 4"]
        post(shared, "backlog", "new")
        assert take(lines, 1)[0] == ["new"]
    with tail(shared, q='pod="backlog"', backlog="10m") as lines:
        assert take(lines, 6)[0] == [*(f"old {number}" for number in range(5)), "new"]


def test_a_cursor_resumes_without_loss_or_repeat_over_a_kill(server: Start) -> None:
    process = server()
    with tail(process, q="*") as lines:
        post(process, "p", "one")
        messages, cursor = take(lines, 1)
    assert messages == ["one"]
    post(process, "p", "two")
    process.kill()
    process.start()
    post(process, "p", "three")
    with tail(process, q="*", cursor=cursor) as lines:
        post(process, "p", "four")
        assert take(lines, 3)[0] == ["two", "three", "four"]


def test_a_graceful_stop_ends_every_tail_with_its_cursor(server: Start) -> None:
    process = server()
    ended: list[list[str]] = []
    meeting = threading.Barrier(6)

    def follow() -> None:
        with tail(process, q="*") as lines:
            meeting.wait(20)
            first = next(lines)
            meeting.wait(20)
            ended.append([first, *lines])

    threads = [threading.Thread(target=follow) for _ in range(5)]
    for thread in threads:
        thread.start()
    meeting.wait(20)
    post(process, "p", "last words")
    meeting.wait(20)
    assert process.stop() == 0
    for thread in threads:
        thread.join(20)
    for lines in ended:
        assert [json.loads(line)["message"] for line in lines if "message" in line] == ["last words"]
        assert json.loads(lines[-1])["@tail"]["cursor"] == "0"
    assert len(ended) == 5


def test_server_sent_events_carry_the_cursor_as_their_id(shared: ServerProcess) -> None:
    sse = {"Accept": "text/event-stream"}
    with tail(shared, sse, q='pod="sse"') as lines:
        post(shared, "sse", "one", "two")
        first = event(lines)
        assert json.loads(first["data"])["message"] == "one"
    with tail(shared, {**sse, "Last-Event-ID": first["id"]}, q='pod="sse"') as lines:
        assert json.loads(event(lines)["data"])["message"] == "two"


def event(lines: Iterator[str]) -> dict[str, str]:
    """The next server-sent event of a record (WHATWG HTML §9.2)."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
        elif found.get("data") and "event" not in found:
            return found
        else:
            found = {}
    raise AssertionError("the tail ended")


def test_a_silent_tail_is_heard_of_within_ten_seconds(shared: ServerProcess) -> None:
    with tail(shared, q='pod="nobody"') as lines:
        first, second = next(lines), next(lines)
    assert first == ""
    assert json.loads(second)["@tail"]["cursor"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"q": "error | stats count()"}, "stats"),
        ({"q": "error | sort by pod"}, "sort"),
        ({"q": 'pod=~"("'}, ""),
        ({"backlog": "soon"}, "soon"),
        ({"backlog": 10**8}, "backlog"),
        ({"cursor": "nonsense"}, "nonsense"),
        ({"start": "-1h"}, "unknown parameter 'start'"),
    ],
)
def test_what_cannot_be_tailed_is_a_400(shared: ServerProcess, params: dict[str, Any], message: str) -> None:
    answer = shared.client.get("/api/v1/tail", params=params)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_more_tails_than_the_limit_are_refused_and_a_closed_one_makes_room(server: Start) -> None:
    process = server(tail_max_followers=2)
    with tail(process, q="a"):
        with tail(process, q="b"):
            refused = process.client.get("/api/v1/tail")
            assert refused.status_code == 429
            assert "tail_max_followers" in refused.json()["error"]
            assert int(refused.headers["retry-after"]) >= 1
            assert "logstore_tails 2.0" in process.client.get("/metrics").text
        _until(lambda: "logstore_tails 1.0" in process.client.get("/metrics").text)
        with tail(process, q="c") as lines:
            post(process, "p", "c")
            assert take(lines, 1)[0] == ["c"]


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true within 10 s")
