"""What may be asked of a run from another thread: each request takes effect once, and none is lost or told as done."""

from __future__ import annotations

import threading

import pytest

from outlap.learning.runs.control import Control, StoppedError


def test_a_request_to_save_waits_until_there_is_something_to_keep() -> None:
    control, kept = Control(), []
    control.save()
    control.check(None)
    assert (control.saved, kept) == (0, [])
    control.check(lambda: kept.append(1))
    control.check(lambda: kept.append(2))
    assert (control.saved, kept) == (1, [1])


def test_a_paused_run_with_nothing_to_keep_stands_still_and_can_be_stopped() -> None:
    control = Control()
    control.pause()
    control.save()
    ended = []

    def run() -> None:
        with pytest.raises(StoppedError):
            control.check(None)
        ended.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive() and control.saved == 0
    control.stop()
    thread.join(30)
    assert ended


def test_a_paused_run_saves_and_goes_on_standing_still() -> None:
    control, saved = Control(), threading.Event()
    control.pause()
    thread = threading.Thread(target=control.check, args=(saved.set,), daemon=True)
    thread.start()
    control.save()
    assert saved.wait(30)
    thread.join(0.2)
    assert thread.is_alive()
    control.proceed()
    thread.join(30)
    assert not thread.is_alive()
    assert control.saved == 1
