"""Step Functions: which errors Retry and Catch match, and how long a retry waits."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.ministack import names
from local.patches.step_functions.executions import is_in_execution

Found = tuple[Mapping[str, Any] | None, int]


def install() -> None:
    """Correct MiniStack's Retry and Catch."""
    names.ERROR_MATCHES.replace(_but_terminal_errors(names.ERROR_MATCHES.get()))
    names.FIND_RETRIER.replace(_waiting(names.FIND_RETRIER.get()))


def _but_terminal_errors(
    matches: Callable[[Sequence[str], str], bool],
) -> Callable[[Sequence[str], str], bool]:
    """Match States.Runtime never and States.DataLimitExceeded by its own name only.

    Source: the Step Functions guide, "Handling errors in Step Functions workflows", Error names.
    """

    @functools.wraps(matches)
    def error_matches(error_equals: Sequence[str], error: str) -> bool:
        if error == "States.Runtime":
            return False
        if error == "States.DataLimitExceeded":
            return error in error_equals
        return matches(error_equals, error)

    return error_matches


def _waiting(find: Callable[..., Found]) -> Callable[..., Found]:
    """Wait as long as the retrier says: MiniStack ignores MaxDelaySeconds and waits at most 60 s.

    `$states.context.State.RetryCount` counts the retries of a state over all its retriers, and
    Arguments are evaluated anew at each retry. Neither is verified on AWS. JitterStrategy is not
    applied, so that a test knows how long a retry waits.
    """

    @functools.wraps(find)
    def find_matching_retrier(
        retriers: Sequence[Mapping[str, Any]], error: str, retry_counts: Mapping[int, int]
    ) -> Found:
        retrier, index = find(retriers, error, retry_counts)
        if (
            retrier is None or not is_in_execution()
        ):  # TestState reports the wait, and does not wait
            return retrier, index
        names.SLEEP.get()(delay_s(retrier, retry_counts.get(index, 0)))
        return {**retrier, "IntervalSeconds": 0}, index

    return find_matching_retrier


def delay_s(retrier: Mapping[str, Any], retries: int) -> float:
    """Return the seconds before the next retry, after this number of retries."""
    delay: float = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
    most: float = retrier.get("MaxDelaySeconds", delay)
    return min(delay, most)
