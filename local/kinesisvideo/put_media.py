"""PutMedia: takes a film in as it is made and acknowledges each fragment."""

from collections import Counter

from local import ministack
from local.kinesisvideo.connection import Connection
from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.ingest import Ingest
from local.kinesisvideo.put_media_headers import Asked
from local.kinesisvideo.state import KinesisVideo
from local.kinesisvideo.streams import Stream

# AWS's page says one. But its own producer overlaps two while it renews credentials,
# and after a lost connection the old session may still be there.
MAX_SESSIONS = 5

_open: Counter[str] = Counter()


async def put_media(
    service: KinesisVideo,
    stream: Stream,
    asked: Asked,
    principal: ministack.Principal,
    connection: Connection,
) -> None:
    """Serve one session, from the head of its answer to the end of its body."""
    if _open[stream.arn] >= MAX_SESSIONS:
        message = f"Stream {stream.name} has {MAX_SESSIONS} PutMedia sessions already"
        raise KinesisVideoError("ConnectionLimitExceededException", message)
    _open[stream.arn] += 1
    try:
        await connection.begin(200, {"content-type": "application/json"})
        await Ingest(service, stream, asked, principal, connection).run()
        await connection.end()
    finally:
        _open[stream.arn] -= 1
        connection.close()
