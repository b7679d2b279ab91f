"""The metrics that template.yaml's alarms watch, written into the functions' log as EMF.

The handler's decorator `log_metrics` writes one line at the end of an invocation that added a
metric, also if it raises (CloudWatch user guide, "Embedded metric format specification"). The
only dimension is `service`, the stack's name.
"""

import warnings

from aws_lambda_powertools import Metrics

NAMESPACE = "Whosthere"
SET_ASIDE = "RecordsSetAside"  # a count
FAILED_EVENT_AGE = "FailedEventAge"  # seconds


def alarm_metrics() -> Metrics:
    """Return what a function adds its metrics to."""
    # Nothing to alarm about is the rule, not worth a warning.
    warnings.filterwarnings("ignore", "No application metrics to publish")
    return Metrics(namespace=NAMESPACE)
