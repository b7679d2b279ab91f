"""`./whosthere start`: lengths, prices, what it asks for, refuses and asks back."""

import argparse
import io
import sys

import pytest

from cli.aws.sessions.session_start import plan_session
from cli.aws.time_formats import format_time, parse_minutes
from cli.commands import start
from cli.errors import InputError
from tests.support.stack.moto_target import BUCKET, running_session
from whosthere.clock import now_ms
from whosthere.costs import month
from whosthere.errors import SessionInputError


@pytest.mark.parametrize(
    ("text", "minutes"), [("2h", 120), ("90m", 90), ("1h30m", 90), ("1d", 1440), ("5min", 5)]
)
def test_a_length_of_time_is_read_as_people_write_it(text, minutes):
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "2", "h", "0m", "-1h", "soon", "1h 30"])
def test_what_is_no_length_of_time_is_refused_with_examples(text):
    with pytest.raises(InputError, match="1h30m"):
        parse_minutes(text)


def test_a_moment_is_shown_on_the_owners_clock_with_the_day_if_it_is_another():
    noon = 1_800_014_400_000  # 2027-01-15 12:00 UTC, in Kathmandu 17:45
    assert format_time(noon, "Asia/Kathmandu", noon) == "17:45 Asia/Kathmandu"
    assert format_time(noon, "Asia/Kathmandu", noon - 86_400_000).startswith("Fri 15 Jan 17:45")


def start_options(*arguments):
    parser = argparse.ArgumentParser()
    start.add_arguments(parser)
    return parser.parse_args(arguments)


def test_a_session_is_asked_for_as_the_state_machine_takes_it():
    options = start_options("--until", "06:00", "--set", "strangers=off", "--set", "margin=3.5")
    assert start.session_input("front-door", options) == {
        "camera": "front-door",
        "until": "06:00",
        "settings": {"strangers": "off", "margin": 3.5},
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--minutes", "1441"], "1440"),
        (["--minutes", "0"], "minutes"),
        (["--until", "6 o'clock"], "until"),
        (["--until", "24:00"], "until"),
        (["--minutes", "5", "--set", "strangers=maybe"], "settings.strangers"),
        (["--minutes", "5", "--set", "colour=red"], "colour"),
    ],
)
def test_a_session_that_cannot_be_is_refused_before_aws_is_asked(arguments, told):
    with pytest.raises(SessionInputError, match=told):
        start.session_input("front-door", start_options(*arguments))


def executions(target):
    machine = target.outputs["StateMachineArn"]
    return target.session.client("stepfunctions").list_executions(stateMachineArn=machine)[
        "executions"
    ]


def test_a_busy_camera_is_refused_with_its_session_and_until_when(verb, target, table):
    session = running_session(table)
    until = format_time(session.deadline_ms, "Europe/Berlin", now_ms())
    with pytest.raises(InputError, match=f"session one runs until {until}"):
        verb(start, "front-door", "--minutes", "5", "--yes")
    assert executions(target) == []


def test_starting_on_aws_asks_once_and_no_means_no(verb, target, monkeypatch, capsys):
    terminal = io.StringIO("n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(InputError, match="nothing was started"):
        verb(start, "front-door", "--minutes", "120")
    asked = capsys.readouterr().err
    assert asked.count("[y/N]") == 1
    # 14.40 of face search, 3.6 GB of video in, read and kept for a day, a shard, 380 transitions,
    # and 10,860 GB-seconds of Lambda: test_plan.py has the arithmetic.
    assert "front-door until " in asked and "at most $14.69" in asked
    assert "  face search of a stream" in asked and "120 minutes" in asked and "$14.40?" in asked
    assert "? AWS's own pages do not tell this price" in asked
    assert executions(target) == []


def test_a_limit_is_told_where_it_ends_the_session_before_its_deadline(target):
    def price(dollars):
        request = {"minutes": 120, "settings": {"maxDollars": dollars}}
        return plan_session(target, "front-door", request).price

    assert price(0) == price(20) == "at most $14.69"
    assert price(5) == "at most $14.69; maxDollars pauses it at about $5.00"


def test_a_session_that_the_spent_month_lets_search_nothing_is_refused(target, table, monkeypatch):
    def plan(moment, spent):
        monkeypatch.setattr("cli.aws.sessions.session_start.now_ms", lambda: moment)
        month.add_to_month(table, moment, spent)
        request = {"minutes": 120, "settings": {"maxDollarsMonth": 5}}
        return plan_session(target, "front-door", request).price

    month_end = month.month_end_ms(now_ms())
    assert plan(month_end - 90 * 60_000, 0) == "at most $14.69"
    told = plan(month_end - 90 * 60_000, 5_000_000)
    assert "; maxDollarsMonth is spent, so nothing is searched until " in told
    with pytest.raises(InputError, match="have spent maxDollarsMonth"):
        plan(month_end - 150 * 60_000, 0)


def test_where_nobody_can_answer_yes_has_to_be_said(verb, target, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match="--yes"):
        verb(start, "front-door", "--minutes", "5")
    assert executions(target) == []


def test_which_camera_has_to_be_said_if_there_are_two(verb):
    with pytest.raises(InputError, match="front-door, back-door"):
        verb(start, "--minutes", "5")


def test_a_bad_settings_file_is_told_before_anything_starts(verb, target):
    target.session.client("s3").put_object(
        Bucket=BUCKET, Key="settings.json", Body=b'{"tell": "all"}'
    )
    with pytest.raises(InputError, match=r"settings.json: tell"):
        verb(start, "front-door", "--minutes", "5", "--yes")
