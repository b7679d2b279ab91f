"""Bodies of PutMedia gone wrong in every way that a seed can think of."""

from local.tests.support.media import mkv

WIDTHS = (1, 2, 4, 8)
SIZES = (0, 1, 127, 2**14 - 2, 2**28 - 2, 2 * 1024**3, 2**56 - 2)


def good(chance):
    """Return a valid body of random form."""
    tracks = [mkv.track(1), mkv.track(2, kind=2)][: chance.choice((1, 2))]
    parts, time = [mkv.header(*tracks)], chance.randrange(2**40)
    for _ in range(chance.randint(1, 4)):
        parts.append(mkv.tags(("zone", "7")) if chance.random() < 0.4 else b"")
        parts.append(_cluster(chance, time, len(tracks)))
        parts.append(mkv.tags(("gate", "open")) + mkv.end() if chance.random() < 0.5 else b"")
        time += 1000
    return b"".join(parts)


def _cluster(chance, time, tracks):
    blocks = [
        mkv.block(at, chance.randbytes(chance.randrange(60)), number=number, width=width)
        for at in (0, 100, 200)
        for number in range(1, tracks + 1)
        for width in [chance.choice(WIDTHS)]
    ]
    if chance.random() < 0.3:
        blocks.append(mkv.element(mkv.VOID, b"\0" * chance.randrange(50)))
    return mkv.cluster(time, *blocks, known=chance.random() < 0.5)


def mutated(chance, body):
    """Return the body after an accident or two."""
    broken = bytearray(body)
    for _ in range(chance.randint(1, 2)):
        chance.choice(ACCIDENTS)(chance, broken)
    return bytes(broken)


def _flip(chance, body):
    for _ in range(chance.randint(1, 3)):
        if body:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _cut(chance, body):
    del body[chance.randrange(len(body) + 1) :]


def _drop(chance, body):
    at = chance.randrange(len(body) + 1)
    del body[at : at + chance.randint(1, 40)]


def _insert(chance, body):
    at = chance.randrange(len(body) + 1)
    body[at:at] = chance.randbytes(chance.randint(1, 40))


def _repeat(chance, body):
    start = chance.randrange(len(body) + 1)
    piece = body[start : start + chance.randint(1, 400)]
    body[start:start] = piece * chance.randint(1, 3)


def _claim(chance, body):
    """Return an element that declares a wrong size."""
    numbers = (mkv.CLUSTER, mkv.BLOCK, mkv.TAGS, mkv.TRACKS, mkv.GROUP, mkv.VOID, mkv.SEGMENT)
    head = mkv.identity(chance.choice(numbers)) + mkv.coded(chance.choice(SIZES), 8)
    at = chance.randrange(len(body) + 1)
    body[at : at + chance.choice((0, len(head)))] = head


def _nest(chance, body):
    """Elements inside each other, deeper than any real ones."""
    nested = b""
    for _ in range(chance.randint(2, 200)):
        nested = mkv.element(chance.choice((mkv.SIMPLE, mkv.TAG, mkv.TAGS, mkv.GROUP)), nested)
    at = chance.randrange(len(body) + 1)
    body[at:at] = mkv.element(mkv.TAGS, mkv.element(mkv.TAG, nested))


ACCIDENTS = (_flip, _flip, _flip, _cut, _drop, _insert, _repeat, _claim, _nest)
