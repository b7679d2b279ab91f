"""Matroska made by hand, so that every odd form of it can be made."""

UNKNOWN = b"\xff"
EBML, DOC_TYPE = 0x1A45DFA3, 0x4282
SEGMENT, INFO, SCALE, TRACKS = 0x18538067, 0x1549A966, 0x2AD7B1, 0x1654AE6B
ENTRY, NUMBER, TYPE, CODEC, PRIVATE = 0xAE, 0xD7, 0x83, 0x86, 0x63A2
VIDEO, WIDTH, HEIGHT = 0xE0, 0xB0, 0xBA
CLUSTER, TIMESTAMP, BLOCK, GROUP, INNER_BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
TAGS, TAG, TARGETS, SIMPLE, NAME, STRING = 0x1254C367, 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
VOID, DURATION = 0xEC, 0x23E383
END = "AWS_KINESISVIDEO_END_OF_FRAGMENT"


def coded(size: int, width: int = 0) -> bytes:
    """Return a size in a number of bytes, by default the fewest."""
    width = width or next(n for n in range(1, 9) if size < (1 << 7 * n) - 1)
    return (size | 1 << 7 * width).to_bytes(width)


def element(number: int, *parts: bytes, width: int = 0) -> bytes:
    """Return an element of known size."""
    content = b"".join(parts)
    return identity(number) + coded(len(content), width) + content


def identity(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def integer(number: int, value: int, width: int = 8) -> bytes:
    return element(number, value.to_bytes(width))


def track(number: int = 1, kind: int = 1, private: bytes = b"", size=(64, 48)) -> bytes:
    video = element(VIDEO, integer(WIDTH, size[0]), integer(HEIGHT, size[1]))
    return element(
        ENTRY,
        integer(NUMBER, number),
        integer(TYPE, kind),
        element(CODEC, b"V_MPEG4/ISO/AVC" if kind == 1 else b"A_AAC"),
        video if kind == 1 else b"",
        element(PRIVATE, private) if private else b"",
        width=4,
    )


def header(*tracks: bytes, scale: int = 1_000_000, kind: bytes = b"matroska") -> bytes:
    """Everything before the first cluster, as kvssink writes it."""
    return (
        element(EBML, element(DOC_TYPE, kind))
        + identity(SEGMENT)
        + UNKNOWN
        + element(INFO, integer(SCALE, scale))
        + element(TRACKS, *(tracks or (track(),)), width=4)
    )


def block(relative: int, data: bytes = b"frame", *, number: int = 1, width: int = 8) -> bytes:
    """Return a SimpleBlock."""
    flags = b"\x80" if relative == 0 else b"\x00"
    content = coded(number) + relative.to_bytes(2, signed=True) + flags + data
    return element(BLOCK, content, width=width)


def cluster(time: int, *blocks: bytes, known: bool = False) -> bytes:
    """Return a cluster; three frames in 200 ms unless blocks are given."""
    frames = blocks or (block(0), block(100), block(200))
    content = integer(TIMESTAMP, time) + b"".join(frames)
    return identity(CLUSTER) + (coded(len(content), 8) if known else UNKNOWN) + content


def tags(*pairs: tuple[str, str], targets: bool = False) -> bytes:
    """One Tags element with one Tag."""
    simple = [
        element(SIMPLE, element(NAME, name.encode()), element(STRING, value.encode()))
        for name, value in pairs
    ]
    return element(TAGS, element(TAG, element(TARGETS) if targets else b"", *simple))


def end() -> bytes:
    """Return the tag that ends a fragment."""
    return tags((END, ""))
