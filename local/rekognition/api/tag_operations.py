"""The operations on the tags of collections and stream processors."""

from local.rekognition.api.operation_context import Answer, OperationContext, Parameters
from local.rekognition.errors import RekognitionError, not_found

MAX_TAGS = 200  # Tags of TagResource


def list_tags_for_resource(context: OperationContext, parameters: Parameters) -> Answer:
    """List the tags of a resource."""
    return {"Tags": _tags(context, parameters["ResourceArn"])}


def tag_resource(context: OperationContext, parameters: Parameters) -> Answer:
    """Add tags or change their values."""
    tags = _tags(context, parameters["ResourceArn"])
    if len(tags | parameters["Tags"]) > MAX_TAGS:
        raise RekognitionError("ServiceQuotaExceededException", f"No more than {MAX_TAGS} tags")
    tags.update(parameters["Tags"])
    return {}


def untag_resource(context: OperationContext, parameters: Parameters) -> Answer:
    """Remove tags; unknown keys are ignored."""
    tags = _tags(context, parameters["ResourceArn"])
    for key in parameters["TagKeys"]:
        tags.pop(key, None)
    return {}


def _tags(context: OperationContext, arn: str) -> dict[str, str]:
    """Return the live tags of a resource, to be changed in place."""
    prefix, _, name = arn.rpartition("/")
    if prefix == f"{context.arn_prefix}:streamprocessor":
        return context.processors.get(name).tags
    if prefix == f"{context.arn_prefix}:collection":
        return context.collections.get(name).tags
    raise not_found(f"Resource {arn} not found")


OPERATIONS = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
