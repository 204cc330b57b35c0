"""One measurement in a process of its own: `python -m benchmarks.child`, task in, figures out."""

import gc
import json
import resource
import sys
import time
from pathlib import Path

from benchmarks import rows
from benchmarks.contender import Contender, Task
from benchmarks.registry import CONTENDERS


def main() -> None:
    """Prepare the contender, time its work, look at what it left."""
    task = Task(**json.load(sys.stdin))
    contender = CONTENDERS[task.contender]
    if contender.prepare is None:
        raise SystemExit(f"{contender.name} is measured as a process")
    work = contender.prepare(task)
    gc.collect()
    before = peak_memory()
    start = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - start
    peak = peak_memory()
    del kept
    _check(contender, task)
    json.dump({"seconds": seconds, "peak_bytes": peak, "prepared_bytes": before}, sys.stdout)


def peak_memory() -> int:
    """The most memory that this process had so far, in bytes.

    Not `ru_maxrss` where it can be helped: on Linux that begins with the peak of the process that started us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _check(contender: Contender, task: Task) -> None:
    """A time without the work is worth nothing."""
    if contender.after is None:
        return
    found = rows.counts(task.kind, task.native)
    expected = dict.fromkeys(found, 0)
    if contender.after != "empty":
        expected = rows.counts(task.kind, task.native_seeded)
    if found != expected:
        raise SystemExit(f"{contender.name} left {found} instead of {expected}")


if __name__ == "__main__":
    main()
