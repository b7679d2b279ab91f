"""A producer by hand: PutMedia on a socket, with acknowledgements read meanwhile."""

import contextlib
import io
import json
import queue
import socket
import threading
import time
from urllib.parse import urlsplit

import av
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.kinesisvideo.mkv import ebml
from local.tests.support.media import mkv
from local.tests.support.media.films import draw

SECONDS = 30
EBML = bytes.fromhex("1a45dfa3")


class Film:
    """A film of one-second fragments, ten frames each: the one at `path`, else a drawn one.

    Of the drawn one every frame has another brightness.
    """

    def __init__(self, directory, size=(64, 48), path=None):
        path = path or draw(directory / "film.mkv", frames=10, size=size)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            self.private, self.size = bytes(stream.codec_context.extradata), size
            self.packets = [
                (packet.pts * 1000 * packet.time_base, bytes(packet))
                for packet in container.demux(stream)
                if packet.pts is not None
            ]
        self.header = mkv.header(mkv.track(private=self.private, size=size))

    def fragment(self, start):
        """Return a cluster that starts at a time, in milliseconds."""
        return mkv.cluster(start, *(mkv.block(round(at), data) for at, data in self.packets))


class Producer:
    """One PutMedia session."""

    def __init__(self, laptop, stream=None, *, keys=None, unsigned=False, **headers):
        url = laptop.facts["media_endpoint"]
        named = {"x-amzn-stream-name": stream} if stream else {}
        asked = {
            "x-amzn-fragment-timecode-type": "ABSOLUTE",
            "x-amzn-producer-start-timestamp": f"{time.time():.3f}",
            **named,
            **{name.replace("_", "-"): value for name, value in headers.items()},
            **({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"} if unsigned else {}),
        }
        owner = (laptop.facts["access_key_id"], laptop.facts["secret_access_key"])
        request = AWSRequest("POST", f"{url}/putMedia", headers=asked)
        SigV4Auth(Credentials(*(keys or owner)), "kinesisvideo", "us-east-1").add_auth(request)
        self.acks: queue.Queue = queue.Queue()
        self.chunks = []
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), SECONDS)
        self._file = self.socket.makefile("rb")
        lines = {"Host": parts.netloc, "Expect": "100-continue", "Transfer-Encoding": "chunked"}
        lines |= dict(request.headers.items())
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket.sendall(f"POST /putMedia HTTP/1.1\r\n{head}\r\n".encode())
        self.statuses = [self._read_head()]
        if self.statuses == [100]:
            self.statuses.append(self._read_head())
        self.status = self.statuses[-1]
        self._reader = threading.Thread(target=self._read, daemon=True)
        if self.status == 200:
            self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def _read_head(self):
        status = int(self._file.readline().split()[1])
        self.headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value
        return status

    def error(self):
        """Return the name of the error that was answered, and its message."""
        body = json.loads(self._file.read(int(self.headers["content-length"])))
        return self.headers["x-amzn-errortype"], body["Message"]

    def _read(self):
        try:
            while size := int(self._file.readline() or b"0", 16):
                chunk = self._file.read(size)
                self._file.readline()
                self.chunks.append(chunk)
                self.acks.put(json.loads(chunk))
        except (OSError, ValueError) as error:
            self.acks.put(error)
        self.acks.put(None)

    def send(self, *parts, size=1400):
        body = b"".join(parts)
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            self.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        return self

    def ack(self):
        """Return the next acknowledgement; None at the end of the answer."""
        return self.acks.get(timeout=SECONDS)

    def until(self, kind):
        """Return the next acknowledgement of a kind."""
        while (ack := self.ack()) and ack["EventType"] != kind:
            pass
        return ack

    def end(self):
        """End the body; all acknowledgements still to come."""
        self.socket.sendall(b"0\r\n\r\n")
        return list(iter(self.ack, None))

    def leave(self):
        """Hang up without a word."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._reader.is_alive():
            self._reader.join(SECONDS)
        self._file.close()
        self.socket.close()


class Reader:
    """A GetMedia connection, read as it arrives."""

    def __init__(self, laptop, stream, **selector):
        selector = selector or {"StartSelectorType": "NOW"}
        client = media_client(laptop, "kinesis-video-media")
        self._payload = client.get_media(StreamName=stream, StartSelector=selector)["Payload"]
        self._raw = self._payload._raw_stream
        self._data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._payload.close()

    def fragment(self):
        """Return the next fragment, whole: from its EBML header to the tags behind its cluster."""
        last = b"AWS_KINESISVIDEO_CONTINUATION_TOKEN"
        while last not in self._data:
            self._data += self._more()
        end = self._data.index(last) + len(last) + 6 + 47  # the token's head and its digits
        while len(self._data) < end:
            self._data += self._more()
        found, self._data = self._data[:end], self._data[end:]
        return found

    def _more(self):
        piece = self._raw.read1(65536)
        assert piece, "the service ended the film"
        return piece


def media_client(laptop, service):
    """Return a boto3 client of the media plane."""
    return laptop.session().client(service, endpoint_url=laptop.facts["media_endpoint"])


def tags_of(film):
    """Return the tags of a Matroska film."""
    with av.open(io.BytesIO(film), format="matroska") as container:
        return dict(container.metadata)


def elements_of(film):
    """Return the outer elements of a fragment, in order, each with its content.

    Of the segment there is only its head; a cluster of unknown size ends where tags begin.
    """
    at = 0
    while at < len(film):
        head = ebml.read_head(film, at)
        end = at + head.total
        if head.id == ebml.SEGMENT:
            end = at + head.length
        elif head.id == ebml.CLUSTER and head.size is None:
            end = film.index(ebml.TAGS.to_bytes(4), at)
        yield head.id, film[at + head.length : end]
        at = end


def service_tags(film):
    """Every tag of a fragment, without their prefix; also those behind the media."""
    found = {}
    for number, content in elements_of(film):
        if number == ebml.TAGS:
            found |= dict(ebml.read_tags(content))
    return {name.removeprefix("AWS_KINESISVIDEO_"): value for name, value in found.items()}


def frames_of(film):
    """Return the frames of a film, decoded."""
    with av.open(io.BytesIO(film)) as container:
        return list(container.decode(video=0))


def listed(laptop, stream, **more):
    """Return the stored fragments, by number."""
    client = media_client(laptop, "kinesis-video-archived-media")
    everything = {
        "FragmentSelectorType": "PRODUCER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4e9},
    }
    answer = client.list_fragments(StreamName=stream, FragmentSelector=everything, **more)
    return sorted(answer["Fragments"], key=lambda fragment: fragment["FragmentNumber"])
