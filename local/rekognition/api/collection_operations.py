"""The operations on collections and the faces in them."""

from local.rekognition.api.application import Answer, Application, Parameters
from local.rekognition.api.paging import page
from local.rekognition.collections import MODEL_VERSION
from local.rekognition.errors import not_found

MOST_LISTED = 4096


def create_collection(application: Application, asked: Parameters) -> Answer:
    """Make an empty collection; tags need a permission of their own."""
    name, tags = asked["CollectionId"], asked.get("Tags", {})
    if tags:
        application.authorize("rekognition:TagResource", application.collections.arn(name))
    made = application.collections.create(name, tags)
    return {"StatusCode": 200, "CollectionArn": made.arn, "FaceModelVersion": MODEL_VERSION}


def describe_collection(application: Application, asked: Parameters) -> Answer:
    """What a collection holds."""
    collection = application.collections.get(asked["CollectionId"])
    return {
        "FaceCount": len(collection.faces),
        "FaceModelVersion": MODEL_VERSION,
        "CollectionARN": collection.arn,
        "CreationTimestamp": collection.created,
        "UserCount": 0,
    }


def list_collections(application: Application, asked: Parameters) -> Answer:
    """The names of the collections."""
    names, following = page(
        application.collections.names(), asked, default=MOST_LISTED, listed="collections"
    )
    return {
        "CollectionIds": names,
        "FaceModelVersions": [MODEL_VERSION] * len(names),
        **following,
    }


def delete_collection(application: Application, asked: Parameters) -> Answer:
    """Forget a collection and its faces."""
    application.collections.delete(asked["CollectionId"])
    return {"StatusCode": 200}


def list_faces(application: Application, asked: Parameters) -> Answer:
    """The faces of a collection, or those of them that were asked for."""
    collection = application.collections.get(asked["CollectionId"])
    if "UserId" in asked:  # nobody can have made one: CreateUser is not there
        raise not_found("The user does not exist")
    faces = collection.faces
    wanted = set(asked.get("FaceIds") or faces)
    shown, following = page(
        sorted(wanted & faces.keys()), asked, default=MOST_LISTED, listed=collection.arn
    )
    return {
        "Faces": [faces[face_id].as_dict() for face_id in shown],
        "FaceModelVersion": MODEL_VERSION,
        **following,
    }


def delete_faces(application: Application, asked: Parameters) -> Answer:
    """Forget faces."""
    gone = application.collections.get(asked["CollectionId"]).remove(asked["FaceIds"])
    missing = [face_id for face_id in dict.fromkeys(asked["FaceIds"]) if face_id not in gone]
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
