"""What tests of the safeguards share: a session under way, one left alone, missing rights."""

import json
from contextlib import contextmanager

from local.tests.support.films import draw
from tests.support.camera import streaming
from tests.support.faults import without_rule


@contextmanager
def an_hour_of_video(laptop, folder, stack):
    """The stack's camera sends for as long as the longest of these files takes."""
    film = folder / "hour.mp4"
    draw(film, frames=7200, rate=2)
    with streaming(laptop, folder, film=film, stack=stack):
        yield


def watched(door, wait_until, **settings):
    """A session that searches."""
    execution = door.start(**settings)
    wait_until(lambda: door.is_watching(execution), 60)
    return execution


def abandoned(door, wait_until, **asked):
    """A session whose execution is gone and which no rule noticed."""
    with without_rule(door):
        execution = watched(door, wait_until, **asked)
        door.client("stepfunctions").stop_execution(executionArn=execution)
    assert door.processors()
    assert not door.is_free()
    return execution


class Told:
    """The problems that the owner was told of one session, as they come."""

    def __init__(self, door, execution):
        self._door, self._session, self._found = door, execution.rpartition(":")[2], []

    def texts(self):
        """The messages until now."""
        self._found += [
            one["message"]
            for one in self._door.messages()
            if (one["kind"], one["session"]) == ("problem", self._session)
        ]
        return self._found


def is_told(door, wait_until, execution, text):
    """Whether exactly one problem of that session was told, with that text."""
    told = Told(door, execution)
    wait_until(told.texts, 10)
    return len(told.texts()) == 1 and text in told.texts()[0]


def schedules(door):
    """Names of the sessions that a schedule will stop."""
    group = f"{door.stack.name}-deadlines"
    return [
        one["Name"] for one in door.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    ]


def role_of(door, logical):
    """The name of one of the stack's roles, by its logical name."""
    found = door.client("cloudformation").describe_stack_resource(
        StackName=door.stack.name, LogicalResourceId=logical
    )
    return found["StackResourceDetail"]["PhysicalResourceId"]


@contextmanager
def denied(door, logical, *actions):
    """Inside, a policy denies these actions to one of the stack's roles."""
    iam, role = door.client("iam"), role_of(door, logical)
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")
