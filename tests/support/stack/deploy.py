"""Deploy the template once more, with other parameters, as an owner would."""

import subprocess

from cli.setup.laptop_stack import BINARIES, describe_stack, sam_lock
from local.laptop import ROOT, assert_loopback


def deploy(laptop, stack_name, **parameters):
    """Run `sam build` (cached) and `sam deploy`, for a new stack or the existing one; return it."""
    variables = laptop.environment() | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"}
    variables["PATH"] = f"{BINARIES}:{variables['PATH']}"
    assert_loopback(variables)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    with sam_lock():
        _sam("build", variables)
        _sam("deploy", variables, "--stack-name", stack_name, "--parameter-overrides", *overrides)
    return describe_stack(laptop, stack_name)


def deploy_beside(laptop, stack, stack_name, **parameters):
    """Deploy a stack's template and uploaded files again under another name; return the new stack.

    sam would build and zip each layer again, which takes a minute.
    """
    _deploy_again(laptop, stack, "create", stack_name, parameters)
    return describe_stack(laptop, stack_name)


def update(laptop, stack, **parameters):
    """Deploy a stack's own template once more, with other parameters."""
    _deploy_again(laptop, stack, "update", stack.name, parameters)


def _deploy_again(laptop, stack, how, stack_name, parameters):
    cloudformation = laptop.client("cloudformation")
    template = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")
    s3, key = laptop.client("s3"), f"{stack_name}.template"  # it is too long to be an argument
    s3.put_object(Bucket=stack.bucket, Key=key, Body=template["TemplateBody"].encode())
    getattr(cloudformation, f"{how}_stack")(
        StackName=stack_name,
        TemplateURL=f"{laptop.endpoint}/{stack.bucket}/{key}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    waiter = cloudformation.get_waiter(f"stack_{how}_complete")
    waiter.wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    s3.delete_object(Bucket=stack.bucket, Key=key)


def _sam(verb, variables, *more):
    command = [BINARIES / "sam", verb, "--config-env", "local", *more]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def is_deleted(laptop, name):
    """Return whether a stack is deleted; AssertionError if it cannot be."""
    listed = laptop.client("cloudformation").list_stacks()["StackSummaries"]
    found = [one for one in listed if one["StackName"] == name]
    return not [one for one in found if one["StackStatus"] != "DELETE_COMPLETE"]
