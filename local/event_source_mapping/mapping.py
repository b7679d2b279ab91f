"""The settings and filters of one event source mapping.

Defaults are those of https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.event_source_mapping.filters import (
    FilterError,
    Path,
    Pattern,
    compile_pattern,
)
from local.event_source_mapping.model import Record

INFINITE = -1
RANGES = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRetryAttempts": (INFINITE, 10_000),
    "MaximumRecordAgeInSeconds": (INFINITE, 604_800),
}
MIN_AGE_SECONDS = 60
# Five unless AWS is asked for more (invocation-eventfiltering).
MAX_FILTERS = 10


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping of a data stream to a function."""

    uuid: str
    stream_arn: str
    function_arn: str
    enabled: bool = True
    starting_position: str = "LATEST"
    starting_timestamp: float = 0.0
    batch_size: int = 100
    window_seconds: float = 0.0
    parallelization: int = 1
    retry_attempts: int = INFINITE
    record_age_seconds: float = INFINITE
    bisect: bool = False
    report_item_failures: bool = False
    destination: str | None = None
    filters: tuple[Pattern, ...] = ()
    problem: str | None = None

    @property
    def filters_data_only(self) -> bool:
        """Return whether the filters read nothing but the record's data."""
        return all(path[0] == "data" for pattern in self.filters for path in pattern.prefixes)

    def passes_filters(self, record: Record, event: Mapping[str, Any] | None = None) -> bool:
        """Return whether a record passes any of the filters; without filters every record does.

        The event made of it is needed unless they look at the data only.
        """
        if not self.filters:
            return True
        seen = {**event, **event["kinesis"]} if event else {}
        for name in ("kinesis", "data"):
            seen.pop(name, None)
        with contextlib.suppress(ValueError, RecursionError):
            seen["data"] = json.loads(record.data)

        # Data that is not JSON fails every pattern on data, not those on the rest (page
        # with-kinesis-filtering).
        def known(path: Path) -> bool:
            return path[0] != "data" or "data" in seen

        try:
            return any(pattern.matches(seen, known=known) for pattern in self.filters)
        except RecursionError:  # nested too deep to look into, though not to parse
            return False


def parse_mapping(settings: Mapping[str, Any]) -> EventSourceMapping:
    """Parse an EventSourceMappingConfiguration; `problem` names what cannot be served."""
    position = settings.get("StartingPosition") or "LATEST"
    on_failure = (settings.get("DestinationConfig") or {}).get("OnFailure") or {}
    filters, fault = _filters(settings.get("FilterCriteria") or {})
    problem = fault or _problem(settings)
    return EventSourceMapping(
        uuid=settings["UUID"],
        stream_arn=settings["EventSourceArn"],
        function_arn=settings["FunctionArn"],
        enabled=settings.get("State", "Enabled") not in ("Disabled", "Deleting"),
        starting_position=position,
        starting_timestamp=_timestamp(settings) if position == "AT_TIMESTAMP" else 0.0,
        batch_size=_number(settings, "BatchSize", 100),
        window_seconds=_number(settings, "MaximumBatchingWindowInSeconds", 0),
        parallelization=1 if problem else _number(settings, "ParallelizationFactor", 1),
        retry_attempts=_number(settings, "MaximumRetryAttempts", INFINITE),
        record_age_seconds=_number(settings, "MaximumRecordAgeInSeconds", INFINITE),
        bisect=_boolean(settings.get("BisectBatchOnFunctionError")),
        report_item_failures="ReportBatchItemFailures"
        in (settings.get("FunctionResponseTypes") or ()),
        destination=on_failure.get("Destination") or None,
        filters=filters,
        problem=problem,
    )


def _problem(settings: Mapping[str, Any]) -> str | None:
    """Return why CreateEventSourceMapping refuses the settings, or what is not implemented."""
    for name, (least, most) in RANGES.items():
        if not least <= _number(settings, name, least) <= most:
            return f"{name} must be from {least} to {most}"
    if INFINITE < _number(settings, "MaximumRecordAgeInSeconds", INFINITE) < MIN_AGE_SECONDS:
        return f"MaximumRecordAgeInSeconds must be {INFINITE} or at least {MIN_AGE_SECONDS}"
    if settings.get("StartingPosition") == "AT_TIMESTAMP" and not _timestamp(settings):
        return "StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp"
    if _number(settings, "TumblingWindowInSeconds", 0):
        return "TumblingWindowInSeconds is not implemented"
    return None


def _number(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    return default if value is None else int(value)


def _boolean(value: object) -> bool:
    # CloudFormation hands booleans on as text.
    return value is True or str(value).lower() == "true"


def _timestamp(settings: Mapping[str, Any]) -> float:
    return float(settings.get("StartingPositionTimestamp") or 0.0)


def _filters(criteria: Mapping[str, Any]) -> tuple[tuple[Pattern, ...], str | None]:
    texts = [item.get("Pattern", "") for item in criteria.get("Filters") or ()]
    if len(texts) > MAX_FILTERS:
        return (), f"FilterCriteria has more than {MAX_FILTERS} filters"
    try:
        return tuple(_pattern(text) for text in texts), None
    except FilterError as error:
        return (), f"Invalid filter pattern definition: {error}"


def _pattern(text: str) -> Pattern:
    pattern = compile_pattern(text)
    if any(condition.path == ("data",) for alt in pattern.alternatives for condition in alt):
        raise FilterError("the filter on data must be an object")
    return pattern
