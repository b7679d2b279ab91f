"""Every state aborted and timed out, every call failing in every way: nothing is ever left."""

import queue
import sys
import threading
from contextlib import ExitStack

import pytest

from cli.stack import table_of
from tests.local.camera import streaming
from tests.local.faults import invoke, meet
from tests.local.matrix import BY_SWEEP, DARK, Faults, Runner, cells, table_of_results
from tests.local.owner import subscribed
from tests.local.stacks import deploy
from tests.unit.edge_films import draw

pytestmark = pytest.mark.long
CAMERAS = ["front-door", "side-door", "back-door"]
# A Catch or the rule: 10 s, and as much for a machine that has other things to do.
LIMIT_SECONDS = 20


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


def played(laptop, stack, wanted, cameras):
    """What came of every cell; each camera takes the next one when it is free."""
    left, results, faults = queue.SimpleQueue(), {}, Faults(laptop)
    for cell in wanted:
        left.put(cell)
    with subscribed(laptop, stack) as door:
        inbox = told(door, set())

        def sweep():
            invoke(door, "SweepSessionsFunction", {})

        def work(runner):
            while True:
                try:
                    cell = left.get_nowait()
                except queue.Empty:
                    return
                results[cell] = runner.run(cell)

        runners = [
            Runner(laptop, stack, table_of(laptop, stack), camera, faults, inbox, sweep)
            for camera in cameras
        ]
        workers = [threading.Thread(target=work, args=(runner,)) for runner in runners]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return {cell: results[cell] for cell in wanted}


def test_nothing_is_left_whatever_happens_in_whichever_state(laptop, cameras, capsys):
    results = played(laptop, cameras, cells(images=False), CAMERAS)
    judge(results, capsys)


def test_nothing_is_left_of_image_generation_either(laptop, stack, film, tmp_path, capsys):
    deployed = deploy(laptop, f"{stack.name}-still", Engine="image-search")
    with streaming(laptop, tmp_path, film=film, stack=deployed.name):
        results = played(laptop, deployed, cells(images=True), CAMERAS[:1])
    judge(results, capsys)


def judge(results, capsys):
    """Print the matrix; fail with the cells of which something was left, or too long."""
    with capsys.disabled():
        sys.stdout.write(f"\n{table_of_results(results)}\n")
    assert {cell: found for cell, found in results.items() if found["left"]} == {}
    swept = {(cell.state, cell.failure) for cell, found in results.items() if found["swept"]}
    assert swept <= BY_SWEEP
    late = {
        cell: found
        for cell, found in results.items()
        if found["seconds"] > LIMIT_SECONDS and not found["swept"]
    }
    assert late == {}
