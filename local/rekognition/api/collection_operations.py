"""The operations on collections and the faces in them."""

from local.rekognition.api.operation_context import Answer, OperationContext, Parameters
from local.rekognition.api.paging import page
from local.rekognition.errors import not_found

MAX_LISTED = 4096


def create_collection(context: OperationContext, parameters: Parameters) -> Answer:
    """Create an empty collection; tags need a permission of their own."""
    name, tags = parameters["CollectionId"], parameters.get("Tags", {})
    if tags:
        context.authorize("rekognition:TagResource", context.collections.arn(name))
    made = context.collections.create(name, tags)
    return {"StatusCode": 200, "CollectionArn": made.arn, "FaceModelVersion": made.model}


def describe_collection(context: OperationContext, parameters: Parameters) -> Answer:
    """Describe a collection."""
    collection = context.collections.get(parameters["CollectionId"])
    return {
        "FaceCount": len(collection.faces),
        "FaceModelVersion": collection.model,
        "CollectionARN": collection.arn,
        "CreationTimestamp": collection.created,
        "UserCount": 0,
    }


def list_collections(context: OperationContext, parameters: Parameters) -> Answer:
    """List the names of the collections."""
    names, following = page(
        context.collections.names(), parameters, default=MAX_LISTED, listing="collections"
    )
    return {
        "CollectionIds": names,
        "FaceModelVersions": [context.collections.get(name).model for name in names],
        **following,
    }


def delete_collection(context: OperationContext, parameters: Parameters) -> Answer:
    """Delete a collection and its faces."""
    context.collections.delete(parameters["CollectionId"])
    return {"StatusCode": 200}


def list_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """List the faces of a collection, all or those of the given ids."""
    collection = context.collections.get(parameters["CollectionId"])
    if "UserId" in parameters:  # there are none: CreateUser is not implemented
        raise not_found("The user does not exist")
    faces = collection.faces
    wanted = set(parameters.get("FaceIds") or faces)
    shown, following = page(
        sorted(wanted & faces.keys()), parameters, default=MAX_LISTED, listing=collection.arn
    )
    return {
        "Faces": [faces[face_id].as_dict() for face_id in shown],
        "FaceModelVersion": collection.model,
        **following,
    }


def delete_faces(context: OperationContext, parameters: Parameters) -> Answer:
    """Delete faces."""
    gone = context.collections.get(parameters["CollectionId"]).remove(parameters["FaceIds"])
    missing = [face_id for face_id in dict.fromkeys(parameters["FaceIds"]) if face_id not in gone]
    return {
        "DeletedFaces": gone,
        "UnsuccessfulFaceDeletions": [
            {"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]} for face_id in missing
        ],
    }


OPERATIONS = {
    "CreateCollection": create_collection,
    "DescribeCollection": describe_collection,
    "ListCollections": list_collections,
    "DeleteCollection": delete_collection,
    "ListFaces": list_faces,
    "DeleteFaces": delete_faces,
}
