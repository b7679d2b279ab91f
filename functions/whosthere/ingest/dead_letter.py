"""Dead letters: what no retry can mend is stored whole, with the reason, under `failures/`.

Where nothing of strangers is kept (`strangers: off`), a record leaves its size and SHA-256 only.
"""

import hashlib
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
        return self._put(prefix, name, {"reason": reason, "given": given})

    def put_digest(self, prefix: str, name: str, reason: str, content: bytes) -> str:
        """Store size and SHA-256 of what was given, where nothing of it may be kept."""
        digest = hashlib.sha256(content).hexdigest()
        return self._put(prefix, name, {"reason": reason, "size": len(content), "sha256": digest})

    def _put(self, prefix: str, name: str, letter: Mapping[str, object]) -> str:
        key = f"{prefix}{name}.json"
        # Half of a character becomes the escape that it is in JSON.
        body = json.dumps(letter, ensure_ascii=False).encode("utf-8", "backslashreplace")
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")
        self.metrics.add_metric(SET_ASIDE, "Count", 1)
        self.logger.warning("record set aside", extra={"record": name})
        return key
