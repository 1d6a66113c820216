"""Notices that a policy file was replaced, and verifies the new one in a thread, so that whoever drives never waits."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.policy.file import load_policy
from outlap.policy.runtime import Policy
from outlap.vehicle.car import Car

Signature = tuple[int, int, int]  # inode, modification time in ns, bytes


class PolicyWatch:
    """Watches one path, which need not exist yet."""

    def __init__(
        self, path: Path, car: Car, only_new: bool = False, allowed_digests: Collection[str] | None = None
    ) -> None:
        """Every policy must be able to drive ``car``; ``only_new``: a file that is there already is no news.

        With ``allowed_digests`` it must also be one of these.

        Raises:
            OutlapError: the path cannot be looked at.
        """
        self._path, self._car, self._allowed = path, car, allowed_digests
        self._seen = self._signature() if only_new else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="policy-watch")
        self._look: Future[Policy | None] | None = None

    def poll(self, current: Policy | None) -> Policy | None:
        """A newly appeared policy that may take the place of ``current``, verified; else None. Never waits.

        To be called a few times a second: what one call sets going, a later one returns. A file is judged once; when
        it changes, anew.

        Raises:
            OutlapError: the file that appeared is refused; the message says why.
        """
        if self._look is not None and not self._look.done():
            return None
        found = None
        try:
            if self._look is not None:
                found = self._look.result()
        finally:
            # Not even the file system is touched here: it, too, may take its time.
            self._look = self._pool.submit(self._find, found or current)
        return found

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)

    def _find(self, current: Policy | None) -> Policy | None:
        signature = self._signature()  # before reading: a file that changes meanwhile is looked at again
        if signature is None or signature == self._seen:
            return None
        self._seen = signature
        policy = load_live_policy(self._path, self._car, self._allowed)
        if current is not None:
            if policy.digest == current.digest:
                return None
            current.contract.check_exchange(policy.contract, str(self._path))
        return policy

    def _signature(self) -> Signature | None:
        """What tells one file at the path from another; none without a file."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutlapError(f"{self._path}: cannot look at the policy file: {error.strerror}.") from error
        return status.st_ino, status.st_mtime_ns, status.st_size


def load_live_policy(path: Path, car: Car, allowed_digests: Collection[str] | None = None) -> Policy:
    """The policy at ``path`` for ``car``, whose pictures come from a camera node; only one of the allowed, if given.

    Raises:
        OutlapError: the file is refused, or the policy wants another canonical view than a camera node shows.
    """
    policy = load_policy(path, car=car, allowed_digests=allowed_digests)
    if policy.contract.observation.view != View():
        raise OutlapError(f"{path}: the policy was trained for another canonical view: train it again.")
    return policy
