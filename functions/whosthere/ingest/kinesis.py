"""Records as Lambda takes them from a data stream, and the answer that it expects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whosthere.dynamodb import Table
from whosthere.ingest import dead_letter as failures
from whosthere.ingest.batches import Delivery, Work, deliver


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where a function's records come in; what is no record goes to the bucket."""

    table: Table
    s3: Any
    bucket: str
    stack: str
    logger: Any


def take_in(inbox: Inbox, records: Sequence[Mapping[str, Any]], work: Work) -> dict[str, Any]:
    """Do the work with the records of a batch; the answer names those that have to come again.

    (Lambda developer guide, "Configuring partial batch response with Kinesis".)
    """

    def set_aside(record: Delivery, reason: str) -> None:
        failures.keep(inbox.s3, inbox.bucket, record.id, reason, record.given)
        inbox.logger.warning("record set aside", extra={"record": record.id})

    deliveries = [_delivery(record) for record in records]
    failed = deliver(inbox.table, inbox.stack, deliveries, work=work, set_aside=set_aside)
    kinds = sorted({type(error).__name__ for error in failed.values()})
    facts = {"records": len(records), "failed": len(failed), "errors": kinds}
    inbox.logger.info("records read", extra=facts)
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _delivery(record: Mapping[str, Any]) -> Delivery:
    kinesis = record["kinesis"]
    arrived_ms = round(1000 * kinesis["approximateArrivalTimestamp"])
    return Delivery(kinesis["sequenceNumber"], kinesis["data"], arrived_ms, record)
