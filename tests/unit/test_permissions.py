"""Who may do what, held against a committed table: any widening shows as a changed line."""

from fnmatch import fnmatchcase

import pytest

from tests.support.stack.sam import ROOT, resources, text

TABLE = ROOT / "tests" / "unit" / "permissions.txt"
FOR_SCHEDULES = {"DeadlineRole", "ScheduleRole"}
# The roles that no function and no state machine runs as
OF_OTHERS = {"CameraRole", "PictureRole", "ProcessorRole", *FOR_SCHEDULES}
MACHINES = {"SessionStateMachineRole", "CamerasStateMachineRole"}
# What SAM gives every function to write its logs with, and what that allows (AWS managed policy
# reference, AWSLambdaBasicExecutionRole)
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
WRITES_LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
# Step Functions developer guide, "Logging using CloudWatch Logs"
DELIVERS_LOGS = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}
# APIs that know no resource (AWS service authorization reference), and logs
WITHOUT_RESOURCE = {
    "rekognition:DetectFaces",
    "rekognition:ListStreamProcessors",
    "states:SendTaskSuccess",
    *WRITES_LOGS,
    *DELIVERS_LOGS,
}


def granted():
    """Lines `role action resource [condition]`, one per action and resource, sorted."""
    lines = set()
    for name, role in resources("AWS::IAM::Role").items():
        if role["Properties"].get("ManagedPolicyArns") == [BASIC]:
            lines |= {f"{name} {action} *" for action in WRITES_LOGS}
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


def test_functions_and_machines_have_roles_that_sam_makes_and_no_managed_policy_but_the_basic_one():
    roles = resources("AWS::IAM::Role")
    functions = {f"{name}Role" for name in resources("AWS::Lambda::Function")}
    assert set(roles) == functions | MACHINES | OF_OTHERS
    for name, role in roles.items():
        managed = role["Properties"].get("ManagedPolicyArns", [])
        assert managed == ([BASIC] if name in functions else []), name
    assert not resources("AWS::IAM::ManagedPolicy")


def test_log_delivery_on_all_resources_is_the_machines_alone():
    roles = {line.split(" ")[0] for line in granted() if line.split(" ")[1] in DELIVERS_LOGS}
    assert roles == MACHINES


def test_roles_can_be_taken_only_by_whom_they_are_for():
    for name, role in resources("AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        principal = statement["Principal"]
        if name == "PictureRole":
            trusted = text(statement["Condition"]["ArnLike"]["aws:PrincipalArn"])
            assert trusted == "arn:aws:iam::111122223333:role/whosthere/pictures/*"
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
            service = "states" if name in MACHINES else "lambda"
            assert principal == {"Service": [f"{service}.amazonaws.com"]}


def test_only_who_signs_links_has_the_path_that_the_role_for_them_trusts():
    """A path is kept whole; of a name CloudFormation cuts the stack's part at 25 characters."""
    stack = "the-cameras-of-our-house-and-garden-in-the-hills"
    names = {"AWS::StackName": stack}
    roles = resources("AWS::IAM::Role", **names)
    (trust,) = roles["PictureRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    pattern = text(trust["Condition"]["ArnLike"]["aws:PrincipalArn"])
    arns = {
        name: f"arn:aws:iam::111122223333:role{text(role['Properties'].get('Path', '/'))}"
        f"{cut(stack, name)}"
        for name, role in roles.items()
    }
    trusted = {name for name, arn in arns.items() if fnmatchcase(arn, pattern)}
    linking = {line.split(" ")[0] for line in granted() if "sts:AssumeRole" in line}
    functions = ("AlertPerson", "QueueStranger", "SearchFrame")
    assert trusted == linking == {f"{name}FunctionRole" for name in functions}


def cut(stack, name):
    """The name CloudFormation makes for a role (three real ones: KensioSoftware/yulin#1113)."""
    return f"{stack[:25]}-{name[:25]}-UjecjFhpdr1d"
