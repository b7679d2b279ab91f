"""A stack of which only what concerns photos happens: S3, the table, Rekognition, the function."""

import types

import pytest

from cli.aws.people import collection_repair, collection_switch, photo_verdicts, rename
from tests.support.records.drawn_faces import RED, draw
from tests.support.records.photo_rekognition import PhotoRekognition
from tests.support.stack.moto_target import BUCKET
from whosthere.errors import TryAgainError
from whosthere.people.differences import find_differences
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler

FACE = (0.4, 0.2, 0.2, 0.3)


class Cloud:
    """What happens in a stack while a verb waits; time goes by only then."""

    def __init__(self, target):
        self.now, self.is_up = 0.0, True
        s3 = target.session.client("s3")
        self.rekognition = PhotoRekognition(s3)
        collection = PeopleCollection(s3, self.rekognition, BUCKET, "whosthere-people")
        self.reconciler = PhotoReconciler(target.table(), collection, target.id)
        self.clock = types.SimpleNamespace(monotonic=self.monotonic, sleep=self.sleep)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for key in find_differences(self.reconciler.people) if self.is_up else ():
            try:
                self.reconciler.reconcile_photo(key)
            except TryAgainError:
                continue


@pytest.fixture
def cloud(target, monkeypatch):
    found = Cloud(target)
    client = target.session.client
    monkeypatch.setattr(
        target.session,
        "client",
        lambda name, **more: found.rekognition if name == "rekognition" else client(name, **more),
    )
    for module in (photo_verdicts, rename, collection_repair, collection_switch):
        monkeypatch.setattr(module, "time", found.clock)
    return found


@pytest.fixture
def photo(tmp_path):
    """Draw a photo into a file; what follows a JPEG's end makes each another one."""

    def make(name, colour=RED, *faces):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(draw((FACE, colour), *faces) + str(path).encode())
        return str(path)

    return make
