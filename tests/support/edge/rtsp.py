"""A fake network camera: RTSP with RTP on the same connection or by UDP, enough for FFmpeg."""

import base64
import hashlib
import re
import socket
import struct
import threading
import time
from itertools import count

from edge.media import h264

LARGEST = 1400
# In front of each RTP packet on the RTSP connection: $, channel, length.
INTERLEAVED_BYTES = 4
# FFmpeg takes a first stamp of 0 for a missing one; cameras begin at a random one.
FIRST_STAMP = 12_345
REALM, NONCE = "camera", "5ca1ab1e"


class Camera:
    """Plays its packets in a loop to each client, at `rate` frames a second.

    It can fall silent, hang up, and require a password.
    """

    def __init__(self, packets, *, rate=10, password=None, path="/live"):
        self.packets, self.rate, self.password, self.path = packets, rate, password, path
        self.silence, self.closed = threading.Event(), threading.Event()
        self.asked, self.transports, self._connections = [], [], []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed.set()
        # Closing alone would leave it listening as long as a thread waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._udp.close()

    def url(self, user="", path=None):
        return f"rtsp://{user and user + '@'}127.0.0.1:{self.port}{path or self.path}"

    def hang_up(self):
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _accept(self):
        while not self.closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as file:
            try:
                while request := self._request(file):
                    self._answer(connection, *request)
            except OSError:
                return

    def _request(self, file):
        lines = []
        while line := file.readline().strip().decode(errors="replace"):
            lines.append(line)
        if not lines:
            return None
        verb, url, _ = lines[0].split()
        return verb, url, dict(line.split(": ", 1) for line in lines[1:])

    def _answer(self, connection, verb, url, headers):
        self.asked.append(verb)
        status, more, body = self._decide(verb, url, headers)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {headers['CSeq']}", "Session: 1", *more]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body.encode())
        if verb == "PLAY" and status.startswith("200"):
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _decide(self, verb, url, headers):
        if verb == "OPTIONS":
            return "200 OK", ["Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], ""
        if self.password and not self._lets_in(verb, headers.get("Authorization", "")):
            challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}"'
            return "401 Unauthorized", [challenge], ""
        if self.path not in url:
            return "404 Not Found", [], ""
        if verb == "SETUP":
            self.transports.append(headers["Transport"])
            own = self._udp.getsockname()[1]
            return "200 OK", [f"Transport: {headers['Transport']};server_port={own}-{own + 1}"], ""
        return "200 OK", [], self._description() if verb == "DESCRIBE" else ""

    def _lets_in(self, verb, answer):
        user, password = self.password
        given = dict(re.findall(r'(\w+)="([^"]*)"', answer))
        mine = digest(f"{user}:{REALM}:{password}")
        wanted = digest(f"{mine}:{NONCE}:{digest(verb + ':' + given.get('uri', ''))}")
        return given.get("response") == wanted

    def _description(self):
        units = h264.split_annex_b(bytes(self.packets[0]))
        sets = [base64.b64encode(u).decode() for u in units if h264.nal_type(u) in (7, 8)]
        return "\r\n".join(
            [
                *("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0"),
                *("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"),
                f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}",
                *(f"a=framerate:{self.rate}", "a=control:track1", ""),
            ]
        )

    def _play(self, connection):
        begun, numbers = time.monotonic(), count()
        shown_at = sorted(packet.pts for packet in self.packets)
        for number in count():
            if self.silence.is_set() or self.closed.wait(0):
                return
            loops, place = divmod(number, len(self.packets))
            packet = self.packets[place]
            # RTP has the time at which a frame is shown, also in the order of decoding.
            shown = loops * len(self.packets) + shown_at.index(packet.pts)
            pieces = list(rtp(packet, numbers, FIRST_STAMP + shown * 90_000 // self.rate))
            try:
                self._send(connection, pieces)
            except OSError:
                return
            self.closed.wait(max(0, begun + (number + 1) / self.rate - time.monotonic()))

    def _send(self, connection, pieces):
        port = re.search(r"client_port=(\d+)", self.transports[-1])
        if not port:
            connection.sendall(b"".join(pieces))
            return
        for piece in pieces:
            self._udp.sendto(piece[INTERLEAVED_BYTES:], ("127.0.0.1", int(port[1])))


def rtp(packet, numbers, stamp):
    """Packetize a frame by RFC 6184, interleaved on channel 0."""
    units = h264.split_annex_b(bytes(packet))
    for place, unit in enumerate(units):
        pieces = list(payloads(unit))
        for piece_place, piece in enumerate(pieces):
            is_last = place == len(units) - 1 and piece_place == len(pieces) - 1
            head = struct.pack(">BBHII", 0x80, 96 | is_last << 7, next(numbers) & 0xFFFF, stamp, 1)
            yield struct.pack(">cBH", b"$", 0, len(head) + len(piece)) + head + piece


def payloads(unit):
    if len(unit) <= LARGEST:
        yield unit
        return
    for at in range(1, len(unit), LARGEST):
        begins, ends = at == 1, at + LARGEST >= len(unit)
        yield (
            bytes([unit[0] & 0xE0 | 28, begins << 7 | ends << 6 | unit[0] & 0x1F])
            + unit[at : at + LARGEST]
        )


def digest(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
