"""Kinesis Video without a port: a service of its own folder and clock, asked directly."""

import asyncio
import json

from local.kinesisvideo.api import control
from local.kinesisvideo.media import archived, get_clip, get_images
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.mkv.parser import FragmentFinished, FragmentParser
from local.kinesisvideo.store.state import KinesisVideo
from local.tests.support.media.films import draw

START = 1_800_000_000_000  # milliseconds
HANDLERS = {
    "ListFragments": archived.list_fragments,
    "GetMediaForFragmentList": archived.get_media_for_fragment_list,
    "GetClip": get_clip.get_clip,
    "GetImages": get_images.get_images,
}


class Plane:
    """One stream, `door`, and what its operations answer."""

    def __init__(self, directory, hours=1):
        self.now = START / 1000
        self.directory = directory / "fragments"
        self.service = KinesisVideo(self.directory, clock=lambda: self.now)
        self.control("CreateStream", StreamName="door", DataRetentionInHours=hours)

    @property
    def stream(self):
        return self.service.streams.find("door")

    @property
    def files(self):
        return list(self.directory.rglob("*.fragment"))

    def control(self, operation, **asked):
        return control.handle(self.service, operation, json.dumps(asked).encode())

    def retain(self, change):
        """Change the retention by hours."""
        kind = "INCREASE_DATA_RETENTION" if change > 0 else "DECREASE_DATA_RETENTION"
        version = self.stream.version
        asked = {"CurrentVersion": version, "DataRetentionChangeInHours": abs(change)}
        self.control("UpdateDataRetention", StreamName="door", Operation=kind, **asked)

    def put(self, film, start=None, **tags):
        """Store a film of one fragment as if it had arrived now."""
        parser = FragmentParser()
        finished = next(
            event
            for events in (parser.feed(film), parser.close())
            for event in events
            if isinstance(event, FragmentFinished)
        )
        server = round(self.now * 1000)
        return self.service.store.add(
            self.stream.arn,
            self.service.store.next_number(),
            finished,
            producer=server if start is None else start,
            server=server,
        )

    def ask(self, operation, **asked):
        """Return the body of an answer, parsed if it is JSON."""
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        async def run():
            connection = Connection(receive, send)
            await HANDLERS[operation](self.service, self.stream, asked, connection)

        asyncio.run(run())
        headers = dict(sent[0]["headers"])
        body = b"".join(message.get("body", b"") for message in sent)
        if b"content-length" in headers:
            assert int(headers[b"content-length"]) == len(body)
        return json.loads(body) if headers[b"content-type"] == b"application/json" else body

    def listed(self, start=0, end=2 * START, **more):
        selector = {
            "FragmentSelectorType": "PRODUCER_TIMESTAMP",
            "TimestampRange": times(start, end),
        }
        return self.ask("ListFragments", FragmentSelector=selector, **more)["Fragments"]

    def clip(self, start, end):
        selector = {
            "FragmentSelectorType": "PRODUCER_TIMESTAMP",
            "TimestampRange": times(start, end),
        }
        return self.ask("GetClip", ClipFragmentSelector=selector)

    def images(self, start, end, **more):
        asked = {"ImageSelectorType": "PRODUCER_TIMESTAMP", "Format": "PNG", **times(start, end)}
        return self.ask("GetImages", **{**asked, **more})


def times(start, end):
    """Return a TimestampRange in seconds."""
    return {"StartTimestamp": start / 1000, "EndTimestamp": end / 1000}


def film(directory, **more):
    """One second, ten frames, each of another brightness."""
    return draw(directory / "film.mkv", **more).read_bytes()
