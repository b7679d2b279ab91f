"""Metrics that functions write into their logs (EMF) reach CloudWatch and its alarms, as on AWS.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

from local.ministack import names

Datum = tuple[str, str, dict[str, str], float, str, list[float]]


def install() -> None:
    """Patch how MiniStack stores the output of an invocation."""
    names.EMIT_LOGS.replace(_with_metrics(names.EMIT_LOGS.get()))


def _with_metrics(emit: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(emit)
    def emit_logs(func: Any, request_id: str, log_text: str, *rest: Any, **more: Any) -> None:
        emit(func, request_id, log_text, *rest, **more)
        data = [datum for line in (log_text or "").splitlines() for datum in read_emf(line)]
        for namespace, name, dimensions, timestamp, unit, values in data:
            names.STORE_DATUM.get()(
                namespace, name, dimensions, timestamp, unit, None, values, None, None
            )
        if data:
            names.EVALUATE_ALARMS.get()()

    return emit_logs


def read_emf(line: str) -> list[Datum]:
    """Return the metrics of a log line; none if the line is no valid EMF document."""
    if '"_aws"' not in line:
        return []
    try:
        return list(_metrics(json.loads(line)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _metrics(document: dict[str, Any]) -> Iterator[Datum]:
    """Yield each metric once for each of its sets of dimensions; a value may be a list."""
    timestamp = document["_aws"]["Timestamp"] / 1000
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            given = document[metric["Name"]]
            values = [float(value) for value in (given if isinstance(given, list) else [given])]
            for keys in directive["Dimensions"]:
                dimensions = {key: str(document[key]) for key in keys}
                unit = metric.get("Unit", "None")
                yield directive["Namespace"], metric["Name"], dimensions, timestamp, unit, values
