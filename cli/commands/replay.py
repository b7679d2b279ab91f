"""`./whosthere replay`: put failures and dead letters back where they came from."""

import argparse
from collections import Counter

from cli.aws.connect import add_options, connect, print_result
from cli.aws.replay_failures import replay_failures, resend_dead_letters
from cli.interrupts import Interrupts

HELP = "put failed records and events back, once their cause is fixed"
EXAMPLE = "./whosthere replay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Replay and return the exit code: 1 if something cannot be put back."""
    with connect(arguments) as target:
        client, bucket = target.session.client, target.output("BucketName")
        # Before anything is put back: a stack of an earlier version has no such queue.
        sqs, dead_letters = client("sqs"), target.output("DeadLetterQueueUrl")
        done = replay_failures(client("s3"), client("kinesis"), sqs, bucket)
        dead = resend_dead_letters(sqs, dead_letters)
    records = {arn.rpartition("/")[2]: count for arn, count in done.records.items()}
    counts = Counter(done.events) + Counter(dead.events)
    events = {arn.rpartition(":")[2]: count for arn, count in counts.items()}
    lines = [f"{stream}: {count} records put back" for stream, count in records.items()]
    lines += [f"{queue}: {count} events put back" for queue, count in events.items()]
    lines += [
        f"left in the bucket, as it holds nothing to put back: {key}" for key in done.unreadable
    ]
    lines += [
        f"left in the dead-letter queue, as its queue is gone: {id}" for id in dead.unreadable
    ]
    left = done.unreadable + dead.unreadable
    content = {"records": records, "events": events, "unreadable": left}
    print_result(arguments, content, "\n".join(lines) or "nothing has failed")
    return 1 if left else 0
