"""Cameras that go, by themselves or with the stack: their sessions end first."""

from collections.abc import Iterable, Mapping
from typing import Any

from whosthere.session.lock import shut
from whosthere.session.stop import REMOVED, Tools, end
from whosthere.session_store import latest_session

DELETE = "Delete"


def leaving(event: Mapping[str, Any]) -> list[str]:
    """Cameras whose sessions a custom resource's event ends: those dropped, or all of them."""
    wanted = event["ResourceProperties"]
    if event["RequestType"] == "Create":
        return []
    if event["RequestType"] == DELETE:
        return list(wanted["Cameras"])
    before = event["OldResourceProperties"]
    if before["Engine"] != wanted["Engine"]:
        return list(before["Cameras"])
    return [camera for camera in before["Cameras"] if camera not in wanted["Cameras"]]


def retire(tools: Tools, cameras: Iterable[str], *, for_good: bool = False) -> int:
    """End the running sessions of cameras that are about to go; how many there were.

    `for_good` lets none begin there any more. Of a camera that was dropped alone a session
    that begins in that moment ends by itself, when its video stream is gone; with the stack
    goes all that could end it.
    """
    count = 0
    for camera in cameras:
        if for_good:
            shut(tools.table, camera)
        session = latest_session(tools.table, camera)
        if session is not None and session.held:
            end(tools, session, REMOVED)
            count += 1
    return count
