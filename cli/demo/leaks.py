"""Check that nothing is left running or locked after a session and after the laptop AWS."""

import time
from collections.abc import Sequence
from typing import Any

from cli.setup.laptop_stack import CAMERA, NAME, Stack, table_of
from local.laptop import LaptopAWS
from whosthere.dynamodb import Row

GRACE_SECONDS = 5  # for processes and ports that are just closing


def session_leaks(laptop: LaptopAWS, stack: Stack) -> dict[str, list[str]]:
    """Return what a session should have removed; call it while the laptop AWS still runs."""
    processors = laptop.client("rekognition").list_stream_processors()["StreamProcessors"]
    rows: Sequence[Row] = table_of(laptop, stack).scan(ConsistentRead=True)["Items"]
    held = [row["pk"] for row in rows if row["sk"] == "lock" and row.get("held")]
    asked = laptop.client("kinesisvideo").describe_image_generation_configuration(
        StreamName=f"{NAME}-{CAMERA}"
    )
    generating = asked.get("ImageGenerationConfiguration", {}).get("Status") == "ENABLED"
    return {
        "processors": [processor["Name"] for processor in processors],
        "locks": held,
        "image_generation": [f"{NAME}-{CAMERA}"] if generating else [],
    }


def laptop_leaks(laptop: LaptopAWS) -> dict[str, list[Any]]:
    """Return processes still alive and ports still open; call it after the laptop AWS ended."""
    until = time.monotonic() + GRACE_SECONDS
    while True:
        left: dict[str, list[Any]] = {
            "processes": [f"{process.pid} {process.command}" for process in laptop.processes()],
            "ports": list(laptop.ports()),
        }
        if not any(left.values()) or time.monotonic() > until:
            return left
        time.sleep(0.2)
