"""The work for a record does not grow: not with cameras, visits, strangers or days. Counted."""

import random
from dataclasses import replace

import pytest

from bench.fleet.memory_table import MemoryTable
from bench.fleet.run import BEGUN_MS, READ, STRANGER, WRITTEN, simulate, visits_of
from bench.owner.history import make_visit
from whosthere.clock import DAY_S
from whosthere.dynamodb import STAMP
from whosthere.strangers.stranger import PENDING, listed_key
from whosthere.visits.store import VisitLocation, closed_rows, read_current, save_visit

SECONDS = 900  # in which each camera has its first visit
CAMERA = "camera-0"
FIRST = visits_of(0)[0][1]
KEPT_DAYS = 90


def past(number):
    """Return what fills the table with that many visits, of 90 days, and as many strangers."""

    def fill(table):
        chance = random.Random(0)
        for each in range(number + 1):
            opened_ms = BEGUN_MS - 1000 * DAY_S * (1 + each * KEPT_DAYS // (number + 1))
            for who in ("p-0", FIRST):
                visit = replace(make_visit(who, opened_ms, chance), camera=CAMERA)
                if each == 0:
                    save_visit(table, VisitLocation(read_current(table, CAMERA, who), None), visit)
                    continue
                for row in closed_rows(visit):
                    table.put_item(Item={**row, **STAMP, "version": 1})
            row = listed_key(f"s-{each}") | STAMP | {"status": PENDING, "version": 1}
            table.put_item(Item=row)

    return fill


def work_of(cameras, visits=0, camera=CAMERA):
    """What the records of a camera took, among those of so many cameras."""
    found = simulate(cameras, MemoryTable(), seconds=SECONDS, before=past(visits))
    return found.of_camera[camera]


@pytest.fixture(scope="module")
def alone():
    return work_of(1)


def test_the_work_is_counted(alone):
    assert FIRST != STRANGER  # a visit of a person: it opens, its alert is sent
    assert alone["sns:publish"] == 1
    assert alone[READ] > 100 and alone[WRITTEN] > 100


def test_it_does_not_grow_with_cameras(alone):
    assert work_of(20) == alone


def test_it_does_not_grow_with_visits_strangers_and_days(alone):
    assert work_of(1, 1000) == alone


def test_a_strangers_visit_does_not_read_who_else_is_known():
    """Its alert, its picture, and how often the stranger came lately."""
    assert visits_of(3)[0][1] == STRANGER
    few, many = (work_of(4, visits, "camera-3") for visits in (0, 1000))
    assert few["rekognition:index_faces"] == 1
    assert many == few


def test_the_table_in_memory_answers_as_motos_does(table):
    """Six seconds of the first visit: it opens, its alert is claimed, sent and marked."""
    seconds = visits_of(0)[0][0] + 6
    found = [simulate(1, one, seconds=seconds).of_camera[CAMERA] for one in (MemoryTable(), table)]
    assert found[0] == found[1] and found[0]["sns:publish"] == 1
