"""`demo --webcam`: which camera, and what to do where there is none."""

import argparse

import pytest

from cli.demo import webcam
from cli.demo.scenario import camera_case
from cli.demo.webcam import FIRST, source_of
from cli.errors import InputError
from edge.commands.cameras import Camera


def test_the_first_camera_that_can_be_used_is_taken():
    closed = Camera("/dev/video0", "cannot be opened: Permission denied")
    assert source_of(FIRST, [closed, Camera("/dev/video2", "HD Webcam")]) == "/dev/video2"
    assert source_of("/dev/video4", []) == "/dev/video4"


def test_without_a_camera_the_alternative_is_named():
    with pytest.raises(InputError, match="demo --video me.mp4 --person"):
        source_of(FIRST, [])


def test_a_camera_that_may_not_be_opened_is_told_with_what_to_do():
    closed = Camera("/dev/video0", "cannot be opened: Permission denied")
    with pytest.raises(InputError, match="usermod -aG video"):
        source_of(FIRST, [closed])


def test_a_password_is_not_taken_from_the_command_line():
    with pytest.raises(InputError) as refused:
        source_of("rtsp://zoe:hush@camera.lan/")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("text", ["9", "3601", "-20", "soon"])
def test_it_runs_for_a_bounded_time(text):
    assert webcam.seconds("10") == 10
    with pytest.raises(argparse.ArgumentTypeError):
        webcam.seconds(text)


def test_a_camera_goes_to_the_edge_as_it_was_given():
    made = camera_case("/dev/video2", 60, [])
    assert (made.source, made.camera, made.seconds) == ("/dev/video2", "/dev/video2", 60)
