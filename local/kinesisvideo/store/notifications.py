"""Notifications: publish tagged fragments to SNS as PutMedia's caller."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.kinesisvideo.store.fragment_index import Fragment
from local.kinesisvideo.store.streams import DelayedSetting, Stream
from local.kinesisvideo.store.tagged_fragments import SERVICE_PREFIX, TaggedFragmentProcessor

SUBJECT = "Kinesis Video Streams Notification"


class Notifier(TaggedFragmentProcessor):
    """Publishes a notification of each tagged fragment, one after the other."""

    what = "notifications"
    tag = "AWS_KINESISVIDEO_NOTIFICATION"

    def __init__(
        self,
        delay: float,
        clock: Callable[[], float],
        publish: Callable[..., None] = ministack.publish_as,
    ) -> None:
        """Publish notifications with `publish`."""
        super().__init__(delay, clock)
        self._publish = publish

    def configuration(self, stream: Stream) -> DelayedSetting:
        """Return the notification configuration."""
        return stream.notifications

    def process(
        self,
        stream: Stream,
        fragment: Fragment,
        caller: ministack.Principal,
        settings: Mapping[str, Any],
    ) -> None:
        """Publish a notification of the fragment."""
        topic = settings["DestinationConfig"]["Uri"]
        self._publish(caller, topic, json.dumps(_message(stream, fragment)), subject=SUBJECT)


def _message(stream: Stream, fragment: Fragment) -> dict[str, Any]:
    """Return the notification of a fragment ("Set up notifications in Kinesis Video Streams").

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
