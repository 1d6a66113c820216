"""Half precision where the processor has it: convolutions then learn in half the time, and drive as well."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself; where it does not, they would be slower."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast() -> torch.autocast:
    """A context in which matrix products and convolutions are computed in bfloat16, where the processor can.

    Weights, sums over them and the optimiser stay float32; what comes out of a product is bfloat16.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())
