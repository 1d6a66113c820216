"""Where bubblewrap cannot start, the tests of the cage say why and are skipped."""

from __future__ import annotations

import pytest

from outlap.cage.bubblewrap import why_unavailable


@pytest.fixture(scope="session")
def bars() -> None:
    """The cage, which must be able to start here."""
    why = why_unavailable()
    if why is not None:
        pytest.skip(why)
