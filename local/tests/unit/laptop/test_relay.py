"""The relay hands on bytes both ways, and its end is an end."""

import socket
import threading

import pytest

from local.relay import relaying

OTHER = "127.0.0.2"  # a second address of this machine, as Docker's gateway is


@pytest.fixture
def echo():
    """A server on the loopback interface that gives back what it got; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(1000):
                    connection.sendall(data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_what_comes_is_handed_on_and_answered(echo):
    with relaying(OTHER, [echo]), socket.create_connection((OTHER, echo), 5) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def test_after_the_end_nobody_is_let_in(echo):
    with relaying(OTHER, [echo]):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((OTHER, echo), 5)


def test_the_end_cuts_whoever_still_streams(echo):
    with relaying(OTHER, [echo]):
        client = socket.create_connection((OTHER, echo), 5)
        client.sendall(b"a")
        assert client.recv(100) == b"A"
    with client:
        assert client.recv(100) == b""


def test_a_port_where_nobody_listens_is_closed_again():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # without listening; nobody else can meanwhile
        port = deaf.getsockname()[1]
        with relaying(OTHER, [port]), socket.create_connection((OTHER, port), 5) as client:
            assert client.recv(100) == b""
