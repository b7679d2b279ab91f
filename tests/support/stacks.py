"""Deploying the template once more, with other parameters, as an owner would."""

import subprocess

from cli.setup.laptop_stack import BINARIES, Stack, sam_lock
from local.laptop import ROOT, assert_loopback


def deploy(laptop, stack_name, **parameters):
    """`sam build` (from its cache) and `sam deploy`, into a new stack or over the one there is.

    What it is called by.
    """
    variables = laptop.environment() | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"}
    variables["PATH"] = f"{BINARIES}:{variables['PATH']}"
    assert_loopback(variables)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    with sam_lock():
        _sam("build", variables)
        _sam("deploy", variables, "--stack-name", stack_name, "--parameter-overrides", *overrides)
    return _described(laptop, stack_name)


def deploy_beside(laptop, stack, stack_name, **parameters):
    """The template of a deployed stack once more under another name, from the same uploaded files.

    What it is called by. sam would build again and zip each layer again, which takes a minute.
    """
    cloudformation = laptop.client("cloudformation")
    template = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")
    s3, key = laptop.client("s3"), f"{stack_name}.template"  # it is too long to be an argument
    s3.put_object(Bucket=stack.bucket, Key=key, Body=template["TemplateBody"].encode())
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateURL=f"{laptop.endpoint}/{stack.bucket}/{key}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    s3.delete_object(Bucket=stack.bucket, Key=key)
    return _described(laptop, stack_name)


def _described(laptop, stack_name):
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
