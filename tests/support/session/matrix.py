"""The cells of the matrix call x failure: what is asked for, and what each has to meet."""

from dataclasses import dataclass
from functools import cache

import botocore.session

from tests.support.stack.sam import definition

PROCESSOR, IMAGES = "stream-processor", "image-search"
# How a call that a state makes fails: (error, how often; always without a number).
STATE_ERRORS = {
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
        "internal": ("Rekognition.InternalServerErrorException", 2),
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
}
# How a call that a function makes fails: the error's code and the answer's status.
SAME = {"denied": ("AccessDeniedException", 400), "not found": ("ResourceNotFoundException", 404)}
VIDEO = SAME | {
    "throttled": ("ClientLimitExceededException", 400),
    "in use": ("ResourceInUseException", 400),
    "internal": ("InternalFailure", 500),
}
ERRORS = {
    "dynamodb": SAME
    | {
        "throttled": ("ProvisionedThroughputExceededException", 400),
        "in use": ("TransactionConflictException", 400),
        "internal": ("InternalServerError", 500),
    },
    "kinesis": SAME
    | {
        "throttled": ("ProvisionedThroughputExceededException", 400),
        "in use": ("ResourceInUseException", 400),
        "internal": ("InternalFailureException", 500),
    },
    "kinesisvideo": VIDEO,
    "kinesis-video-archived-media": VIDEO,
    "rekognition": SAME
    | {
        "throttled": ("ThrottlingException", 400),
        "in use": ("ResourceInUseException", 400),
        "internal": ("InternalServerError", 500),
    },
    "s3": {
        "throttled": ("SlowDown", 503),
        "denied": ("AccessDenied", 403),
        "not found": ("NoSuchBucket", 404),
        "in use": ("OperationAborted", 409),
        "internal": ("InternalError", 500),
    },
    "scheduler": SAME
    | {
        "throttled": ("ThrottlingException", 429),
        "in use": ("ConflictException", 409),
        "internal": ("InternalServerException", 500),
    },
    "sns": {
        "throttled": ("Throttled", 429),
        "denied": ("AuthorizationError", 403),
        "not found": ("NotFound", 404),
        "in use": ("ConcurrentAccess", 400),
        "internal": ("InternalError", 500),
    },
    "stepfunctions": {
        "throttled": ("ThrottlingException", 400),
        "denied": ("AccessDeniedException", 400),
        "not found": ("ExecutionDoesNotExist", 400),
        "in use": ("ConflictException", 400),
        "internal": ("InternalFailure", 500),
    },
}
# A call is throttled until the SDK has given up once: it tries 5 times, or 10 with DynamoDB
# (botocore, retry mode "legacy"). Internal errors end before that.
MOST_ATTEMPTS = {"dynamodb": 10}
# What stops an engine waits for one that is in use, up to minutes at each try: that passes.
IN_USE_TIMES = 8
BEFORE = ["throttled", "denied", "not found", "in use", "internal"]
# Done, but the answer never comes; and answered, but the caller does not live to see it.
SLOW, LOST, DIES = "slow", "answer lost", "caller dies"
ENDS = {"aborted": "abort", "timed out": "time-out"}
FAILURES = [*BEFORE, SLOW, LOST, DIES, *ENDS]
NEVER = "never opened"
# What else a session needs to come to a call.
PAUSED, DARK, SILENT, RECORDLESS, REFUSED = "paused", "dark", "silent", "without records", "refused"
IMAGELESS = "without images"
OF_DARK_CAMERA = (DARK, SILENT, RECORDLESS)
# A session comes there some time after it searches: so many seconds at most.
ON_THE_WAY = {PAUSED: 30, SILENT: 30, RECORDLESS: 30, IMAGELESS: 150}
SETTINGS = {
    "healthCheckSeconds": 1,
    "tell": ["start", "end", "problem"],
    "mediaWaitSeconds": 20,
    "silenceSeconds": 60,
}
LIMITS = {
    DARK: {"mediaWaitSeconds": 25},
    SILENT: {"silenceSeconds": 3},
    RECORDLESS: {"recordsMissingSeconds": 2},
    IMAGELESS: {"recordsMissingSeconds": 1},
}


@dataclass(frozen=True)
class Call:
    """A service call of a session: by a state, or by a function that a state runs.

    `purpose` tells apart calls of one operation: a text in the request. `engine` is the one that
    makes it, nothing for both.
    """

    place: str
    operation: str
    purpose: str = ""
    engine: str = ""
    situation: str = ""

    @property
    def service(self):
        return self.operation.partition(":")[0]

    @property
    def name(self):
        return self.operation.partition(":")[2]

    @property
    def is_of_state(self):
        return self.place in STATES

    @property
    def text(self):
        more = ", ".join(part for part in (self.purpose, self.situation) if part)
        return f"{self.place} {self.operation}".strip() + (f" ({more})" if more else "")


def states_of(block):
    """The states of a block and of those within."""
    found = dict(block["States"])
    for state in block["States"].values():
        for branch in state.get("Branches", []):
            found |= states_of(branch)
    return found


STATES = states_of(definition())
ONLY = {
    "CreateProcessor": PROCESSOR,
    "StartProcessor": PROCESSOR,
    "EnableImages": IMAGES,
}
# What a session needs to come to a state.
NEEDED = {"StopEngine": PAUSED, "EndedByProblem": REFUSED}


def call_of_state(name):
    """The call that a Task state makes."""
    parts = STATES[name]["Resource"].removesuffix(".waitForTaskToken").split(":")
    service, operation = parts[-2:]
    operation = operation[:1].upper() + operation[1:]
    return Call(name, f"{service}:{operation}", "", ONLY.get(name, ""), NEEDED.get(name, ""))


BY_STATES = [call_of_state(name) for name, state in STATES.items() if state["Type"] == "Task"]
BY_STATES += [Call("Sleep", "dynamodb:UpdateItem", situation=DARK)]
ARCHIVED = "kinesis-video-archived-media"
OPEN, CHECK, STOP = "open_session", "check_session", "stop_session"
BY_FUNCTIONS = [
    Call(OPEN, "s3:GetObject"),
    Call(OPEN, "kinesisvideo:DescribeStream"),
    Call(OPEN, "dynamodb:TransactWriteItems"),
    Call(OPEN, "scheduler:CreateSchedule"),
    Call(OPEN, "s3:ListObjectsV2"),
    Call(OPEN, "dynamodb:Query"),
    Call(CHECK, "dynamodb:GetItem"),
    Call(CHECK, "kinesisvideo:GetDataEndpoint"),
    Call(CHECK, f"{ARCHIVED}:ListFragments"),
    Call(CHECK, f"{ARCHIVED}:GetMediaForFragmentList", "", IMAGES, IMAGELESS),
    Call(CHECK, "rekognition:DescribeStreamProcessor", "", PROCESSOR),
    Call(CHECK, "kinesisvideo:DescribeImageGenerationConfiguration", "", IMAGES),
    Call(CHECK, "kinesis:ListShards", "", PROCESSOR),
    Call(CHECK, "kinesis:GetShardIterator", "", PROCESSOR),
    Call(CHECK, "kinesis:GetRecords", "", PROCESSOR),
    Call(CHECK, "s3:ListObjectsV2", "", IMAGES),
    Call(CHECK, "dynamodb:UpdateItem", ":check"),
    Call(CHECK, "dynamodb:UpdateItem", ":watch"),
    Call(CHECK, "dynamodb:UpdateItem", ":health"),
    Call(CHECK, "dynamodb:UpdateItem", "counts."),
    Call(CHECK, "sns:Publish", "Session started"),
    Call(CHECK, "sns:Publish", "No video from", situation=SILENT),
    Call(CHECK, "sns:Publish", "Faces are not searched", PROCESSOR, RECORDLESS),
    Call(STOP, "dynamodb:UpdateItem", "attribute_not_exists(camera)"),
    Call(STOP, "dynamodb:GetItem"),
    Call(STOP, "rekognition:DescribeStreamProcessor", "", PROCESSOR),
    Call(STOP, "rekognition:StopStreamProcessor", "", PROCESSOR),
    Call(STOP, "rekognition:DeleteStreamProcessor", "", PROCESSOR),
    Call(STOP, "kinesisvideo:DescribeImageGenerationConfiguration", "", IMAGES),
    Call(STOP, "kinesisvideo:UpdateImageGenerationConfiguration", "", IMAGES),
    Call(STOP, "dynamodb:UpdateItem", "counts."),
    Call(STOP, "dynamodb:UpdateItem", "endedBy"),
    Call(STOP, "stepfunctions:GetExecutionHistory"),
    Call(STOP, "dynamodb:Query"),
    Call(STOP, "s3:PutObject"),
    Call(STOP, "dynamodb:UpdateItem", "SET held"),
    Call(STOP, "sns:Publish"),
    Call(STOP, "dynamodb:UpdateItem", "SET told"),
    Call(STOP, "scheduler:DeleteSchedule"),
]
# As IAM calls what the SDK calls otherwise: requests are told apart by that.
ACTIONS = {"ListObjectsV2": "ListBucket"}
ROLES = {
    OPEN: "OpenSessionFunctionRole",
    CHECK: "CheckSessionFunctionRole",
    STOP: "StopSessionFunctionRole",
}


# A message is noted as told once it is sent, and SNS has no idempotent Publish: an end may be told
# twice where its answer is lost, or its sender dies before the note.
TOLD_TWICE = {(STOP, "sns:Publish", LOST), (STOP, "sns:Publish", DIES)}


@dataclass(frozen=True)
class Cell:
    """One call, or for the ends of an execution one state, and what happens there."""

    call: Call
    failure: str

    @property
    def most_ends(self):
        """How many messages of its end a session may have."""
        return 1 + ((self.call.place, self.call.operation, self.failure) in TOLD_TWICE)

    @property
    def situation(self):
        return self.call.situation

    @property
    def is_lasting(self):
        """Whether the call fails whenever it is made."""
        return "times" not in self._fault("", "", "")

    @property
    def late_message(self):
        """What is told by the check after the one whose message failed; nothing for other calls."""
        is_message = self.call.place == CHECK and self.call.service == "sns"
        return self.call.purpose if is_message and not self.is_lasting else ""

    def faults(self, name, stack, camera):
        """Lines of the faults' file for the session of that name."""
        found = [self._fault(name, stack, camera)]
        if self.situation == RECORDLESS:
            found.append({"stream": f"{stack}-{camera}", "records": "lost"})
        return found

    def request(self, camera):
        """The input of its session."""
        minutes = {REFUSED: -1, IMAGELESS: 6}.get(self.situation, 1)
        limits = LIMITS.get(self.situation, {})
        return {"camera": camera, "minutes": minutes, "settings": SETTINGS | limits}

    @property
    def status(self):
        """How such an execution has to end, if that is certain: else the cell tests nothing."""
        if self.call.place == "Ended":  # where it has succeeded before it can be aborted
            return None
        return {"aborted": "ABORTED", "timed out": "TIMED_OUT"}.get(self.failure)

    def _fault(self, name, stack, camera):
        call = self.call
        if call.is_of_state:
            return {"execution": name, "state": call.place} | self._in_state()
        # A late event of the session before must not meet what is meant for this one.
        named = call.place == STOP and call.service != "kinesisvideo" and call.name != "GetItem"
        line = {
            "execution": name,
            "role": f"{stack}-{ROLES[call.place]}-",
            "operation": ACTIONS.get(call.name, call.name),
            "contains": [call.purpose] + ([name] if named else []),
        }
        return line | self._in_function()

    def _in_state(self):
        if self.failure in ENDS:
            return {"do": ENDS[self.failure]}
        if self.failure == SLOW:
            return {"error": "States.Timeout", "times": 1}
        if self.failure == LOST:
            return {"error": "States.Timeout", "after": True, "times": 1}
        if self.failure == DIES:
            return {"do": "abort", "after": True}
        error, times = STATE_ERRORS[self.call.service][self.failure]
        return {"error": error} | ({"times": times} if times else {})

    def _in_function(self):
        if self.failure == DIES:
            return {"do": "die", "times": 1}
        errors = ERRORS[self.call.service]
        if self.failure == LOST:
            error, status = errors["internal"]
            return {"error": error, "status": status, "after": True, "times": 1}
        error, status = errors[self.failure]
        found = {"error": error, "status": status}
        if self.failure == "in use" and self.call.service in ("rekognition", "kinesisvideo"):
            found["times"] = IN_USE_TIMES
        if self.failure == "throttled":
            found["times"] = MOST_ATTEMPTS.get(self.call.service, 5) + 1
        if self.failure == "internal":
            found["times"] = 2
        return found


def cells(engine):
    """Every call failing in each way, every state aborted and timed out, for one engine."""
    calls = [call for call in BY_STATES + BY_FUNCTIONS if call.engine in ("", engine)]
    found = [Cell(call, failure) for call in calls for failure in failures_of(call)]
    for state in STATES:
        if ONLY.get(state, engine) == engine:
            at = Call(state, "", situation=NEEDED.get(state, ""))
            found += [Cell(at, end) for end in ENDS]
    return found


def failures_of(call):
    """In which ways the call can fail: of a function's, those that its service has an error for."""
    if call.is_of_state:
        return [*BEFORE, SLOW, LOST, DIES]
    return [one for one in BEFORE if is_possible(call, one)] + [LOST, DIES]


def is_possible(call, failure):
    """Whether AWS's model of the operation has the error; these are common to all of a service."""
    if failure in ("throttled", "denied", "internal") or call.service == "s3":
        return True
    return ERRORS[call.service][failure][0] in codes_of(call.service, call.name)


@cache
def codes_of(service, operation):
    model = botocore.session.get_session().get_service_model(service)
    shapes = model.operation_model(operation).error_shapes
    return {shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes}


def sample():
    """A few cells: a call of each function and of the machine, before, during and after."""
    wanted = {
        ("StartProcessor", "StartStreamProcessor", LOST),
        (OPEN, "TransactWriteItems", "denied"),
        (CHECK, "GetDataEndpoint", "internal"),
        (STOP, "DeleteStreamProcessor", DIES),
        ("Sleep", "", "aborted"),
    }
    return [
        cell
        for cell in cells(PROCESSOR)
        if (cell.call.place, cell.call.name, cell.failure) in wanted
    ]
