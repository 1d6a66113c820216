"""What a program in the cage may use up."""

from __future__ import annotations

from pydantic import Field

from outlap.files import Model

GIB = 2**30
MIB = 2**20


class Limits(Model):
    """What a program in the cage may use up, all its processes included."""

    # Of each process alone as address space, and of all together as what they really hold.
    memory_bytes: int = Field(default=4 * GIB, ge=128 * MIB)
    # Of CPU time, all together; of children that are never waited for and live shorter than a look, nothing is seen.
    cpu_s: float | None = Field(default=None, gt=0)
    wall_s: float | None = Field(default=None, gt=0)  # of the wall's clock: no program uses more CPU than this × cores
    processes: int = Field(default=256, ge=4)  # threads count, too: a BLAS starts one for each core
    open_files: int = Field(default=256, ge=16)  # of each process
    file_bytes: int = Field(default=16 * MIB, ge=4096)  # of each file that it writes
    scratch_bytes: int = Field(default=64 * MIB, ge=4096)  # of /tmp, and as much of /dev/shm; both are gone at its end
    scratch_files: int = Field(default=10_000, ge=16)  # in each of the two
