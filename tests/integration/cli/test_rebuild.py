"""A newer face model while a session runs: the old collection serves it, the new one the next."""

import json

import pytest

from cli.__main__ import main
from cli.aws.people import collection_repair, collection_switch
from local.laptop import ROOT
from local.tests.support.running import FACE_MODEL
from tests.support.stack.camera import streaming
from tests.support.stack.command import called
from whosthere.people.collections import KEY

PHOTOS = sorted((ROOT / "demo" / "people" / "Ravi").glob("*.jpg"))


@pytest.fixture
def answer(laptop, stack, monkeypatch):
    """What a verb answers in JSON; nothing is being opened or enrolled that it has to wait for."""
    monkeypatch.setattr(collection_switch, "GRACE_SECONDS", 2)
    monkeypatch.setattr(collection_repair, "GRACE_SECONDS", 2)

    def run(*arguments):
        done = called(main, [*arguments, "--json"], ROOT, laptop.environment())
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def newer_model(laptop, stack, product, answer):
    """Rekognition has another face model; afterwards all is as if it never had."""
    answer("enroll", "Ravi", str(PHOTOS[0]))
    model = laptop.directory / FACE_MODEL
    model.write_text("8.0")
    yield
    model.unlink()
    answer("forget", "Ravi", "--yes")
    product.table.delete_item(Key=KEY)
    rekognition, first = product.client("rekognition"), f"{stack.name}-people"
    for name in (first, f"{first}.2"):
        rekognition.delete_collection(CollectionId=name)
    rekognition.create_collection(CollectionId=first)


def searched(product):
    """The collection that the one running stream processor searches."""
    (name,) = product.processors()
    found = product.client("rekognition").describe_stream_processor(Name=name)
    return found["Settings"]["FaceSearch"]["CollectionId"]


def faces(product, collection):
    return product.client("rekognition").list_faces(CollectionId=collection)["Faces"]


@pytest.mark.usefixtures("newer_model")
def test_sessions_and_searches_move_to_the_newer_model(
    laptop, stack, product, answer, tmp_path, wait_until
):
    first, second = f"{stack.name}-people", f"{stack.name}-people.2"
    with streaming(laptop, tmp_path):
        execution = product.start()
        wait_until(lambda: product.is_watching(execution))
        moved = answer("rebuild", "--yes")
        session = execution.rpartition(":")[2]
        assert (moved["switched"], moved["model"], moved["oldUsedBy"]) == (True, "8.0", [session])
        assert searched(product) == first and len(faces(product, first)) == 1
        product.stop()
        product.ended(execution)

        again = product.start()
        wait_until(lambda: product.is_watching(again))
        assert searched(product) == second
        assert answer("rebuild", "--yes")["oldUsedBy"] == []
        product.stop()
        product.ended(again)
    assert faces(product, first) == [] and len(faces(product, second)) == 1
    (face,) = answer("who", str(PHOTOS[1]))["faces"]
    assert "Ravi" in {one["name"] for one in face["likest"]}
    answer("enroll", "Ravi", str(PHOTOS[1]))
    assert faces(product, first) == [] and len(faces(product, second)) == 2
