"""Answers for clients that go away while they are made."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.types import Message

from query.session import QueryCancelled
from server.body import ClientGone
from server.streaming import ChunkedAnswer, Chunks


def test_an_answer_that_nobody_waits_for_any_more_is_not_begun() -> None:
    opened: list[str] = []

    def open_chunks() -> Chunks:
        opened.append("answer")
        return Chunks(iter([b"rows"]), lambda: None, "text/plain")

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(f"{message} is sent to nobody")

    async def ask() -> None:
        with ThreadPoolExecutor(1) as executor:
            is_free = threading.Event()
            executor.submit(is_free.wait)
            asyncio.get_running_loop().call_later(0.1, is_free.set)
            await ChunkedAnswer(open_chunks, lambda: None, executor, None)({"type": "http"}, gone, send)

    with pytest.raises(ClientGone):
        asyncio.run(ask())
    assert not opened


def test_an_answer_is_given_up_while_it_is_begun() -> None:
    is_begun, is_cancelled = threading.Event(), threading.Event()

    def open_chunks() -> Chunks:
        is_begun.set()
        assert is_cancelled.wait(timeout=30)
        raise QueryCancelled("the query was cancelled")

    async def gone() -> Message:
        await asyncio.to_thread(is_begun.wait)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(f"{message} is sent to nobody")

    async def ask() -> None:
        with ThreadPoolExecutor(1) as executor:
            await ChunkedAnswer(open_chunks, is_cancelled.set, executor, None)({"type": "http"}, gone, send)

    with pytest.raises(ClientGone):
        asyncio.run(ask())
