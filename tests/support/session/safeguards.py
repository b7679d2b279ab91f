"""What tests of the safeguards share: a session under way, one left alone, missing rights."""

import json
from contextlib import contextmanager

from tests.support.stack.functions import without_rule


def watched(product, wait_until, **settings):
    """A session that searches."""
    execution = product.start(**settings)
    wait_until(lambda: product.is_watching(execution), 60)
    return execution


def abandoned(product, wait_until, **asked):
    """A session whose execution is gone and which no rule noticed."""
    with without_rule(product):
        execution = watched(product, wait_until, **asked)
        product.client("stepfunctions").stop_execution(executionArn=execution)
    assert product.processors()
    assert not product.is_free()
    return execution


class Told:
    """The problems that the owner was told of one session, as they come."""

    def __init__(self, product, execution):
        self._door, self._session, self._found = product, execution.rpartition(":")[2], []

    def texts(self):
        """The messages until now."""
        self._found += [
            one["message"]
            for one in self._door.messages()
            if (one["kind"], one["session"]) == ("problem", self._session)
        ]
        return self._found


def is_told(product, wait_until, execution, text):
    """Whether exactly one problem of that session was told, with that text."""
    told = Told(product, execution)
    wait_until(told.texts)
    return len(told.texts()) == 1 and text in told.texts()[0]


def schedules(product):
    """Names of the sessions that a schedule will stop."""
    group = f"{product.stack.name}-deadlines"
    return [
        one["Name"]
        for one in product.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    ]


def role_of(product, logical):
    """The name of one of the stack's roles, by its logical name."""
    found = product.client("cloudformation").describe_stack_resource(
        StackName=product.stack.name, LogicalResourceId=logical
    )
    return found["StackResourceDetail"]["PhysicalResourceId"]


@contextmanager
def denied(product, logical, *actions):
    """Inside, a policy denies these actions to one of the stack's roles."""
    iam, role = product.client("iam"), role_of(product, logical)
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")
