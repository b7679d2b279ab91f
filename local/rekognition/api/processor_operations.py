"""The operations on stream processors. Of their two kinds, face search is implemented."""

from typing import Any

from local.rekognition.api.application import Answer, Application, Parameters
from local.rekognition.api.paging import page
from local.rekognition.errors import invalid_parameter
from local.rekognition.processors.spec import LOWEST_THRESHOLD, Spec

MOST_LISTED = 1000
SHOWN = ("DataSharingPreference",)
FOR_LABELS = ("NotificationChannel", "KmsKeyId", "RegionsOfInterest")


def create_stream_processor(application: Application, asked: Parameters) -> Answer:
    """Make a stream processor; tags need a permission of their own."""
    spec = specified(asked, application.arn_prefix)
    if asked.get("Tags"):
        application.authorize("rekognition:TagResource", spec.arn)
    application.processors.create(spec, asked)
    return {"StreamProcessorArn": spec.arn}


def specified(asked: Parameters, arn_prefix: str) -> Spec:
    """What a request for a face search processor asks for."""
    search = asked["Settings"].get("FaceSearch", {})
    video = asked["Input"].get("KinesisVideoStream", {}).get("Arn")
    data = asked["Output"].get("KinesisDataStream", {}).get("Arn")
    if any(name in asked for name in FOR_LABELS) or "ConnectedHome" in asked["Settings"]:
        raise invalid_parameter("The laptop AWS has stream processors for face search only")
    if not (video and data and search.get("CollectionId")):
        raise invalid_parameter()
    return Spec(
        name=asked["Name"],
        arn=f"{arn_prefix}:streamprocessor/{asked['Name']}",
        video_arn=video,
        data_arn=data,
        role_arn=asked["RoleArn"],
        collection=search["CollectionId"],
        threshold=max(search.get("FaceMatchThreshold", 0), LOWEST_THRESHOLD),
    )


def describe_stream_processor(application: Application, asked: Parameters) -> Answer:
    """What a processor was made for and how it is."""
    processor = application.processors.get(asked["Name"])
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


def list_stream_processors(application: Application, asked: Parameters) -> Answer:
    """The processors and how they are."""
    status = {one.spec.name: one.status for one in application.processors.all()}
    names, following = page(sorted(status), asked, default=MOST_LISTED)
    return {
        "StreamProcessors": [{"Name": name, "Status": status[name]} for name in names],
        **following,
    }


def start_stream_processor(application: Application, asked: Parameters) -> Answer:
    """Let a processor run; the selectors for start and stop are for labels only."""
    if "StartSelector" in asked or "StopSelector" in asked:
        raise invalid_parameter()
    application.processors.start(asked["Name"])
    return {}


def stop_stream_processor(application: Application, asked: Parameters) -> Answer:
    """Let a processor end."""
    application.processors.stop(asked["Name"])
    return {}


def delete_stream_processor(application: Application, asked: Parameters) -> Answer:
    """Forget a processor that is not running."""
    application.processors.delete(asked["Name"])
    return {}


def update_stream_processor(application: Application, asked: Parameters) -> Answer:
    """Change what can be changed of a face search processor: whether data is shared."""
    application.processors.get(asked["Name"])
    if set(asked) != {"Name", "DataSharingPreferenceForUpdate"}:
        raise invalid_parameter()
    changes = {"DataSharingPreference": asked["DataSharingPreferenceForUpdate"]}
    application.processors.update(asked["Name"], changes)
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
