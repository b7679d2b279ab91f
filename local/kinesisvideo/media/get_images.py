"""GetImages: send the frames of archived fragments at given times."""

from local.kinesisvideo import requests
from local.kinesisvideo.api.image_settings import MIN_SAMPLING_MS
from local.kinesisvideo.errors import KinesisVideoError, invalid_argument
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.frame_search import FrameSearch, ImageJson
from local.kinesisvideo.store import archive, images
from local.kinesisvideo.store.fragment_index import Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

MAX_RANGE_MS = 300_000
MAX_PAGE = 25
DEFAULT_SAMPLING_MS = 3_000  # no page states one; our reading


async def get_images(
    service: KinesisVideo,
    stream: Stream,
    parameters: requests.Parameters,
    connection: Connection,
) -> None:
    """Send one image per sampling interval of the range, a page at a time."""
    archive.require_retention(stream)
    times = _times(stream, parameters)
    page = times[: min(parameters.get("MaxResults", MAX_PAGE), MAX_PAGE)]
    search = FrameSearch(
        service,
        stream,
        Selector(parameters["ImageSelectorType"]),
        _interval(parameters),
        _format(parameters),
    )
    found = await service.decode(search.find, page)
    rest = times[len(found) :]
    token = requests.seal(_listing(stream), {"first": rest[0]}) if rest else None
    await _send(found, token, connection)


def _times(stream: Stream, parameters: requests.Parameters) -> list[int]:
    """Return the times of the images: the range in steps, from the end of the last page."""
    start, end = archive.time_range(parameters)
    if end - start > MAX_RANGE_MS:
        raise invalid_argument(f"The range is longer than {MAX_RANGE_MS // 1000} s")
    if token := parameters.get("NextToken"):
        start = requests.unseal(_listing(stream), token)["first"]
        if start > end:
            raise invalid_argument("NextToken is of another range")
    return list(range(start, max(end, start + 1), _interval(parameters)))


def _listing(stream: Stream) -> str:
    return f"GetImages {stream.arn}"


def _interval(parameters: requests.Parameters) -> int:
    interval: int = parameters.get("SamplingInterval", DEFAULT_SAMPLING_MS)
    if interval < MIN_SAMPLING_MS:
        raise invalid_argument(f"SamplingInterval is less than {MIN_SAMPLING_MS}")
    return interval


def _format(parameters: requests.Parameters) -> images.ImageFormat:
    """Return the requested format; AWS allows a height alone, but no width alone."""
    if "WidthPixels" in parameters and "HeightPixels" not in parameters:
        message = "WidthPixels must be given together with HeightPixels"
        raise KinesisVideoError("ValidationException", message)
    return images.image_format(parameters)


async def _send(found: list[ImageJson], token: str | None, connection: Connection) -> None:
    """Send image by image, so that the answer is in memory only once."""
    pieces = [b'{"Images":[']
    for image in found:
        pieces += [image, b","]
    pieces[-1:] = [pieces[-1].removesuffix(b","), b"]"]
    pieces.append(b',"NextToken":"' + token.encode() + b'"}' if token else b"}")
    headers = {"content-type": "application/json", "content-length": str(sum(map(len, pieces)))}
    await connection.begin(200, headers)
    for piece in pieces:
        if not connection.client_left:
            await connection.write(piece)
    await connection.end()
