"""Save the functions' logs before the laptop AWS ends, for when something failed."""

from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.laptop import LaptopAWS


def save(laptop: LaptopAWS, target: Path) -> None:
    """Write the lines of all log groups into one file, if the laptop AWS still answers."""
    logs = laptop.client("logs")
    lines = []
    try:
        for group in logs.describe_log_groups()["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"]
            )
            events = [event for page in pages for event in page["events"]]
            lines += [(event["timestamp"], event["message"].rstrip()) for event in events]
    except (ClientError, BotoCoreError) as error:
        lines.append((0, f"the logs could not be read: {error}"))
    target.write_text("".join(f"{message}\n" for _, message in sorted(lines)))
