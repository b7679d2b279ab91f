"""The base of image generation and notifications: work on tagged fragments."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from local.kinesisvideo.store.fragment_index import Fragment
from local.kinesisvideo.store.streams import DelayedSetting, Stream
from local.kinesisvideo.store.work_queue import WorkQueue
from local.ministack import Principal

SERVICE_PREFIX = "AWS_"  # of tags for the service itself


class TaggedFragmentProcessor(ABC):
    """Processes fragments with a tag while the configuration is enabled, in a thread."""

    what: ClassVar[str]  # names the work in the log
    tag: ClassVar[str]

    def __init__(self, delay: float, clock: Callable[[], float]) -> None:
        """Start the queue; configurations take effect after `delay` seconds."""
        self.work_queue = WorkQueue(self.what)
        self._delay = delay
        self._clock = clock

    def submit_if_tagged(self, stream: Stream, fragment: Fragment, caller: Principal) -> None:
        """Queue the fragment if it is tagged and the configuration is in effect."""
        settings = self.configuration(stream).effective(self._clock(), self._delay)
        tagged = any(name == self.tag for name, _ in fragment.tags)
        if tagged and settings is not None and settings["Status"] == "ENABLED":
            self.work_queue.submit(self.process, stream, fragment, caller, settings)

    @abstractmethod
    def configuration(self, stream: Stream) -> DelayedSetting:
        """Return the stream's configuration of this work."""

    @abstractmethod
    def process(
        self, stream: Stream, fragment: Fragment, caller: Principal, settings: Mapping[str, Any]
    ) -> None:
        """Process one fragment with the rights of PutMedia's caller."""
