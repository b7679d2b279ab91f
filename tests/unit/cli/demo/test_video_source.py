"""`demo --webcam`: which camera, and what to do where there is none."""

import argparse

import pytest

from cli.demo import video_source
from cli.demo.scenario import camera_scenario
from cli.demo.video_source import FIRST_CAMERA, camera_source
from cli.errors import InputError
from edge.commands.cameras import Camera


def test_the_first_camera_that_can_be_used_is_taken():
    closed = Camera("/dev/video0", "cannot be opened: Permission denied")
    assert (
        camera_source(FIRST_CAMERA, [closed, Camera("/dev/video2", "HD Webcam")]) == "/dev/video2"
    )
    assert camera_source("/dev/video4", []) == "/dev/video4"


def test_without_a_camera_the_alternative_is_named():
    with pytest.raises(InputError, match="demo --video me.mp4 --person"):
        camera_source(FIRST_CAMERA, [])


def test_a_camera_that_may_not_be_opened_is_told_with_what_to_do():
    closed = Camera("/dev/video0", "cannot be opened: Permission denied")
    with pytest.raises(InputError, match="usermod -aG video"):
        camera_source(FIRST_CAMERA, [closed])


def test_a_password_is_not_taken_from_the_command_line():
    with pytest.raises(InputError) as refused:
        camera_source("rtsp://zoe:hush@camera.lan/")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("text", ["9", "3601", "-20", "soon"])
def test_it_runs_for_a_bounded_time(text):
    assert video_source.camera_seconds("10") == 10
    with pytest.raises(argparse.ArgumentTypeError):
        video_source.camera_seconds(text)


def test_a_camera_goes_to_the_edge_as_it_was_given():
    made = camera_scenario("/dev/video2", 60, [])
    assert (made.source, made.camera, made.seconds) == ("/dev/video2", "/dev/video2", 60)
