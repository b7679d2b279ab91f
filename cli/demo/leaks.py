"""Measures what a session and the laptop AWS have left behind: nothing is the only right answer."""

import time
from typing import Any

from cli.setup.laptop_stack import CAMERA, NAME, Stack, table_of
from local.laptop import LaptopAWS

AWAY_SECONDS = 5  # what is ending has this long to be gone


def of_session(laptop: LaptopAWS, stack: Stack) -> dict[str, list[str]]:
    """What a session makes and has to take away, asked while the laptop AWS still runs."""
    processors = laptop.client("rekognition").list_stream_processors()["StreamProcessors"]
    rows: list[dict[str, Any]] = table_of(laptop, stack).scan(ConsistentRead=True)["Items"]
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


def of_laptop(laptop: LaptopAWS) -> dict[str, list[Any]]:
    """Processes still alive and ports still open, asked after the laptop AWS was stopped."""
    until = time.monotonic() + AWAY_SECONDS
    while True:
        left: dict[str, list[Any]] = {
            "processes": [f"{process.pid} {process.command}" for process in laptop.processes()],
            "ports": list(laptop.ports()),
        }
        if not any(left.values()) or time.monotonic() > until:
            return left
        time.sleep(0.2)
