"""Broken bodies: whatever the seed, the parser takes them or says what AWS would say."""

import random

import pytest

from local.kinesisvideo.mkv.header import MediaError
from local.kinesisvideo.mkv.parser import FragmentFinished, FragmentParser
from local.tests.support.media.mkv_mutations import good, mutated

BODIES = 60  # of one seed
MANY = 800


def outcome(body, steps):
    """What a body brings about when it comes in pieces of these sizes, and how it ended."""
    parser, events, at = FragmentParser(), [], 0
    try:
        while at < len(body):
            step = next(steps)
            for event in parser.feed(body[at : at + step]):
                events.append(event)  # also those that came before an error
            at += step
        events += parser.close()
    except MediaError as error:
        return events, error.error_id
    return events, None


def evenly(step):
    while True:
        yield step


def unevenly(chance):
    while True:
        yield chance.choice((1, 2, 3, 7, 64, 1400))


def check(seed, tmp_path, bodies=BODIES):
    chance = random.Random(seed)
    for number in range(bodies):
        sound = good(chance)
        body = mutated(chance, sound) if number else sound
        where = tmp_path / f"seed-{seed}-body-{number}.mkv"
        try:
            whole = outcome(body, evenly(len(body) or 1))
            assert whole == outcome(body, unevenly(chance)), "it depends on the cutting"
            assert number or whole[1] is None, "a good body was refused"
            assert all(
                len(event.tags) <= 10 for event in whole[0] if isinstance(event, FragmentFinished)
            )
        except Exception as error:
            where.write_bytes(body)
            raise AssertionError(f"seed {seed}: {error!r} by {where}") from error


@pytest.mark.parametrize("seed", range(12))
def test_a_broken_body_is_taken_or_refused_however_it_is_cut(seed, tmp_path):
    check(seed, tmp_path)


@pytest.mark.long  # thousands of bodies; twelve seeds run above
@pytest.mark.parametrize("seed", range(1000, 1030))
def test_many_broken_bodies_are_taken_or_refused_however_they_are_cut(seed, tmp_path):
    check(seed, tmp_path, MANY)
