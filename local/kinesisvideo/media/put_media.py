"""PutMedia: the entry point of a session and the limit of sessions per stream."""

from contextlib import closing

from local import ministack
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.connection_limit import ConnectionLimit
from local.kinesisvideo.media.ingest import PutMediaSession
from local.kinesisvideo.media.put_media_headers import PutMediaRequest
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

# AWS's page says one. But its own producer overlaps two while it renews credentials,
# and after a lost connection the old session may still be there.
MAX_SESSIONS = 5

SESSIONS = ConnectionLimit("PutMedia", MAX_SESSIONS, "ConnectionLimitExceededException")


async def put_media(
    service: KinesisVideo,
    stream: Stream,
    request: PutMediaRequest,
    principal: ministack.Principal,
    connection: Connection,
) -> None:
    """Serve one PutMedia session from the start of its response to the end of its body."""
    with SESSIONS.acquire(stream), closing(connection):
        await connection.begin(200, {"content-type": "application/json"})
        await PutMediaSession(service, stream, request, principal, connection).run()
        await connection.end()
