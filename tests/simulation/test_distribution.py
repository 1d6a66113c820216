"""Distributions: what is drawn lies where the file says, and what the file says comes back as it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from outlap.simulation.distribution import Distribution

N = 4000
READ = TypeAdapter(Distribution)

KINDS: list[tuple[Any, tuple[tuple[float, float], ...]]] = [
    (0.05, ((0.05, 0.05),)),
    ({"constant": -2}, ((-2, -2),)),
    ({"uniform": [0.02, 0.07]}, ((0.02, 0.07),)),
    ({"uniform": [[0, 1], [2, 2.5]]}, ((0, 1), (2, 2.5))),
    ({"uniform": [3, 3]}, ((3, 3),)),
    ({"log_uniform": [1, 10]}, ((1, 10),)),
    ({"log_uniform": [[1, 2], [5, 7]]}, ((1, 2), (5, 7))),
    ({"normal": [1, 0.5]}, ((-1, 3),)),
    ({"normal": [0, 1], "clip": [-0.5, 2]}, ((-0.5, 2),)),
    ({"choice": [1, 4, 6]}, ((1, 1), (4, 4), (6, 6))),
    ({"choice": [1, 4], "weights": [0, 2]}, ((4, 4),)),
    ({"chance": 0.3}, ((1, 1), (0, 0))),
    ({"chance": 1, "of": {"uniform": [1, 2]}}, ((1, 2),)),
    ({"chance": 0.4, "of": {"uniform": [1, 2]}, "otherwise": {"choice": [7, 8]}}, ((1, 2), (7, 7), (8, 8))),
]


@pytest.mark.parametrize(("given", "support"), KINDS, ids=str)
def test_draws_lie_where_the_distribution_says_and_fill_it(
    given: Any, support: tuple[tuple[float, float], ...]
) -> None:
    one = READ.validate_python(given)
    assert one.support == support
    drawn = one.draw(np.random.default_rng(1), N)
    assert drawn.shape == (N,)
    inside = [(drawn >= low - 1e-12) & (drawn <= high + 1e-12) for low, high in support]
    assert np.any(inside, axis=0).all()
    for part in inside:
        assert part.any()
    np.testing.assert_array_equal(drawn, one.draw(np.random.default_rng(1), N))
    assert READ.validate_python(one.model_dump(mode="json")) == one


def test_parts_are_as_likely_as_they_are_long_weighty_or_probable() -> None:
    rng = np.random.default_rng(2)

    def mean(given: Any, above: float) -> float:
        return float((READ.validate_python(given).draw(rng, N) > above).mean())

    assert mean({"uniform": [[0, 3], [5, 6]]}, 4) == pytest.approx(0.25, abs=0.03)
    assert mean({"log_uniform": [1, 100]}, 10) == pytest.approx(0.5, abs=0.03)
    assert mean({"log_uniform": [[1, 10], [20, 2000]]}, 15) == pytest.approx(2 / 3, abs=0.03)
    assert mean({"choice": [1, 2], "weights": [1, 3]}, 1.5) == pytest.approx(0.75, abs=0.03)
    assert mean({"chance": 0.2}, 0.5) == pytest.approx(0.2, abs=0.03)
    assert mean({"normal": [2, 1]}, 3) == pytest.approx(0.159, abs=0.03)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"uniform": [2, 1]}, "the least, 2, lies above the most, 1"),
        ({"uniform": [[0, 1], [5, 3]]}, "the least, 5, lies above the most, 3"),
        ({"log_uniform": [0, 1]}, "log_uniform needs numbers above 0"),
        ({"normal": [0, -1]}, "the deviation, -1, is negative"),
        ({"normal": [0, 1], "clip": [1, 0]}, "the least, 1, lies above the most, 0"),
        ({"triangular": [0, 1]}, "triangular given; one distribution is needed, of constant, uniform"),
        ({"uniform": [0, 1], "normal": [0, 1]}, "uniform and normal given; one distribution is needed"),
        ({}, "nothing given"),
        ({"uniform": [0, 1], "clip": [0, 1]}, "clip cannot stand beside uniform"),
        ({"chance": 1.5}, "less than or equal to 1"),
        ({"chance": -0.1}, "greater than or equal to 0"),
        ({"choice": []}, "at least 1 item"),
        ({"choice": [1, 2], "weights": [1]}, "weights: one for each choice"),
        ({"choice": [1, 2], "weights": [0, 0]}, "weights: one for each choice"),
        ({"uniform": [0, float("nan")]}, "finite number"),
        (float("inf"), "finite number"),
        ("wide", "a number or a distribution"),
        (True, "a number or a distribution"),
        (None, "a number or a distribution"),
    ],
)
def test_what_makes_no_sense_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        READ.validate_python(given)
    assert message in str(caught.value)


def test_keys_are_written_in_the_same_order_in_every_process() -> None:
    """Python's sets of texts have another order in each, and two runs of one seed are to write the same file."""
    given = {
        "otherwise": {"weights": [1, 1], "choice": [7, 8]},
        "of": {"clip": [0, 1], "normal": [0, 1]},
        "chance": 0.4,
    }
    program = (
        "import sys, json\nfrom outlap.simulation.distribution import Distribution\n"
        "print(json.dumps(Distribution.model_validate_json(sys.argv[1]).model_dump(mode='json')))"
    )
    for seed in ("1", "2", "3"):
        written = subprocess.run(
            [sys.executable, "-c", program, json.dumps(given)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert (
            written
            == json.dumps(
                {
                    "chance": 0.4,
                    "of": {"normal": [0.0, 1.0], "clip": [0.0, 1.0]},
                    "otherwise": {"choice": [7.0, 8.0], "weights": [1.0, 1.0]},
                }
            )
            + "\n"
        )
