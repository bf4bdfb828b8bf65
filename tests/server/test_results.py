"""Results of other threads as tasks of an event loop get them."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from server.results import Results


def test_a_result_comes_from_another_thread() -> None:
    async def ask() -> int:
        with ThreadPoolExecutor(1) as threads:
            return await Results().of(threads.submit(lambda: 7))

    assert asyncio.run(ask()) == 7


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    async def ask() -> None:
        future: Future[int] = Future()
        future.set_exception(KeyError("gone"))
        await Results().of(future, 60.0)

    with pytest.raises(KeyError, match="gone"):
        asyncio.run(ask())


def test_each_of_very_many_gets_its_own() -> None:
    async def ask() -> list[int]:
        results = Results()
        futures: list[Future[int]] = [Future() for _ in range(5_000)]
        ending = threading.Thread(target=lambda: [future.set_result(at) for at, future in enumerate(futures)])
        waiting = [asyncio.create_task(results.of(future)) for future in futures]
        ending.start()
        found = await asyncio.gather(*waiting)
        ending.join()
        return found

    assert asyncio.run(ask()) == list(range(5_000))


def test_those_that_come_together_take_one_turn_of_the_loop() -> None:
    async def ask() -> int:
        results, loop, turns = Results(), asyncio.get_running_loop(), 0
        call = loop.call_soon_threadsafe

        def counted(*arguments: object) -> object:
            nonlocal turns
            turns += 1
            return call(*arguments)  # type: ignore[arg-type]

        loop.call_soon_threadsafe = counted  # type: ignore[assignment, method-assign]
        futures: list[Future[int]] = [Future() for _ in range(100)]
        waiting = [asyncio.create_task(results.of(future)) for future in futures]
        await asyncio.sleep(0)
        for future in futures:
            future.set_result(1)
        assert sum(await asyncio.gather(*waiting)) == 100
        return turns

    assert asyncio.run(ask()) == 1


def test_who_goes_away_cancels_what_has_not_begun() -> None:
    async def ask() -> bool:
        future: Future[int] = Future()
        task = asyncio.create_task(Results().of(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return future.cancelled()

    assert asyncio.run(ask())


def test_what_takes_too_long_is_given_up_and_may_still_end() -> None:
    async def ask() -> Future[int]:
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()
        with pytest.raises(TimeoutError):
            await Results().of(future, 0.01)
        future.set_result(1)
        await asyncio.sleep(0)
        return future

    assert asyncio.run(ask()).result() == 1


def test_a_future_that_another_cancels_ends_the_wait() -> None:
    async def ask() -> None:
        future: Future[int] = Future()
        future.cancel()
        await Results().of(future)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ask())


def test_a_result_that_comes_after_the_loop_has_ended_hurts_nobody() -> None:
    future: Future[int] = Future()

    async def ask() -> None:
        task = asyncio.create_task(Results().of(future))
        await asyncio.sleep(0)
        future.set_running_or_notify_cancel()
        task.cancel()

    asyncio.run(ask())
    future.set_result(1)
    assert future.result() == 1
