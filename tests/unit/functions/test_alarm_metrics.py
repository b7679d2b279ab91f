"""What alarms watch leaves a function as one line of EMF, also if the invocation fails."""

import json
import warnings

import boto3
import pytest

from tests.support.records.alert_harness import face, match, record
from tests.support.records.crashing import Context, as_event, function
from whosthere.alarm_metrics import alarm_metrics

BUCKET = "whosthere-measured"


@pytest.fixture
def alert_person(table, monkeypatch):
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    with function(monkeypatch, "alert_person", table, BUCKET=BUCKET) as (module, _):
        yield module


def poison(second):
    made = record(second, face(match("p-alice")))
    del made["FaceSearchResponse"]
    return made


def documents(capsys):
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line) for line in lines if "_aws" in line]


def test_records_set_aside_are_one_line_at_the_end_of_the_invocation(alert_person, capsys):
    event = {"Records": as_event([poison(0), record(1), poison(2)])}
    assert alert_person.handler(event, Context()) == {"batchItemFailures": []}
    (found,) = documents(capsys)
    (directive,) = found.pop("_aws")["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Whosthere",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "RecordsSetAside", "Unit": "Count"}],
    }
    # Neither a record nor a face nor a name.
    assert found == {"service": "whosthere", "RecordsSetAside": [1.0, 1.0]}


def test_an_invocation_that_raises_tells_what_it_measured(alert_person, capsys):
    event = {"Records": [*as_event([poison(0)]), {}]}
    with pytest.raises(KeyError):
        alert_person.handler(event, Context())
    (found,) = documents(capsys)
    assert found["RecordsSetAside"] == [1.0]


def test_an_invocation_without_a_fault_says_nothing(alert_person, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alarm_metrics()
        alert_person.handler({"Records": as_event([record(0)])}, Context())
    assert documents(capsys) == []
