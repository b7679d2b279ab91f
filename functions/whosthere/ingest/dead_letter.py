"""Dead letters: what no retry can mend is stored whole, with the reason, under `failures/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_s3 import S3Client

from aws_lambda_powertools import Metrics

from whosthere.alarm_metrics import SET_ASIDE

RECORDS = "failures/records/"
EVENTS = "failures/events/"


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The bucket that dead letters are put into; the logger and the metrics that say so."""

    s3: "S3Client"
    bucket: str
    logger: "Logger"
    metrics: "Metrics"

    def put(self, prefix: str, name: str, reason: str, given: Mapping[str, object]) -> str:
        """Store what was given, as it came, and return its key: the same one at every retry."""
        key = f"{prefix}{name}.json"
        body = json.dumps({"reason": reason, "given": given}, ensure_ascii=False).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")
        self.metrics.add_metric(SET_ASIDE, "Count", 1)
        self.logger.warning("record set aside", extra={"record": name})
        return key
