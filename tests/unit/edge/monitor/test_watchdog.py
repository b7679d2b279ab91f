"""Watchdog, systemd notifications and the checks of the clock."""

import os
import socket
import time
from email.utils import formatdate

import pytest

from edge.errors import ClockError
from edge.monitor.systemd import SystemdNotifier
from edge.monitor.watchdog import Remedy, Watchdog
from edge.upload.clock_skew import ClockSkewMonitor, ClockStepDetector, clock_skew_s


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def looks(watchdog, clock, seconds, **seen):
    """Check once a second; return the remedies that were not NONE, each with its second."""
    remedies = []
    for second in range(1, seconds + 1):
        clock.now += 1
        last = {"captured_at": clock.now, "acked_at": 0.0, "is_waiting": True} | {
            name: value() if callable(value) else value for name, value in seen.items()
        }
        if (remedy := watchdog.check(**last)) is not Remedy.NONE:
            remedies.append((second, remedy))
    return remedies


def test_healthy_is_what_is_acknowledged_and_nothing_else_counts():
    clock = Clock()
    watchdog = Watchdog(60, monotonic=clock)
    assert looks(watchdog, clock, 1000, acked_at=lambda: clock.now - 50) == []
    assert watchdog.is_healthy
    # Frames are still captured.
    looks(watchdog, clock, 61, acked_at=clock.now - 50)
    assert not watchdog.is_healthy


def test_after_a_minute_it_restarts_once_and_after_five_it_exits():
    clock = Clock()
    watchdog = Watchdog(60, monotonic=clock)
    unhealthy_from = 61
    assert looks(watchdog, clock, unhealthy_from + 300, acked_at=clock.now) == [
        (unhealthy_from + 60, Remedy.RESTART),
        (unhealthy_from + 300, Remedy.EXIT),
    ]


def test_one_ack_makes_it_healthy_again_and_the_count_starts_over():
    clock = Clock()
    watchdog = Watchdog(60, monotonic=clock)
    assert looks(watchdog, clock, 130, acked_at=clock.now) == [(121, Remedy.RESTART)]
    assert looks(watchdog, clock, 1, acked_at=lambda: clock.now) == []
    assert watchdog.is_healthy
    assert looks(watchdog, clock, 130, acked_at=clock.now) == [(121, Remedy.RESTART)]


def test_a_camera_with_nothing_to_send_is_healthy_as_long_as_it_sees():
    clock = Clock()
    watchdog = Watchdog(60, monotonic=clock)
    assert looks(watchdog, clock, 1000, is_waiting=False) == []
    assert watchdog.is_healthy
    looks(watchdog, clock, 61, is_waiting=False, captured_at=clock.now)
    assert not watchdog.is_healthy, "a camera that was unplugged"


@pytest.fixture
def heard(tmp_path):
    """Open a service manager's socket; return the messages it receives."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.setblocking(False)

        def all_of_it():
            messages = []
            try:
                while True:
                    messages.append(manager.recv(4096).decode())
            except BlockingIOError:
                return messages

        yield path, all_of_it


def test_systemd_hears_each_thing_and_of_life_no_more_often_than_it_asks(heard):
    path, messages = heard
    clock = Clock()
    systemd = SystemdNotifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}, clock)
    systemd.ready()
    for _ in range(40):
        systemd.keep_alive()
        clock.now += 0.5
    systemd.status("12 frames")
    systemd.stopping()
    assert messages() == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STATUS=12 frames", "STOPPING=1"]


def test_a_watchdog_that_is_about_another_process_is_not_answered(heard):
    path, messages = heard
    about = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    systemd = SystemdNotifier({"NOTIFY_SOCKET": path, **about}, Clock())
    systemd.keep_alive()
    assert messages() == []


def test_without_systemd_or_with_its_socket_gone_nothing_happens(tmp_path):
    SystemdNotifier({}).ready()
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def test_a_manager_that_reads_nothing_holds_nobody_up(heard):
    path, messages = heard
    systemd = SystemdNotifier({"NOTIFY_SOCKET": path}, Clock())
    for _ in range(2000):  # more than any kernel queues (net.unix.max_dgram_qlen)
        systemd.status("12 frames")
    assert set(messages()) == {"STATUS=12 frames"}


def test_an_abstract_socket_is_reached_too():
    name = f"whosthere-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert manager.recv(100) == b"READY=1"


NOON = 1_795_363_200


@pytest.mark.parametrize(
    ("ours", "answered", "expected"),
    [
        (0.0, 0.2, 0.0),
        (0.9, 1.1, 0.0),  # the Date has whole seconds
        (-3.0, 5.0, 0.0),  # the answer took long
        (4.0, 4.2, 3.0),
        (-7.0, -6.5, -6.5),
    ],
)
def test_only_a_difference_that_nothing_else_explains_counts(ours, answered, expected):
    date = formatdate(NOON, usegmt=True)
    assert clock_skew_s(date, NOON + ours, NOON + answered) == pytest.approx(expected)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing(date):
    assert clock_skew_s(date, 0.0, 0.0) is None


def check(clock, ahead_s):
    clock.check(formatdate(NOON, usegmt=True), NOON + ahead_s, NOON + ahead_s)


def test_a_clock_that_is_off_is_said_once_and_once_when_it_is_right_again():
    said = []
    clock = ClockSkewMonitor(said.append)
    for ahead_s in (0.5, 2.9, 4, 5, 6, 0.5, 0.5, -3):
        check(clock, ahead_s)
    assert [text.split(". ")[0] for text in said] == [
        "This machine's clock is 3 s ahead of that of the service",
        "This machine's clock agrees with the service's again.",
        "This machine's clock is 3 s behind that of the service",
    ]
    assert "timedatectl" in said[0]


def test_an_answer_without_a_date_gives_no_verdict():
    said = []
    clock = ClockSkewMonitor(said.append)
    clock.check(None, NOON, NOON)
    assert (said, clock.last_error) == ([], "")
    check(clock, 240)
    clock.check(None, NOON + 240, NOON + 240)
    assert len(said) == 1
    assert "4 min ahead" in clock.last_error
    assert clock.last_error_at == NOON + 240
    check(clock, 0)
    assert (len(said), clock.last_error) == (2, "")


@pytest.mark.parametrize(("ahead_s", "words"), [(302, "5 min ahead"), (-90_000, "25 h behind")])
def test_a_clock_that_is_too_far_off_stops(ahead_s, words):
    with pytest.raises(ClockError, match=f"{words}.*timedatectl set-ntp true"):
        check(ClockSkewMonitor(print), ahead_s)


def test_a_clock_that_was_set_is_noticed_and_one_that_is_kept_right_is_not():
    wall, monotonic = Clock(), Clock()
    watch = ClockStepDetector(wall, monotonic)
    steps = []
    for drift in (0.0, 0.4, 0.0, 3600.0, 0.0, -7200.0, 0.0):
        monotonic.now += 1
        wall.now += 1 + drift
        steps.append(round(watch.step_s()))
    assert steps == [0, 0, 0, 3600, 0, -7200, 0]
