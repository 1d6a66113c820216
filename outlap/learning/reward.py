"""The old place of :mod:`outlap.driving.reward.reward`, for reward files that import from it."""

import warnings

from outlap.driving.reward.reward import Moment, Reward, progress

__all__ = ["Moment", "Reward", "progress"]

warnings.warn(
    "outlap.learning.reward is outlap.driving.reward.reward now: import from there.", DeprecationWarning, stacklevel=2
)
