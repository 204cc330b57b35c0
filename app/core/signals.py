"""Signals that end a command: SIGTERM and SIGHUP unwind it as Ctrl-C does, each with its own exit code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """Somebody ends this process with SIGTERM or SIGHUP; what Ctrl-C cleans up, this does too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


@contextmanager
def signals_heeded() -> Iterator[None]:
    """Raise Ended where SIGTERM or SIGHUP would end this process without a word.

    Where somebody has decided otherwise, as `nohup` does, it stays so.
    """
    mine = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


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
    """For a few steps that belong together: a signal that arrives meanwhile is raised when they are done."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *_ENDING})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)
