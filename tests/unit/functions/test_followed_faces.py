"""The engine image-search: a face that is sure to be somebody is not searched in each image."""

import io
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import strategies
from PIL import Image, ImageChops

from bench.costs import FILM
from edge.tagging.faces import Look, face_tags
from tests.support.edge.capture import capture_film
from tests.support.records.alert_harness import (
    LEFT,
    RIGHT,
    START,
    FlakyTable,
    Killed,
    RacingTable,
    empty,
    open_session,
)
from tests.support.records.drawn_faces import RED, draw
from tests.support.records.given_many import given_many
from tests.support.records.image_scenes import (
    ALWAYS,
    PEOPLE,
    STRANGERS,
    ImageHarness,
    SceneFace,
    drawn,
    film_scenes,
    tagged,
)
from tests.support.records.stranger_harness import a_table_and_a_bucket, empty_bucket
from tests.support.stack.demo_film import DEMO
from whosthere import settings
from whosthere.imaging import thumbnail, to_jpeg
from whosthere.ingest.image import MIN_FACE_PX
from whosthere.session.lock import unlock

ALICE, BETH = "p-alice", "p-beth"
DEFAULT_LEVELS = settings.defaults()["imageChangeLevels"]


@pytest.fixture(scope="module")
def shared():
    with a_table_and_a_bucket() as shared:
        yield shared


@pytest.fixture(scope="module")
def film():
    return film_scenes()


@pytest.fixture
def session(shared, monkeypatch):
    """Opens a session of its own on an empty table."""

    def opened(**settings):
        empty(shared[0])
        empty_bucket(shared[1])
        return ImageHarness(monkeypatch, *shared, **settings)

    return opened


def alice(similarity=99.5, box=LEFT, **looks):
    return SceneFace(ALICE, box, similarity, **looks)


def stranger(box=LEFT, **looks):
    return SceneFace("somebody", box, **looks)


def searched(session, *faces, **settings):
    """How many searches of the people these images need, a second apart, with one face each."""
    harness = session(**settings)
    harness.searches(*(drawn(second, face) for second, face in enumerate(faces)))
    return harness.rekognition.calls[PEOPLE]


def test_the_film_needs_60_per_cent_fewer_searches_and_shows_the_same(session, film):
    results = []
    for changed in (ALWAYS, {}):
        harness = session(gapSeconds=5, **changed)
        assert set(harness.searches(*film)) == {"searched"}
        results.append((harness.number_of_searches, harness.summary))
    (before, always), (after, followed) = results
    assert followed == always
    assert [visit[0] for visit in always[0]] == ["p-zoe", "p-ravi", "p-zoe", "p-ravi"]
    assert always[2] == 2 and always[3] == {"person": 4, "stranger": 2}
    assert after <= 0.4 * before
    assert harness.counts["searches_saved"] == before - after


def test_with_tag_face_the_film_needs_fewer_detections_and_shows_the_same(session, film):
    """About as many as the price of a month is reckoned with; cascades differ a little by CPU."""
    fragments = capture_film(DEMO / "film.mp4", "--tag", "face").fragments
    scenes = tagged(film, [(fragment.at_ms, fragment.tags) for fragment in fragments])
    results = []
    for changed in (ALWAYS, {}):
        harness = session(gapSeconds=5, **changed)
        harness.searches(*scenes)
        persons, strangers, _, kinds = harness.summary
        seen = [who for who, *_ in persons], len(strangers), kinds
        results.append((harness.rekognition.calls["detect"], seen))
    (before, always), (after, followed) = results
    assert followed == always
    assert always == (["p-zoe", "p-ravi", "p-zoe", "p-ravi"], 2, {"person": 4, "stranger": 2})
    assert before == pytest.approx(FILM.with_face, abs=2)
    assert after == pytest.approx(FILM.face_detects, abs=3)


def test_who_is_very_alike_is_searched_once_and_again_after_a_while(session):
    assert searched(session, *[alice()] * 5) == 1
    assert searched(session, *[alice()] * 6) == 2
    assert searched(session, *[alice()] * 6, searchAgainSeconds=2) == 3
    assert searched(session, *[alice()] * 6, searchAgainSeconds=0) == 6


def test_who_is_less_alike_is_searched_until_as_many_searches_agree_as_confirm(session):
    assert searched(session, *[alice(95)] * 5) == 2
    assert searched(session, *[alice(95)] * 5, confirmSightings=1) == 2
    assert searched(session, *[alice(95)] * 5, confirmSightings=4) == 4


def test_a_wrong_first_match_is_not_followed(session):
    harness = session()
    harness.searches(drawn(0, SceneFace(BETH, LEFT, 95)), *(drawn(s, alice()) for s in (1, 2, 3)))
    persons, *_ = harness.summary
    assert [(who, alert) for who, _, _, _, alert in persons] == [
        (BETH, "none"),
        (ALICE, "sent"),
    ]


def test_whoever_is_unsure_or_turned_away_is_searched_each_time(session):
    assert searched(session, *[alice(85)] * 5) == 5
    assert searched(session, *[alice(0, sharpness=1.0)] * 5) == 5
    assert searched(session, alice(95), alice(0), alice(95), alice(0), alice(95)) == 5


def test_who_was_taken_for_somebody_else_before_is_searched_twice(session):
    harness = session()
    harness.table.put_item(
        Item={"pk": "people", "sk": ALICE, "name": "Alice", "lookAlikes": {"n-1"}, "version": 1}
    )
    harness.searches(*(drawn(second, alice()) for second in range(4)))
    assert harness.rekognition.calls[PEOPLE] == 2


def test_a_settled_stranger_is_followed_until_he_turns_to_the_camera(session):
    harness = session()
    turned = [stranger(yaw=30.0)] * 4
    harness.searches(*(drawn(second, face) for second, face in enumerate(turned)))
    assert harness.rekognition.calls == {"detect": 4, PEOPLE: 2, STRANGERS: 1}
    harness.searches(drawn(4, alice(0, yaw=5.0)))
    assert harness.rekognition.calls[PEOPLE] == 3
    assert harness.summary[3] == {"stranger": 1}


def test_a_settled_stranger_who_comes_nearer_is_searched(session):
    harness, (left, top, width, height) = session(), LEFT
    harness.searches(*(drawn(second, stranger()) for second in range(3)))
    nearer = (left, top, 1.3 * width, 1.3 * height)
    harness.searches(drawn(3, alice(0, box=nearer)))
    assert harness.rekognition.calls[PEOPLE] == 3


def test_with_strangers_off_nothing_is_kept_of_them_and_persons_are_followed(session):
    harness = session(strangers="off")
    harness.searches(*(drawn(second, stranger()) for second in range(3)))
    image = harness.table.get_item(Key={"pk": "camera#front-door", "sk": "tracks"})["Item"]["image"]
    assert (image["faces"], "thumbnail" in image, "detected" in image) == ("[]", False, False)
    assert harness.rekognition.calls[PEOPLE] == 3
    harness.searches(*(drawn(second, alice()) for second in (4, 5, 6)))
    assert harness.rekognition.calls[PEOPLE] == 4


def test_where_two_faces_compete_both_are_searched(session):
    harness = session()
    near = (LEFT[0] + 0.03, *LEFT[1:])
    harness.searches(drawn(0, alice()), drawn(1, alice(), SceneFace(BETH, near, 99.5)))
    assert harness.rekognition.calls[PEOPLE] == 3


def test_two_who_stand_apart_are_both_followed(session):
    harness = session()
    both = (alice(), SceneFace(BETH, RIGHT, 99.5))
    harness.searches(*(drawn(second, *both) for second in range(3)))
    assert harness.rekognition.calls[PEOPLE] == 2
    assert [who for who, *_ in harness.summary[0]] == [ALICE, BETH]


def test_who_moved_away_or_was_gone_for_a_while_is_searched(session):
    assert searched(session, alice(), alice(box=RIGHT)) == 2
    harness = session()
    harness.searches(drawn(0, alice()), drawn(1), drawn(2), drawn(3, alice()))
    assert harness.rekognition.calls[PEOPLE] == 2


def test_an_image_that_comes_late_is_searched_and_one_that_comes_twice_is_not(session):
    harness = session()
    first, second, third = (drawn(number, alice()) for number in range(3))
    harness.searches(first, third, second, third, third)
    assert harness.rekognition.calls[PEOPLE] == 2
    assert harness.summary[3] == {"person": 1}


def test_a_new_session_begins_with_a_search(session):
    harness = session()
    harness.searches(drawn(0, alice()))
    unlock(harness.table, harness.session)
    open_session(harness.table, "two", started=0.5)
    harness.searches(drawn(1, alice()))
    assert harness.rekognition.calls[PEOPLE] == 2


def test_of_two_workers_at_once_the_newer_image_is_kept(session):
    harness = session()
    newer = drawn(1, alice())
    racing = RacingTable(harness.table, 1, lambda: harness.search(newer))
    harness.search(drawn(0, alice()), harness.worker(table=racing))
    image = harness.table.get_item(Key={"pk": "camera#front-door", "sk": "tracks"})["Item"]["image"]
    assert int(image["captured"]) % 60_000 == 1000
    assert harness.summary[3] == {"person": 1}


@given_many(300, strategies.integers(1, 40), strategies.booleans())
def test_a_worker_that_dies_at_a_call_of_the_table_loses_no_alert(session, at, after):
    """One that dies between an alert and its mark sends it twice, as with records."""
    harness = session()
    scenes = [drawn(second, alice(), stranger(RIGHT)) for second in range(4)]
    harness.search(scenes[0])
    with suppress(Killed):
        harness.search(
            scenes[1], harness.worker(FlakyTable(harness.table, at, Killed(), after=after))
        )
    harness.clock.forward(66)
    harness.searches(*scenes[1:])
    told = {(alert.kind, alert.facts["visit"]) for alert in harness.subscriber.alerts}
    assert sorted(kind for kind, _ in told) == ["person", "stranger"]


def test_faces_are_not_looked_for_in_an_image_that_has_not_changed(session):
    harness = session()
    harness.searches(*(drawn(second, alice(), light=0) for second in range(7)))
    assert harness.rekognition.calls == {"detect": 2, PEOPLE: 2}
    ((_, _, first_ms, last_ms, alert),) = harness.summary[0]
    assert (last_ms - first_ms, alert) == (6000, "sent")
    assert (harness.counts["detections_saved"], harness.counts["searches_saved"]) == (5, 5)


def test_a_face_changes_the_thumbnail_wherever_it_appears(film):
    """As small as can be compared; noise of a camera in the dark changes nothing."""
    shown = next(scene for scene in film if len(scene.faces) == 2)
    picture, empty_porch = opened(shown), opened(film[0])
    before, random = thumbnail(to_jpeg(empty_porch)), Random(1)
    for number in range(60):
        left, top, width, height = shown.faces[number % 2].box
        area = (left * 640, top * 480, (left + width) * 640, (top + height) * 480)
        face = picture.resize((round(MIN_FACE_PX * width * 4 / height / 3), MIN_FACE_PX), box=area)
        porch = empty_porch.copy()
        porch.paste(face, (random.randrange(640 - face.width), random.randrange(480 - face.height)))
        assert thumbnail(to_jpeg(porch)).change(before) > 2 * DEFAULT_LEVELS
    noise = Image.effect_noise((640, 480), 6).convert("RGB")  # its mean is 128
    noisy = ImageChops.add(empty_porch, noise, offset=-128)
    assert thumbnail(to_jpeg(noisy)).change(before) <= DEFAULT_LEVELS


def opened(scene):
    return Image.open(io.BytesIO(scene.content)).convert("RGB")


def test_an_image_of_another_size_or_too_large_is_never_the_same():
    assert thumbnail(draw(size=(640, 480))).change(thumbnail(draw(size=(480, 640)))) == 255
    assert thumbnail(draw(size=(1920, 1080))) is not None
    assert thumbnail(draw(size=(1928, 1080))) is None
    assert thumbnail(b"no image") is None
    assert thumbnail(draw()[:2000]) is None


def test_a_png_has_the_thumbnail_of_the_jpeg():
    content, out = draw((LEFT, RED)), io.BytesIO()
    Image.open(io.BytesIO(content)).save(out, "PNG")
    assert thumbnail(out.getvalue()).change(thumbnail(content)) <= 2


def seen_by_camera(scene, *boxes, off_ms=0):
    """The scene as of a camera that looks for faces itself, and found these."""
    looked_ms = START + round(1000 * scene.second) + off_ms
    sides = ([round(1000 * side) for side in box] for box in boxes)
    return replace(scene, tags=face_tags([Look(looked_ms, [tuple(box) for box in sides])]))


def walk(second, far=0.02):
    left, top, width, height = LEFT
    return (left + far * second, top, width, height)


# A frontal face as a cascade frames it, and something that it takes for a face.
LAMP = (0.8, 0.05, 0.2, 0.25)


def framed(box):
    left, top, width, height = box
    return (left - 0.1 * width, top - 0.2 * height, 1.2 * width, 1.2 * height)


def sized(box, factor):
    left, top, width, height = box
    more = factor - 1
    return (left - more * width / 2, top - more * height / 2, factor * width, factor * height)


def walks(session, camera, seconds=5, face=alice, **settings):
    """Detections and the visits of somebody who moves in each image."""
    harness = session(**settings)
    scenes = [drawn(second, face(box=walk(second))) for second in range(seconds)]
    harness.searches(*(camera(scene, second) for second, scene in enumerate(scenes)))
    return harness.rekognition.calls["detect"], harness.summary, harness


def test_who_moves_is_not_looked_for_where_the_camera_says_where_he_is(session):
    silent, expected, _ = walks(session, lambda scene, _: scene)
    count, summary, harness = walks(
        session, lambda scene, at: seen_by_camera(scene, framed(walk(at)), off_ms=300)
    )
    assert (silent, count) == (5, 1) and summary == expected
    assert (harness.counts["detections_saved"], harness.counts["searches_saved"]) == (4, 4)


def test_the_camera_is_believed_until_it_is_time_to_search_again(session):
    def camera(scene, at):
        return seen_by_camera(scene, framed(walk(at)))

    assert walks(session, camera, 11)[0] == 3
    assert walks(session, camera, 11, searchAgainSeconds=2)[0] == 6
    assert walks(session, camera, 4, searchAgainSeconds=0)[0] == 4
    assert walks(session, camera, 4, imageChangeLevels=0)[0] == 4


@pytest.mark.parametrize(
    "camera",
    [
        lambda scene, _: seen_by_camera(scene),
        lambda scene, at: seen_by_camera(scene, framed(walk(at)), walk(at + 5, far=0.1)),
        lambda scene, _: seen_by_camera(scene, RIGHT),
        lambda scene, at: seen_by_camera(scene, framed(walk(at)), framed(walk(at + 1))),
        lambda scene, at: seen_by_camera(scene, sized(walk(at), 0.4)),
        lambda scene, at: seen_by_camera(scene, framed(walk(at)), off_ms=501),
        lambda scene, _: replace(scene, tags={"faces": "nonsense"}),
    ],
    ids=["nobody", "one more", "somebody else", "two of one", "other size", "long ago", "nonsense"],
)
def test_a_camera_that_sees_it_otherwise_is_not_believed(session, camera):
    expected = walks(session, lambda scene, _: scene)[:2]
    assert walks(session, camera)[:2] == expected


def test_strangers_and_whoever_is_unsure_are_looked_for_in_each_image(session):
    def camera(scene, at):
        return seen_by_camera(scene, framed(walk(at)))

    assert walks(session, camera, face=stranger)[0] == 5
    assert walks(session, camera, face=lambda box: alice(85, box=box))[0] == 5
    assert walks(session, camera, face=lambda box: alice(95, box=box))[0] == 2


def test_what_the_camera_alone_takes_for_a_face_is_learned(session):
    def camera(scene, at):
        shaken = (LAMP[0], LAMP[1] + 0.004 * (at % 2), *LAMP[2:])
        return seen_by_camera(scene, framed(walk(at)), shaken)

    expected = walks(session, lambda scene, _: scene)[1]
    count, summary, _ = walks(session, camera)
    assert (count, summary) == (1, expected)


@pytest.mark.parametrize("factor", [0.3, 2.2])
def test_somebody_of_another_size_in_a_persons_place_is_found(session, factor):
    """The camera sees him too, and that he is not of the person's size."""
    harness, other = session(), sized(LEFT, factor)
    scenes = [seen_by_camera(drawn(second, alice()), LEFT) for second in range(2)]
    scenes += [seen_by_camera(drawn(second, stranger(box=other)), other) for second in range(2, 5)]
    harness.searches(*scenes)
    ((_, _, first_ms, last_ms, _),) = harness.summary[0]
    assert last_ms - first_ms == 1000
    assert harness.rekognition.calls["detect"] == 4


def test_with_strangers_off_no_place_is_learned(session):
    harness = session(strangers="off")
    harness.searches(*(seen_by_camera(drawn(second, alice()), LEFT, LAMP) for second in range(3)))
    image = harness.table.get_item(Key={"pk": "camera#front-door", "sk": "tracks"})["Item"]["image"]
    assert "noFaces" not in image and harness.rekognition.calls["detect"] == 3


def test_where_a_face_was_found_is_no_lamp_any_longer(session):
    """The camera saw her a moment before DetectFaces did; then she stands there."""
    harness = session()
    harness.searches(seen_by_camera(drawn(0), LEFT))
    harness.searches(*(seen_by_camera(drawn(second, alice()), LEFT) for second in range(1, 6)))
    assert harness.rekognition.calls["detect"] == 2


def test_the_camera_does_not_keep_somebody_who_left(session):
    """A lamp where the person stood is no person once DetectFaces has found nobody there."""
    harness = session()
    scenes = [drawn(0, alice()), *(drawn(second) for second in range(1, 12))]
    harness.searches(*(seen_by_camera(scene, framed(LEFT)) for scene in scenes))
    ((_, _, first_ms, last_ms, _),) = harness.summary[0]
    assert last_ms - first_ms < 5000
    assert harness.rekognition.calls["detect"] >= 7


def similarities(most):
    return strategies.sampled_from([0.0, 85.0, 95.0, most])


@given_many(
    500,
    strategies.lists(
        strategies.tuples(
            strategies.booleans(),
            similarities(98.0),
            strategies.booleans(),
            strategies.sampled_from(["silent", "sharp", "blind", "lamp"]),
        ),
        min_size=1,
        max_size=12,
    ),
    strategies.integers(0, 2**32),
    strategies.booleans(),
)
def test_in_any_order_twice_or_lost_the_visits_are_those_of_searching_always(
    session, images, seed, shuffled
):
    """Alice and a stranger, each at a place, who come and go; Alice turned away has no match.

    A camera says where they are, or nothing; misses them, or sees somebody who is not there.
    """
    scenes = []
    for second, (is_here, similarity, is_beside, camera) in enumerate(images):
        faces = [alice(similarity, yaw=40.0 * (not similarity))] * is_here
        faces += [stranger(RIGHT)] * is_beside
        seen = [framed(face.box) for face in faces if camera != "blind"]
        scene = drawn(second, *faces)
        if camera != "silent":
            scene = seen_by_camera(scene, *seen, *([LAMP] * (camera == "lamp")))
        scenes.append(scene)
    random = Random(seed)
    sent = random.choices(scenes, k=len(scenes)) if shuffled else scenes
    results = []
    for changed in (ALWAYS, {}):
        harness = session(gapSeconds=5, **changed)
        harness.searches(*sent)
        results.append(harness.summary)
    assert results[0] == results[1]
