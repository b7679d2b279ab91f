"""IAM: managed policies of the two services, an error for unknown ones, and inline policies' limit.

managed_policies.json holds what AWS's reference publishes, statement by statement
(https://docs.aws.amazon.com/aws-managed-policy/latest/reference/<name>.html; of
AmazonKinesisVideoStreamsFullAccess, as zoph-io/MAMIP archived it from IAM itself). An unknown
policy is refused in the words of aws-cdk issues 17278 and 19830. All inline policies of a role
together may have 10,240 characters, whitespace not counted (IAM quotas, "Character limits"); the
words are those of aws-cdk issue 12403, the status that of gchq/sleeper issue 1459.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.ministack import names

MANAGED = Path(__file__).with_name("managed_policies.json")
MOST_OF_ROLE = 10_240
WHITESPACE = re.compile(r"\s")

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Mapping[str, Any]], Answer]


class PolicyError(ValueError):
    """A policy that IAM refuses, in its words."""


def install() -> None:
    """Patch MiniStack's IAM and the resources that CloudFormation makes without asking it."""
    _publish_managed_policies()
    for kind, name in (
        ("Role", names.ATTACH_ROLE_POLICY),
        ("User", names.ATTACH_USER_POLICY),
        ("Group", names.ATTACH_GROUP_POLICY),
    ):
        _replace(f"Attach{kind}Policy", name, _attaching(name.get()))
    for kind, name, most in (
        ("Role", names.PUT_ROLE_POLICY, MOST_OF_ROLE),
        ("User", names.PUT_USER_POLICY, 2_048),
        ("Group", names.PUT_GROUP_POLICY, 5_120),
    ):
        _replace(f"Put{kind}Policy", name, _putting(name.get(), kind, most))
    names.ATTACH_POLICY.replace(_attaching_to_entity(names.ATTACH_POLICY.get()))
    handlers = names.CFN_HANDLERS.get()["AWS::IAM::Role"]
    handlers["create"] = _checking_role(handlers["create"], of=1)
    handlers["update"] = _checking_role(handlers["update"], of=2)


def _replace(operation: str, name: names.Name, handler: Handler) -> None:
    name.replace(handler)  # which CloudFormation calls
    names.IAM_HANDLERS.get()[operation] = handler


def _publish_managed_policies() -> None:
    for name, statements in json.loads(MANAGED.read_text()).items():
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        record = names.NEW_MANAGED_POLICY.get()(name, document, "")
        names.MANAGED_POLICIES.get()[record["Arn"]] = record


def _check_known(policy_arn: str) -> None:
    if not names.POLICY_KNOWN.get()(policy_arn):
        raise PolicyError(f"Policy {policy_arn} does not exist or is not attachable.")


def _check_size(kind: str, name: str, policies: Mapping[str, Any], most: int) -> None:
    texts = (doc if isinstance(doc, str) else json.dumps(doc) for doc in policies.values())
    if sum(len(WHITESPACE.sub("", text)) for text in texts) > most:
        raise PolicyError(f"Maximum policy size of {most} bytes exceeded for {kind} {name}")


def _attaching(attach: Handler) -> Handler:
    @functools.wraps(attach)
    def answer(given: Mapping[str, Any]) -> Answer:
        try:
            _check_known(_asked(given, "PolicyArn"))
        except PolicyError as refused:
            return _error(404, "NoSuchEntity", refused)
        return attach(given)

    return answer


def _attaching_to_entity(attach: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(attach)
    def attach_managed_policy(entity: Any, policy_arn: str) -> None:
        _check_known(policy_arn)
        attach(entity, policy_arn)

    return attach_managed_policy


def _putting(put: Handler, kind: str, most: int) -> Handler:
    @functools.wraps(put)
    def answer(given: Mapping[str, Any]) -> Answer:
        name = _asked(given, f"{kind}Name")
        changed = {_asked(given, "PolicyName"): _asked(given, "PolicyDocument")}
        try:
            _check_size(kind.lower(), name, _inline_policies(kind, name) | changed, most)
        except PolicyError as refused:
            return _error(409, "LimitExceeded", refused)
        return put(given)

    return answer


def _inline_policies(kind: str, name: str) -> dict[str, Any]:
    if kind == "Role":
        role = names.ROLES.get().get(name) or {}
        return dict(role.get("InlinePolicies", {}))
    store = names.USER_POLICIES if kind == "User" else names.GROUP_POLICIES
    return dict(store.get().get(name) or {})


def _checking_role(handler: Callable[..., Any], of: int) -> Callable[..., Any]:
    """Check a template's role, whose properties are argument `of`, before it is made."""

    @functools.wraps(handler)
    def handling(*given: Any, **named: Any) -> Any:
        before, after = (given[1] if of == 2 else {}), given[of]
        for policy_arn in after.get("ManagedPolicyArns", []):
            _check_known(policy_arn)
        others = _inline_policies("Role", given[0])
        kept = {name: others[name] for name in others.keys() - _policies_of(before).keys()}
        name = after.get("RoleName") or given[0]
        _check_size("role", name, kept | _policies_of(after), MOST_OF_ROLE)
        return handler(*given, **named)

    return handling


def _policies_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inline policies of a template's role by name."""
    listed = properties.get("Policies", [])
    return {one.get("PolicyName", ""): one.get("PolicyDocument", {}) for one in listed}


def _asked(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _error(status: int, code: str, refused: PolicyError) -> Answer:
    answer: Answer = names.IAM_ERROR.get()(status, code, str(refused), ns="iam")
    return answer
