"""Image generation: put frames of tagged fragments into S3 as PutMedia's caller."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from local import ministack
from local.kinesisvideo.store import images
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.fragments import FragmentStore
from local.kinesisvideo.store.streams import DelayedSetting, Stream
from local.kinesisvideo.store.tagged_fragments import SERVICE_PREFIX, TaggedFragmentProcessor

PREFIX_TAG = "AWS_KINESISVIDEO_IMAGE_PREFIX"
# Characters that are valid in a header's name and value (RFC 9110).
_NAME = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]+")
_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")


class ImageGenerator(TaggedFragmentProcessor):
    """Generates images of tagged fragments, one fragment after the other."""

    what = "images"
    tag = "AWS_KINESISVIDEO_IMAGE_GENERATION"

    def __init__(
        self,
        store: FragmentStore,
        delay: float,
        clock: Callable[[], float],
        put: Callable[..., None] = ministack.put_object_as,
    ) -> None:
        """Read fragments from a store and put images with `put`."""
        super().__init__(delay, clock)
        self._store = store
        self._put = put
        self._due: dict[str, int] = {}  # when each stream's next image is due

    def configuration(self, stream: Stream) -> DelayedSetting:
        """Return the image generation configuration."""
        return stream.images

    def process(
        self,
        stream: Stream,
        fragment: Fragment,
        caller: ministack.Principal,
        settings: Mapping[str, Any],
    ) -> None:
        """Put the images that are due from this fragment."""
        media = self._store.read(stream.arn, fragment)
        if media is None:
            return
        selector = Selector(settings["ImageSelectorType"])
        offset = fragment.start(selector) - fragment.cluster_ms
        wanted = images.image_format(settings)

        def due(times: list[int]) -> list[int]:
            interval = settings["SamplingInterval"]
            return [at for at in times if self._is_due(stream.arn, at + offset, interval)]

        for at, image in images.encode_frames(b"".join(media), due, wanted):
            bucket, key = _object_name(stream, fragment, at + offset, settings)
            self._put(
                caller,
                bucket,
                f"{key}.{wanted.extension}",
                image,
                content_type=wanted.content_type,
                metadata=_metadata(fragment, at - fragment.cluster_ms),
            )

    def _is_due(self, arn: str, at: int, interval: int) -> bool:
        """Return whether an image is due on the sampling grid, which restarts after a gap."""
        due = self._due.get(arn, at)
        if due - interval <= at < due:
            return False
        in_step = due <= at < due + interval
        self._due[arn] = (due if in_step else at) + interval
        return True


def _object_name(
    stream: Stream, fragment: Fragment, at: int, settings: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the bucket, and the key without its extension.

    How a prefix in the destination's Uri joins the name is not documented; a slash
    between the two is our reading.
    """
    uri = urlsplit(settings["DestinationConfig"]["Uri"])
    folder = uri.path.strip("/")
    parts = [ministack.ACCOUNT, stream.name, str(at), str(uuid.uuid4())]
    if prefix := dict(fragment.tags).get(PREFIX_TAG):
        parts.insert(0, prefix)
    name = "_".join(parts)
    return uri.netloc, f"{folder}/{name}" if folder else name


def _metadata(fragment: Fragment, offset: int) -> dict[str, str]:
    """Return the object's metadata: the image's times, the fragment's number and its tags."""
    own = {
        name if _NAME.fullmatch(name) else quote(name, safe=""): (
            value if _VALUE.fullmatch(value) else quote(value)
        )
        for name, value in fragment.tags
        if name and not name.startswith(SERVICE_PREFIX)
    }
    return {
        **own,
        "aws_kinesisvideo_fragment_number": fragment.number,
        "aws_kinesisvideo_producer_timestamp": str(fragment.producer_ms + offset),
        "aws_kinesisvideo_server_timestamp": str(fragment.server_ms + offset),
    }
