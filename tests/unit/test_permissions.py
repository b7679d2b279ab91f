"""Who may do what, held against a committed table: any widening shows as a changed line."""

import pytest

from tests.support.sam import ROOT, resources, text

TABLE = ROOT / "tests" / "unit" / "permissions.txt"
# APIs that know no resource (AWS service authorization reference)
FOR_SCHEDULES = {"DeadlineRole", "ScheduleRole"}
WITHOUT_RESOURCE = {"rekognition:DetectFaces", "rekognition:ListStreamProcessors"}


def granted():
    """Lines `role action resource [condition]`, one per action and resource, sorted."""
    lines = set()
    for name, role in resources("AWS::IAM::Role").items():
        assert not role["Properties"].get("ManagedPolicyArns"), name
        for policy in role["Properties"]["Policies"]:
            lines |= set(lines_of(name, policy))
    for policy in resources("AWS::IAM::Policy").values():
        (role,) = policy["Properties"]["Roles"]
        lines |= set(lines_of(role["Ref"], policy["Properties"]))
    return sorted(lines)


def lines_of(role, policy):
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                condition = text(statement["Condition"]) if "Condition" in statement else ""
                yield f"{role} {action} {text(resource)} {condition}".rstrip()


def as_list(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("line", TABLE.read_text().splitlines())
def test_permission_is_granted(line):
    assert line in granted()


def test_nothing_else_is_granted():
    assert set(granted()) <= set(TABLE.read_text().splitlines())


def test_no_action_is_a_pattern_and_only_what_knows_no_resource_is_granted_on_all():
    for line in granted():
        _, action, resource = line.split(" ")[:3]
        assert "*" not in action, line
        assert resource != "*" or action in WITHOUT_RESOURCE, line


def test_functions_have_no_roles_that_sam_makes():
    roles = set(resources("AWS::IAM::Role"))
    assert not {name for name in roles if name.endswith("FunctionRole")}


def test_roles_can_be_taken_only_by_whom_they_are_for():
    for name, role in resources("AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        principal = statement["Principal"]
        if name == "PictureRole":  # by pattern, to avoid a cycle
            assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
        elif name == "ProcessorRole":
            assert principal == {"Service": "rekognition.amazonaws.com"}
            assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}
        elif name in FOR_SCHEDULES:
            assert principal == {"Service": "scheduler.amazonaws.com"}
            assert set(statement["Condition"]["StringEquals"]) == {
                "aws:SourceAccount",
                "aws:SourceArn",
            }
        elif name == "CameraRole":
            assert principal == {"Service": "credentials.iot.amazonaws.com"}
        else:
            assert principal["Service"] in {
                "lambda.amazonaws.com",
                "states.amazonaws.com",
            }
