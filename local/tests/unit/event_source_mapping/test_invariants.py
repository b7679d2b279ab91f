"""Whatever happens, every record is delivered, and each partition key stays in order."""

import random
import threading
from collections import Counter

import pytest

from local.event_source_mapping import EventSourceMappings
from local.event_source_mapping.model import Invocation, Shard
from local.tests.support.laptop.event_source_mapping import (
    FUNCTION,
    SHARD,
    MemoryBackend,
    eventually,
    failing,
    text_of,
)

RECORDS = 120
KEYS = "abcde"


class Moody:
    """A function that crashes at times, and at times reports a failed record."""

    def __init__(self, chance):
        self.chance = chance
        self.handled = []
        self._lock = threading.Lock()

    def __call__(self, event):
        texts = [text_of(record) for record in event["Records"]]
        mood = self.chance.random()
        if mood < 0.2:
            return failing(texts)
        failed = self.chance.randrange(len(texts)) if mood < 0.4 else len(texts)
        with self._lock:
            self.handled += [text for text in texts[:failed] if text not in self.handled]
        numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        items = [{"itemIdentifier": number} for number in numbers[failed:]]
        return Invocation(payload={"batchItemFailures": items})


def change_something(chance, backend, engine, shard_id):
    """Disable, enable, change the lanes or reshard; gives the shard that is open now."""
    what = chance.random()
    if what < 0.3:
        backend.settings["m1"]["State"] = chance.choice(["Enabled", "Disabled"])
    elif what < 0.6:
        backend.settings["m1"]["ParallelizationFactor"] = chance.choice([1, 2, 5])
    else:
        child = f"shard-{len(backend.known_shards)}"
        closed = Shard(shard_id, backend.known_shards[shard_id].parents, closed=True)
        backend.known_shards = {
            **backend.known_shards,
            shard_id: closed,
            child: Shard(child, (shard_id,)),
        }
        shard_id = child
    engine.refresh()
    return shard_id


@pytest.mark.parametrize("seed", range(6))
def test_every_record_is_delivered_and_each_key_stays_in_order(seed, monkeypatch):
    monkeypatch.setattr("local.event_source_mapping.batches.retries.FIRST_DELAY_SECONDS", 0.002)
    monkeypatch.setattr("local.event_source_mapping.batches.retries.MAX_DELAY_SECONDS", 0.01)
    chance = random.Random(seed)
    backend = MemoryBackend()
    function = backend.functions[FUNCTION] = Moody(chance)
    backend.add_mapping(
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BatchSize=chance.choice([1, 3, 10]),
        ParallelizationFactor=chance.choice([1, 3]),
        BisectBatchOnFunctionError=chance.random() < 0.5,
    )
    engine = EventSourceMappings(backend)
    backend.wake = engine.wake
    engine.start()
    written, shard_id = Counter(), SHARD
    for _ in range(RECORDS):
        key = chance.choice(KEYS)
        backend.put(f"{key}{written[key]}".encode(), key=key, shard_id=shard_id)
        written[key] += 1
        if chance.random() < 0.1:
            shard_id = change_something(chance, backend, engine, shard_id)
    backend.settings["m1"]["State"] = "Enabled"
    engine.refresh()
    eventually(lambda: len(function.handled) == RECORDS)
    assert engine.stop(30)
    for key in KEYS:
        handled = [int(text[1:]) for text in function.handled if text[0] == key]
        assert handled == list(range(written[key]))
