"""The template keeps its promises before anything is deployed."""

import json
import re
import tomllib

import pytest
import yaml
from samcli.yamlhelper import yaml_dump

from bench.fleet.quotas import CAMERA_RESOURCES, OWN_RESOURCES, RESOURCES
from cli.aws.target import CAMERA_NAME
from tests.support.stack.sam import ROOT, resources, template_text, text, transformed
from whosthere.alarm_metrics import FAILED_EVENT_AGE, NAMESPACE, SET_ASIDE
from whosthere.clock import DAY_S
from whosthere.ingest.sqs import MAX_BACKOFF_SECONDS, RETRY_SECONDS
from whosthere.session import streams


def references(value, names):
    """Logical ids that a resource's body refers to."""
    if isinstance(value, list):
        for part in value:
            yield from references(part, names)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from references(part, names)
            yield from (name for name in named_by(key, part) if name in names)


def named_by(key, value):
    """Names that one intrinsic refers to."""
    if key == "Fn::Sub":
        return re.findall(r"\$\{([A-Za-z0-9]+)[.}]", value if isinstance(value, str) else value[0])
    if key == "Fn::GetAtt":
        return [(value if isinstance(value, str) else value[0]).split(".")[0]]
    if key in ("Ref", "DependsOn"):
        return [value] if isinstance(value, str) else value
    return []


def cycle_in(graph):
    """Some cycle of the graph as a list of names, or None."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        path.append(name)
        for after in sorted(graph.get(name, ())):
            if found := visit(after):
                return found
        done.add(path.pop())
        return None

    return next((found for name in sorted(graph) if (found := visit(name))), None)


def graph_of(template):
    bodies = template["Resources"]
    return {name: set(references(body, bodies)) for name, body in bodies.items()}


@pytest.mark.parametrize("engine", ["stream-processor", "image-search"])
def test_the_deployed_template_has_no_cycle(engine):
    assert cycle_in(graph_of(transformed(Engine=engine))) is None


def test_the_search_for_cycles_finds_one():
    graph = graph_of(transformed())
    graph["Bucket"].add("ReconcileObjectFunction")
    assert "Bucket" in cycle_in(graph)


def test_each_camera_has_streams_and_two_mappings_of_its_own():
    cameras = "front-door,back-door"
    assert set(resources("AWS::KinesisVideo::Stream", Cameras=cameras)) == {
        "Videofrontdoor",
        "Videobackdoor",
    }
    assert len(resources("AWS::Kinesis::Stream", Cameras=cameras)) == 2
    assert len(mappings_of("kinesis", Cameras=cameras)) == 4


def mappings_of(service, **parameters):
    """Event source mappings of data streams or of queues; a queue is named by its resource."""
    found = resources("AWS::Lambda::EventSourceMapping", **parameters)
    queues = {
        name: "Queue" in str(body["Properties"]["EventSourceArn"]) for name, body in found.items()
    }
    return {name: body for name, body in found.items() if queues[name] == (service == "sqs")}


def test_image_search_has_no_idle_shard_and_a_processor_no_idle_queue():
    for body in [*resources("AWS::Kinesis::Stream").values(), *mappings_of("kinesis").values()]:
        assert body["Condition"] == "HasProcessor"
    assert mappings_of("sqs")["SearchFrameEvents"]["Condition"] == "HasImages"
    assert resources("AWS::SQS::Queue")["FramesQueue"]["Condition"] == "HasImages"


def test_what_s3_tells_waits_in_a_queue_until_it_is_done():
    functions = {name: body["Properties"] for name, body in mappings_of("sqs").items()}
    assert set(functions) == {"SearchFrameEvents", "ReconcileObjectEvents"}
    timeout = 60  # of each of the functions
    for mapping in functions.values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 1
        queue = mapping["EventSourceArn"]["Fn::GetAtt"][0]
        assert resources("AWS::SQS::Queue")[queue]["Properties"]["VisibilityTimeout"] == 6 * timeout
    waiting = {*resources("AWS::SQS::Queue"), *resources("AWS::SNS::Topic")}
    rules = [body["Properties"] for body in resources("AWS::Events::Rule").values()]
    of_s3 = [rule for rule in rules if rule.get("EventPattern", {}).get("source") == ["aws.s3"]]
    assert len(of_s3) == 3
    for rule in of_s3:
        assert set(references(rule["Targets"], waiting))
        assert not set(references(rule["Targets"], resources("AWS::Lambda::Function")))


def test_every_function_is_a_file_with_a_handler_and_a_sample_event():
    functions = {
        name: body["Properties"]
        for name, body in template_text()["Resources"].items()
        if not name.startswith("Fn::") and body["Type"] == "AWS::Serverless::Function"
    }
    stems = {body["Handler"].removesuffix(".handler") for body in functions.values()}
    assert stems == {path.stem for path in (ROOT / "functions").glob("*.py")}
    for name, body in functions.items():
        stem = body["Handler"].removesuffix(".handler")
        words = re.findall("[A-Z][a-z]+", name.removesuffix("Function"))
        # One has to keep its first name: see the test of custom resources below.
        first = {"EndSessionsFunction": "change_cameras"}
        assert stem == first.get(name, "_".join(word.lower() for word in words))
        assert (ROOT / "events" / f"{stem}.json").is_file(), stem


def test_what_rests_is_encrypted_and_private():
    (bucket,) = resources("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert properties["BucketEncryption"]
    assert all(properties["PublicAccessBlockConfiguration"].values())
    (table,) = resources("AWS::DynamoDB::Table").values()
    assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
    assert resources("AWS::SNS::Topic")["AlertTopic"]["Properties"]["KmsMasterKeyId"]
    for stream in resources("AWS::Kinesis::Stream").values():
        assert stream["Properties"]["StreamEncryption"]["EncryptionType"] == "KMS"


def test_plain_http_is_refused_by_the_bucket():
    (policy,) = resources("AWS::S3::BucketPolicy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    "prefix",
    [
        "frames/",
        "review/pending/",
        "review/ignored/",
        "failures/",
        "aws/lambda/",
        "sessions/",
        "decisions/",
    ],
)
def test_what_must_expire_expires(prefix):
    (bucket,) = resources("AWS::S3::Bucket").values()
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if rule["Prefix"] == prefix]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"]


def test_photos_of_people_never_expire_by_themselves():
    (bucket,) = resources("AWS::S3::Bucket").values()
    for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]:
        assert not ("people/".startswith(rule["Prefix"]) and "ExpirationInDays" in rule)


def test_every_log_group_has_a_retention():
    groups = resources("AWS::Logs::LogGroup")
    assert groups
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"]
    for function in resources("AWS::Lambda::Function").values():
        assert function["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": "FunctionLogs"}


def test_product_code_does_not_know_where_it_runs():
    """Laptop, CI and AWS run the same files: only endpoint variables differ."""
    places = ["template.yaml", "statemachine", "functions", "edge"]
    files = [
        path
        for place in places
        for path in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
        if path.suffix in {".py", ".yaml", ".json"} and "__pycache__" not in path.parts
    ]
    assert len(files) > 20
    for path in files:
        found = re.search(r"localhost|127\.0\.0\.1|ministack", path.read_text())
        assert not found, f"{path}: {found}"


def test_a_cameras_keys_end_after_the_shortest_time_there_is():
    (alias,) = resources("AWS::IoT::RoleAlias").values()
    assert alias["Properties"]["CredentialDurationSeconds"] == 900


def test_a_certificate_may_only_get_the_cameras_keys():
    (policy,) = resources("AWS::IoT::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "iot:AssumeRoleWithCertificate"
    assert statement["Resource"] == {"Fn::GetAtt": ["CameraRoleAlias", "RoleAliasArn"]}


def test_each_camera_has_its_own_images_and_no_others_however_many_there_are():
    """AWS limits a role's inline policies to 10,240 characters: they do not grow with cameras."""
    cameras = ",".join(f"camera-{number}" for number in range(50))
    assert not resources("AWS::IAM::Policy", Cameras=cameras)
    role = resources("AWS::IAM::Role", Cameras=cameras)["CameraRole"]
    assert role == resources("AWS::IAM::Role")["CameraRole"]
    (policy,) = role["Properties"]["Policies"]
    places = [
        text(statement["Resource"])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "s3:PutObject"
    ]
    assert places == ["${Bucket.Arn}/frames/${credentials-iot:ThingName}/*"]


def test_a_mapping_is_made_after_its_data_stream():
    """AWS refuses a mapping whose stream is not ACTIVE, and makes both at the same time."""
    for mapping in mappings_of("kinesis", Cameras="front-door,garage").values():
        assert mapping["DependsOn"] == "StreamsActive"
    waits = transformed(Cameras="front-door,garage")["Resources"]["StreamsActive"]
    assert waits["Properties"]["Cameras"] == ["front-door", "garage"]
    assert waits["Condition"] == "HasProcessor"
    assert waits["Properties"]["ServiceTimeout"] > streams.WAIT_S
    # What it waits for must not wait for it.
    streams_and_it = references(resources("AWS::Kinesis::Stream"), {"StreamsActive"})
    assert not list(streams_and_it)


def test_a_custom_resource_keeps_the_function_of_the_first_version():
    """Another would fail each stack's update: "Modifying service token is not allowed"."""
    tokens = {
        name: body["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
        for name, body in transformed()["Resources"].items()
        if body["Type"].startswith("Custom::")
    }
    assert tokens == {
        "SessionsInUse": "EndSessionsFunction",
        "StreamsActive": "EndSessionsFunction",
    }


def test_no_text_in_the_loop_has_the_variable_of_the_loop():
    """CloudFormation once did not fill it in there (cfn-language-discussion#151)."""
    assert "${Camera}" not in json.dumps(template_text()["Resources"]["Fn::ForEach::EachCamera"])
    for kind in ("AWS::KinesisVideo::Stream", "AWS::Kinesis::Stream"):
        found = resources(kind, Cameras="a,b-c").values()
        assert [body["Properties"]["Name"] for body in found] == ["whosthere-a", "whosthere-b-c"]


def test_a_stream_processor_is_deployed_only_where_there_are_any():
    (rule,) = template_text()["Rules"].values()
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Engine"}, "stream-processor"]}
    (asserted,) = rule["Assertions"]
    regions, region = asserted["Assert"]["Fn::Contains"]
    assert region == {"Ref": "AWS::Region"}
    assert sorted(regions) == [
        "ap-northeast-1",
        "eu-central-1",
        "eu-west-1",
        "us-east-1",
        "us-west-2",
    ]
    page = (ROOT / "docs" / "sessions.md").read_text()
    assert all(f"`{region}`" in page for region in regions)


def test_as_many_cameras_fit_into_a_stack_as_the_pages_say():
    """CloudFormation quotas: a stack has at most 500 resources."""
    one, two = (len(transformed(Cameras=cameras)["Resources"]) for cameras in ("a", "a,b"))
    own, each = 2 * one - two, two - one
    assert (own, each) == (OWN_RESOURCES, CAMERA_RESOURCES)
    most = (RESOURCES - own) // each
    assert f"| cameras of one stack | {most}: " in (ROOT / "docs" / "sessions.md").read_text()
    scales = (ROOT / "docs" / "architecture.md").read_text()
    assert f"of which the stack itself takes {own} | {each} | {most} |" in scales


@pytest.mark.parametrize("name", ["Front", "front_door", "1st", "", "a" * 33])
def test_a_name_that_no_camera_can_have_is_refused(name):
    pattern = template_text()["Parameters"]["Cameras"]["AllowedPattern"]
    assert re.fullmatch(pattern, "front-door")
    assert not re.fullmatch(pattern, name)
    # The command and the settings refuse the same ones.
    assert pattern == f"^{CAMERA_NAME.pattern}$"


def test_what_fails_is_tried_again_by_age_and_then_kept_whole():
    mappings = mappings_of("kinesis")
    assert len(mappings) == 2
    for mapping in mappings.values():
        kept = mapping["Properties"]
        assert (kept["MaximumRetryAttempts"], kept["MaximumRecordAgeInSeconds"]) == (-1, 3600)
        assert kept["BisectBatchOnFunctionError"] is True
        assert kept["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert kept["DestinationConfig"]["OnFailure"]["Destination"] == {
            "Fn::GetAtt": ["Bucket", "Arn"]
        }
        assert kept["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_alarms_have_a_topic_that_cloudwatch_may_write_to_and_none_but_it():
    assert "KmsMasterKeyId" not in resources("AWS::SNS::Topic")["AlarmTopic"]["Properties"]
    both = {"RecordsSetAside", "AlertsUndelivered", "EventsFailing", "ObjectsWait"}
    both |= {"DeadLettersWait"}
    alarms_of = {
        "stream-processor": both | {"PersonsReadLate", "StrangersReadLate"},
        "image-search": both | {"ImagesWait"},
    }
    for engine, names in alarms_of.items():
        alarms = resources("AWS::CloudWatch::Alarm", Engine=engine)
        # Of a resource whose condition does not hold, the transform leaves no reference.
        assert {
            name for name, body in alarms.items() if body["Properties"]["AlarmActions"]
        } == names
        for name in names:
            assert alarms[name]["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
            assert alarms[name]["Properties"]["TreatMissingData"] == "notBreaching"
    assert not any(
        body["Properties"]["AlarmActions"]
        for body in resources("AWS::CloudWatch::Alarm", Alarms="off").values()
    )


def test_behind_each_queue_lies_the_one_for_what_killed_its_workers():
    queues = resources("AWS::SQS::Queue", Engine="image-search")
    dead = queues.pop("DeadLetterQueue")["Properties"]
    assert "RedrivePolicy" not in dead
    assert len(queues) == 2
    hour = sum(1 for _ in receipts_of(RETRY_SECONDS))
    for queue in queues.values():
        redrive = queue["Properties"]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
        # A while before: an event whose dead letter cannot be stored is retried on.
        assert hour + 30 < redrive["maxReceiveCount"] < 1000
        # SQS developer guide: an event that moves keeps the time when it was sent.
        kept_s = queue["Properties"].get("MessageRetentionPeriod", 4 * DAY_S)
        assert dead["MessageRetentionPeriod"] > kept_s
    alarm = resources("AWS::CloudWatch::Alarm")["DeadLettersWait"]["Properties"]
    assert (alarm["MetricName"], alarm["Threshold"], alarm["Statistic"]) == (
        "ApproximateNumberOfMessagesVisible",
        0,
        "Maximum",
    )
    queue = {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]


def receipts_of(seconds):
    """When an event that fails at once is received, until it is that old."""
    age_s, times = 0, 1
    while age_s <= seconds:
        yield age_s
        age_s, times = age_s + min(2**times, MAX_BACKOFF_SECONDS), times + 1


def test_an_alarm_of_ours_watches_a_metric_that_the_functions_write_and_no_log_phrase():
    assert not resources("AWS::Logs::MetricFilter")
    alarms = [body["Properties"] for body in resources("AWS::CloudWatch::Alarm").values()]
    ours = [alarm for alarm in alarms if not alarm["Namespace"].startswith("AWS/")]
    assert {(alarm["Namespace"], alarm["MetricName"]) for alarm in ours} == {
        (NAMESPACE, SET_ASIDE),
        (NAMESPACE, FAILED_EVENT_AGE),
    }
    for alarm in ours:
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "whosthere"}]
    for function in resources("AWS::Lambda::Function").values():
        variables = function["Properties"]["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_an_event_that_fails_for_more_than_five_minutes_is_told():
    alarm = resources("AWS::CloudWatch::Alarm")["EventsFailing"]["Properties"]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanThreshold")
    assert alarm["Threshold"] == 300
    assert alarm["OKActions"] == [{"Ref": "AlarmTopic"}]


def dashboards(**parameters):
    """The condition and the body of each dashboard, references filled in."""
    for dashboard in resources("AWS::CloudWatch::Dashboard", **parameters).values():
        body = re.sub(r"\$\{(.+?)}", r"<\1>", text(dashboard["Properties"]["DashboardBody"]))
        yield dashboard["Condition"], json.loads(body)


def test_a_dashboard_shows_what_the_alarms_watch_and_is_off_until_somebody_wants_it():
    template = template_text()
    assert template["Parameters"]["Dashboard"]["Default"] == "off"
    assert template["Conditions"]["HasDashboard"] == {"Fn::Equals": [{"Ref": "Dashboard"}, "on"]}
    ((condition, body),) = dashboards()
    assert condition == "HasDashboard"
    shown = set()
    for widget in body["widgets"]:
        # CloudWatch user guide, "Dashboard body structure": a graph needs its Region.
        assert (widget["type"], widget["properties"]["region"]) == ("metric", "us-east-1")
        assert widget["properties"]["stat"] in ("Maximum", "Sum")
        shown |= {(row[0], row[1]) for row in widget["properties"]["metrics"] if row[0] != "..."}
    alarms = resources("AWS::CloudWatch::Alarm").values()
    watched = [one["Properties"] for one in alarms]
    assert shown == {(one["Namespace"], one["MetricName"]) for one in watched} | {
        ("AWS/Lambda", "Errors")
    }


def test_only_alarms_and_the_rule_on_what_was_given_up_write_to_the_topic_of_alarms():
    (policy,) = resources("AWS::SNS::TopicPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    conditions = {one["Principal"]["Service"]: one.get("Condition") for one in statements}
    alarms = conditions.pop("cloudwatch.amazonaws.com")["ArnLike"]["aws:SourceArn"]
    assert text(alarms) == "arn:aws:cloudwatch:us-east-1:111122223333:alarm:whosthere-*"
    # With a condition EventBridge could not publish (its user guide).
    assert conditions == {"events.amazonaws.com": None}
    assert {one["Action"] for one in statements} == {"sns:Publish"}


def test_the_template_is_short_enough_to_be_read():
    lines = (ROOT / "template.yaml").read_text().splitlines()
    assert len(lines) <= 1050
    assert max(map(len, lines)) <= 110


def test_cloudformation_gets_no_yaml_anchor():
    """It knows none: sam writes out what the template names once."""
    events = list(yaml.parse(yaml_dump(template_text())))
    assert not [event for event in events if getattr(event, "anchor", None)]
    assert not [event for event in events if getattr(event, "value", "") == "<<"]


def test_a_stack_that_is_gone_keeps_no_face_and_an_update_takes_none():
    kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Rekognition::Collection")
    found = [body for kind in kinds for body in resources(kind).values()]
    assert len(found) == 5
    for body in found:
        assert (body["DeletionPolicy"], body["UpdateReplacePolicy"]) == ("Delete", "Retain")
    everything = transformed()["Resources"].values()
    assert {body.get("DeletionPolicy", "Delete") for body in everything} == {"Delete"}


def test_the_console_shows_every_parameter_once_and_in_a_group():
    template = template_text()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert all(group["Label"]["default"] for group in groups)
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])


@pytest.mark.parametrize("where", ["default", "local"])
def test_what_is_deployed_has_a_tag(where):
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert config[where]["deploy"]["parameters"]["tags"] == ["Application=whosthere"]


@pytest.mark.parametrize("machine", resources("AWS::StepFunctions::StateMachine").values())
def test_a_machine_logs_what_failed_and_none_of_its_data(machine):
    logging = machine["Properties"]["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    (destination,) = logging["Destinations"]
    (group,) = references(destination, resources("AWS::Logs::LogGroup"))
    name = resources("AWS::Logs::LogGroup")[group]["Properties"]["LogGroupName"]
    assert text(name).startswith("/aws/vendedlogs/states/")


def test_only_its_rule_sends_to_a_queue():
    queues = set(resources("AWS::SQS::Queue", Engine="image-search")) - {"DeadLetterQueue"}
    assert len(queues) == 2
    assert set(resources("AWS::SQS::QueuePolicy", Engine="image-search")) == {
        f"{queue}Policy" for queue in queues
    }
    for queue in queues:
        policy = resources("AWS::SQS::QueuePolicy", Engine="image-search")[f"{queue}Policy"]
        assert policy["Properties"]["Queues"] == [{"Ref": queue}]
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
        rule = queue.replace("Queue", "Rule")
        assert statement["Condition"] == {
            "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}
        }


def test_running_sessions_end_before_the_machine_and_the_safeguards_go():
    found = transformed()["Resources"]
    watching = ("StopSessionFunction", "SweepSessionsFunction")
    safeguards = {
        name
        for name, body in found.items()
        if body["Type"] in ("AWS::Events::Rule", "AWS::Lambda::Permission")
        and set(references(body["Properties"], watching))
    }
    assert len(safeguards) == 4
    assert set(found["SessionsInUse"]["DependsOn"]) == {"SessionStateMachine"} | safeguards
    assert found["SessionSchedules"]["DependsOn"] == "SessionsInUse"
