"""Cameras that are removed, by themselves or with the stack: their sessions end first."""

from collections.abc import Iterable, Mapping
from typing import Any

from whosthere.session.lock import close_camera
from whosthere.session.stop import REMOVED, StopContext, end
from whosthere.session_store import latest_session

DELETE = "Delete"


def removed_cameras(event: Mapping[str, Any]) -> list[str]:
    """Return the cameras whose sessions a custom resource's event ends: those dropped, or all."""
    wanted = event["ResourceProperties"]
    if event["RequestType"] == "Create":
        return []
    if event["RequestType"] == DELETE:
        return list(wanted["Cameras"])
    before = event["OldResourceProperties"]
    if before["Engine"] != wanted["Engine"]:
        return list(before["Cameras"])
    return [camera for camera in before["Cameras"] if camera not in wanted["Cameras"]]


def drain(context: StopContext, cameras: Iterable[str], *, for_good: bool = False) -> int:
    """End the running sessions of cameras that are about to go; return how many there were.

    `for_good` refuses further sessions there. Of a camera that was dropped alone a session
    that begins in that moment ends by itself, when its video stream is gone; with the stack
    goes all that could end it.
    """
    count = 0
    for camera in cameras:
        if for_good:
            close_camera(context.table, camera)
        session = latest_session(context.table, camera, to_stop=True)
        if session is not None and session.held:
            end(context, session, REMOVED)
            count += 1
    return count
