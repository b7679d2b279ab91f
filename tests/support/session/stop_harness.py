"""What tests of stopping need: services in memory, and sessions under way."""

import json
import logging
from types import SimpleNamespace

from botocore.exceptions import ClientError

from whosthere import settings
from whosthere.metrics import ApiCallCounter
from whosthere.names import StackNames
from whosthere.session import deadline as deadlines
from whosthere.session import lock as locks
from whosthere.session.close import ClosingContext
from whosthere.session.stop import EngineClients, Schedules, StopContext
from whosthere.session_store import Session, latest_session

SNS_BYTES = 262_144  # SNS, Publish: Message and attributes
NOW = 1_800_000_000_000
ROLE = "whosthere-ProcessorRole-1"


def refusal(code, message="User is not authorized to perform that"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "any")


class Rekognition:
    """Running processors by name, each with the camera it watches and its role."""

    def __init__(self):
        self.running, self.fail_with, self.collections = {}, None, set()

    def run(self, name, camera="front-door", role=ROLE):
        arn = f"arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-{camera}/1"
        self.running[name] = {
            "Status": "RUNNING",
            "RoleArn": f"arn:aws:iam::111122223333:role/{role}",
            "Input": {"KinesisVideoStream": {"Arn": arn}},
        }

    def describe_stream_processor(self, Name):
        if Name not in self.running:
            raise refusal("ResourceNotFoundException")
        return self.running[Name]

    def stop_stream_processor(self, Name):
        if isinstance(self.fail_with, Exception):
            raise self.fail_with
        if self.fail_with:
            raise refusal(self.fail_with)

    def delete_stream_processor(self, Name):
        del self.running[Name]

    def delete_collection(self, CollectionId):
        if CollectionId not in self.collections:
            raise refusal("ResourceNotFoundException")
        self.collections.remove(CollectionId)

    def get_paginator(self, _operation):
        names = [{"Name": name} for name in self.running]
        return SimpleNamespace(paginate=lambda: [{"StreamProcessors": names}])


class KinesisVideo:
    """Image generation of streams, by stream."""

    def __init__(self):
        self.images = {}

    def on(self, camera="front-door", uri="s3://bucket/frames/whosthere-front-door"):
        self.images[f"whosthere-{camera}"] = {
            "Status": "ENABLED",
            "DestinationConfig": {"Uri": uri},
        }

    def describe_image_generation_configuration(self, StreamName):
        if StreamName not in self.images:
            raise refusal("ResourceNotFoundException")
        return {"ImageGenerationConfiguration": self.images[StreamName]}

    def update_image_generation_configuration(self, StreamName, ImageGenerationConfiguration):
        self.images[StreamName] = ImageGenerationConfiguration


class StepFunctions:
    """Executions that run, by ARN."""

    def __init__(self):
        self.running = set()

    def describe_execution(self, executionArn):
        return {"status": "RUNNING" if executionArn in self.running else "ABORTED"}

    def stop_execution(self, executionArn):
        self.running.discard(executionArn)

    def get_paginator(self, _operation):
        raise refusal("AccessDeniedException")  # its history only adds to a report


class Scheduler:
    """Schedules by name."""

    def __init__(self):
        self.made = {}

    def create_schedule(self, Name, **given):
        if Name in self.made:
            raise refusal("ConflictException")
        self.made[Name] = given

    def delete_schedule(self, Name, GroupName):
        if Name not in self.made:
            raise refusal("ResourceNotFoundException")
        del self.made[Name]


class CheckingTopic:
    """A topic that refuses what SNS refuses, and remembers the subjects."""

    def __init__(self):
        self.subjects = []

    def publish(self, *, Subject, Message, MessageAttributes, **_):
        assert 0 < len(Subject) < 100 and Subject.isprintable()
        size = len(Message.encode()) + len(json.dumps(MessageAttributes).encode())
        assert size < SNS_BYTES
        assert all(one["StringValue"] for one in MessageAttributes.values())
        self.subjects.append(Subject)


def stop_context_of(table, s3, sns, topic):
    """What stops sessions of this table, without a pause."""
    names = StackNames("whosthere", "bucket", topic)
    return StopContext(
        closing=ClosingContext(table, s3, sns, StepFunctions(), names, logging.getLogger()),
        engines=EngineClients(Rekognition(), KinesisVideo(), ApiCallCounter()),
        schedules=Schedules(Scheduler(), "whosthere-deadlines"),
        pause=lambda _seconds: None,
    )


def running(context, session_id="one", camera="front-door", engine="stream-processor"):
    """A session under way, with all that it has made."""
    values = settings.defaults()
    session = Session(
        id=session_id,
        camera=camera,
        engine=engine,
        execution=f"arn:{session_id}",
        started_ms=NOW,
        deadline_ms=NOW + 60_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(context.table, session, values)
    deadlines.create_deadline_schedule(
        context.schedules.scheduler, session, group="g", function_arn="f", role_arn="r"
    )
    context.stepfunctions.running.add(session.execution)
    if engine == "stream-processor":
        context.rekognition.run(f"whosthere-{camera}-{session_id}", camera)
    else:
        context.kinesisvideo.on(camera, f"s3://bucket/frames/whosthere-{camera}")
    return session


def free(context, camera="front-door"):
    """Whether no session holds the camera."""
    return not latest_session(context.table, camera).held
