"""Signals that end a command: SIGTERM and SIGHUP unwind it as Ctrl-C does, each with its own exit code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """Somebody ends this process with SIGTERM or SIGHUP; what Ctrl-C cleans up, this does too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


@dataclass
class _Held:
    """Signals that wait for steps that belong together; `depth` counts who holds them."""

    depth: int = 0
    arrived: list[int] = field(default_factory=list)


_held = _Held()


@contextmanager
def signals_heeded() -> Iterator[None]:
    """Raise Ended where SIGTERM or SIGHUP would end this process without a word; Ctrl-C raises as ever.

    Where somebody has decided otherwise, as `nohup` does, it stays so.
    """
    usual = {signal.SIG_DFL, signal.default_int_handler}
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDING)}
    mine = {number: handler for number, handler in before.items() if handler in usual}
    for number in mine:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)


def signal_of(error: BaseException) -> signal.Signals:
    """The signal behind an interrupt, which libraries may have turned into one of their own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Ended):
            return cause.number
        cause = cause.__cause__ or cause.__context__
    return signal.SIGINT


@contextmanager
def signals_held() -> Iterator[None]:
    """For a few steps that belong together: a signal that arrives meanwhile is raised when they are done.

    It holds what is heeded. A mask would not do: the system gives a signal to any thread without one.
    """
    _held.depth += 1
    try:
        yield
    finally:
        _held.depth -= 1
        if not _held.depth and _held.arrived:
            first = _held.arrived[0]
            _held.arrived.clear()
            raise _interrupt(first)


def _end(number: int, frame: FrameType | None) -> None:
    if _held.depth:
        _held.arrived.append(number)
    else:
        raise _interrupt(number)


def _interrupt(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Ended(number)
