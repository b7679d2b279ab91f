"""Large answers of the archive: bounded memory, and nobody who sends media waits for them."""

import io
import threading
import time
import uuid

import av
import numpy as np
import pytest
from PIL import Image

from local.kinesisvideo.mkv import ebml
from local.tests.support.kinesisvideo.client import Producer, media_client
from local.tests.support.laptop.memory import growth
from local.tests.support.media import mkv
from local.tests.support.media.clips import encoded, later

NOON = 1_800_000_000
MEGABYTE = 1024 * 1024
FILLER = b"\x0c" + b"\xff" * MEGABYTE  # H.264's filler data: weighs, and shows nothing
FRAGMENTS = 110
GROWTH = 64 * MEGABYTE  # less than a clip
IMAGES = 25
CLUSTER = ebml.CLUSTER.to_bytes(4)


@pytest.fixture(scope="module")
def stream(laptop, film):
    """A stream with more than a clip may have."""
    control, name = laptop.client("kinesisvideo"), f"large-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    (first, data), *rest = film.packets
    heavy = data + len(FILLER).to_bytes(4) + FILLER
    with Producer(laptop, name) as producer:
        producer.send(film.header)
        for number in range(FRAGMENTS):
            blocks = [mkv.block(round(at), frame) for at, frame in [(first, heavy), *rest]]
            producer.send(mkv.cluster((NOON + number) * 1000, *blocks), size=1 << 16)
        assert producer.end()[-1]["EventType"] == "PERSISTED"
    yield name
    control.delete_stream(StreamARN=arn)


@pytest.fixture
def live(laptop, film):
    """Somebody who sends fragment after fragment; when each was acknowledged."""
    control, name = laptop.client("kinesisvideo"), f"live-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    acknowledged, ended = [], threading.Event()

    def send():
        with Producer(laptop, name) as producer:
            producer.send(film.header)
            for second in range(10_000):
                if ended.wait(0.05):
                    break
                producer.send(film.fragment((NOON + second) * 1000), mkv.end())
                assert producer.until("PERSISTED")
                acknowledged.append(time.monotonic())
            producer.end()

    sending = threading.Thread(target=send)
    sending.start()
    yield acknowledged
    ended.set()
    sending.join()
    control.delete_stream(StreamARN=arn)


@pytest.mark.long  # a hundred megabytes of video
def test_a_clip_of_a_hundred_megabytes_holds_up_nobody_and_fits_into_memory(
    laptop, stream, live, wait_until
):
    wait_until(lambda: live, 30)
    times = {"StartTimestamp": NOON, "EndTimestamp": NOON + FRAGMENTS}
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": times}
    archive = media_client(laptop, "kinesis-video-archived-media")
    with growth(laptop) as grown:
        began = time.monotonic()
        answer = archive.get_clip(StreamName=stream, ClipFragmentSelector=selector)
        first_byte = time.monotonic()
        clip = answer["Payload"].read()
    assert [at for at in live if began < at < first_byte]  # while it was made
    assert 95 * MEGABYTE < len(clip) <= 100 * MEGABYTE
    assert grown() < GROWTH
    with av.open(io.BytesIO(clip)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        seconds = container.duration / 1_000_000
    assert frames % 10 == 0
    assert seconds == pytest.approx(frames / 10, abs=0.1)


@pytest.fixture(scope="module")
def noise(laptop):
    """A stream of frames that no compression makes small."""
    control, name = laptop.client("kinesisvideo"), f"noise-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    pixels = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    media = encoded([Image.fromarray(pixels)], tune="zerolatency", qp="1", preset="ultrafast")
    with Producer(laptop, name) as producer:
        for number in range(IMAGES):
            film = later(media, (NOON + number) * 1000)
            producer.send(film[film.index(CLUSTER) if number else 0 :], size=1 << 16)
        assert producer.end()[-1]["EventType"] == "PERSISTED"
    yield name
    control.delete_stream(StreamARN=arn)


@pytest.mark.long  # a hundred megabytes of images
def test_a_page_of_large_images_is_in_memory_once(laptop, noise):
    asked = {"ImageSelectorType": "PRODUCER_TIMESTAMP", "Format": "PNG", "SamplingInterval": 1000}
    times = {"StartTimestamp": NOON, "EndTimestamp": NOON + IMAGES}
    archive = media_client(laptop, "kinesis-video-archived-media")
    with growth(laptop) as grown:
        images = archive.get_images(StreamName=noise, **asked, **times)["Images"]
    size = sum(len(image["ImageContent"]) for image in images)
    assert len(images) == IMAGES
    assert size > 60 * MEGABYTE
    assert grown() < size + GROWTH
