"""The control operations: create, describe, change and delete streams."""

from collections.abc import Callable
from typing import Any

from local import ministack
from local.kinesisvideo import requests
from local.kinesisvideo.api import image_settings, notification_settings, stream_tags
from local.kinesisvideo.errors import invalid_argument, not_implemented, wrong_endpoint
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import MAX_RETENTION_HOURS, Stream

type Answer = dict[str, Any]
Parameters = requests.Parameters

OF_MEDIA = {
    "PutMedia",
    "GetMedia",
    "ListFragments",
    "GetMediaForFragmentList",
    "GetClip",
    "GetImages",
    "GetHLSStreamingSessionURL",
}


def handle(service: KinesisVideo, operation: str, body: bytes) -> Answer:
    """Run one operation, or raise an error that names what is not implemented."""
    run = OPERATIONS.get(operation)
    if operation in OF_MEDIA:
        raise wrong_endpoint(operation)
    if run is None:
        raise not_implemented(operation)
    return run(service, requests.read(operation, body))


def create_stream(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Create a stream, which is ACTIVE at once."""
    hours = parameters.get("DataRetentionInHours", 0)
    if hours > MAX_RETENTION_HOURS:
        raise invalid_argument(f"DataRetentionInHours exceeds {MAX_RETENTION_HOURS}")
    storage = parameters.get("StreamStorageConfiguration", {})
    stream = service.streams.create(
        parameters["StreamName"],
        retention_hours=hours,
        media_type=parameters.get("MediaType"),
        device_name=parameters.get("DeviceName"),
        kms_key=parameters.get("KmsKeyId"),
        storage_tier=storage.get("DefaultStorageTier", "HOT"),
        tags=dict(parameters.get("Tags", {})),
    )
    return {"StreamARN": stream.arn}


def describe_stream(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Describe one stream."""
    return {"StreamInfo": _info(_find(service, parameters))}


def list_streams(service: KinesisVideo, parameters: Parameters) -> Answer:
    """List the streams by name, a page at a time."""
    prefix = parameters.get("StreamNameCondition", {}).get("ComparisonValue", "")
    after = ""
    if token := parameters.get("NextToken"):
        after = str(requests.unseal(f"ListStreams {prefix}", token)["after"])
    found = [
        stream
        for stream in service.streams.all()
        if stream.name.startswith(prefix) and stream.name > after
    ]
    page = found[: parameters.get("MaxResults", 10_000)]
    answer: Answer = {"StreamInfoList": [_info(stream) for stream in page]}
    if len(page) < len(found):
        answer["NextToken"] = requests.seal(f"ListStreams {prefix}", {"after": page[-1].name})
    return answer


def delete_stream(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Delete a stream and its fragments at once."""
    service.delete(_find(service, parameters), parameters.get("CurrentVersion", ""))
    return {}


def get_data_endpoint(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Return the media plane's URL, which is the same for all its operations."""
    _find(service, parameters)
    return {"DataEndpoint": ministack.media_endpoint()}


def update_stream(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Change the media type or the device name."""

    def changes(now: Stream) -> Answer:
        return {
            "media_type": parameters.get("MediaType", now.media_type),
            "device_name": parameters.get("DeviceName", now.device_name),
        }

    service.streams.change_version(
        _find(service, parameters), changes, parameters["CurrentVersion"]
    )
    return {}


def update_data_retention(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Change the retention by a number of hours."""
    change = parameters["DataRetentionChangeInHours"]
    if parameters["Operation"] == "DECREASE_DATA_RETENTION":
        change = -change
    stream, version = _find(service, parameters), parameters["CurrentVersion"]
    service.streams.change_retention(stream, lambda hours: hours + change, version)
    service.store.expire()
    return {}


def describe_storage(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Return the storage tier of a stream; all tiers lie on the same disk here."""
    stream = _find(service, parameters)
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStorageConfiguration": {"DefaultStorageTier": stream.storage_tier},
    }


def update_storage(service: KinesisVideo, parameters: Parameters) -> Answer:
    """Change the storage tier."""
    changes = {"storage_tier": parameters["StreamStorageConfiguration"]["DefaultStorageTier"]}
    version = parameters["CurrentVersion"]
    service.streams.change_version(_find(service, parameters), lambda _: changes, version)
    return {}


def _find(service: KinesisVideo, parameters: Parameters) -> Stream:
    return service.streams.find(*requests.stream_identifiers(parameters))


def _info(stream: Stream) -> Answer:
    key = f"arn:aws:kms:{ministack.REGION}:{ministack.ACCOUNT}:alias/aws/kinesisvideo"
    optional = {"DeviceName": stream.device_name, "MediaType": stream.media_type}
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "KmsKeyId": stream.kms_key or key,
        "Version": stream.version,
        "Status": "ACTIVE",
        "CreationTime": stream.created,
        "DataRetentionInHours": stream.retention_hours,
        **{name: value for name, value in optional.items() if value},
    }


OPERATIONS: dict[str, Callable[[KinesisVideo, Parameters], Answer]] = {
    "CreateStream": create_stream,
    "DescribeStream": describe_stream,
    "ListStreams": list_streams,
    "DeleteStream": delete_stream,
    "GetDataEndpoint": get_data_endpoint,
    "UpdateStream": update_stream,
    "UpdateDataRetention": update_data_retention,
    "DescribeStreamStorageConfiguration": describe_storage,
    "UpdateStreamStorageConfiguration": update_storage,
    "TagStream": stream_tags.tag,
    "UntagStream": stream_tags.untag,
    "ListTagsForStream": stream_tags.listed,
    "UpdateImageGenerationConfiguration": image_settings.update,
    "DescribeImageGenerationConfiguration": image_settings.describe,
    "UpdateNotificationConfiguration": notification_settings.update,
    "DescribeNotificationConfiguration": notification_settings.describe,
}
