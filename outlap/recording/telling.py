"""A recording in words."""

from __future__ import annotations

from outlap.recording.read import Recording
from outlap.recording.recorder import MIB
from outlap.recording.spool import Status


def progress_line(status: Status, elapsed: float, rate: float) -> str:
    """How a recording stands, in a line; ``elapsed`` in s, ``rate`` in messages per second."""
    words = [duration(elapsed), size(status.bytes), f"{status.messages:,} messages", f"{rate:.0f}/s"]
    if status.dropped:
        words.append(f"{status.dropped:,} dropped, the disk is too slow")
    if status.paused:
        words.append(f"not recording: {status.paused}")
    return "   ".join(words)


def duration(seconds: float) -> str:
    """Hours where there are some, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def size(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / MIB:.1f} MiB"


def summary(recording: Recording) -> str:
    """What a recording holds, in a line, and what could not be read."""
    total = sum(topic.messages for topic in recording.topics.values())
    length = (recording.end - recording.begin) * 1e-9
    weight = sum(path.stat().st_size for path in recording.files)
    line = f"{recording.path}: {duration(length)}, {size(weight)}, {total:,} messages on {len(recording.topics)} topics"
    return "\n".join([line, *recording.problems])
