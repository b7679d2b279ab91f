"""Large answers of the archive: bounded memory, and nobody who sends media waits for them."""

import io
import threading
import time
import uuid
from pathlib import Path

import av
import pytest

from tests.local.kinesisvideo_client import Film, Producer, media_client
from tests.unit import mkv_bytes as mkv

NOON = 1_800_000_000
MEGABYTE = 1024 * 1024
FILLER = b"\x0c" + b"\xff" * MEGABYTE  # H.264's filler data: weighs, and shows nothing
FRAGMENTS = 110
GROWTH = 64 * MEGABYTE  # less than a clip


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return Film(tmp_path_factory.mktemp("film"))


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


class Memory:
    """The most memory that a process has had since now, beyond what it had now."""

    def __init__(self, pid):
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def growth(self):
        return self._read("VmHWM") - self._before

    def _read(self, name):
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


@pytest.mark.long
def test_a_clip_of_a_hundred_megabytes_holds_up_nobody_and_fits_into_memory(
    laptop, stream, live, wait_until
):
    wait_until(lambda: live, 30)
    times = {"StartTimestamp": NOON, "EndTimestamp": NOON + FRAGMENTS}
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": times}
    archive = media_client(laptop, "kinesis-video-archived-media")
    memory, began = Memory(laptop.facts["pid"]), time.monotonic()
    answer = archive.get_clip(StreamName=stream, ClipFragmentSelector=selector)
    first_byte = time.monotonic()
    clip = answer["Payload"].read()
    growth = memory.growth()
    assert [at for at in live if began < at < first_byte]  # while it was made
    assert 95 * MEGABYTE < len(clip) <= 100 * MEGABYTE
    assert growth < GROWTH
    with av.open(io.BytesIO(clip)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        seconds = container.duration / 1_000_000
    assert frames % 10 == 0
    assert seconds == pytest.approx(frames / 10, abs=0.1)
