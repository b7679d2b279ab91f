"""Collections as boto3 sees them."""

import uuid

import pytest

from local.tests.support.kinesisvideo.users import users
from local.tests.support.laptop.parts import error_code
from local.tests.support.media.portraits import photo
from local.tests.support.models.rekognition import answered


@pytest.fixture
def rekognition(laptop):
    return laptop.client("rekognition")


@pytest.fixture
def collection(rekognition):
    """A collection of its own for each test."""
    name = f"collection-{uuid.uuid4().hex[:8]}"
    rekognition.create_collection(CollectionId=name)
    yield name
    rekognition.delete_collection(CollectionId=name)


def enroll(rekognition, collection, name, number=1):
    indexed = rekognition.index_faces(
        CollectionId=collection, Image={"Bytes": photo(name, number)}, ExternalImageId="id"
    )
    return indexed["FaceRecords"][0]["Face"]["FaceId"]


def test_a_new_collection_is_empty_and_listed(laptop, collection):
    described = answered(laptop, "DescribeCollection", CollectionId=collection)
    assert described["FaceCount"] == 0
    assert described["CollectionARN"].endswith(f":collection/{collection}")
    assert collection in answered(laptop, "ListCollections")["CollectionIds"]


def test_a_name_is_taken_only_once(rekognition, collection):
    with pytest.raises(rekognition.exceptions.ResourceAlreadyExistsException):
        rekognition.create_collection(CollectionId=collection)


@pytest.mark.parametrize("operation", ["describe_collection", "delete_collection", "list_faces"])
def test_what_does_not_exist_is_not_found(rekognition, operation):
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        getattr(rekognition, operation)(CollectionId="no-such-collection")


def test_the_same_photo_is_stored_once_and_keeps_its_face_id(rekognition, collection):
    assert enroll(rekognition, collection, "Zoë") == enroll(rekognition, collection, "Zoë")
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 1


def test_faces_are_listed_page_by_page_even_if_some_go_meanwhile(rekognition, laptop, collection):
    faces = sorted(enroll(rekognition, collection, *who) for who in PHOTOS)
    first = answered(laptop, "ListFaces", CollectionId=collection, MaxResults=2)
    assert [face["FaceId"] for face in first["Faces"]] == faces[:2]
    rekognition.delete_faces(CollectionId=collection, FaceIds=[faces[1]])
    rest = answered(
        laptop, "ListFaces", CollectionId=collection, MaxResults=2, NextToken=first["NextToken"]
    )
    assert [face["FaceId"] for face in rest["Faces"]] == faces[2:]
    assert "NextToken" not in rest


PHOTOS = (("Zoë", 1), ("Zoë", 2), ("Ravi", 1))


@pytest.mark.parametrize("token", ["?", "YWJj", "é", ""])
def test_a_made_up_token_is_refused(rekognition, collection, token):
    with pytest.raises(rekognition.exceptions.InvalidPaginationTokenException):
        rekognition.list_faces(CollectionId=collection, NextToken=token)


def test_collections_of_the_longest_names_are_listed_page_by_page(rekognition, laptop, collection):
    names = [f"{letter * 247}{uuid.uuid4().hex[:8]}" for letter in "ab"]
    for name in names:
        rekognition.create_collection(CollectionId=name)
    pages = rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 1})
    listed = [page["CollectionIds"] for page in pages]
    assert all(len(page) == 1 for page in listed)
    assert {*names, collection} <= {page[0] for page in listed}
    token = answered(laptop, "ListCollections", MaxResults=1)["NextToken"]
    with pytest.raises(rekognition.exceptions.InvalidPaginationTokenException):
        rekognition.list_faces(CollectionId=collection, NextToken=token)
    for name in names:
        rekognition.delete_collection(CollectionId=name)


def test_a_collection_keeps_its_tags_and_they_can_be_changed(rekognition, laptop):
    name = f"collection-{uuid.uuid4().hex[:8]}"
    arn = rekognition.create_collection(CollectionId=name, Tags={"team": "door"})["CollectionArn"]
    answered(laptop, "TagResource", ResourceArn=arn, Tags={"team": "gate", "größe": "+1 @home"})
    tags = answered(laptop, "ListTagsForResource", ResourceArn=arn)["Tags"]
    assert tags == {"team": "gate", "größe": "+1 @home"}
    answered(laptop, "UntagResource", ResourceArn=arn, TagKeys=["team", "no-such-key"])
    assert list(answered(laptop, "ListTagsForResource", ResourceArn=arn)["Tags"]) == ["größe"]
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match="pattern"):
        rekognition.tag_resource(ResourceArn=arn, Tags={"aws:mine": "x"})
    rekognition.delete_collection(CollectionId=name)
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.list_tags_for_resource(ResourceArn=arn)


def test_tagging_a_collection_at_its_creation_takes_a_permission_of_its_own(laptop, rekognition):
    name = f"collection-{uuid.uuid4().hex[:8]}"
    with users(laptop) as allowed:
        keys = allowed(rekognition_CreateCollection="*")
        create = allowed.client("rekognition", keys).create_collection
        arn = create(CollectionId=name)["CollectionArn"]
        rekognition.delete_collection(CollectionId=name)
        tagged = {"CollectionId": name, "Tags": {"team": "door"}}
        assert error_code(create, **tagged) == "AccessDeniedException"
        allowed.allow(keys[0], rekognition_CreateCollection="*", rekognition_TagResource=arn)
        assert create(**tagged)["CollectionArn"] == arn
    rekognition.delete_collection(CollectionId=name)


def test_deleted_faces_are_said_and_so_are_those_that_were_not_there(
    rekognition, laptop, collection
):
    face, missing = enroll(rekognition, collection, "Zoë"), str(uuid.uuid4())
    gone = answered(laptop, "DeleteFaces", CollectionId=collection, FaceIds=[face, missing])
    assert gone["DeletedFaces"] == [face]
    assert gone["UnsuccessfulFaceDeletions"] == [{"FaceId": missing, "Reasons": ["FACE_NOT_FOUND"]}]
    assert answered(laptop, "ListFaces", CollectionId=collection)["Faces"] == []


def test_a_deleted_collection_takes_its_faces_along(rekognition):
    name = f"collection-{uuid.uuid4().hex[:8]}"
    rekognition.create_collection(CollectionId=name)
    enroll(rekognition, name, "Zoë")
    rekognition.delete_collection(CollectionId=name)
    rekognition.create_collection(CollectionId=name)
    assert rekognition.list_faces(CollectionId=name)["Faces"] == []
    rekognition.delete_collection(CollectionId=name)


def test_a_user_whose_faces_are_listed_does_not_exist(rekognition, collection):
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.list_faces(CollectionId=collection, UserId="somebody")
