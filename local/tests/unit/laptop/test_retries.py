"""How long a retry of the laptop's Step Functions waits."""

import pytest

from local.patches.step_functions.retries import delay_s


@pytest.mark.parametrize(
    ("retrier", "retries", "seconds"),
    [
        ({}, 0, 1),
        ({}, 2, 4),
        ({"IntervalSeconds": 40}, 3, 320),
        ({"IntervalSeconds": 5, "BackoffRate": 1.5}, 2, 11.25),
        ({"IntervalSeconds": 40, "MaxDelaySeconds": 90}, 1, 80),
        ({"IntervalSeconds": 40, "MaxDelaySeconds": 90}, 2, 90),
    ],
)
def test_a_retry_waits_as_its_retrier_says(retrier, retries, seconds):
    assert delay_s(retrier, retries) == seconds
