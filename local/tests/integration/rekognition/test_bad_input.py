"""What no honest client sends: Rekognition answers with its errors, and others notice nothing."""

import base64
import contextlib
import http.client
import io
import json
import os
import random
import resource
import struct
import threading
import urllib.parse
import zlib
from pathlib import Path

import pytest
from PIL import Image

from local.security.signing import Credentials, ServiceError, send
from local.tests.support.media.portraits import encoded, photo

TARGET = "RekognitionService"
MEGABYTE = 1024 * 1024
# More than before, per worker: its start, a picture of 50 megapixels, a search at twice the size.
MAX_MEGABYTES = 450 * min(os.cpu_count() or 1, 4)
PATIENCE_SECONDS = 300  # several large pictures on a busy machine
LOOK_SECONDS = 0.2  # each look at the processes takes a moment of a core
FUZZ_SEEDS = range(20)
FUZZ_ROUNDS = 12


@pytest.fixture(scope="module")
def sent(laptop):
    """The name of the error that a body brings, None if it is answered; one signed request."""
    environment = laptop.environment()
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])

    def send_body(operation, body):
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{TARGET}.{operation}",
        }
        endpoint = laptop.facts["endpoint"]
        try:
            send(
                endpoint, keys, "rekognition", "POST", "/",
                region="us-east-1", headers=headers, body=body,
            )  # fmt: skip
        except ServiceError as error:
            assert error.status == 400, error
            return error.code
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("local.security.signing.TIMEOUT_SECONDS", PATIENCE_SECONDS)
        yield send_body


def with_picture(data):
    return json.dumps({"Image": {"Bytes": base64.b64encode(data).decode()}}).encode()


def resident_megabytes(laptop):
    """What all processes of the laptop AWS hold in memory."""
    pages = 0
    for one in laptop.processes():
        with contextlib.suppress(OSError):  # it has ended
            pages += int(Path(f"/proc/{one.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "InvalidParameterException"),
        (b"null", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"Image":' * 100_000, "SerializationException"),
        (b"\xff\xfe\x00", "SerializationException"),
        (b'{"Image": NaN}', "SerializationException"),
        (b'{"Image": {"Bytes": "\xc3\xa4"}}', "SerializationException"),
        (b'{"Image": {"Bytes": 7}}', "SerializationException"),
        (b'{"Image": {"S3Object": {"Bucket": "abc", "Name": "\\ud800"}}}', "Serialization"),
        (b'{"Image": {"S3Object": {"Bucket": "abc", "Name": "a\\u0000b"}}}', "InvalidS3Object"),
        (b'{"Image": {"S3Object": {"Bucket": "../x", "Name": "y"}}}', "InvalidParameter"),
        (b'{"Image": {"Bytes": ""}}', "InvalidParameterException"),
    ],
)
def test_a_body_that_is_no_request_has_an_error_of_the_service(sent, body, error):
    assert sent("DetectFaces", body).startswith(error)


def test_numbers_without_bounds_are_refused(sent):
    assert sent("ListCollections", b'{"MaxResults": %s}' % (b"9" * 6000)) == (
        "SerializationException"
    )
    assert sent("ListCollections", b'{"MaxResults": 1e999}') == "SerializationException"


def test_a_body_of_a_hundred_megabytes_is_answered_but_not_kept(laptop, sent):
    before = resident_megabytes(laptop)
    most = Peak(laptop)
    with most:
        assert sent("DetectFaces", b" " * (100 * MEGABYTE)) == "ImageTooLargeException"
    assert most.megabytes - before < 60
    assert sent("DetectFaces", with_picture(photo("Zoë"))) is None


def test_a_gigabyte_that_is_claimed_and_does_not_come_hurts_nobody(laptop, sent):
    claimed = urllib.parse.urlsplit(laptop.facts["endpoint"]).netloc
    connection = http.client.HTTPConnection(claimed, timeout=30)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(1 << 30))
    connection.putheader("X-Amz-Target", f"{TARGET}.DetectFaces")
    connection.endheaders(b'{"Image": {"Bytes": "')
    assert sent("ListCollections", b"{}") is None
    connection.close()


class Peak:
    """The most memory of all processes while something goes on."""

    def __init__(self, laptop):
        self._laptop, self._ended, self.megabytes = laptop, threading.Event(), 0.0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(LOOK_SECONDS):
            self.megabytes = max(self.megabytes, resident_megabytes(self._laptop))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(width, height, colour):
    """A small file of a large picture, all of one colour."""
    row = bytes(1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[colour])
    packed = zlib.compressobj(9)
    rows = b"".join([packed.compress(row) for _ in range(height)]) + packed.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_that_declares(width, height, **options):
    """A JPEG whose frame header says that it is huge."""
    file = encoded(Image.new("RGB", (200, 120)), **options)
    at = file.index(b"\xff\xc2" if options else b"\xff\xc0") + 5
    return file[:at] + struct.pack(">HH", height, width) + file[at + 4 :]


def several_frames():
    file = io.BytesIO()
    frames = [Image.new("RGB", (1000, 1000), colour) for colour in ("red", "green", "blue")]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:] * 20)
    return file.getvalue()


def with_text(data, count):
    """A PNG with compressed comments of a megabyte each."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * MEGABYTE), 9)) * count
    return data[:33] + text + data[33:]


BOMBS = {
    "a JPEG that declares 60,000 x 60,000": lambda: jpeg_that_declares(60_000, 60_000),
    "a progressive one of 10,000 x 10,000": (
        lambda: jpeg_that_declares(10_000, 10_000, progressive=True)
    ),
    "one of 10,000 x 10,000": lambda: jpeg_that_declares(10_000, 10_000),
    "a grey PNG of 60,000 x 60,000": lambda: png_bomb(60_000, 10, 0),
    "a PNG of 49 megapixels with alpha": lambda: png_bomb(10_000, 4_900, 6),
    "one with a palette": lambda: png_bomb(10_000, 4_900, 3),
    "an animated one": several_frames,
    "one with comments that unpack to 200 MB": (
        lambda: with_text(encoded(Image.new("RGB", (200, 200)), "PNG"), 100)
    ),
}


@pytest.mark.long  # decodes the largest pictures that are allowed
def test_bombs_take_bounded_memory_and_nobody_else_notices(laptop, sent):
    good = with_picture(photo("Zoë"))
    assert sent("DetectFaces", good) is None
    before, bad = resident_megabytes(laptop), []
    bodies = [with_picture(make()) for make in BOMBS.values()]

    def throw(body):
        bad.append(sent("DetectFaces", body))

    threads = [threading.Thread(target=throw, args=[body]) for body in bodies]
    with Peak(laptop) as most:
        for thread in threads:
            thread.start()
        assert sent("DetectFaces", good) is None
        assert sent("ListCollections", b"{}") is None
        for thread in threads:
            thread.join()
    assert len(bad) == len(BOMBS)
    assert set(bad) <= {None, "ImageTooLargeException", "InvalidImageFormatException"}
    assert most.megabytes - before < MAX_MEGABYTES


def damaged(random_, data):
    """The file with some bits flipped, cut off, or a part of it moved."""
    file = bytearray(data)
    for _ in range(random_.randint(1, 20)):
        file[random_.randrange(len(file))] ^= 1 << random_.randrange(8)
    if random_.random() < 0.3:
        del file[random_.randrange(len(file)) :]
    if random_.random() < 0.2:
        at = random_.randrange(len(file) + 1)
        file[at:at] = random_.randbytes(random_.randint(1, 2000))
    return bytes(file)


def nonsense(random_, depth=0):
    """Any JSON value, now and then with the names that the service knows."""
    kinds = ["text", "number", "null", "true", *([] if depth > 4 else ["list", "object"])]
    match random_.choice(kinds):
        case "text":
            return random_.choice(["", "a", "\ud800", "A" * 5000, "é", "\0", "eA=="])
        case "number":
            return random_.choice([0, -1, 1e308, 2**70, 0.5, 4097])
        case "null":
            return None
        case "true":
            return True
        case "list":
            return [nonsense(random_, depth + 1) for _ in range(random_.randrange(4))]
    names = [
        "Image", "Bytes", "S3Object", "Bucket", "Name", "Version", "CollectionId", "FaceIds",
        "FaceId", "MaxFaces", "Tags", "ResourceArn", "NextToken", "Settings", "FaceSearch",
    ]  # fmt: skip
    return {
        random_.choice(names): nonsense(random_, depth + 1) for _ in range(random_.randrange(6))
    }


@pytest.mark.long  # hundreds of pictures
@pytest.mark.parametrize("seed", FUZZ_SEEDS)
def test_damaged_pictures_and_random_bodies_have_errors_of_the_service(laptop, sent, seed):
    random_ = random.Random(seed)
    model = laptop.client("rekognition").meta.service_model
    pictures = [photo("Zoë"), encoded(Image.open(io.BytesIO(photo("Ravi"))), "PNG")]
    pictures.append(encoded(Image.open(io.BytesIO(photo("Ravi"))), progressive=True))
    own = {"SerializationException", "UnknownOperationException", "InvalidPaginationTokenException"}
    for round_ in range(FUZZ_ROUNDS):
        said = f"seed {seed}, round {round_}"
        error = sent("DetectFaces", with_picture(damaged(random_, random_.choice(pictures))))
        assert error in {
            None, "InvalidImageFormatException", "ImageTooLargeException",
            "InvalidParameterException",
        }, said  # fmt: skip
        operation = random_.choice(model.operation_names)
        error = sent(operation, json.dumps(nonsense(random_)).encode())
        modelled = {one.name for one in model.operation_model(operation).error_shapes}
        assert error in {None} | own | modelled, f"{said}: {operation} {error}"
    assert sent("DetectFaces", with_picture(photo("Zoë"))) is None, f"seed {seed}"
