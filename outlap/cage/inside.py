"""The cage's first program, ``python -m outlap.cage.inside LIMITS PROGRAM …``: sets limits, becomes the program."""

from __future__ import annotations

import contextlib
import json
import math
import resource
import runpy
import sys
from pathlib import Path

LAST_WORDS = 32 * 2**20  # bytes of memory that a program may add to its own limit, to say that it has met it
UNLIKELIEST = 1000  # to live on when the machine itself runs out of memory


def main() -> None:
    """Set this process's limits, for good, and run the program, a module's name or a file's absolute path."""
    limits = json.loads(sys.argv[1])  # fields of Limits, already checked; pydantic would take longer to import
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(UNLIKELIEST))
    memory = limits["memory_bytes"]
    cpu = resource.RLIM_INFINITY if limits["cpu_s"] is None else math.ceil(limits["cpu_s"])
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory + LAST_WORDS),
        (resource.RLIMIT_CPU, cpu, cpu if cpu == resource.RLIM_INFINITY else cpu + 1),
        # Since Linux 5.14 these are counted by user namespace, so that no other process of the same user counts.
        (resource.RLIMIT_NPROC, limits["processes"], limits["processes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
    ):
        most = resource.getrlimit(kind)[1]
        bounded = hard if most == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(kind, (soft if bounded == resource.RLIM_INFINITY else min(soft, bounded), bounded))
    del sys.argv[:2]
    program = sys.argv[0]
    if Path(program).is_absolute():
        sys.path.insert(0, str(Path(program).parent))
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def room_for_last_words() -> None:
    """After a MemoryError: a little more memory, in which to tell it."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


if __name__ == "__main__":
    main()
