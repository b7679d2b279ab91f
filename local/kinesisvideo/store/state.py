"""The state that both planes share: streams, fragments and settings."""

import asyncio
import functools
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from local import ministack
from local.kinesisvideo.errors import service_stopping
from local.kinesisvideo.store.fragment_index import Fragment
from local.kinesisvideo.store.fragments import STORE_BYTES, FragmentStore
from local.kinesisvideo.store.image_generation import ImageGenerator
from local.kinesisvideo.store.notifications import Notifier
from local.kinesisvideo.store.streams import DelayedSetting, Stream, Streams

LOGGER = logging.getLogger(__name__)
IMAGE_DELAY_SECONDS = 60.0
DECODERS = 2  # the other cores serve producers
EXPIRY_SECONDS = 30.0
MEGABYTE = 1024 * 1024


class KinesisVideo:
    """The running service: its streams, fragments and background work."""

    def __init__(
        self,
        directory: Path,
        *,
        image_delay: float = IMAGE_DELAY_SECONDS,
        clock: Callable[[], float] = time.time,
        store_bytes: int = STORE_BYTES,
    ) -> None:
        """Start the service without streams."""
        self.clock = clock
        self.image_delay = image_delay
        self.streams = Streams(ministack.ACCOUNT, ministack.REGION, clock)
        self.store = FragmentStore(
            directory, self._retention_hours, clock=clock, limit_bytes=store_bytes
        )
        # For reading and writing only, so that making a clip never delays an acknowledgement.
        self._disk = ThreadPoolExecutor(4, "kinesis-video-disk")
        self.images = ImageGenerator(self.store, image_delay, clock)
        self.notifier = Notifier(image_delay, clock)
        self._decoders = ThreadPoolExecutor(DECODERS, "kinesis-video-decoding")

    async def on_disk[**P, T](
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that reads or writes fragments in a thread."""
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._disk, call)

    async def decode[**P, T](
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that decodes or re-wraps media in one of a few threads."""
        call = functools.partial(function, *args, **kwargs)
        try:
            done = asyncio.get_running_loop().run_in_executor(self._decoders, call)
        except RuntimeError as error:  # the service is stopping
            raise service_stopping() from error
        return await done

    async def expire_periodically(self) -> None:
        """Delete expired fragments regularly, also of streams without readers and writers."""
        while True:
            try:
                await self.on_disk(self.store.expire)
            except OSError:
                LOGGER.exception("expired fragments could not be deleted")
            await asyncio.sleep(EXPIRY_SECONDS)

    def _retention_hours(self, arn: str) -> int | None:
        stream = self.streams.by_arn(arn)
        return stream.retention_hours if stream else None

    def act_on_tags(self, stream: Stream, fragment: Fragment, caller: ministack.Principal) -> None:
        """Make the images and notifications that a fragment's tags request, as its producer."""
        self.images.submit_if_tagged(stream, fragment, caller)
        self.notifier.submit_if_tagged(stream, fragment, caller)

    def stop(self) -> None:
        """Stop the background work."""
        for work_queue in (self.images.work_queue, self.notifier.work_queue):
            work_queue.stop()
        self._decoders.shutdown(wait=True, cancel_futures=True)

    def configure(
        self,
        stream: Stream,
        what: Literal["images", "notifications"],
        wanted: Mapping[str, Any] | None,
    ) -> None:
        """Change a configuration, which takes effect after the delay; None deletes it."""
        since = self.clock()

        def changes(now: Stream) -> Mapping[str, Any]:
            delayed: DelayedSetting = getattr(now, what)
            return {what: DelayedSetting(wanted, since, delayed.effective(since, self.image_delay))}

        self.streams.change(stream, changes)

    def delete(self, stream: Stream, version: str = "") -> None:
        """Delete a stream and its fragments; its readers and writers then end."""
        self.streams.delete(stream, version)
        self.store.forget(stream.arn)

    def reset(self) -> None:
        """Delete every stream."""
        for stream in self.streams.all():
            self.delete(stream)


@functools.cache
def current_service() -> KinesisVideo:
    """Return the service of this process; its fragments lie below TMPDIR."""
    delay = float(os.environ.get("KVS_IMAGE_DELAY_SECONDS", IMAGE_DELAY_SECONDS))
    megabytes = int(os.environ.get("KVS_STORE_MEGABYTES", STORE_BYTES // MEGABYTE))
    # The launcher sets TMPDIR to a folder that is deleted at the end.
    directory = Path(os.environ["TMPDIR"]) / "fragments"
    return KinesisVideo(directory, image_delay=delay, store_bytes=megabytes * MEGABYTE)
