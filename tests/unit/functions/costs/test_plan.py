"""What a session costs at most, by engine, worked out by hand."""

import pytest

from whosthere.costs.plan import SessionPlan, most_of_session, planned_usage
from whosthere.costs.prices import price_table

HOME = price_table("us-east-1")


def test_two_hours_of_a_stream_processor_line_by_line():
    usage = planned_usage(SessionPlan("stream-processor", 120))
    assert usage == pytest.approx(
        {
            "face-search": 120,
            "video-in": 3.6,  # 4 Mbit/s x 7,200 s / 8
            "video-read": 3.6,
            "video-stored": 0.12,  # 3.6 GB for 24 of 720 hours
            "shard": 2,
            "data-records": 7200,  # one a second
            "transitions": 380,  # 120 checks x 3 + 20
            "lambda-requests": 14_520,  # 120 checks, and both mappings once a second
            "lambda-x86_64": 10_860,  # 120 x 0.5 + 7,200 x (0.5 + 1)
        }
    )
    # 14.40 + 0.0306 + 0.0306 + 0.00276 + 0.03 + 0.0001 + 0.0095 + 0.0029 + 0.181
    assert most_of_session(SessionPlan("stream-processor", 120), HOME).dollars == pytest.approx(
        14.6875, abs=0.001
    )


def test_a_minute_that_has_begun_is_paid_whole():
    assert planned_usage(SessionPlan("stream-processor", 0.5))["face-search"] == 1


def test_two_hours_of_images_line_by_line():
    usage = planned_usage(SessionPlan("image-search", 120, architecture="arm64"))
    assert usage == pytest.approx(
        {
            "detect-faces": 7200,
            "search-faces": 7200,
            "image-generation": 7200,
            "video-in": 3.6,
            "video-stored": 0.12,
            "transitions": 380,
            "lambda-requests": 7320,
            "lambda-arm64": 7260,  # 120 x 0.5 + 7,200 x 1
            "table-reads": 79_200,  # 7,200 x 11
            "table-writes": 144_000,  # 7,200 x 20
            "bucket-writes": 7200,
            "bucket-reads": 7200,
            "queue-requests": 21_600,
        }
    )


def test_fewer_images_and_more_faces_change_what_is_searched():
    usage = planned_usage(SessionPlan("image-search", 60, sampling_s=2, faces=3))
    assert (usage["detect-faces"], usage["search-faces"]) == (1800, 5400)


def test_image_search_has_no_shard_and_no_minutes():
    assert not {"shard", "face-search", "video-read"} & set(
        planned_usage(SessionPlan("image-search", 60))
    )
