"""For each operation a request that works, and one that brings an error the operation is known by.

An operation that the laptop AWS begins to implement needs its row here: a test says so.
"""

from collections.abc import Callable
from typing import Any

from local.tests.support.models.world import (
    ARGUMENT,
    INVALID,
    NOBODY,
    NOT_THERE,
    OUTDATED,
    TAKEN,
    TOPIC,
    World,
    collection_arn,
    images,
    notifications,
    picture,
)

Parameters = dict[str, Any]
Row = tuple[Callable[[World], Parameters], Callable[[World], Parameters], str]

COLLECTIONS: dict[str, Row] = {
    "CreateCollection": (
        lambda w: {"CollectionId": f"{w.name}-2", "Tags": {"where": "door"}},
        lambda w: {"CollectionId": w.name},
        "ResourceAlreadyExistsException",
    ),
    "DescribeCollection": (
        lambda w: {"CollectionId": w.name},
        lambda w: {"CollectionId": "nothing"},
        NOT_THERE,
    ),
    "ListCollections": (
        lambda w: {"MaxResults": 1},
        lambda w: {"NextToken": "not a token"},
        "InvalidPaginationTokenException",
    ),
    "DeleteCollection": (
        lambda w: {"CollectionId": w.collection()},
        lambda w: {"CollectionId": "nothing"},
        NOT_THERE,
    ),
    "ListFaces": (
        lambda w: {"CollectionId": w.name},
        lambda w: {"CollectionId": "nothing"},
        NOT_THERE,
    ),
    "DeleteFaces": (
        lambda w: {"CollectionId": w.name, "FaceIds": [NOBODY]},
        lambda w: {"CollectionId": "nothing", "FaceIds": [NOBODY]},
        NOT_THERE,
    ),
    "ListTagsForResource": (
        lambda w: {"ResourceArn": collection_arn(w)},
        lambda w: {"ResourceArn": f"{collection_arn(w)}-nothing"},
        NOT_THERE,
    ),
    "TagResource": (
        lambda w: {"ResourceArn": collection_arn(w), "Tags": {"where": "door"}},
        lambda w: {"ResourceArn": f"{collection_arn(w)}-nothing", "Tags": {"where": "door"}},
        NOT_THERE,
    ),
    "UntagResource": (
        lambda w: {"ResourceArn": collection_arn(w), "TagKeys": ["where"]},
        lambda w: {"ResourceArn": f"{collection_arn(w)}-nothing", "TagKeys": ["where"]},
        NOT_THERE,
    ),
}
PICTURES: dict[str, Row] = {
    "DetectFaces": (
        lambda w: {"Image": picture(), "Attributes": ["ALL"]},
        lambda w: {"Image": {"Bytes": "YWJj"}},
        "InvalidImageFormatException",
    ),
    "IndexFaces": (
        lambda w: {"CollectionId": w.name, "Image": picture(), "DetectionAttributes": ["ALL"]},
        lambda w: {"CollectionId": "nothing", "Image": picture()},
        NOT_THERE,
    ),
    "SearchFaces": (
        lambda w: {"CollectionId": w.name, "FaceId": w.face},
        lambda w: {"CollectionId": w.name, "FaceId": NOBODY},
        INVALID,
    ),
    "SearchFacesByImage": (
        lambda w: {"CollectionId": w.name, "Image": picture()},
        lambda w: {"CollectionId": w.name, "Image": {"S3Object": {"Bucket": "abc", "Name": "k"}}},
        "InvalidS3ObjectException",
    ),
    "CompareFaces": (
        lambda w: {"SourceImage": picture(), "TargetImage": picture()},
        lambda w: {"SourceImage": {}, "TargetImage": picture()},
        INVALID,
    ),
}
PROCESSORS: dict[str, Row] = {
    "CreateStreamProcessor": (
        lambda w: w.request(),
        lambda w: w.request() | {"Name": w.processor()},
        TAKEN,
    ),
    "DescribeStreamProcessor": (
        lambda w: {"Name": w.processor()},
        lambda w: {"Name": "nothing"},
        NOT_THERE,
    ),
    "ListStreamProcessors": (
        lambda w: {"MaxResults": 1},
        lambda w: {"NextToken": "not a token"},
        "InvalidPaginationTokenException",
    ),
    "StartStreamProcessor": (
        lambda w: {"Name": w.processor()},
        lambda w: {"Name": "nothing"},
        NOT_THERE,
    ),
    "StopStreamProcessor": (
        lambda w: {"Name": w.started()},
        lambda w: {"Name": w.processor()},
        TAKEN,
    ),
    "DeleteStreamProcessor": (
        lambda w: {"Name": w.processor()},
        lambda w: {"Name": "nothing"},
        NOT_THERE,
    ),
    "UpdateStreamProcessor": (
        lambda w: {"Name": w.processor(), "DataSharingPreferenceForUpdate": {"OptIn": True}},
        lambda w: {"Name": "nothing", "DataSharingPreferenceForUpdate": {"OptIn": True}},
        NOT_THERE,
    ),
}
NO_STREAM: Callable[[World], Parameters] = lambda w: {"StreamName": "nothing"}  # noqa: E731
THE_STREAM: Callable[[World], Parameters] = lambda w: {"StreamName": w.name}  # noqa: E731
STREAMS: dict[str, Row] = {
    "CreateStream": (lambda w: {"StreamName": f"{w.name}-2"}, THE_STREAM, TAKEN),
    "DescribeStream": (THE_STREAM, NO_STREAM, NOT_THERE),
    "ListStreams": (lambda w: {"MaxResults": 1}, lambda w: {"NextToken": "none"}, ARGUMENT),
    "DeleteStream": (
        lambda w: {
            "StreamARN": w.do("kinesisvideo", "DescribeStream", StreamName=w.stream())[
                "StreamInfo"
            ]["StreamARN"]
        },
        lambda w: {"StreamARN": w.stream_arn, "CurrentVersion": "old"},
        OUTDATED,
    ),
    "GetDataEndpoint": (
        lambda w: {"StreamName": w.name, "APIName": "GET_MEDIA"},
        lambda w: {"StreamName": "nothing", "APIName": "GET_MEDIA"},
        NOT_THERE,
    ),
    "UpdateStream": (
        lambda w: {
            "StreamName": (name := w.stream()),
            "CurrentVersion": w.version(name),
            "MediaType": "video/h264",
        },
        lambda w: {"StreamName": w.name, "CurrentVersion": "old"},
        OUTDATED,
    ),
    "UpdateDataRetention": (
        lambda w: {
            "StreamName": (name := w.stream()),
            "CurrentVersion": w.version(name),
            "Operation": "DECREASE_DATA_RETENTION",
            "DataRetentionChangeInHours": 1,
        },
        lambda w: {
            "StreamName": w.name,
            "CurrentVersion": "old",
            "Operation": "INCREASE_DATA_RETENTION",
            "DataRetentionChangeInHours": 1,
        },
        OUTDATED,
    ),
    "DescribeStreamStorageConfiguration": (THE_STREAM, NO_STREAM, NOT_THERE),
    "UpdateStreamStorageConfiguration": (
        lambda w: {
            "StreamName": (name := w.stream()),
            "CurrentVersion": w.version(name),
            "StreamStorageConfiguration": {"DefaultStorageTier": "WARM"},
        },
        lambda w: {
            "StreamName": w.name,
            "CurrentVersion": "old",
            "StreamStorageConfiguration": {"DefaultStorageTier": "WARM"},
        },
        OUTDATED,
    ),
    "TagStream": (
        lambda w: {"StreamName": w.name, "Tags": {"where": "door"}},
        lambda w: {"StreamName": w.name, "Tags": {f"tag{n}": "" for n in range(51)}},
        ARGUMENT,
    ),
    "UntagStream": (
        lambda w: {"StreamName": w.name, "TagKeyList": ["where"]},
        lambda w: {"StreamName": "nothing", "TagKeyList": ["where"]},
        NOT_THERE,
    ),
    "ListTagsForStream": (THE_STREAM, NO_STREAM, NOT_THERE),
    "UpdateImageGenerationConfiguration": (
        lambda w: {"StreamName": w.stream(), "ImageGenerationConfiguration": images()},
        lambda w: {
            "StreamName": w.name,
            "ImageGenerationConfiguration": images(SamplingInterval=1),
        },
        ARGUMENT,
    ),
    "DescribeImageGenerationConfiguration": (THE_STREAM, NO_STREAM, NOT_THERE),
    "UpdateNotificationConfiguration": (
        lambda w: {"StreamName": w.stream(), "NotificationConfiguration": notifications(TOPIC)},
        lambda w: {"StreamName": w.name, "NotificationConfiguration": notifications("told")},
        ARGUMENT,
    ),
    "DescribeNotificationConfiguration": (THE_STREAM, NO_STREAM, NOT_THERE),
}
MEDIA: dict[str, Row] = {
    "GetMedia": (
        lambda w: {
            "StreamName": w.name,
            "StartSelector": {"StartSelectorType": "EARLIEST"},
        },
        lambda w: {"StreamName": "nothing", "StartSelector": {"StartSelectorType": "NOW"}},
        NOT_THERE,
    ),
    "ListFragments": (
        lambda w: {
            "StreamName": w.name,
            "FragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": w.lately(),
            },
        },
        lambda w: {"StreamName": w.name, "NextToken": "none"},
        ARGUMENT,
    ),
    "GetMediaForFragmentList": (
        lambda w: {"StreamName": w.name, "Fragments": [w.fragment]},
        lambda w: {"StreamName": "nothing", "Fragments": [w.fragment]},
        NOT_THERE,
    ),
    "GetClip": (
        lambda w: {
            "StreamName": w.name,
            "ClipFragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": w.lately(),
            },
        },
        lambda w: {
            "StreamName": w.name,
            "ClipFragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": {"StartTimestamp": 1, "EndTimestamp": 2},
            },
        },
        NOT_THERE,
    ),
    "GetHLSStreamingSessionURL": (
        lambda w: {
            "StreamName": w.name,
            "PlaybackMode": "ON_DEMAND",
            "HLSFragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": w.lately(),
            },
        },
        lambda w: {"StreamName": "nothing"},
        NOT_THERE,
    ),
    "GetImages": (
        lambda w: {
            "StreamName": w.name,
            "ImageSelectorType": "SERVER_TIMESTAMP",
            "Format": "JPEG",
            **w.lately(),
        },
        lambda w: {
            "StreamName": "nothing",
            "ImageSelectorType": "SERVER_TIMESTAMP",
            "Format": "JPEG",
            **w.lately(),
        },
        NOT_THERE,
    ),
}
ROWS: dict[str, dict[str, Row]] = {
    "rekognition": {**COLLECTIONS, **PICTURES, **PROCESSORS},
    "kinesisvideo": STREAMS,
    "kinesis-video-media": MEDIA,
    "kinesis-video-archived-media": MEDIA,
}
