"""A Rekognition for the tests of photos, that tells drawn faces apart by their colour."""

from types import SimpleNamespace

from botocore.exceptions import ClientError

from tests.support.records.drawn_faces import colours


class GoneError(ClientError):
    """There is no collection of that name."""


class ExistsError(ClientError):
    """There is one already."""


class PhotoRekognition:
    """Detects the coloured faces of photos in a bucket and keeps them in collections.

    `labels` are those of the first collection, which any name without a dot stands for.
    """

    exceptions = SimpleNamespace(
        ResourceNotFoundException=GoneError, ResourceAlreadyExistsException=ExistsError
    )

    def __init__(self, s3):
        self.s3, self.labels, self.made = s3, {}, 0
        self.model, self.models, self.others = "7.0", {}, {}  # the newest; each one's; their labels
        self.detail, self.poor, self.similar = {}, [], {}
        self.knows_images = True  # the same image and external id are one face (IndexFaces)

    @property
    def faces(self):
        """Whose the faces are, and their colour; without which photo it is."""
        return {id: (label.split(":")[0], seen) for id, (label, seen) in self.labels.items()}

    def create_collection(self, *, CollectionId):
        if CollectionId in self.others:
            raise ExistsError({"Error": {"Code": "ResourceAlreadyExistsException"}}, "Create")
        self.models[CollectionId] = self.model
        if "." in CollectionId:
            self.others[CollectionId] = {}

    def delete_collection(self, *, CollectionId):
        self.labels_of(CollectionId).clear()
        self.others.pop(CollectionId, None)

    def labels_of(self, collection):
        """The faces of a collection: label and colour by id."""
        if "." in collection and collection not in self.others:
            raise GoneError({"Error": {"Code": "ResourceNotFoundException"}}, "Any")
        return self.others.get(collection, self.labels)

    def detect_faces(self, *, Image):
        self.content_of(Image)
        name = Image.get("S3Object", {}).get("Name", "")
        return {"FaceDetails": self.detail.get(name, [face_detail()])}

    def index_faces(self, *, CollectionId, Image, ExternalImageId, **_given):
        labels = self.labels_of(CollectionId)
        if self.poor:
            return {"FaceRecords": [], "UnindexedFaces": [{"Reasons": self.poor}]}
        seen = colours(self.content_of(Image)).most_common(1)[0][0]
        for id, kept in labels.items():
            if kept == (ExternalImageId, seen) and self.knows_images:
                return {"FaceRecords": [{"Face": {"FaceId": id}}]}
        self.made += 1
        labels[f"face-{self.made}"] = (ExternalImageId, seen)
        return {"FaceRecords": [{"Face": {"FaceId": f"face-{self.made}"}}]}

    def search_faces(self, *, CollectionId, FaceId, FaceMatchThreshold, **_given):
        labels = self.labels_of(CollectionId)
        return {"FaceMatches": self._matches(labels, labels[FaceId][1], FaceMatchThreshold, FaceId)}

    def search_faces_by_image(self, *, CollectionId, Image, FaceMatchThreshold, **_given):
        seen = colours(self.content_of(Image)).most_common(1)[0][0]
        labels = self.labels_of(CollectionId)
        return {"FaceMatches": self._matches(labels, seen, FaceMatchThreshold)}

    def _matches(self, labels, own, threshold, but=None):
        """Faces of one colour are alike, and so are those that a test says are."""
        found = [
            (99.9 if seen == own else self.similar.get(frozenset((seen, own)), 0.0), id, label)
            for id, (label, seen) in labels.items()
            if id != but
        ]
        return [
            {"Similarity": similarity, "Face": {"FaceId": id, "ExternalImageId": label}}
            for similarity, id, label in sorted(found, reverse=True)
            if similarity >= threshold
        ]

    def delete_faces(self, *, FaceIds, CollectionId="whosthere-people"):
        for id in FaceIds:
            self.labels_of(CollectionId).pop(id, None)

    def describe_collection(self, *, CollectionId):
        count = len(self.labels_of(CollectionId))
        return {"FaceCount": count, "FaceModelVersion": self.models.get(CollectionId, "7.0")}

    def get_paginator(self, _operation):
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, *, CollectionId):
        labels = self.labels_of(CollectionId)
        faces = [{"FaceId": id, "ExternalImageId": label} for id, (label, _) in labels.items()]
        return [{"Faces": faces[:1]}, {"Faces": faces[1:]}]

    def content_of(self, image):
        if "Bytes" in image:
            return image["Bytes"]
        try:
            named = image["S3Object"]
            return self.s3.get_object(Bucket=named["Bucket"], Key=named["Name"])["Body"].read()
        except ClientError as error:
            gone = {"Code": "InvalidS3ObjectException", "Message": ""}
            raise ClientError({"Error": gone}, "DetectFaces") from error


def face_detail(height=0.3, confidence=99.9, left=0.4):
    box = {"Left": left, "Top": 0.2, "Width": 0.2, "Height": height}
    return {"BoundingBox": box, "Confidence": confidence}
