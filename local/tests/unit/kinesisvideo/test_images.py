"""Exact frames out of fragments, and images of tagged fragments in S3."""

import io

import pytest
from PIL import Image

from local.kinesisvideo.mkv.parser import FragmentFinished
from local.kinesisvideo.store import images
from local.kinesisvideo.store.fragments import FragmentStore
from local.kinesisvideo.store.image_generation import ImageGenerator
from local.kinesisvideo.store.images import ImageFormat, UndecodableError
from local.kinesisvideo.store.streams import DelayedSetting, Stream
from local.ministack import Principal
from local.security.iam import AccessDenied
from local.tests.support.media.films import brightness, draw, draw_sound

DOOR = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1"
CALLER = Principal("arn:aws:sts::000000000000:assumed-role/camera/pi")
TAGGED = (("AWS_KINESISVIDEO_IMAGE_GENERATION", ""),)
START = 1_800_000_000_000


def encoded(film, choice, wanted=ImageFormat()):  # noqa: B008 - it is frozen
    return dict(images.encode_frames(film, choice, wanted))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """One second, ten frames, each of another brightness."""
    return draw(tmp_path_factory.mktemp("film") / "film.mkv").read_bytes()


def level(image):
    """How bright the middle of an image is."""
    image = Image.open(io.BytesIO(image)).convert("L")
    return image.getpixel((image.width // 2, image.height // 2 + 4))


def test_exactly_the_chosen_frames_are_decoded(film):
    found = encoded(film, lambda times: [times[3], times[7]], ImageFormat())
    assert sorted(found) == [300, 700]
    assert level(found[300]) == pytest.approx(brightness(3), abs=2)
    assert level(found[700]) == pytest.approx(brightness(7), abs=2)


@pytest.mark.parametrize(
    ("wanted", "kind", "size"),
    [
        (ImageFormat(), "JPEG", (64, 48)),
        (ImageFormat("PNG"), "PNG", (64, 48)),
        (ImageFormat("PNG", width=32, height=40), "PNG", (32, 40)),
        (ImageFormat("JPEG", height=24), "JPEG", (32, 24)),
        (ImageFormat("JPEG", width=32), "JPEG", (32, 24)),
        (ImageFormat("PNG", height=2160), "PNG", (2880, 2160)),
    ],
)
def test_an_image_has_the_format_and_size_that_was_asked_for(film, wanted, kind, size):
    image = Image.open(io.BytesIO(encoded(film, lambda times: times[:1], wanted)[0]))
    assert (image.format, image.size) == (kind, size)


def test_a_lower_quality_makes_a_smaller_image(film):
    sizes = [
        len(encoded(film, lambda times: times[:1], ImageFormat(quality=quality))[0])
        for quality in (1, 100)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("film", [b"", b"no film", b"\x1a\x45\xdf\xa3" * 20])
def test_media_without_frames_is_said_to_be_so(film):
    with pytest.raises(UndecodableError):
        encoded(film, lambda times: times)


def test_sound_alone_has_no_encoded(tmp_path):
    sound = draw_sound(tmp_path / "sound.mkv").read_bytes()
    with pytest.raises(UndecodableError):
        encoded(sound, lambda times: times)


class Bucket:
    """What would be S3, and the generator that writes to it."""

    def __init__(self, directory, film, **changes):
        self.now = 1000.0
        self.objects = {}
        self.refuses = False
        self.film = film
        self.store = FragmentStore(directory, lambda arn: 24, clock=lambda: START / 1000)
        self.generator = ImageGenerator(self.store, 60, lambda: self.now, self.put)
        asked = {
            "Status": "ENABLED",
            "ImageSelectorType": "PRODUCER_TIMESTAMP",
            "DestinationConfig": {"Uri": "s3://pictures/frames/door", "DestinationRegion": ""},
            "SamplingInterval": 500,
            "Format": "JPEG",
            **changes,
        }
        self.stream = Stream("door", DOOR, 0.0, 24, images=DelayedSetting(asked, 900.0))

    def put(self, caller, bucket, key, body, *, content_type, metadata):
        assert caller == CALLER
        if self.refuses:
            raise AccessDenied("no")
        self.objects[f"{bucket}/{key}"] = (body, content_type, metadata)

    def take(self, *starts, tags=TAGGED):
        """Add fragments of one second and wait for their images."""
        for start in starts:
            media = FragmentFinished(0, 0, 1000, b"", self.film, tags)
            number = self.store.next_number()
            fragment = self.store.add(DOOR, number, media, producer=start, server=START + 5)
            self.generator.submit_if_tagged(self.stream, fragment, CALLER)
        self.generator.work_queue.finish()

    def times(self):
        """The times in the objects' names."""
        return sorted(int(key.split("_")[-2]) - START for key in self.objects)


@pytest.fixture
def bucket(tmp_path, film):
    return Bucket(tmp_path, film)


def test_a_tagged_fragment_s_images_lie_in_s3_as_aws_names_them(bucket):
    bucket.take(START)
    key, (body, kind, metadata) = sorted(bucket.objects.items())[1]
    name, _, extension = key.rpartition(".")
    assert name.rpartition("_")[0] == f"pictures/frames/door/000000000000_door_{START + 500}"
    assert (kind, extension) == ("image/jpeg", "jpg")
    assert level(body) == pytest.approx(brightness(5), abs=2)
    assert metadata["aws_kinesisvideo_producer_timestamp"] == str(START + 500)
    assert metadata["aws_kinesisvideo_server_timestamp"] == str(START + 505)
    assert len(metadata["aws_kinesisvideo_fragment_number"]) == 47


def test_a_fragment_s_own_tags_become_metadata_and_its_prefix_begins_the_name(bucket):
    prefix = ("AWS_KINESISVIDEO_IMAGE_PREFIX", "visit")
    bucket.take(START, tags=(*TAGGED, prefix, ("zone", "7"), ("who", "Zoë")))
    key, (_, _, metadata) = next(iter(bucket.objects.items()))
    assert key.startswith("pictures/frames/door/visit_000000000000_door_")
    assert (metadata["zone"], metadata["who"]) == ("7", "Zo%C3%AB")
    assert not [name for name in metadata if name.startswith("AWS")]


def test_without_a_folder_the_name_stands_alone(tmp_path, film):
    destination = {"Uri": "s3://pictures", "DestinationRegion": ""}
    bucket = Bucket(tmp_path, film, DestinationConfig=destination)
    bucket.take(START)
    assert min(bucket.objects).startswith("pictures/000000000000_door_")


def test_one_sampling_grid_runs_through_all_fragments(tmp_path, film):
    bucket = Bucket(tmp_path, film, SamplingInterval=1500)
    bucket.take(START, START + 1000, START + 2000, START + 3000)
    assert bucket.times() == [0, 1500, 3000]


def test_the_grid_begins_anew_after_a_gap_and_when_the_clock_goes_back(tmp_path, film):
    bucket = Bucket(tmp_path, film, SamplingInterval=700)
    bucket.take(START, START + 10_150, START + 4_000)
    assert bucket.times() == [0, 700, 4000, 4700, 10_150, 10_850]


@pytest.mark.parametrize(
    "changes",
    [{"Status": "DISABLED"}, {"SamplingInterval": 200}],
    ids=["disabled", "enabled"],
)
def test_images_are_made_only_while_enabled(tmp_path, film, changes):
    bucket = Bucket(tmp_path, film, **changes)
    bucket.take(START)
    assert len(bucket.objects) == (0 if "Status" in changes else 5)


def test_a_fragment_without_the_tag_has_no_images(bucket):
    bucket.take(START, tags=(("zone", "7"),))
    assert bucket.objects == {}


def test_a_change_takes_a_while_to_hold(bucket):
    bucket.now = 959.9
    bucket.take(START)
    assert bucket.objects == {}


def test_what_was_asked_before_holds_until_the_change_does():
    before, after = {"Status": "ENABLED"}, {"Status": "DISABLED"}
    settings = DelayedSetting(after, 100.0, before)
    assert settings.effective(159.9, 60) is before
    assert settings.effective(160.0, 60) is after


def test_a_caller_who_may_not_write_gets_no_images_and_hears_nothing(bucket):
    bucket.refuses = True
    bucket.take(START)
    assert bucket.objects == {}


def test_a_fragment_that_is_no_film_stops_nothing(bucket):
    good, bucket.film = bucket.film, b"no film at all"
    fragment = bucket.store.add(
        DOOR,
        "1",
        FragmentFinished(0, 0, 1000, b"", b"no film", TAGGED),
        producer=START,
        server=START,
    )
    bucket.generator.submit_if_tagged(bucket.stream, fragment, CALLER)
    bucket.film = good
    bucket.take(START)
    assert bucket.times() == [0, 500]
