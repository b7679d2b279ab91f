"""Every service call of a session fails in every way, every state is ended: nothing is left."""

import threading
from collections import deque
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from local.tests.support.laptop.faults import meet
from local.tests.support.media.films import draw
from tests.support.session.matrix import (
    BY_FUNCTIONS,
    BY_STATES,
    IMAGES,
    OF_DARK_CAMERA,
    PROCESSOR,
    ROLES,
    cells,
    sample,
)
from tests.support.session.matrix_runner import Faults, Runner
from tests.support.session.matrix_table import table_of_results
from tests.support.stack.camera import streaming
from tests.support.stack.deploy import deploy_beside
from tests.support.stack.deployed import subscribed
from tests.support.stack.rights import granted
from whosthere.session.lock import unlock
from whosthere.session_store import latest_session

LANES, DARK_LANES = 7, 1  # stacks of one camera each: a role's failure is one session's only


# Rights behind no call of its own, or of a safeguard only (an execution that hangs is aborted).
NO_ROW = {
    "dynamodb:PutItem",
    "iam:PassRole",
    "lambda:InvokeFunction",
    "states:StopExecution",
}
# What IAM names otherwise than the SDK.
SAME_RIGHT = {
    "dynamodb:TransactWriteItems": "dynamodb:UpdateItem",
    "kinesis-video-archived-media:ListFragments": "kinesisvideo:ListFragments",
    "kinesis-video-archived-media:GetMediaForFragmentList": "kinesisvideo:GetMediaForFragmentList",
    "s3:ListObjectsV2": "s3:ListBucket",
    "stepfunctions:GetExecutionHistory": "states:GetExecutionHistory",
}
ONLY_WHEN_BUSY = {
    ("OpenSessionFunctionRole", "dynamodb:GetItem"),
    ("OpenSessionFunctionRole", "sqs:SendMessage"),  # and only if a photo's event is missing
}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "grey.mp4"
    draw(path, frames=7200, rate=2)  # an hour
    return path


@pytest.fixture(scope="module")
def lanes(laptop, stack, film, tmp_path_factory):
    """Make stacks of an engine, once each: those whose camera sends, and dark ones."""
    stacks = {}
    with ExitStack() as sending:

        def lane(name, engine, *, is_lit):
            if name not in stacks:
                stacks[name] = deploy_beside(laptop, stack, name, Engine=engine)
                if is_lit:
                    folder = tmp_path_factory.mktemp(name)
                    sending.enter_context(streaming(laptop, folder, film=film, stack=name))
            return stacks[name]

        def make(engine, lit, dark=0):
            names = [f"{engine[:5]}{number}" for number in range(lit + dark)]
            found = [lane(name, engine, is_lit=name in names[:lit]) for name in names]
            return found[:lit], found[lit:]

        yield make
    meet(laptop)


def played(laptop, wanted, lit, dark=(), film=None, folder=None):
    """What came of every cell; each stack takes the next one when its camera is free."""
    faults, results = Faults(laptop), {}
    queues = {False: deque(), True: deque()}
    for cell in wanted:
        queues[cell.situation in OF_DARK_CAMERA].append(cell)

    def work(stack, is_dark):
        with subscribed(laptop, stack) as product:
            sending = partial(streaming, laptop, folder, film=film, stack=stack.name)
            runner = Runner(product, faults, sending if is_dark else None)
            with suppress(IndexError):  # when all are taken
                while True:
                    runner.run(queues[is_dark].popleft())
            results.update(runner.results())

    workers = [threading.Thread(target=work, args=(one, False)) for one in lit]
    workers += [threading.Thread(target=work, args=(one, True)) for one in dark]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return {cell: results[cell] for cell in wanted if cell in results}


def test_every_right_of_a_session_has_a_row():
    rows = {
        (ROLES.get(call.place, "SessionStateMachineRole"), call.operation)
        for call in BY_STATES + BY_FUNCTIONS
    }
    named = {(role, SAME_RIGHT.get(action, action)) for role, action in rows}
    rights = {
        (role, action)
        for role in [*ROLES.values(), "SessionStateMachineRole"]
        for action in granted(role) - NO_ROW
        if not action.startswith("logs:")
    }
    assert rights - named == ONLY_WHEN_BUSY
    assert {one for one in named - rights if one[1] != "lambda:Invoke"} == set()


def test_a_sample_of_the_matrix_is_clean(laptop, stack, lanes, film, tmp_path, say):
    ((beside,), _) = lanes(PROCESSOR, 1)
    with streaming(laptop, tmp_path, film=film, stack=stack.name):
        judge(played(laptop, sample(), [stack, beside]), sample(), say)


@pytest.mark.long  # all cells of the first engine
@pytest.mark.timeout(3000)
def test_nothing_is_left_whatever_call_fails(laptop, lanes, film, tmp_path, say):
    wanted, (lit, dark) = cells(PROCESSOR), lanes(PROCESSOR, LANES, DARK_LANES)
    judge(played(laptop, wanted, lit, dark, film, tmp_path), wanted, say)


@pytest.mark.long  # all cells of the other engine
@pytest.mark.timeout(3000)
def test_nothing_is_left_of_image_generation_either(laptop, lanes, film, tmp_path, say):
    wanted, (lit, dark) = cells(IMAGES), lanes(IMAGES, LANES, DARK_LANES)
    judge(played(laptop, wanted, lit, dark, film, tmp_path), wanted, say)


@pytest.mark.long  # deploys a stack of the other engine
def test_who_lost_the_camera_leaves_the_images_of_the_next_session_on(laptop, lanes, wait_until):
    ((still,), _) = lanes(IMAGES, 1)
    stream = f"{still.name}-front-door"
    kinesisvideo = laptop.client("kinesisvideo")

    def images():
        found = kinesisvideo.describe_image_generation_configuration(StreamName=stream)
        return found["ImageGenerationConfiguration"]["Status"]

    with subscribed(laptop, still) as product:
        first = product.start(healthCheckSeconds=15)
        wait_until(lambda: product.is_watching(first))
        unlock(product.table, latest_session(product.table, "front-door"))
        second = product.start()
        wait_until(lambda: product.is_watching(second))
        assert product.ended(first)["error"] == "LockLostError"
        assert images() == "ENABLED"
        assert not product.is_free()
        product.stop()
        assert product.ended(second)["status"] == "SUCCEEDED"
        assert images() == "DISABLED"


def judge(results, wanted, say):
    """Print the matrix; fail with the cells that were not played, or are not clean."""
    say(table_of_results(results))
    assert [cell for cell in wanted if cell not in results] == []
    assert {cell: found for cell, found in results.items() if found["left"]} == {}
