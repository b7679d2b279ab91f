"""The worked examples of docs/costs.md, with the sums done by hand."""

import pytest

from bench import costs

# Of 30 days. An hour of video is 0.675 GB.
TUTORIAL, TWO_HOURS, MOTION, FACE = costs.examples().values()


def dollars(usage):
    return {line.id: line.dollars for line in costs.cost(usage).lines}


def test_the_tutorial_all_day_costs_five_thousand_dollars_a_month():
    by_line = {
        "face-search": 43_200 * 0.12,  # minutes: 5,184.00
        "video-in": 486 * 0.0085,  # 720 h x 0.675 GB: 4.13
        "video-read": 486 * 0.0085,
        "video-stored": 16.2 * 0.023,  # 486 GB, each for 24 of 720 hours: 0.37
        "shard": 720 * 0.015,  # 10.80
        "transitions": 129_600 * 0.000025,  # three a minute: 3.24
    }
    assert dollars(TUTORIAL) == pytest.approx(by_line)
    assert costs.cost(TUTORIAL).dollars == pytest.approx(5206.67, abs=0.01)


def test_two_hours_a_day_cost_444_dollars_of_which_432_are_face_search():
    by_line = {
        "face-search": 3600 * 0.12,  # 60 h: 432.00
        "video-in": 40.5 * 0.0085,  # 0.34
        "video-read": 40.5 * 0.0085,
        "video-stored": 1.35 * 0.023,  # 0.03
        "shard": 10.8,  # it stays when no session runs
        "transitions": 11_400 * 0.000025,  # 30 sessions of 120 checks x 3 and 20 more: 0.29
    }
    assert dollars(TWO_HOURS) == pytest.approx(by_line)
    assert costs.cost(TWO_HOURS).dollars == pytest.approx(443.80, abs=0.01)


def image_lines(images, detections, searches):
    """What so many images cost: an image a second, each in S3, in a message, and searched."""
    return {
        "detect-faces": detections * 0.001,
        "search-faces": searches * 0.001,
        "video-in": images * 0.675 / 3600 * 0.0085,
        "video-stored": images * 0.675 / 3600 * 24 / 720 * 0.023,
        "image-generation": None,
        "transitions": 11_400 * 0.000025,
        "lambda-requests": images * 0.0000002,
        "lambda-x86_64": images * 0.0000166667,  # 1 GB for a second
        "table-writes": images * 20 * 0.000000625,
        "table-reads": images * 11 * 0.000000125,
        "bucket-writes": images * 0.000005,
        "bucket-reads": images * 0.0000004,
        "queue-requests": images * 3 * 0.0000004,
    }


def test_half_an_hour_of_motion_a_day_is_54_000_images_of_which_three_tenths_show_a_face():
    # 30 days x 1,800 s = 54,000 images, 16,200 of them with a face. The film has 43 images, 28 with
    # a face. DetectFaces is asked for 39: for all with a face, and 11 of the 15 without.
    detections = 16_200 + 37_800 * 11 / 15  # 43,920
    searches = 16_200 * 11 / 28  # 6,364
    assert dollars(MOTION) == pytest.approx(image_lines(54_000, detections, searches))
    # 43.92 + 6.36 + 2.40 for all the rest
    assert costs.cost(MOTION).dollars == pytest.approx(52.68, abs=0.01) and 52.68 < 71


def test_with_tag_face_only_the_images_with_a_face_are_made():
    # The camera says where it saw faces: DetectFaces is asked for 18 of the film's 28.
    detections, searches = 16_200 * 18 / 28, 16_200 * 11 / 28  # 10,414 and 6,364
    assert dollars(FACE) == pytest.approx(image_lines(16_200, detections, searches))
    # 10.41 + 6.36 + 0.92 for all the rest
    assert costs.cost(FACE).dollars == pytest.approx(17.70, abs=0.01) and 17.70 < 20


def test_idle_with_image_search_nothing_is_billed_by_the_hour_but_the_sweep():
    images, processor, extras = costs.idle().values()
    # 100 vectors, 1 GB in S3, 0.1 GB in DynamoDB; 720 invocations of half a GB for a second
    kept = 100 * 0.00001 + 0.023 + 0.1 * 0.25
    sweep = 720 * 0.0000002 + 360 * 0.0000166667
    assert costs.cost(images).dollars == pytest.approx(kept + sweep)
    assert costs.cost(processor).dollars == pytest.approx(kept + sweep + 10.80)
    # 7 alarms, a dashboard, two metrics
    assert costs.cost(extras).dollars == pytest.approx(0.70 + 3.00 + 0.60)
