"""Services in steps: the work between them is done at once, or in a few threads that hold nobody up."""

import asyncio
import os
import threading
from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core import steps
from app.core.steps import Steps, awaited, in_thread, performed, threads

PATIENCE = 30


def twice(session: Session, number: int, work: Callable[[int], int]) -> Steps[int]:
    """Two pieces of work, each on what the one before returned."""
    first = yield lambda: work(number)
    return (yield lambda: work(first))


def failing() -> int:
    raise ValueError("the work failed")


def test_a_synchronous_caller_does_the_work_where_it_is() -> None:
    seen: list[int] = []

    def work(number: int) -> int:
        seen.append(threading.get_ident())
        return number + 1

    assert performed(twice)(Session(), 40, work) == 42
    assert seen == [threading.get_ident()] * 2


def test_an_asynchronous_caller_leaves_it_to_threads() -> None:
    seen: set[int] = set()

    def work(number: int) -> int:
        seen.add(threading.get_ident())
        return number + 1

    assert asyncio.run(awaited(twice)(AsyncSession(), 40, work)) == 42
    assert threading.get_ident() not in seen


@pytest.mark.parametrize("do", [lambda: performed(twice)(Session(), 1, lambda _: failing())])
def test_what_the_work_raises_reaches_the_caller(do: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="the work failed"):
        do()
    with pytest.raises(ValueError, match="the work failed"):
        asyncio.run(awaited(twice)(AsyncSession(), 1, lambda _: failing()))


def test_as_many_are_done_at_once_as_there_are_threads_and_the_loop_goes_on() -> None:
    running, most = 0, 0
    lock, release = threading.Lock(), threading.Event()

    def work() -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        # Only the event loop lets it go.
        released = release.wait(PATIENCE)
        with lock:
            running -= 1
        return released

    async def main() -> list[bool]:
        tasks = [asyncio.create_task(in_thread(work)) for _ in range(5 * threads())]
        while running < threads():
            await asyncio.sleep(0.001)
        release.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [True] * 5 * threads()
    assert most == threads()


def test_who_is_cancelled_leaves_the_queue() -> None:
    release, done = threading.Event(), []

    async def main() -> None:
        busy = [asyncio.create_task(in_thread(lambda: release.wait(PATIENCE))) for _ in range(threads())]
        waiting = [asyncio.create_task(in_thread(lambda: done.append(1))) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        release.set()
        assert all(await asyncio.gather(*busy))
        await waiting[2]
        assert [task.cancelled() for task in waiting] == [True, True, False]

    asyncio.run(main())
    assert done == [1]


def test_a_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # A fork takes no threads along: what a child inherits would never come to work.
    before = steps._threads(os.getpid())
    monkeypatch.setattr(os, "getpid", lambda: -1)
    after = steps._threads(os.getpid())
    assert after is not before
    assert asyncio.run(in_thread(lambda: 42)) == 42
    after.shutdown()
    steps._threads.cache_clear()
