"""The operations on the tags of collections and stream processors."""

from local.rekognition.api.application import Answer, Application, Parameters
from local.rekognition.errors import RekognitionError, not_found

MOST_TAGS = 200  # Tags of TagResource


def list_tags_for_resource(application: Application, asked: Parameters) -> Answer:
    """The tags of what is named."""
    return {"Tags": _tags(application, asked["ResourceArn"])}


def tag_resource(application: Application, asked: Parameters) -> Answer:
    """Add tags, or change the values of those that are there."""
    tags = _tags(application, asked["ResourceArn"])
    if len(tags | asked["Tags"]) > MOST_TAGS:
        raise RekognitionError("ServiceQuotaExceededException", f"No more than {MOST_TAGS} tags")
    tags.update(asked["Tags"])
    return {}


def untag_resource(application: Application, asked: Parameters) -> Answer:
    """Take tags away, also those that are not there."""
    tags = _tags(application, asked["ResourceArn"])
    for key in asked["TagKeys"]:
        tags.pop(key, None)
    return {}


def _tags(application: Application, arn: str) -> dict[str, str]:
    """The tags themselves, to be changed in place."""
    prefix, _, name = arn.rpartition("/")
    if prefix == f"{application.arn_prefix}:streamprocessor":
        return application.processors.get(name).tags
    if prefix == f"{application.arn_prefix}:collection":
        return application.collections.get(name).tags
    raise not_found(f"Resource {arn} not found")


OPERATIONS = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
