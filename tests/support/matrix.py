"""The cells of the matrix state x failure: what is asked for, and what each has to meet."""

from dataclasses import dataclass

from tests.support.sam import definition

STATES = definition()["States"]
TASKS = [name for name, state in STATES.items() if state["Type"] == "Task"]
# Failures of a call, by the service: (error, how often; always without a number).
ERRORS = {
    "lambda": {
        "throttled": ("Lambda.TooManyRequestsException", 2),
        "denied": ("Lambda.AccessDeniedException", None),
        "not found": ("Lambda.ResourceNotFoundException", None),
        "in use": ("Lambda.ResourceConflictException", None),
        "internal": ("Lambda.ServiceException", 2),
    },
    "rekognition": {
        "throttled": ("Rekognition.ThrottlingException", 2),
        "denied": ("Rekognition.AccessDeniedException", None),
        "not found": ("Rekognition.ResourceNotFoundException", None),
        "in use": ("Rekognition.ResourceInUseException", None),
        "internal": ("Rekognition.InternalServerError", 2),
    },
    "kinesisvideo": {
        "throttled": ("KinesisVideo.ClientLimitExceededException", 2),
        "denied": ("KinesisVideo.NotAuthorizedException", None),
        "not found": ("KinesisVideo.ResourceNotFoundException", None),
        "in use": ("KinesisVideo.ResourceInUseException", None),
        "internal": ("KinesisVideo.SdkClientException", 2),
    },
    "dynamodb": {
        "throttled": ("DynamoDb.ThrottlingException", 2),
        "denied": ("DynamoDb.AccessDeniedException", None),
        "not found": ("DynamoDb.ResourceNotFoundException", None),
        "in use": ("DynamoDb.ConditionalCheckFailedException", 2),
        "internal": ("DynamoDb.InternalServerErrorException", 2),
    },
    "sns": {
        "throttled": ("Sns.ThrottledException", 2),
        "denied": ("Sns.AuthorizationErrorException", None),
        "not found": ("Sns.NotFoundException", None),
        "in use": ("Sns.ConcurrentAccessException", None),
        "internal": ("Sns.InternalErrorException", 2),
    },
}
FAILURES = [
    "aborted",
    "timed out",
    "throttled",
    "denied",
    "not found",
    "in use",
    "internal",
    "slow",
]
NEVER = "never opened"
DARK = "dark-door"  # sends only when it is told to
# Nothing but the sweep can see it: "not found" is what somebody who stops twice is answered.
BY_SWEEP = {("LookForProcessor", "not found"), ("DisableImages", "not found")}
# What is in use now (a name just freed, a video whose settings change) passes by itself.
PATIENT = {
    ("CreateProcessor", "in use"),
    ("EnableImages", "in use"),
}
IMAGES_ONLY = {"EnableImages", "DisableImages"}
PROCESSOR_ONLY = {
    "CreateProcessor",
    "StartProcessor",
    "DescribeProcessor",
    "IsItRunning",
    "WaitForProcessor",
    "StopProcessor",
    "DeleteProcessor",
    "LookForProcessor",
    "IsItStopping",
    "WaitToStop",
}
# Come to only where no video comes, or none any more: a camera of their own.
BY_SILENCE = {"ShallOwnerKnowSilence", "TellSilence"}
WITHOUT_RECORDS = {"TellRecords"}
IN_THE_DARK = {"WaitForMedia"} | BY_SILENCE | WITHOUT_RECORDS
# What else has to go wrong for a session to come to a state at all.
ON_THE_WAY = {
    "EndedByProblem": ("MarkRunning", "DynamoDb.AccessDeniedException"),
}
ON_THE_WAY |= dict.fromkeys(
    ("LookForProcessor", "IsItStopping", "WaitToStop"),
    ("DeleteProcessor", "Rekognition.ResourceNotFoundException"),
)
# When a running session is asked to stop, for the states that it comes to before.
STOP_AFTER_SECONDS = {"Paused": 5} | dict.fromkeys(BY_SILENCE | WITHOUT_RECORDS, 15)
SETTINGS = {
    "healthCheckSeconds": 1,
    "tell": ["start", "problem"],
    "mediaWaitSeconds": 20,
    "silenceSeconds": 60,
}


@dataclass(frozen=True)
class Cell:
    """One state and what happens to an execution in it."""

    state: str
    failure: str

    def faults(self, execution, stream):
        """Lines of the faults' file; one more where a state is only come to by a failure."""
        found = [self._fault(execution)]
        if self.state in WITHOUT_RECORDS:
            found.append({"stream": stream, "records": "lost"})
        if self.state in ON_THE_WAY:
            state, error = ON_THE_WAY[self.state]
            found.append({"execution": execution, "state": state, "error": error})
        return found

    def request(self, camera):
        """The input of its session."""
        asked = {"camera": camera, "minutes": -1 if self.state == "Refused" else 1}
        limits = {}
        if self.state == "WaitForMedia":  # what is aborted there has to come there, however late
            limits = {"mediaWaitSeconds": 60 if self.status else 10}
        if self.state in BY_SILENCE:
            limits = {"silenceSeconds": 3}
        if self.state in WITHOUT_RECORDS:
            limits = {"recordsMissingSeconds": 2}
        return asked | {"settings": SETTINGS | limits}

    @property
    def status(self):
        """How such an execution has to end, if that is certain: else the cell tests nothing."""
        if self.state == "Ended":  # where it has succeeded before it can be aborted
            return None
        return {"aborted": "ABORTED", "timed out": "TIMED_OUT"}.get(self.failure)

    def _fault(self, execution):
        line = {"execution": execution, "state": self.state}
        if self.failure in ("aborted", "timed out"):
            return line | {"do": "abort" if self.failure == "aborted" else "time-out"}
        if self.failure == "slow":
            return line | {"error": "States.Timeout", "times": 1}
        service = STATES[self.state]["Resource"].split(":")[5 if is_plain(self.state) else 6]
        error, times = ERRORS[service][self.failure]
        return line | {"error": error} | ({"times": times} if times else {})


def is_plain(state):
    return "aws-sdk" not in STATES[state]["Resource"]


def cells(images):
    """Every state aborted and timed out, every call failing in each way, for one engine.

    Of what both engines come to, calls fail with a processor only.
    """
    never = PROCESSOR_ONLY | IN_THE_DARK if images else IMAGES_ONLY
    return [
        Cell(state, failure)
        for state in STATES
        if state not in never
        for failure in FAILURES
        if failure in ("aborted", "timed out")
        or (state in TASKS and (not images or state in IMAGES_ONLY))
    ]
