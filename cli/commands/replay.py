"""`./whosthere replay`: put failures back into the data streams and queues they came from."""

import argparse

from cli.aws.connect import add_options, connect, print_result
from cli.aws.replay_failures import replay_failures
from cli.interrupts import Interrupts

HELP = "put failed records and events back, once their cause is fixed"
EXAMPLE = "./whosthere replay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Replay and return the exit code: 1 if something in `failures/` cannot be read."""
    with connect(arguments) as target:
        client, bucket = target.session.client, target.output("BucketName")
        done = replay_failures(client("s3"), client("kinesis"), client("sqs"), bucket)
    records = {arn.rpartition("/")[2]: count for arn, count in done.records.items()}
    events = {arn.rpartition(":")[2]: count for arn, count in done.events.items()}
    lines = [f"{stream}: {count} records put back" for stream, count in records.items()]
    lines += [f"{queue}: {count} events put back" for queue, count in events.items()]
    lines += [
        f"left in the bucket, as it holds nothing to put back: {key}" for key in done.unreadable
    ]
    content = {"records": records, "events": events, "unreadable": done.unreadable}
    print_result(arguments, content, "\n".join(lines) or "nothing has failed")
    return 1 if done.unreadable else 0
