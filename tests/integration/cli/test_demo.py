"""The demo from beginning to end, in a home that is full of ways to a real account."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.demo.result import latency
from cli.setup.laptop_stack import sam_lock

ROOT = Path(__file__).parents[3]
TRUTH = json.loads((ROOT / "demo" / "film.json").read_text())
DEMO_SECONDS = 600
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(slots=True)
class Proxy:
    """A proxy that notes who comes, and lets nobody through."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.asked.append(connection.recv(200))
                except OSError:
                    self.asked.append(b"")


@dataclass(frozen=True, slots=True)
class Home:
    """Somebody's home with an AWS account in it, and all the variables that lead there."""

    place: Path
    proxy: Proxy

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "HOME": str(self.place),
            "AWS_PROFILE": "work",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "AWS_ENDPOINT_URL_S3": "https://s3.us-east-1.amazonaws.com",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "a-real-one",
            "AWS_REGION": "eu-central-1",
            "HTTPS_PROXY": self.proxy.url,
            "HTTP_PROXY": self.proxy.url,
            "https_proxy": self.proxy.url,
            "http_proxy": self.proxy.url,
        }

    def files(self) -> set[str]:
        return {str(path.relative_to(self.place)) for path in self.place.rglob("*")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = tmp_path_factory.mktemp("home")
    (place / ".aws").mkdir()
    (place / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n[profile work]\n")
    (place / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = secret\n"
    )
    proxy = Proxy()
    yield Home(place, proxy)
    proxy.listener.close()


@dataclass(frozen=True, slots=True)
class Played:
    """What a demo left behind and said."""

    code: int
    out: str
    err: str
    folder: Path
    files_before: set[str]
    files_after: set[str]

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@pytest.fixture(scope="module")
def played(home: Home, built: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One demo, after `sam build`: a warm machine with unchanged code."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    before = home.files()
    done = subprocess.run(
        [str(ROOT / "whosthere"), "demo", "--json", "--output", str(folder)],
        env=home.environment(),
        cwd=home.place,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
    )
    return Played(done.returncode, done.stdout, done.stderr, folder, before, home.files())


def test_the_demo_succeeds_with_exactly_the_alerts_and_strangers_of_the_film(
    played: Played,
) -> None:
    assert played.code == 0, played.err
    kinds = [(alert["kind"], alert["name"]) for alert in played.report["alerts"]]
    wanted = [(alert["kind"], alert.get("name")) for alert in TRUTH["alerts"]]
    assert len(kinds) == len(wanted)
    persons = sorted(name for kind, name in kinds if kind == "person")
    assert persons == sorted(name for kind, name in wanted if kind == "person")
    assert len(played.report["strangers"]) == len(TRUTH["strangers"])
    assert not any(alert["probably"] for alert in played.report["alerts"])


def test_standard_output_holds_one_json_object_and_nothing_else(played: Played) -> None:
    assert set(played.report) == {
        "session",
        "alerts",
        "strangers",
        "unsure",
        "records",
        "left",
        "setup_seconds",
        "run_seconds",
    }
    assert "sam deploy" in played.err


def test_times_are_utc_with_milliseconds(played: Played) -> None:
    report = played.report
    times = [
        alert[name] for alert in report["alerts"] for name in ("captured", "recognised", "sent")
    ]
    times += [one[name] for one in report["strangers"] for name in ("first_seen", "last_seen")]
    assert times and all(TIME.fullmatch(moment) for moment in times)


def test_no_alert_was_sent_before_it_was_captured_and_recognised(played: Played) -> None:
    for alert in played.report["alerts"]:
        order = [datetime.fromisoformat(alert[key]) for key in ("captured", "recognised", "sent")]
        assert order == sorted(order)
        assert latency(alert) > 0


def test_nothing_is_left_behind(played: Played) -> None:
    left = played.report["left"]
    assert set(left) == {"processors", "locks", "image_generation", "processes", "ports"}
    assert not any(left.values())


def test_the_session_ended_with_the_film(played: Played) -> None:
    session = played.report["session"]
    assert (session["status"], session["ended_by"]) == ("SUCCEEDED", "stop")
    assert session["engine"] == "stream-processor"


def test_the_folder_holds_alerts_pictures_and_the_page(played: Played) -> None:
    texts = sorted((played.folder / "alerts").glob("*.txt"))
    assert len(texts) == len(TRUTH["alerts"])
    assert any("Zoë was seen at front-door" in text.read_text() for text in texts)
    for stranger in played.report["strangers"]:
        picture = (played.folder / stranger["picture"]).read_bytes()
        assert picture.startswith(b"\xff\xd8")
    assert "Who was at the door" in (played.folder / "index.html").read_text()
    assert json.loads((played.folder / "report.json").read_text()) == played.report


def test_no_request_went_to_an_account_or_through_the_proxy(played: Played, home: Home) -> None:
    assert played.code == 0
    assert home.proxy.asked == []


def test_the_home_was_not_touched(played: Played) -> None:
    assert played.files_after == played.files_before


@pytest.mark.long  # a second demo, half a minute
def test_ctrl_c_ends_the_session_and_leaves_nothing(
    home: Home, built: Any, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    errors = tmp_path / "errors"
    with errors.open("w") as err:
        process = subprocess.Popen(
            [str(ROOT / "whosthere"), "demo", "--json", "--output", str(tmp_path / "out")],
            env=home.environment(),
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            start_new_session=True,
        )

    def somebody_was_seen() -> bool:
        """The first alert is there."""
        assert process.poll() is None, errors.read_text()
        return "after the capture" in errors.read_text()

    try:
        wait_until(somebody_was_seen, 120)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole group
        out, _ = process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 130
    report = json.loads(out)
    assert report["session"]["ended_by"] == "stop"
    assert not any(report["left"].values())


def test_a_photo_without_a_face_ends_the_demo_before_it_deploys(home: Home, built: Any) -> None:
    from PIL import Image

    wall = home.place / "wall.jpg"
    Image.new("RGB", (320, 240), "grey").save(wall)
    try:
        done = subprocess.run(
            [
                *(str(ROOT / "whosthere"), "demo", "--video", str(ROOT / "demo" / "film.mp4")),
                *("--person", f"Zoë={wall}", "--output", str(home.place / "out")),
            ],
            env=home.environment(),
            capture_output=True,
            text=True,
            timeout=DEMO_SECONDS,
        )
    finally:
        wall.unlink()
    assert done.returncode == 1
    assert "wall.jpg: No face was found in this photo." in done.stderr
    assert "sam deploy" not in done.stdout
    with sam_lock():  # what `sam local invoke` runs is whole
        layer = ROOT / ".aws-sam" / "build" / "PackagesLayer" / "python"
        assert (layer / "aws_lambda_powertools").is_dir()
