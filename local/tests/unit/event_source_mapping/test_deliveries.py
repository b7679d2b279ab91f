"""The mappings at work: positions, checkpoints, windows, lanes, shards, permissions, changes."""

import base64
import json
import threading
import time

import pytest

from local.event_source_mapping import EventSourceMappings
from local.event_source_mapping.model import Shard
from local.tests.support.laptop.event_source_mapping import (
    FUNCTION,
    ROLE,
    SHARD,
    STREAM,
    Function,
    MemoryBackend,
    eventually,
    failing,
)

OTHER = FUNCTION.replace("alert-person", "queue-stranger")


@pytest.fixture
def backend():
    return MemoryBackend()


@pytest.fixture
def function(backend):
    backend.functions[FUNCTION] = Function()
    return backend.functions[FUNCTION]


@pytest.fixture
def engine(backend, monkeypatch):
    for name in (
        "engine.TICK_SECONDS",
        "batches.worker.DENIED_SECONDS",
        "batches.worker.AFTER_CRASH_SECONDS",
        "permissions.DENIED_SECONDS",
    ):
        monkeypatch.setattr(f"local.event_source_mapping.{name}", 0.05)
    engine = EventSourceMappings(backend)
    backend.wake = engine.wake
    yield engine
    assert engine.stop(30.0)


def test_the_event_has_lambdas_shape(backend, function, engine):
    backend.add_mapping()
    number = backend.put(b"hello", key="front-door", arrived=1545084650.987)
    engine.start()
    eventually(lambda: function.events)
    assert function.events == [
        {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": "front-door",
                        "sequenceNumber": number,
                        "data": base64.b64encode(b"hello").decode(),
                        "approximateArrivalTimestamp": 1545084650.987,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": f"{SHARD}:{number}",
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": ROLE,
                    "awsRegion": "us-east-1",
                    "eventSourceARN": STREAM,
                }
            ]
        }
    ]
    eventually(lambda: backend.reports["m1"] == ["OK"])


def test_a_record_reaches_the_function_at_once(backend, function, engine, monkeypatch):
    """Not only when somebody looks again, every minute here."""
    for name in ("engine.TICK_SECONDS", "batches.worker.IDLE_SECONDS"):
        monkeypatch.setattr(f"local.event_source_mapping.{name}", 60)
    backend.add_mapping(StartingPosition="LATEST")
    engine.start()
    for number in range(1, 6):
        backend.put(b"x")
        eventually(lambda number=number: len(function.data) == number)


def test_idle_mappings_read_nothing(backend, function, engine):
    for number in range(4):
        backend.add_mapping(f"m{number}")
    backend.put(b"x")
    engine.start()
    eventually(lambda: len(function.batches) == 4)

    def rest():
        before = backend.reads
        time.sleep(0.3)
        return backend.reads == before

    eventually(rest)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"StartingPosition": "TRIM_HORIZON"}, ["old", "young", "new"]),
        ({"StartingPosition": "LATEST"}, ["new"]),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 150.0},
            ["young", "new"],
        ),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 250.0},
            ["new"],
        ),
    ],
)
def test_a_mapping_begins_at_its_starting_position(backend, function, engine, settings, expected):
    backend.put(b"old", arrived=100.0)
    backend.put(b"young", arrived=200.0)
    backend.add_mapping(**settings)
    engine.start()
    backend.put(b"new", arrived=300.0)
    eventually(lambda: "new" in function.data)
    assert function.data == expected


def test_every_mapping_has_its_own_checkpoint_and_a_slow_function_delays_only_itself(
    backend, function, engine
):
    hold = threading.Event()
    slow = backend.functions[OTHER] = Function(lambda data: hold.wait(30) and None)
    backend.add_mapping("quick", BatchSize=1)
    backend.add_mapping("slow", FunctionArn=OTHER, BatchSize=1)
    engine.start()
    for text in (b"a", b"b", b"c"):
        backend.put(text)
    eventually(lambda: function.data == ["a", "b", "c"])
    assert slow.data == ["a"]
    hold.set()
    eventually(lambda: slow.data == ["a", "b", "c"])


def test_a_failing_mapping_does_not_disturb_another_on_the_same_stream(backend, function, engine):
    backend.functions[OTHER] = Function(failing)
    backend.add_mapping("fine", BatchSize=1)
    backend.add_mapping("bad", FunctionArn=OTHER)
    engine.start()
    backend.put(b"a")
    backend.put(b"b")
    eventually(lambda: function.data == ["a", "b"])
    eventually(lambda: "PROBLEM: Function call failed" in backend.reports["bad"])


def test_batches_have_at_most_the_batch_size(backend, function, engine):
    backend.add_mapping(BatchSize=2)
    for text in (b"a", b"b", b"c"):
        backend.put(text)
    engine.start()
    eventually(lambda: len(function.data) == 3)
    assert function.batches == [["a", "b"], ["c"]]


def test_a_batching_window_waits_for_more_but_not_for_a_full_batch(backend, function, engine):
    backend.add_mapping(BatchSize=3, MaximumBatchingWindowInSeconds=30)
    engine.start()
    backend.put(b"a")
    backend.put(b"b")
    assert not function.called.wait(0.1)
    backend.put(b"c")
    eventually(lambda: function.batches == [["a", "b", "c"]])


def test_a_batching_window_ends(backend, function, engine):
    backend.add_mapping(MaximumBatchingWindowInSeconds=1)
    engine.start()
    begun = time.monotonic()
    backend.put(b"a")
    threading.Timer(0.3, backend.put, [b"b"]).start()
    eventually(lambda: function.batches)
    assert 0.9 < time.monotonic() - begun < 30
    assert function.batches == [["a", "b"]]


def test_a_payload_stays_within_six_megabytes(backend, function, engine):
    backend.add_mapping(BatchSize=100)
    for _ in range(10):
        backend.put(b"x" * 1_000_000)
    engine.start()
    eventually(lambda: len(function.data) == 10)
    sizes = [len(json.dumps(event)) for event in function.events]
    assert max(sizes) <= 6 * 1024 * 1024
    assert len(function.batches[0]) == 4


def test_filtered_records_are_not_delivered_and_move_the_checkpoint(backend, function, engine):
    pattern = {"data": {"FaceSearchResponse": {"DetectedFace": {"Confidence": [{"exists": True}]}}}}
    backend.add_mapping(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    engine.start()
    empty = json.dumps({"FaceSearchResponse": []}).encode()
    face = json.dumps({"FaceSearchResponse": [{"DetectedFace": {"Confidence": 99}}]}).encode()
    last = ""
    for data in (empty, b"no json", empty):
        last = backend.put(data)
    eventually(lambda: backend.saved["m1"][SHARD]["positions"] == [last])
    assert function.batches == []
    assert backend.counts == {("m1", "PolledEventCount"): 3, ("m1", "FilteredOutEventCount"): 3}
    for data in (empty, face, empty, face):
        last = backend.put(data)
    eventually(lambda: len(function.data) == 2)
    eventually(lambda: backend.saved["m1"][SHARD]["positions"] == [last])


def test_a_long_run_of_filtered_records_is_passed_over(backend, function, engine):
    pattern = json.dumps({"data": {"x": [1]}})
    backend.add_mapping(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    for _ in range(2500):
        backend.put(b'{"x": 0}')
    backend.put(b'{"x": 1}')
    engine.start()
    eventually(lambda: function.data == ['{"x": 1}'])


def test_lanes_keep_the_order_of_each_partition_key(backend, engine):
    together = threading.Barrier(2, timeout=30)

    def answer(data):
        if data[0].endswith("-0"):
            together.wait()

    function = backend.functions[FUNCTION] = Function(answer)
    backend.add_mapping(ParallelizationFactor=10, BatchSize=1)
    # Two keys of different lanes, whose first records are with the function at the same time.
    keys = ["door", "garden"]
    for number in range(5):
        for key in keys:
            backend.put(f"{key}-{number}".encode(), key=key)
    engine.start()
    eventually(lambda: len(function.data) == 10)
    for key in keys:
        assert [x for x in function.data if x.startswith(key)] == [
            f"{key}-{number}" for number in range(5)
        ]


def test_a_change_of_the_parallelization_factor_loses_nothing(backend, function, engine):
    backend.add_mapping(ParallelizationFactor=1, BatchSize=1)
    engine.start()
    for number in range(10):
        backend.put(str(number).encode(), key=str(number))
    eventually(lambda: len(function.data) == 10)
    backend.settings["m1"]["ParallelizationFactor"] = 4
    engine.refresh()
    for number in range(10, 20):
        backend.put(str(number).encode(), key=str(number))
    eventually(lambda: len(set(function.data)) == 20)
    backend.settings["m1"]["ParallelizationFactor"] = 1
    engine.refresh()
    backend.put(b"20")
    eventually(lambda: "20" in function.data)
    assert set(function.data) == {str(number) for number in range(21)}
    eventually(lambda: len(backend.saved["m1"][SHARD]["positions"]) == 1)


def test_fewer_lanes_begin_where_the_slowest_was(backend, engine):
    broken, handled = {"door"}, []

    def answer(data):
        return failing(data) if broken & set(data) else handled.extend(data)

    def partitions():
        return backend.saved["m1"][SHARD]["positions"]

    backend.functions[FUNCTION] = Function(answer)
    backend.add_mapping(ParallelizationFactor=10, BatchSize=1)
    backend.put(b"door", key="door")
    last = backend.put(b"garden", key="garden")
    engine.start()
    eventually(lambda: handled == ["garden"] and sorted(partitions()) == ["", *[last] * 9])
    broken.clear()
    backend.settings["m1"]["ParallelizationFactor"] = 1
    engine.refresh()
    eventually(lambda: partitions() == [last])
    assert handled == ["garden", "door", "garden"]


def test_new_lanes_wait_for_the_function_that_the_old_ones_run(backend, engine):
    hold = threading.Event()
    function = backend.functions[FUNCTION] = Function(lambda data: hold.wait(30) and None)
    backend.add_mapping(BatchSize=1)
    engine.start()
    backend.put(b"first")
    eventually(lambda: function.data == ["first"])
    backend.settings["m1"]["ParallelizationFactor"] = 2
    engine.refresh()
    backend.put(b"second")
    time.sleep(0.1)
    assert function.data == ["first"]
    hold.set()
    eventually(lambda: function.data == ["first", "second"])


def test_children_of_a_shard_are_read_after_it(backend, engine):
    hold = threading.Event()

    def answer(data):
        if data == ["parent"]:
            hold.wait(30)

    function = backend.functions[FUNCTION] = Function(answer)
    backend.add_mapping(StartingPosition="LATEST")
    engine.start()
    backend.put(b"parent")
    eventually(lambda: function.data == ["parent"])
    backend.known_shards[SHARD] = Shard(SHARD, closed=True)
    for name in ("left", "right"):
        backend.known_shards[name] = Shard(name, parents=(SHARD,))
        backend.put(name.encode(), shard_id=name)
    engine.refresh()
    time.sleep(0.05)
    assert function.data == ["parent"]
    hold.set()
    eventually(lambda: set(function.data) == {"parent", "left", "right"})


def test_children_of_a_shard_that_rests_are_read_at_once(backend, function, engine):
    backend.add_mapping()
    engine.start()
    backend.put(b"parent")
    eventually(lambda: function.data == ["parent"])
    backend.known_shards[SHARD] = Shard(SHARD, closed=True)
    backend.known_shards["child"] = Shard("child", parents=(SHARD,))
    backend.put(b"child", shard_id="child")
    engine.refresh()
    eventually(lambda: function.data == ["parent", "child"])


def test_children_of_a_trimmed_shard_are_read_at_once(backend, function, engine):
    backend.known_shards = {"child": Shard("child", parents=(SHARD,))}
    backend.put(b"child", shard_id="child")
    backend.add_mapping()
    engine.start()
    eventually(lambda: function.data == ["child"])


def test_a_checkpoint_survives_trimming_and_a_new_start(backend, function):
    backend.add_mapping()
    for text in (b"a", b"b", b"c"):
        backend.put(text)
    first = EventSourceMappings(backend)
    first.start()
    eventually(lambda: len(function.data) == 3)
    assert first.stop(30.0)
    del backend.held[SHARD][:2]
    backend.put(b"d")
    second = EventSourceMappings(backend)
    second.start()
    eventually(lambda: len(function.data) == 4)
    assert second.stop(30.0)
    assert function.data == ["a", "b", "c", "d"]


def test_a_disabled_mapping_rests_and_goes_on_where_it_was(backend, function, engine):
    backend.add_mapping(StartingPosition="LATEST")
    engine.start()
    backend.put(b"a")
    eventually(lambda: function.data == ["a"])
    backend.settings["m1"]["State"] = "Disabled"
    engine.refresh()
    backend.put(b"b")
    time.sleep(0.1)
    assert function.data == ["a"]
    backend.settings["m1"]["State"] = "Enabled"
    engine.refresh()
    eventually(lambda: function.data == ["a", "b"])


def test_a_mapping_that_is_disabled_while_it_retries_stops_retrying(backend, engine):
    function = backend.functions[FUNCTION] = Function(failing)
    backend.add_mapping()
    engine.start()
    backend.put(b"a")
    assert function.called.wait(30)
    backend.settings["m1"]["State"] = "Disabled"
    engine.refresh()
    calls = len(function.batches)
    time.sleep(1)  # for two retries
    assert len(function.batches) <= calls + 1  # which was under way
    calls = len(function.batches)
    function.answer = lambda data: None
    backend.settings["m1"]["State"] = "Enabled"
    engine.refresh()
    eventually(lambda: len(function.batches) == calls + 1)
    eventually(lambda: backend.reports["m1"][-1] == "OK")


def test_a_deleted_mapping_delivers_nothing_more(backend, function, engine):
    backend.add_mapping()
    engine.start()
    backend.put(b"a")
    eventually(lambda: function.data == ["a"])
    del backend.settings["m1"]
    engine.refresh()
    backend.put(b"b")
    time.sleep(0.1)
    assert function.data == ["a"]


def test_a_changed_mapping_serves_its_new_function(backend, function, engine):
    other = backend.functions[OTHER] = Function()
    backend.add_mapping()
    engine.start()
    backend.put(b"a")
    eventually(lambda: function.data == ["a"])
    backend.settings["m1"]["FunctionArn"] = OTHER
    engine.refresh()
    backend.put(b"b")
    eventually(lambda: other.data == ["b"])


def test_a_mapping_that_nobody_told_of_is_found(backend, function, engine):
    engine.start()
    backend.put(b"a")
    backend.add_mapping()
    eventually(lambda: function.data == ["a"])


@pytest.mark.parametrize(
    "action",
    [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ],
)
def test_without_one_of_the_roles_permissions_nothing_is_delivered_until_it_is_granted(
    backend, function, engine, action
):
    backend.denied = {action}
    backend.add_mapping()
    backend.put(b"a")
    engine.start()
    eventually(lambda: backend.reports["m1"])
    problem = backend.reports["m1"][0]
    assert problem.startswith(f"PROBLEM: Cannot access stream {STREAM}")
    assert action.removeprefix("kinesis:") in problem
    assert function.batches == []
    backend.denied = set()
    eventually(lambda: function.data == ["a"])
    assert {resource for _, _, resource in backend.checked} == {STREAM}
    eventually(lambda: backend.reports["m1"][-1] == "OK")


def test_a_missing_function_is_shown_and_waited_for(backend, engine):
    backend.add_mapping(MaximumRetryAttempts=0)
    backend.put(b"a")
    engine.start()
    eventually(lambda: "PROBLEM: Function not found" in backend.reports["m1"])
    function = backend.functions[FUNCTION] = Function()
    eventually(lambda: function.data == ["a"])


def test_a_missing_stream_is_shown_and_waited_for(backend, function, engine):
    backend.known_shards.clear()
    backend.add_mapping()
    engine.start()
    eventually(lambda: backend.reports["m1"])
    assert backend.reports["m1"][0] == f"PROBLEM: Stream not found: {STREAM}"
    backend.known_shards[SHARD] = Shard(SHARD)
    backend.put(b"a")
    eventually(lambda: function.data == ["a"])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"data": ["x"]}'}]}},
            "PROBLEM: Invalid filter pattern definition",
        ),
        (
            {"TumblingWindowInSeconds": 30},
            "PROBLEM: TumblingWindowInSeconds is not implemented",
        ),
        ({"ParallelizationFactor": 11}, "PROBLEM: ParallelizationFactor must be from 1 to 10"),
        ({"BatchSize": 0}, "PROBLEM: BatchSize must be from 1 to 10000"),
        ({"MaximumRecordAgeInSeconds": 59}, "PROBLEM: MaximumRecordAgeInSeconds must be -1"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "PROBLEM: StartingPosition AT_TIMESTAMP needs"),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"data": {"x": [1]}}'}] * 11}},
            "PROBLEM: FilterCriteria has more than 10 filters",
        ),
    ],
)
def test_settings_that_cannot_be_served_are_shown(backend, function, engine, settings, problem):
    backend.add_mapping(**settings)
    backend.put(b"a")
    engine.start()
    eventually(lambda: backend.reports["m1"])
    assert backend.reports["m1"][0].startswith(problem)
    assert function.batches == []


def test_a_worker_that_fails_is_replaced(backend, function, engine):
    invoke = backend.invoke
    calls = []

    def broken_once(function_arn, event):
        calls.append(event)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return invoke(function_arn, event)

    backend.invoke = broken_once
    backend.add_mapping()
    backend.put(b"a")
    engine.start()
    eventually(lambda: function.data == ["a"])


def test_stopping_waits_for_the_function_and_then_starts_no_other(backend):
    hold = threading.Event()
    function = backend.functions[FUNCTION] = Function(lambda data: hold.wait(30) and None)
    backend.add_mapping(BatchSize=1)
    backend.put(b"a")
    backend.put(b"b")
    engine = EventSourceMappings(backend)
    engine.start()
    assert function.called.wait(30)
    assert not engine.stop(0.05)
    hold.set()
    assert engine.stop(30.0)
    assert function.data == ["a"]
    assert backend.saved["m1"][SHARD]["positions"] == [backend.held[SHARD][0].sequence_number]
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("mapping m1") for name in names)
