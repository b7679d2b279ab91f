"""More frames than can be analysed: what is late is skipped and counted, nobody waits for ever."""

import re
import statistics

import pytest

from local.laptop import LaptopAWS
from local.tests.support.media.live_camera import LiveCamera, clip
from local.tests.support.media.live_scene import Scene, place, visit

RATE, SECONDS = 30, 20
ENDED = re.compile(r"processor (\S+) ended: (\d+) records, (\d+) frames skipped")
MIDST = re.compile(r"processor \S+ can't keep up: \d+ records, \d+ frames skipped$", re.MULTILINE)


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A laptop AWS that is asked to analyse every frame there is."""
    settings = {"REKOGNITION_FRAMES_PER_SECOND": "100"}
    with LaptopAWS(tmp_path_factory.mktemp("busy"), settings=settings) as laptop:
        yield laptop


def lags(arrivals):
    """How many seconds after its own time each frame's record came, by the server's clock."""
    for arrival, record in arrivals:
        video = record["InputInformation"]["KinesisVideo"]
        captured = video["ServerTimestamp"] + video["FrameOffsetInSeconds"]
        yield arrival["ApproximateArrivalTimestamp"].timestamp() - captured


def fragments_of(records):
    return {place(one)[0] for one in records}


@pytest.mark.long  # overloads all cores for a minute
def test_two_processors_that_cannot_keep_up_stay_live_share_fairly_and_count(busy, wait_until):
    scenes = [Scene(busy, write=True) for _ in range(2)]
    for scene in scenes:
        scene.create()
        scene.start()
    for scene in scenes:
        wait_until(lambda scene=scene: scene.described() == ("RUNNING", None), 60)
    film = clip(visit("Zoë", "Ravi"), rate=RATE)
    with LiveCamera(busy, scenes[0].name, film), LiveCamera(busy, scenes[1].name, film):

        def all_seen():
            return all(len(fragments_of(scene.records())) >= SECONDS for scene in scenes)

        wait_until(all_seen, 5 * SECONDS)
    seen = [list(zip(scene.arrivals(), scene.records(), strict=False)) for scene in scenes]
    for scene in scenes:
        scene.stop(wait_until)
    for one in seen:
        late = list(lags(one))
        third = len(late) // 3
        before, after = late[third : 2 * third], late[2 * third :]
        # Without skipping, each third would be some seconds later than the one before.
        assert statistics.median(after) < statistics.median(before) + 2
    few, many = sorted(len(one) for one in seen)
    assert many < 2 * few
    log = (busy.directory / "laptop.log").read_text()
    assert MIDST.search(log)
    ended = {name: (int(records), int(skipped)) for name, records, skipped in ENDED.findall(log)}
    for scene in scenes:
        records, skipped = ended[scene.name]
        due = RATE * len(fragments_of(scene.records()))
        assert skipped > due / 3
        assert due - RATE <= records + skipped <= due + 3 * RATE  # the last may be cut short
