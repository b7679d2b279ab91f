"""Notifications: tagged fragments, told of by SNS as PutMedia's caller."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.kinesisvideo.backlog import Backlog
from local.kinesisvideo.image_generation import SERVICE_PREFIX
from local.kinesisvideo.shelf import Fragment
from local.kinesisvideo.streams import Stream

NOTIFICATION_TAG = "AWS_KINESISVIDEO_NOTIFICATION"
SUBJECT = "Kinesis Video Streams Notification"


class Notifier:
    """Tells of one fragment after the other, beside the media plane's loop."""

    def __init__(
        self,
        delay: float,
        clock: Callable[[], float],
        publish: Callable[..., None] = ministack.publish_as,
    ) -> None:
        self.backlog = Backlog("notifications")
        self._delay = delay
        self._clock = clock
        self._publish = publish

    def offer(self, stream: Stream, fragment: Fragment, caller: ministack.Principal) -> None:
        """Tell of the fragment if it is tagged and notifications are in effect."""
        settings = stream.notifications.effective(self._clock(), self._delay)
        tagged = any(name == NOTIFICATION_TAG for name, _ in fragment.tags)
        if tagged and settings is not None and settings["Status"] == "ENABLED":
            self.backlog.submit(self._tell, stream, fragment, caller, settings)

    def _tell(
        self,
        stream: Stream,
        fragment: Fragment,
        caller: ministack.Principal,
        settings: Mapping[str, Any],
    ) -> None:
        topic = settings["DestinationConfig"]["Uri"]
        self._publish(caller, topic, json.dumps(_message(stream, fragment)), subject=SUBJECT)


def _message(stream: Stream, fragment: Fragment) -> dict[str, Any]:
    """What is said of a fragment ("Set up notifications in Kinesis Video Streams").

    The page shows no example of a time; milliseconds, as in the metadata of generated
    images, are our reading.
    """
    return {
        "StreamArn": stream.arn,
        "FragmentNumber": fragment.number,
        "FragmentStartProducerTimestamp": fragment.producer_ms,
        "FragmentStartServerTimestamp": fragment.server_ms,
        "NotificationType": "PERSISTED",
        "NotificationPayload": {
            name: value for name, value in fragment.tags if not name.startswith(SERVICE_PREFIX)
        },
    }
