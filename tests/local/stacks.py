"""Deploying the template once more, with other parameters, as an owner would."""

import subprocess

from cli.stack import BINARIES, Stack, one_at_a_time
from local.laptop import ROOT, assert_loopback


def deploy(laptop, stack_name, **parameters):
    """`sam build` (from its cache) and `sam deploy`, into a new stack or over the one there is.

    What it is called by.
    """
    variables = laptop.environment() | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"}
    variables["PATH"] = f"{BINARIES}:{variables['PATH']}"
    assert_loopback(variables)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    with one_at_a_time():
        _sam("build", variables)
        _sam("deploy", variables, "--stack-name", stack_name, "--parameter-overrides", *overrides)
    (found,) = laptop.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    return Stack(
        name=stack_name,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        topic_arn=outputs["AlertTopicArn"],
        machine_arn=outputs["StateMachineArn"],
    )


def _sam(verb, variables, *more):
    command = [BINARIES / "sam", verb, "--config-env", "local", *more]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
