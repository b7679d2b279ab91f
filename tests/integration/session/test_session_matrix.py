"""Every state aborted and timed out, every call failing in every way: nothing is ever left."""

import threading
from collections import deque
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from cli.setup.laptop_stack import table_of
from local.tests.support.faults import meet
from local.tests.support.films import draw
from tests.support.camera import streaming
from tests.support.faults import invoke
from tests.support.matrix import BY_SWEEP, DARK, IN_THE_DARK, PATIENT, cells
from tests.support.matrix_runner import Faults, Runner
from tests.support.matrix_table import table_of_results
from tests.support.owner import subscribed
from tests.support.stacks import deploy
from whosthere.session.lock import unlock
from whosthere.session_store import latest_session

# Its rows are the states of a machine that is gone; calls take their place.
pytestmark = [pytest.mark.long, pytest.mark.skip(reason="its rows are to become service calls")]
CAMERAS = ["front-door", "side-door", "back-door"]
# A Catch or the rule: 10 s, and as much for a machine that has other things to do.
LIMIT_SECONDS = 20
PATIENT_SECONDS = 60  # the machine waits up to 51 s for what is in use before it starts


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "grey.mp4"
    draw(path, frames=7200, rate=2)  # an hour
    return path


@pytest.fixture(scope="module")
def cameras(laptop, stack, film, tmp_path_factory):
    """The stack, now with four cameras, three of which send."""
    deployed = deploy(laptop, stack.name, Cameras=",".join([*CAMERAS, DARK]))
    with ExitStack() as sending:
        for camera in CAMERAS:
            folder = tmp_path_factory.mktemp(camera)
            sending.enter_context(
                streaming(laptop, folder, "--camera", camera, film=film, stack=stack.name)
            )
        yield deployed
    meet(laptop)


def told(door, names):
    """Names of the sessions of which the owner had a problem told, until now."""
    lock = threading.Lock()

    def inbox():
        with lock:
            names.update(one["session"] for one in door.messages() if one["kind"] == "problem")
        return names

    return inbox


def played(laptop, stack, wanted, cameras, dark=None):
    """What came of every cell; each camera takes the next one when it is free.

    `dark` makes the camera send to which no video comes otherwise, if there is one.
    """
    results, faults = {}, Faults(laptop)
    lit = deque(cell for cell in wanted if cell.state not in IN_THE_DARK)
    unlit = deque(cell for cell in wanted if cell.state in IN_THE_DARK)
    with subscribed(laptop, stack) as door:
        inbox = told(door, set())

        def sweep():
            invoke(door, "SweepSessionsFunction", {})

        def work(runner, left):
            with suppress(IndexError):  # when all are taken
                while True:
                    cell = left.popleft()
                    results[cell] = runner.run(cell)

        def worker(camera, left, **more):
            table = table_of(laptop, stack)
            runner = Runner(laptop, stack, table, camera, faults, inbox, sweep, **more)
            return threading.Thread(target=work, args=(runner, left))

        workers = [worker(camera, lit) for camera in cameras]
        workers += [worker(DARK, unlit, sending=dark)] if dark else []
        for one in workers:
            one.start()
        for one in workers:
            one.join()
    return {cell: results[cell] for cell in wanted}


def test_nothing_is_left_whatever_happens_in_whichever_state(laptop, cameras, film, tmp_path, say):
    dark = partial(streaming, laptop, tmp_path, "--camera", DARK, film=film, stack=cameras.name)
    judge(played(laptop, cameras, cells(images=False), CAMERAS, dark), say)


@pytest.fixture(scope="module")
def still(laptop, stack, film, tmp_path_factory):
    """A stack with the engine image-search and two cameras that send."""
    names = ",".join(CAMERAS[:2])
    deployed = deploy(laptop, f"{stack.name}-still", Engine="image-search", Cameras=names)
    with ExitStack() as sending:
        for camera in CAMERAS[:2]:
            folder = tmp_path_factory.mktemp(camera)
            sending.enter_context(
                streaming(laptop, folder, "--camera", camera, film=film, stack=deployed.name)
            )
        yield deployed


def test_nothing_is_left_of_image_generation_either(laptop, still, say):
    judge(played(laptop, still, cells(images=True), CAMERAS[:2]), say)


def test_who_lost_the_camera_leaves_the_images_of_the_next_session_on(laptop, still, wait_until):
    stream = f"{still.name}-front-door"
    kinesisvideo = laptop.client("kinesisvideo")

    def images():
        found = kinesisvideo.describe_image_generation_configuration(StreamName=stream)
        return found["ImageGenerationConfiguration"]["Status"]

    with subscribed(laptop, still) as door:
        first = door.start(healthCheckSeconds=15)
        wait_until(lambda: door.is_watching(first), 40)
        unlock(door.table, latest_session(door.table, "front-door"))
        second = door.start()
        wait_until(lambda: door.is_watching(second), 40)
        assert door.ended(first)["error"] == "LockLostError"
        assert images() == "ENABLED"
        assert not door.is_free()
        door.stop()
        assert door.ended(second)["status"] == "SUCCEEDED"
        assert images() == "DISABLED"


def judge(results, say):
    """Print the matrix; fail with the cells of which something was left, or too long."""
    say(table_of_results(results))
    assert {cell: found for cell, found in results.items() if found["left"]} == {}
    swept = {(cell.state, cell.failure) for cell, found in results.items() if found["swept"]}
    assert swept == BY_SWEEP & {(cell.state, cell.failure) for cell in results}
    assert {cell: found for cell, found in results.items() if is_late(cell, found)} == {}


def is_late(cell, found):
    """Whether something was left for too long; what is left to the sweep waits for it."""
    patience = PATIENT_SECONDS if (cell.state, cell.failure) in PATIENT else 0
    return not found["swept"] and found["seconds"] > LIMIT_SECONDS + patience
