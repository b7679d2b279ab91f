"""The operations on stream processors. Of their two kinds, face search is implemented."""

from typing import Any

from local.rekognition.api.operation_context import Answer, OperationContext, Parameters
from local.rekognition.api.paging import page
from local.rekognition.errors import invalid_parameter
from local.rekognition.processors.spec import LOWEST_THRESHOLD, ProcessorSpec

MAX_LISTED = 1000
SHOWN = ("DataSharingPreference",)
LABEL_DETECTION_ONLY = ("NotificationChannel", "KmsKeyId", "RegionsOfInterest")


def create_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Create a stream processor; tags need a permission of their own."""
    spec = parse_spec(parameters, context.arn_prefix)
    if parameters.get("Tags"):
        context.authorize("rekognition:TagResource", spec.arn)
    context.processors.create(spec, parameters)
    return {"StreamProcessorArn": spec.arn}


def parse_spec(parameters: Parameters, arn_prefix: str) -> ProcessorSpec:
    """Parse a request for a face search processor."""
    search = parameters["Settings"].get("FaceSearch", {})
    video = parameters["Input"].get("KinesisVideoStream", {}).get("Arn")
    data = parameters["Output"].get("KinesisDataStream", {}).get("Arn")
    if (
        any(name in parameters for name in LABEL_DETECTION_ONLY)
        or "ConnectedHome" in parameters["Settings"]
    ):
        raise invalid_parameter("The laptop AWS has stream processors for face search only")
    if not (video and data and search.get("CollectionId")):
        raise invalid_parameter()
    return ProcessorSpec(
        name=parameters["Name"],
        arn=f"{arn_prefix}:streamprocessor/{parameters['Name']}",
        video_arn=video,
        data_arn=data,
        role_arn=parameters["RoleArn"],
        collection=search["CollectionId"],
        threshold=max(search.get("FaceMatchThreshold", 0), LOWEST_THRESHOLD),
    )


def describe_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Describe a stream processor and its status."""
    processor = context.processors.get(parameters["Name"])
    search: dict[str, Any] = {
        "CollectionId": processor.spec.collection,
        "FaceMatchThreshold": processor.spec.threshold,
    }
    return {
        "Name": processor.spec.name,
        "StreamProcessorArn": processor.spec.arn,
        "Status": processor.status,
        **({"StatusMessage": processor.message} if processor.message else {}),
        "CreationTimestamp": processor.created,
        "LastUpdateTimestamp": processor.updated,
        "Input": {"KinesisVideoStream": {"Arn": processor.spec.video_arn}},
        "Output": {"KinesisDataStream": {"Arn": processor.spec.data_arn}},
        "RoleArn": processor.spec.role_arn,
        "Settings": {"FaceSearch": search},
        **{name: processor.request[name] for name in SHOWN if name in processor.request},
    }


def list_stream_processors(context: OperationContext, parameters: Parameters) -> Answer:
    """List the stream processors and their status."""
    status = {one.spec.name: one.status for one in context.processors.all()}
    names, following = page(sorted(status), parameters, default=MAX_LISTED)
    return {
        "StreamProcessors": [{"Name": name, "Status": status[name]} for name in names],
        **following,
    }


def start_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Start a processor; start and stop selectors are for label detection only."""
    if "StartSelector" in parameters or "StopSelector" in parameters:
        raise invalid_parameter()
    context.processors.start(parameters["Name"])
    return {}


def stop_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Stop a processor."""
    context.processors.stop(parameters["Name"])
    return {}


def delete_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Delete a processor that is not running."""
    context.processors.delete(parameters["Name"])
    return {}


def update_stream_processor(context: OperationContext, parameters: Parameters) -> Answer:
    """Update DataSharingPreference, all that a face search processor allows."""
    context.processors.get(parameters["Name"])
    if set(parameters) != {"Name", "DataSharingPreferenceForUpdate"}:
        raise invalid_parameter()
    changes = {"DataSharingPreference": parameters["DataSharingPreferenceForUpdate"]}
    context.processors.update(parameters["Name"], changes)
    return {}


OPERATIONS = {
    "CreateStreamProcessor": create_stream_processor,
    "DescribeStreamProcessor": describe_stream_processor,
    "ListStreamProcessors": list_stream_processors,
    "StartStreamProcessor": start_stream_processor,
    "StopStreamProcessor": stop_stream_processor,
    "DeleteStreamProcessor": delete_stream_processor,
    "UpdateStreamProcessor": update_stream_processor,
}
