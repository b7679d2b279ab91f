"""`./whosthere visits`: which are listed, what a file holds, and what a deletion asks and says."""

import csv
import json
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cli.commands import visits as verb_module
from cli.errors import InputError
from tests.support.records.alert_harness import START, AlertHarness, face, received
from tests.support.stack.moto_target import BUCKET, running_session
from whosthere.clock import now_ms
from whosthere.faces.match import Sighting
from whosthere.visits.record_sightings import record_sightings

ALICE, GUEST = "p-3f0a1b2c3d4e5f60718293a4", "s-0a1b2c3d4e5f"
BERLIN = ZoneInfo("Europe/Berlin")
DAY = "2027-01-15"  # of START
HOUR = 3600


@pytest.fixture
def home(table, target):
    """A stack whose owner lives in Berlin."""
    settings = json.dumps({"timeZone": "Europe/Berlin"}).encode()
    target.session.client("s3").put_object(Bucket=BUCKET, Key="settings.json", Body=settings)
    harness = AlertHarness(table, running_session(table))
    harness.name(ALICE, "=Alice")
    return harness


@pytest.fixture
def say(verb):
    return lambda *words: verb(verb_module, *words)


@pytest.fixture
def listed(say):
    return lambda *words: json.loads(say(*words, "--json")[1])["visits"]


def visit(home, who, second, *, camera="front-door", times=2):
    """A visit: confirmed if it is seen twice."""
    frames = [received(second + 0.5 * number, face()) for number in range(times)]
    sightings = [Sighting(frame, frame.faces[0], (who,), 97.0) for frame in frames]
    session = replace(home.session, camera=camera)
    list(record_sightings(home.worker(), session, who, sightings, alerts=False))


def seconds_since_start(moment):
    return moment.timestamp() - START / 1000


def test_a_day_is_listed_newest_first_with_who_where_and_how_sure(home, say, listed):
    visit(home, ALICE, 0)
    visit(home, GUEST, HOUR)
    visit(home, ALICE, 2 * HOUR, times=1)  # not confirmed
    first, second = say("--day", DAY)[1].splitlines()
    assert first.split("  ")[0].startswith("Fri 15 Jan 10:00")
    assert "stranger s-0a1b2c3d  front-door  2 sightings, best 97.0 of 100  alert quiet" in first
    assert second.startswith("Fri 15 Jan 09:00") and "  =Alice  " in second
    assert second.endswith(f"p-3f0a1b2c-{START}")
    assert [one["names"] for one in listed("--day", DAY)] == [[], ["=Alice"]]
    assert listed("--day", DAY)[1] == {
        **{"visit": f"{ALICE}-{START}", "camera": "front-door", "who": ALICE, "names": ["=Alice"]},
        **{"first": "2027-01-15T08:00:00.000Z", "last": "2027-01-15T08:00:00.500Z"},
        **{"seconds": 0.5, "sightings": 2, "similarity": 97.0, "alert": "quiet"},
        **{"session": "one", "picture": None},
    }


def test_the_days_are_those_on_the_owners_clock(home, listed):
    today = datetime.now(BERLIN).replace(hour=12)
    for days in (0, 1, 2):
        visit(home, ALICE, seconds_since_start(today - timedelta(days=days)))
    midnight = (today - timedelta(days=2)).replace(hour=0, minute=5)
    visit(home, GUEST, seconds_since_start(midnight))
    assert len(listed()) == len(listed("--day", "today")) == len(listed("--day", "yesterday")) == 1
    assert len(listed("--days", "2")) == 2
    assert len(listed("--days", "2", "--day", "yesterday")) == 3
    before = str((today - timedelta(days=2)).date())
    assert [one["who"] for one in listed("--day", before)] == [ALICE, GUEST]


def test_one_camera_or_one_person_by_any_form_of_the_name_or_the_id(home, listed):
    visit(home, ALICE, seconds_since_start(datetime.now(BERLIN) - timedelta(days=40)))
    visit(home, GUEST, 0, camera="back-door")
    visit(home, GUEST, 10, camera="old-door")
    for word in (" =ALICE", "\uff1dAlice"):  # the second with a full-width sign
        assert [one["who"] for one in listed("--who", word)] == [ALICE]
    for word in (GUEST, "s-0a1b"):
        home.table.put_item(Item={"pk": "strangers", "sk": GUEST, "status": "pending"})
        found = listed("--who", word, "--day", DAY)
        assert [one["camera"] for one in found] == ["old-door", "back-door"]
    assert [one["who"] for one in listed("back-door", "--day", DAY)] == [GUEST]
    assert [one["who"] for one in listed("old-door", "--day", DAY)] == [GUEST]
    assert GUEST not in [one["who"] for one in listed("front-door", "--day", DAY)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--day", "9999-12-31"], "'9999-12-31' is no day"),
        (["--day", "0001-01-01", "--days", "30"], "'0001-01-01' is no day"),
        (["--day", "morning"], "'morning' is no day: say today, yesterday or 20"),
        (["--days", "0"], "--days: 1 to 90"),
        (["--who", "Alise"], "nobody is enrolled as 'Alise'; did you mean =Alice?"),
        (["--who", "Zoë"], "nobody is enrolled as 'Zoë'; there are: =Alice"),
        (["--who", "s-"], "s- may be one of s-1, s-2: say more of it"),
        (["attic"], "no visits at attic; the stack has: front-door, back-door"),
        (["Front"], "'Front' is no camera name"),
        (["--delete", "p-1"], "there is no visit p-1"),
        (["--csv", "/none/x.csv"], "/none/x.csv: No such file or directory"),
    ],
)
def test_what_is_not_understood_is_said(home, say, words, said):
    for id in ("s-1", "s-2"):
        home.table.put_item(Item={"pk": "strangers", "sk": id})
    with pytest.raises(InputError) as raised:
        say(*words)
    assert str(raised.value).startswith(said)


def test_no_visit_is_no_error(home, say):
    assert say() == (0, "nobody was seen\n")


def test_csv_has_the_owners_times_and_no_cell_that_a_program_calculates(home, say, tmp_path):
    visit(home, ALICE, 0)
    path = tmp_path / "visits.csv"
    assert say("--day", DAY, "--csv", str(path)) == (0, f"1 visit in {path}\n")
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert row == {
        **{"visit": f"{ALICE}-{START}", "camera": "front-door", "who": ALICE, "name": "'=Alice"},
        **{"first": "2027-01-15T09:00:00.000+01:00", "last": "2027-01-15T09:00:00.500+01:00"},
        **{"seconds": "0.5", "sightings": "2", "similarity": "97.0", "alert": "quiet"},
        **{"session": "one"},
    }
    assert path.stat().st_mode & 0o077 == 0
    assert say("--day", DAY, "--csv", "-")[1].encode() == path.read_bytes()


def test_a_deletion_asks_once_on_aws_and_says_how_many_are_gone(home, say, listed, monkeypatch):
    for second in (0, HOUR, 2 * HOUR):
        visit(home, ALICE, second)
    with pytest.raises(InputError, match="Delete 1 visit for good.*say --yes"):
        say("--delete", f"p-3f0a1b2c-{START}")
    assert say("--delete", f"p-3f0a1b2c-{START}", "--yes") == (0, "1 visit deleted\n")
    monkeypatch.setattr("cli.aws.connect.sys.stdin", Answers("n"))
    with pytest.raises(InputError, match="nothing was deleted"):
        say("--delete-day", DAY)
    assert len(listed("--day", DAY)) == 2
    monkeypatch.setattr("cli.aws.connect.sys.stdin", Answers("y"))
    assert say("--delete-day", DAY) == (0, "2 visits deleted\n")
    assert say("--delete-day", DAY) == (0, "0 visits deleted\n")


class Answers:
    """A terminal where somebody answers."""

    def __init__(self, answer):
        self._answer = answer

    def isatty(self):
        return True

    def readline(self):
        return self._answer + "\n"


def test_of_a_camera_all_is_deleted_also_what_was_not_confirmed(home, say):
    now = seconds_since_start(datetime.now(BERLIN))
    for days in (0.5, 20, 89):
        visit(home, ALICE, now - days * 24 * HOUR)
    visit(home, GUEST, now - 30 * 24 * HOUR, times=1)
    visit(home, ALICE, 0, camera="back-door")
    assert say("--delete-camera", "front-door", "--yes") == (0, "4 visits deleted\n")
    left = {row["pk"] for row in home.table.scan()["Items"] if "opened" in row}
    assert left == {"camera#back-door", f"visits#{ALICE}", f"day#{DAY}"}


def test_a_day_is_deleted_of_one_person_or_one_camera_alone(home, say, listed):
    visit(home, ALICE, 0)
    visit(home, GUEST, 0)
    visit(home, GUEST, 0, camera="back-door")
    assert say("--delete-day", DAY, "--who", "=alice", "--yes")[1] == "1 visit deleted\n"
    assert say("back-door", "--delete-day", DAY, "--yes")[1] == "1 visit deleted\n"
    (left,) = listed("--day", DAY)
    assert (left["who"], left["camera"]) == (GUEST, "front-door")


def test_a_visit_that_goes_on_stays_as_the_next_sighting_would_alert_again(home, say, listed):
    now = (now_ms() - START) / 1000
    visit(home, ALICE, now - 10)
    visit(home, GUEST, now - HOUR)
    code, out = say("--delete-camera", "front-door", "--yes")
    assert code == 1
    assert out.startswith("1 visit deleted; 1 visit still going on")
    assert [one["who"] for one in listed("--days", "2")] == [ALICE]
