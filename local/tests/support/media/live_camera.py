"""A camera in the test's hands: one-second fragments, encoded ahead, sent in real time."""

import threading
import time

from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.media.clips import cluster, encoded, parts

RATE = 3  # each frame that is analysed takes a core for a tenth of a second
SECOND = 1.0


def clip(picture, seconds=SECOND, rate=RATE, **options):
    """Return a still picture as a fragment of a second."""
    options = {"preset": "ultrafast", **options}
    return encoded([picture] * round(seconds * rate), rate=rate, **options)


class LiveCamera:
    """Sends the clip that `show` names, each second anew, through one PutMedia after the other."""

    def __init__(self, laptop, stream, media):
        self._laptop, self._stream, self._media = laptop, stream, media
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def show(self, media):
        """From the next second on, another clip: a new film, so a new connection."""
        self._media = media

    def _send(self):
        while not self._ended.is_set():
            media = self._media
            header, blocks = parts(media)
            with Producer(self._laptop, self._stream) as producer:
                producer.send(header, size=65536)
                begun = time.time()
                while media is self._media and not self._ended.wait(begun + SECOND - time.time()):
                    producer.send(cluster(blocks, round(1000 * begun)), size=65536)
                    begun += SECOND
                producer.end()
