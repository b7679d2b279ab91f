"""Archived media over HTTP: fragments listed and fetched, clips, and what was never archived."""

import uuid

import pytest

from local.tests.support.kinesisvideo.archive import GAP, START, between, error_of, images_of
from local.tests.support.kinesisvideo.client import Producer, frames_of, tags_of


def starts_of(answer):
    return sorted(one["ProducerTimestamp"].timestamp() for one in answer["Fragments"])


def test_a_fragment_is_listed_when_its_start_lies_in_the_range(archive, stored):
    found = archive.list_fragments(
        StreamName=stored, FragmentSelector=between(START + 1, START + 3)
    )
    assert starts_of(found) == [START + 1, START + 2, START + 3]
    assert {one["FragmentLengthInMilliseconds"] for one in found["Fragments"]} == {1000}
    narrow = between(START + 1.001, START + 1.999)
    assert starts_of(archive.list_fragments(StreamName=stored, FragmentSelector=narrow)) == []


def test_pages_hold_every_fragment_once(archive, stored):
    pages = archive.get_paginator("list_fragments").paginate(
        StreamName=stored,
        FragmentSelector=between(0, GAP),
        PaginationConfig={"PageSize": 2},
    )
    sizes, numbers = [], []
    for page in pages:
        sizes.append(len(page["Fragments"]))
        numbers += [one["FragmentNumber"] for one in page["Fragments"]]
    assert sizes == [2, 2, 2]
    assert len(set(numbers)) == 6


@pytest.mark.parametrize(
    "wrong",
    [{}, {"FragmentSelector": between(2, 1)}, {"NextToken": "bm90aGluZw=="}],
    ids=["no selector", "end before start", "a made-up token"],
)
def test_a_list_without_a_sensible_range_is_refused(archive, stored, wrong):
    found = error_of(archive.list_fragments, StreamName=stored, **wrong)
    assert found == ("InvalidArgumentException", 400)


def test_named_fragments_come_in_the_order_asked_for(archive, stored):
    listed = archive.list_fragments(StreamName=stored, FragmentSelector=between(START, START + 1))
    numbers = [one["FragmentNumber"] for one in listed["Fragments"]][::-1]
    answer = archive.get_media_for_fragment_list(StreamName=stored, Fragments=[*numbers, "17"])
    ebml = bytes.fromhex("1a45dfa3")
    films = [ebml + part for part in answer["Payload"].read().split(ebml)[1:]]
    assert len(films) == 3
    tags = [tags_of(part) for part in films[:2]]
    assert [one["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] for one in tags] == numbers
    assert {
        "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP",
        "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP",
    } <= (tags[0].keys())
    assert [len(frames_of(part)) for part in films[:2]] == [10, 10]
    assert b"AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE" in films[2]


def test_what_was_archived_before_the_retention_ended_does_not_come_back(laptop, archive, film):
    control, name = laptop.client("kinesisvideo"), f"archive-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]

    def retain(kind):
        version = control.describe_stream(StreamName=name)["StreamInfo"]["Version"]
        control.update_data_retention(
            StreamName=name, CurrentVersion=version,
            Operation=f"{kind}_DATA_RETENTION", DataRetentionChangeInHours=1,
        )  # fmt: skip

    def listed():
        answer = archive.list_fragments(StreamName=name, FragmentSelector=between(0, GAP))
        return [one["FragmentNumber"] for one in answer["Fragments"]]

    def put(start):
        with Producer(laptop, name) as producer:
            return producer.send(film.header, film.fragment(start * 1000)).end()

    [number] = {ack["FragmentNumber"] for ack in put(START)}
    assert listed() == [number]
    retain("DECREASE")
    assert listed() == []
    with pytest.raises(archive.exceptions.NoDataRetentionException):
        images_of(archive, name, START, START + 1)
    assert "PERSISTED" not in {ack["EventType"] for ack in put(START + 1)}
    retain("INCREASE")
    assert listed() == []
    assert images_of(archive, name, START, START)["Images"][0]["Error"] == "NO_MEDIA"
    answer = archive.get_media_for_fragment_list(StreamName=name, Fragments=[number])
    assert b"EXCEPTION_ERROR_CODE" in answer["Payload"].read()
    [number] = {ack["FragmentNumber"] for ack in put(START + 2)}
    assert listed() == [number]
    control.delete_stream(StreamARN=arn)


def test_a_clip_is_one_film_of_the_fragments_in_the_range(archive, stored):
    selector = between(START + 1, START + 2.5)
    answer = archive.get_clip(StreamName=stored, ClipFragmentSelector=selector)
    frames = frames_of(answer["Payload"].read())
    assert answer["ContentType"] == "video/mp4"
    assert [round(frame.time, 3) for frame in frames] == [number / 10 for number in range(20)]
