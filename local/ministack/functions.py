"""Lambda functions, their event source mappings, and metrics of services."""

from dataclasses import dataclass
from typing import Any

from local.ministack import names
from local.ministack.running import scope
from local.security.signing import ServiceError


@dataclass(frozen=True, slots=True)
class Invocation:
    """The answer of a Lambda function; `function_error` is None on success."""

    payload: Any
    function_error: str | None


def invoke(function_arn: str, event: Any) -> Invocation:
    """Invoke a function and wait for it; never call this from MiniStack's event loop."""
    with scope():
        function, config, name = names.FUNCTION_OF.get()(function_arn)
        if not function or not config:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {name}", 404)
        result = names.RUN_FUNCTION.get()(names.RUNNABLE.get()(function, config), event)
    error = (result.get("function_error") or "Unhandled") if result.get("error") else None
    return Invocation(result.get("body"), error)


def function_role(function_arn: str) -> str:
    """Return the ARN of a function's execution role."""
    with scope():
        _, config, name = names.FUNCTION_OF.get()(function_arn)
    if not config:
        raise ServiceError("ResourceNotFoundException", f"Function not found: {name}", 404)
    return str(config.get("Role", ""))


def kinesis_mappings() -> list[dict[str, Any]]:
    """Return the stored mappings of data streams; the dicts are live, not copies."""
    with scope():
        return [
            esm
            for esm in names.MAPPINGS.get().values()
            if ":kinesis:" in esm.get("EventSourceArn", "")
        ]


def set_mapping_result(mapping_uuid: str, result: str) -> None:
    """Set what GetEventSourceMapping shows as LastProcessingResult."""
    with scope():
        mapping = names.MAPPINGS.get().get(mapping_uuid)
    if mapping is not None:
        mapping["LastProcessingResult"] = result


def add_mapping_metric(mapping_uuid: str, metric: str, number: int) -> None:
    """Add to a metric of a mapping (Lambda guide, "Event source mapping metrics").

    On AWS only a mapping with a `MetricsConfig` has these; here each one does.
    """
    with scope():
        names.RECORD_METRIC.get()(
            "AWS/Lambda", metric, number, "Count", {"EventSourceMappingUUID": mapping_uuid}
        )


def record_request(namespace: str, operation: str, status: int) -> None:
    """Count a request that a service has answered (Rekognition, "CloudWatch metrics")."""
    kinds = {2: "SuccessfulRequestCount", 5: "ServerErrorCount"}
    metric = kinds.get(status // 100, "UserErrorCount")
    with scope():
        names.RECORD_METRIC.get()(namespace, metric, 1, "Count", {"Operation": operation})


def record_iterator_age(function_arn: str, milliseconds: float) -> None:
    """Record the IteratorAge of a batch (Lambda guide, "Types of metrics")."""
    name = function_arn.split(":")[6]
    with scope():
        names.RECORD_METRIC.get()(
            "AWS/Lambda", "IteratorAge", milliseconds, "Milliseconds", {"FunctionName": name}
        )
