"""What is written to a connection in one turn of the loop is sent at once, and nothing is held for longer."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from server.protocol import JoinedWrites


def meet(use: Callable[[JoinedWrites, socket.socket], Awaitable[None]]) -> None:
    """A connection through the kernel, whose other end is read as it is."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        with theirs:
            await use(JoinedWrites(transport, loop), theirs)
            transport.abort()

    asyncio.run(run())


async def turn() -> None:
    for _ in range(2):
        await asyncio.sleep(0)


def test_head_and_body_are_sent_together() -> None:
    async def use(writes: JoinedWrites, theirs: socket.socket) -> None:
        writes.write(b"head")
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        writes.write(b"body")
        assert writes.get_write_buffer_size() == 8
        await turn()
        assert theirs.recv(100) == b"headbody"
        assert writes.get_write_buffer_size() == 0
        writes.write(b"next")
        await turn()
        assert theirs.recv(100) == b"next"

    meet(use)


def test_what_is_much_is_not_held() -> None:
    async def use(writes: JoinedWrites, theirs: socket.socket) -> None:
        writes.write(b"x" * 70_000)
        assert theirs.recv(10) == b"x" * 10

    meet(use)


def test_what_is_held_is_sent_before_a_close_and_dropped_by_an_abort() -> None:
    async def close(writes: JoinedWrites, theirs: socket.socket) -> None:
        writes.write(b"last words")
        writes.close()
        assert writes.is_closing()
        await turn()
        assert theirs.recv(100) == b"last words"
        assert theirs.recv(100) == b""

    async def abort(writes: JoinedWrites, theirs: socket.socket) -> None:
        writes.write(b"half an answer")
        writes.abort()
        await turn()
        assert theirs.recv(100) == b""

    meet(close)
    meet(abort)
