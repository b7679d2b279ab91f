"""An edge that runs in a thread, and the frames that its stream has stored."""

import io
import json
import threading
from bisect import bisect
from collections import Counter
from datetime import datetime

import av

from edge.config import parse
from edge.monitor.event_log import EventLog
from edge.run import run
from edge.sources import barcode
from local.tests.support.plugin import wait_until_true

LIMIT_S = 120
SMALL = ("--source", "test", "--size", "320x240", "--rate", "10", "--tag", "never")


class EdgeRun:
    """One run of the edge in a thread, as the command runs it in its main thread."""

    def __init__(self, stream, folder, *more):
        self.stop = threading.Event()
        self.out, self.err = io.StringIO(), io.StringIO()
        self.error = self.is_whole = None
        arguments = ["--camera", "front-door", "--stream", stream, "--json", *SMALL]
        self.config = parse([*arguments, "--buffer-folder", str(folder), *more])
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            event_log = EventLog(self.config, self.out, self.err)
            self.is_whole = run(self.config, event_log, self.stop)
        except Exception as exc:
            self.error = exc

    @property
    def said(self):
        return self.err.getvalue()

    @property
    def is_over(self):
        return not self._thread.is_alive()

    def wait_for(self, words, seconds=LIMIT_S):
        wait_until_true(lambda: words in self.said or self.is_over, seconds)
        assert words in self.said, (self.said, self.error)

    def join(self):
        self._thread.join(LIMIT_S)

    def finish(self):
        """Stop the run; return its last event."""
        self.stop.set()
        return self.ended()

    def ended(self):
        self._thread.join(LIMIT_S)
        assert self.is_over, "it hangs"
        if self.error:
            raise self.error
        return self.events()[-1]

    def events(self):
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


class Stored:
    """The content of a stream, as the frame numbers in the pictures of each fragment."""

    def __init__(self, laptop, stream):
        self.fragments = fragments_in(laptop, stream)
        media = archive(laptop, stream, "GET_MEDIA_FOR_FRAGMENT_LIST")
        self.numbers = [_numbers(media, stream, fragment) for fragment in self.fragments]

    @property
    def frames(self):
        """Count how often each frame is stored."""
        return Counter(number for numbers in self.numbers for number in numbers)

    def of_runs(self, *firsts):
        """Count how often each frame is stored, separately for each run.

        `firsts` are the start times of the runs; the test pattern counts from 0 in each.
        """
        begun = [datetime.fromisoformat(first).timestamp() * 1000 for first in firsts]
        runs = [Counter() for _ in firsts]
        for timecode, numbers in zip(self.timecodes, self.numbers, strict=True):
            runs[bisect(begun, timecode + 1) - 1].update(numbers)
        return runs

    @property
    def timecodes(self):
        return [round(f["ProducerTimestamp"].timestamp() * 1000) for f in self.fragments]

    @property
    def repeated(self):
        """Return how many fragments are stored again, by their timecodes."""
        return len(self.timecodes) - len(set(self.timecodes))

    def doubled(self):
        """Return the frame numbers of fragments that are stored more than once."""
        times = Counter(tuple(numbers) for numbers in self.numbers)
        return [numbers for numbers, number in times.items() if number > 1]


def archive(laptop, stream, operation):
    control = laptop.client("kinesisvideo")
    url = control.get_data_endpoint(StreamName=stream, APIName=operation)["DataEndpoint"]
    return laptop.session().client("kinesis-video-archived-media", endpoint_url=url)


def fragments_in(laptop, stream):
    """Return the stored fragments, ordered by producer timestamp."""
    selector = {
        "FragmentSelectorType": "PRODUCER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000},
    }
    pages = archive(laptop, stream, "LIST_FRAGMENTS").get_paginator("list_fragments")
    asked = pages.paginate(StreamName=stream, FragmentSelector=selector)
    found = [fragment for page in asked for fragment in page["Fragments"]]
    return sorted(found, key=lambda f: (f["ProducerTimestamp"], f["FragmentNumber"]))


def _numbers(media, stream, fragment):
    reply = media.get_media_for_fragment_list(
        StreamName=stream, Fragments=[fragment["FragmentNumber"]]
    )
    with av.open(io.BytesIO(reply["Payload"].read()), format="matroska") as film:
        return [barcode.read_number(image) for image in film.decode(video=0)]
