"""PutMedia's acks, however the network splits them."""

import json

import pytest

from edge.errors import ConnectionLostError
from edge.upload.acks import AckParser, Verdict

STREAM = (
    '{"EventType":"BUFFERING","FragmentTimecode":1500,"FragmentNumber":"91343852333"}\r\n'
    '{"EventType":"PERSISTED","FragmentTimecode":1500,"FragmentNumber":"91343852333"}\n'
    '{"EventType":"IDLE"}{"EventType":"ERROR","FragmentTimecode":"3000",'
    '"ErrorId":4006,"ErrorCode":"né pas {\\"valid\\"}"}'
).encode()
EXPECTED = [
    ("BUFFERING", 1500, None),
    ("PERSISTED", 1500, None),
    ("IDLE", None, None),
    ("ERROR", 3000, 4006),
]


def read(*pieces):
    parser = AckParser()
    acks = [ack for piece in pieces for ack in parser.feed(piece)]
    return [(ack.event, ack.timecode, ack.error_id) for ack in acks]


def test_acks_cut_in_two_anywhere_are_read_whole():
    for at in range(len(STREAM) + 1):
        assert read(STREAM[:at], STREAM[at:]) == EXPECTED, at


def test_acks_that_come_byte_by_byte_are_read_whole():
    assert read(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == EXPECTED


def test_many_acks_that_come_at_once_are_all_read():
    assert read(b"".join(STREAM for _ in range(200))) == EXPECTED * 200


def test_an_ack_is_given_as_soon_as_it_is_complete():
    end = STREAM.index(b"}") + 1
    assert read(STREAM[:end]) == EXPECTED[:1]


def test_an_ack_wrapped_as_on_the_documentation_page_is_understood():
    inner = {"EventType": "RECEIVED", "FragmentTimecode": 7}
    assert read(json.dumps({"Acknowledgement": inner}).encode()) == [("RECEIVED", 7, None)]


@pytest.mark.parametrize("rubbish", [b"<html>", b'{"EventType' + b"x" * 20_000, b"[1]"])
def test_what_is_no_ack_ends_the_connection(rubbish):
    with pytest.raises(ConnectionLostError, match="no ack"):
        AckParser().feed(rubbish)


@pytest.mark.parametrize(
    ("error_ids", "verdict"),
    [
        ((4001, 4002, 4004, 4006, 4009, 4011), Verdict.SKIP),
        ((4005, 4007, 4008, 4010, 4012, *range(4500, 4508)), Verdict.STOP),
        ((4000, 4003, 5000, 5001, 9999), Verdict.RESEND),
    ],
)
def test_each_error_has_its_consequence(error_ids, verdict):
    for error_id in error_ids:
        (ack,) = AckParser().feed(b'{"EventType":"ERROR","ErrorId":%d}' % error_id)
        assert ack.meaning.verdict is verdict, error_id


def test_an_error_is_told_with_its_number_its_name_and_what_to_do():
    (ack,) = AckParser().feed(b'{"EventType":"ERROR","ErrorId":4007}')
    assert ack.error == "4007 INVALID_PRODUCER_TIMESTAMP. Set this machine's clock."
    (ack,) = AckParser().feed(b'{"EventType":"ERROR","ErrorId":9999,"ErrorCode":"NEW"}')
    assert ack.error == "9999 NEW."
