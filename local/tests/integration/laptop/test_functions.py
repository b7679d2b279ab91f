"""Lambda on the laptop AWS: the worker a function runs in."""

import json

import pytest

from local.tests.support.laptop.parts import allow, invoke, make_function, make_role, unique, zipped

ENVIRONMENT = """
import os, sys
def handler(event, context):
    return {"environment": dict(os.environ), "path": sys.path, "executable": sys.executable}
"""
FAILING = """
class BadInputError(Exception):
    pass

def check(event):
    raise BadInputError("field camera: no such camera")

def handler(event, context):
    return check(event) if event else os_pid()

def os_pid():
    import os
    return os.getpid()
"""


def test_an_exception_keeps_its_type_message_and_trace(laptop):
    error, payload = invoke(laptop, make_function(laptop, FAILING), {"camera": "x"})
    assert error == "Unhandled"
    assert payload["errorType"] == "BadInputError"
    assert payload["errorMessage"] == "field camera: no such camera"
    assert [frame.split("in ")[1].split("\n")[0] for frame in payload["stackTrace"]] == [
        "handler",
        "check",
    ]
    assert payload["requestId"]


def test_an_exception_leaves_the_worker_warm(laptop):
    function = make_function(laptop, FAILING)
    _, before = invoke(laptop, function)
    invoke(laptop, function, {"camera": "x"})
    assert invoke(laptop, function) == (None, before)


def test_a_module_that_does_not_import_fails_with_its_reason(laptop):
    error, payload = invoke(laptop, make_function(laptop, "import nothing_like_it"))
    assert error
    assert "nothing_like_it" in payload["errorMessage"]


def test_a_function_sees_what_lambda_documents_and_its_own_variables(laptop):
    function = make_function(laptop, ENVIRONMENT, Environment={"Variables": {"TABLE": "t"}})
    _, found = invoke(laptop, function)
    environment = found["environment"]
    assert environment.pop("TABLE") == "t"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == function.rsplit(":", 1)[1]
    assert environment["AWS_ENDPOINT_URL"] == laptop.endpoint
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    documented = ("AWS_", "LAMBDA_TASK_ROOT", "LANG", "PATH", "TMPDIR", "TZ", "_HANDLER")
    assert [name for name in environment if not name.startswith(documented)] == []


def test_nothing_secret_of_the_laptop_reaches_a_function(laptop):
    _, found = invoke(laptop, make_function(laptop, ENVIRONMENT))
    text = json.dumps(found)
    assert laptop.facts["secret_access_key"] not in text
    assert laptop.facts["access_key_id"] not in text


def test_a_function_runs_where_lambdas_runtime_is_and_nothing_else(laptop):
    _, found = invoke(laptop, make_function(laptop, ENVIRONMENT))
    assert found["executable"] == str(laptop.functions)
    error, payload = invoke(laptop, make_function(laptop, "import ministack"))
    assert error
    assert "No module named 'ministack'" in payload["errorMessage"]


def test_a_function_has_only_its_roles_key(laptop):
    code = (
        "import boto3\ndef handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Arn']"
    )
    role = make_role(laptop, "lambda.amazonaws.com")
    function = make_function(laptop, code, role=role)
    name = function.rsplit(":", 1)[1]
    expected = f"arn:aws:sts::000000000000:assumed-role/{role.rsplit('/', 1)[1]}/{name}"
    assert invoke(laptop, function) == (None, expected)


def test_two_functions_of_one_role_have_different_keys(laptop):
    role = make_role(laptop, "lambda.amazonaws.com")
    found = [invoke(laptop, make_function(laptop, ENVIRONMENT, role=role))[1] for _ in range(2)]
    secrets = {one["environment"]["AWS_SECRET_ACCESS_KEY"] for one in found}
    assert len(secrets) == 2


def test_a_role_that_does_not_trust_lambda_runs_nothing(laptop):
    role = make_role(laptop, "ec2.amazonaws.com", allow("*"))
    error, payload = invoke(laptop, make_function(laptop, ENVIRONMENT, role=role))
    assert error
    assert "sts:AssumeRole" in payload["errorMessage"]


@pytest.mark.parametrize(
    "place", ["python__shared", "python__lib__python3.13__site-packages__shared"]
)
def test_a_layer_lies_on_the_path_behind_the_functions_code(laptop, place):
    publish = laptop.client("lambda").publish_layer_version
    contents = zipped(**{place: "WHERE = 'layer'", f"{place[:-6]}module": "broken ="})
    layer = publish(LayerName=unique("layer"), Content={"ZipFile": contents})["LayerVersionArn"]
    code = "import shared\ndef handler(event, context):\n    return shared.WHERE"
    assert invoke(laptop, make_function(laptop, code, Layers=[layer])) == (None, "layer")


def test_of_two_layers_the_last_one_wins(laptop):
    publish = laptop.client("lambda").publish_layer_version
    layers = [
        publish(
            LayerName=unique("layer"),
            Content={"ZipFile": zipped(python__shared=f"WHERE = {number}")},
        )["LayerVersionArn"]
        for number in (1, 2)
    ]
    code = "import shared\ndef handler(event, context):\n    return shared.WHERE"
    assert invoke(laptop, make_function(laptop, code, Layers=layers)) == (None, 2)


def test_what_is_logged_at_info_lies_in_the_configured_log_group(laptop):
    logs, group = laptop.client("logs"), unique("/group")
    logs.create_log_group(logGroupName=group)
    code = (
        "import logging, os\nlogging.getLogger().setLevel('INFO')\n"
        "def handler(event, context):\n    logging.getLogger().info('told')\n    print('printed')\n"
        "    os.system('echo from a child')"
    )
    function = make_function(laptop, code, LoggingConfig={"LogGroup": group, "LogFormat": "Text"})
    assert invoke(laptop, function) == (None, None)
    messages = " ".join(
        event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]
    )
    for expected in ("[INFO]", "told", "printed", "from a child"):
        assert expected in messages


def test_the_context_knows_its_invocation(laptop):
    code = (
        "def handler(event, context):\n"
        "    return [context.function_name, context.memory_limit_in_mb,"
        " context.get_remaining_time_in_millis() > 15000, len(context.aws_request_id)]"
    )
    function = make_function(laptop, code, MemorySize=256)
    assert invoke(laptop, function) == (None, [function.rsplit(":", 1)[1], "256", True, 36])


def test_a_function_that_takes_too_long_is_stopped(laptop):
    code = "import time\ndef handler(event, context):\n    time.sleep(30)"
    laptop.client("lambda").update_function_configuration(
        FunctionName=(function := make_function(laptop, code)), Timeout=1
    )
    error, payload = invoke(laptop, function)
    assert error
    assert "timed out after 1" in payload["errorMessage"]
