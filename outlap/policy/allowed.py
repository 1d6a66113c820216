"""The list of policies that an operator allows: a text file of digests, one a line, with # comments.

``outlap inspect`` prints a policy's digest. It is not the file's plain SHA-256, because it stands in the file itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from outlap.errors import OutlapError
from outlap.files import read_bytes

MAX_BYTES = 1024 * 1024
DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def read_allowed(path: Path) -> frozenset[str]:
    """The digests in the file at ``path``, in lower case; at least one.

    Raises:
        OutlapError: the file cannot be read, has a line that is no digest, or none that is.
    """
    digests = set()
    try:
        lines = read_bytes(path, "list of allowed policies", MAX_BYTES).decode().splitlines()
    except UnicodeDecodeError as error:
        raise OutlapError(f"{path}: the list of allowed policies is not a text file.") from error
    for number, line in enumerate(lines, 1):
        digest = line.partition("#")[0].strip()
        if not digest:
            continue
        if not DIGEST.fullmatch(digest):
            raise OutlapError(
                f"{path}, line {number}: {digest[:80]!r} is not a policy's digest: give the 64 characters that "
                "`outlap inspect` prints."
            )
        digests.add(digest.lower())
    if not digests:
        raise OutlapError(
            f"{path}: the list of allowed policies is empty, so none could drive: add a line with the digest that "
            "`outlap inspect` prints."
        )
    return frozenset(digests)
