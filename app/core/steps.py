"""A service in steps: between two of them is work that takes the processor, and needs no database.

The service is a generator. It yields such work, as a function, and goes on with what that returns. A
synchronous caller does the work at once; an asynchronous one leaves it to a few threads and serves others
meanwhile. A step that has taken a connection of its own gives it back before it yields.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

P = ParamSpec("P")
T = TypeVar("T")

Work = Callable[[], Any]
Steps = Generator[Work, Any, T]

MOST_THREADS = 8
"""Of a process, however many cores it has: a password that is hashed takes 64 MiB, too."""


def performed(service: Callable[P, Steps[T]]) -> Callable[P, T]:
    """The service as a function of a synchronous session: the work is done where it is called."""

    @wraps(service)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        steps = service(*args, **kwargs)
        reached = _advance(steps, None)
        while not isinstance(reached, _End):
            reached = _advance(steps, reached())
        return reached.value

    return call


def awaited(
    service: Callable[Concatenate[Session, P], Steps[T]],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    """The service as a function of an asynchronous session: the work is done in threads.

    Who is cancelled while the work waits for a thread leaves the queue; work that has begun comes to its end
    and its result is dropped.
    """

    @wraps(service)
    async def call(session: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps = service(session.sync_session, *args, **kwargs)
        reached = await session.run_sync(_step, steps, None)
        while not isinstance(reached, _End):
            reached = await session.run_sync(_step, steps, await in_thread(reached))
        return reached.value

    return call


async def in_thread(work: Callable[[], T]) -> T:
    """The work's result, from one of few threads; those that wait for one hold nothing but their place.

    As many threads as cores: more would not be faster, and a thread per request would take the memory.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), work)


def threads() -> int:
    """How many pieces of work are done at once."""
    # Not every system tells which cores a process may use.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, cores)


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    # By process: threads do not come along where a server forks.
    return ThreadPoolExecutor(threads(), thread_name_prefix="work")


@dataclass(frozen=True)
class _End(Generic[T]):
    """The end of a generator: StopIteration passes neither a coroutine nor a greenlet."""

    value: T


def _advance(steps: Steps[T], result: Any) -> Work | _End[T]:
    try:
        return steps.send(result)
    except StopIteration as end:
        return _End(end.value)


def _step(session: Session, steps: Steps[T], result: Any) -> Work | _End[T]:
    """`_advance` for `run_sync`."""
    return _advance(steps, result)
