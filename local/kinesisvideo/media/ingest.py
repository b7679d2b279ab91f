"""One PutMedia session: parse the body, store its fragments, acknowledge them."""

import asyncio
import logging
import time
from collections.abc import Iterable

from local import ministack
from local.kinesisvideo.errors import encode
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.put_media_headers import PutMediaRequest
from local.kinesisvideo.mkv.header import ErrorId, MediaError
from local.kinesisvideo.mkv.parser import Event, FragmentFinished, FragmentParser, FragmentStarted
from local.kinesisvideo.store.fragments import StreamGoneError
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

LOGGER = logging.getLogger(__name__)
MAX_SESSION_SECONDS = 45 * 60
IDLE_SECONDS = 10.0
MAX_IDLE = 3  # periods of IDLE_SECONDS without a byte before the connection is closed
DRAIN_SECONDS = 2.0
LAST_PRODUCER_MS = 253_402_300_799_999  # the year 9999
# Then other sessions have their turn: a body may consist of tiny elements.
TURN_SECONDS = 0.005
SLICE_BYTES = 1024  # parsed between two checks of the clock


class PutMediaSession:
    """Reads a body, stores its fragments and acknowledges each."""

    def __init__(
        self,
        service: KinesisVideo,
        stream: Stream,
        request: PutMediaRequest,
        principal: ministack.Principal,
        connection: Connection,
    ) -> None:
        """Prepare to read one PutMedia request."""
        self._service = service
        self._stream = stream
        self._request = request
        self._principal = principal
        self._connection = connection
        self._parser = FragmentParser()
        self._number = ""  # of the fragment in progress
        self._server_ms = 0
        self._deadline = service.clock() + MAX_SESSION_SECONDS
        self._more = True  # of the body is to come

    async def run(self) -> None:
        """Store and acknowledge each fragment until the body ends; an error ends the session."""
        try:
            await self._read()
        except MediaError as error:
            await self._fail(error)
        except Exception:
            LOGGER.exception("a PutMedia session failed")
            await self._fail(MediaError(ErrorId.INTERNAL_ERROR))

    async def _fail(self, error: MediaError) -> None:
        await self._acknowledge(
            "ERROR",
            self._parser.timecode if error.timecode is None else error.timecode,
            ErrorId=int(error.error_id),
            ErrorCode=error.error_id.name,
        )
        await self._drain()

    async def _read(self) -> None:
        idle = 0
        while self._more:
            message = await self._connection.read(IDLE_SECONDS)
            if self._connection.client_left:
                return  # the unfinished fragment is lost; the producer sends it again
            if message is None:
                idle += 1
                if idle >= MAX_IDLE:
                    return
                await self._acknowledge("IDLE", None)
                continue
            idle = 0
            self._more = message.get("more_body", False)
            await self._feed(message.get("body", b""))
            if self._service.clock() > self._deadline:
                raise MediaError(ErrorId.MAX_CONNECTION_DURATION_REACHED)
        await self._take(self._parser.close())

    async def _feed(self, body: bytes) -> None:
        begun = time.perf_counter()
        for at in range(0, len(body), SLICE_BYTES):
            if time.perf_counter() - begun > TURN_SECONDS:
                await asyncio.sleep(0)
                begun = time.perf_counter()
            await self._take(self._parser.feed(body[at : at + SLICE_BYTES]))

    async def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, FragmentStarted):
                await self._start(event)
            else:
                await self._finish(event)

    async def _start(self, started: FragmentStarted) -> None:
        self._number = self._service.store.next_number()
        if self._producer_ms(started.start_ms) > LAST_PRODUCER_MS:
            raise MediaError(ErrorId.INVALID_PRODUCER_TIMESTAMP)
        self._server_ms = round(self._service.clock() * 1000)
        await self._acknowledge("BUFFERING", started.timecode)

    async def _finish(self, finished: FragmentFinished) -> None:
        await self._acknowledge("RECEIVED", finished.timecode)
        try:
            fragment = await self._service.on_disk(
                self._service.store.add,
                self._stream.arn,
                self._number,
                finished,
                producer=self._producer_ms(finished.start_ms),
                server=self._server_ms,
            )
        except StreamGoneError as gone:
            raise MediaError(ErrorId.STREAM_NOT_ACTIVE, finished.timecode) from gone
        except OSError as error:
            LOGGER.exception("a fragment could not be stored")
            raise MediaError(ErrorId.ARCHIVAL_ERROR, finished.timecode) from error
        stream = self._service.streams.by_arn(self._stream.arn)
        if stream and stream.retention_hours:
            await self._acknowledge("PERSISTED", finished.timecode)
            self._service.act_on_tags(stream, fragment, self._principal)

    def _producer_ms(self, cluster_ms: int) -> int:
        return cluster_ms if self._request.absolute else self._request.start_ms + cluster_ms

    async def _acknowledge(self, kind: str, timecode: int | None, **more: int | str) -> None:
        """Send one acknowledgement in a chunk of its own; producers may lose others."""
        facts: dict[str, object] = {"EventType": kind}
        if timecode is not None:
            facts |= {"FragmentTimecode": timecode, "FragmentNumber": self._number}
        await self._connection.write(encode(facts | more) + b"\r\n")

    async def _drain(self) -> None:
        """Read the body for a while: closing at once may lose the last acknowledgement."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAIN_SECONDS
        while self._more and not self._connection.client_left and loop.time() < deadline:
            message = await self._connection.read(deadline - loop.time())
            self._more = bool(message and message.get("more_body"))
