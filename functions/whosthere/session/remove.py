"""Cameras that are removed, by themselves or with the stack: their sessions end first."""

from collections.abc import Iterable, Mapping
from typing import Any

from whosthere.names import CAMERA_NAME, people_collection
from whosthere.people.collections import (
    FIRST,
    collection_name,
    delete_collection,
    read_collections,
)
from whosthere.session.custom_resource import DELETE
from whosthere.session.lock import close_camera
from whosthere.session.stop import REMOVED, StopContext, end
from whosthere.session.sweep import sweep
from whosthere.session_store import latest_session


def end_sessions(context: StopContext, event: Mapping[str, Any], *, role_name: str) -> None:
    """End the sessions of the cameras that go; with the stack also what nothing knows of."""
    cameras, with_the_stack = removed_cameras(event), event["RequestType"] == DELETE
    count = drain(context, cameras, for_good=with_the_stack)
    if with_the_stack:
        delete_collections(context)
        engine = str(event["ResourceProperties"].get("Engine"))
        sweep(context, cameras, engine=engine, role_name=role_name)
    extra = {"cameras": len(cameras), "count": count}
    context.closing.logger.info("sessions ended", extra=extra)


def delete_collections(context: StopContext) -> None:
    """Delete the people's collections but the first one, which is the template's own."""
    numbers = read_collections(context.table)
    for number in range(FIRST + 1, numbers.unused + 1):  # the last may have just been made
        name = collection_name(people_collection(context.stack), number)
        delete_collection(context.rekognition, name)


def removed_cameras(event: Mapping[str, Any]) -> list[str]:
    """Return the cameras whose sessions a custom resource's event ends: those dropped, or all."""
    wanted = event["ResourceProperties"]
    if event["RequestType"] == "Create":
        return []
    if event["RequestType"] == DELETE:
        return _cameras_of(wanted)
    before = event["OldResourceProperties"]
    if before.get("Engine") != wanted.get("Engine"):
        return _cameras_of(before)
    return [camera for camera in _cameras_of(before) if camera not in _cameras_of(wanted)]


def _cameras_of(properties: Mapping[str, Any]) -> list[str]:
    """Return the cameras of a custom resource; no session can be at what is no camera's name."""
    given = properties.get("Cameras")
    names = given if isinstance(given, list) else []
    return [name for name in names if isinstance(name, str) and CAMERA_NAME.fullmatch(name)]


def drain(context: StopContext, cameras: Iterable[str], *, for_good: bool = False) -> int:
    """End the running sessions of cameras that are about to go; return how many there were.

    `for_good` refuses further sessions there. Of a camera that was dropped alone a session
    that begins in that moment ends by itself, when its video stream is gone; with the stack
    goes all that could end it. One failure does not keep the others from being ended.
    """
    count, errors = 0, []
    for camera in cameras:
        try:
            count += _end_session_of(context, camera, for_good=for_good)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return count


def _end_session_of(context: StopContext, camera: str, *, for_good: bool) -> bool:
    if for_good:
        close_camera(context.table, camera)
    session = latest_session(context.table, camera, to_stop=True)
    if session is None or not session.held:
        return False
    end(context, session, REMOVED)
    return True
