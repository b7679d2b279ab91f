"""Every private name of MiniStack that local/ touches, with its expected parameters.

No other module refers to MiniStack's private names. `check_names` refuses to start with another
version and lists the names that are missing or differ.
"""

import importlib
import inspect
import operator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

VERSION = "1.5.33"


class UnexpectedEmulatorError(Exception):
    """The installed MiniStack is not the expected version."""


@dataclass(frozen=True, slots=True)
class Name:
    """One private name of MiniStack, with its expected parameters."""

    module: str
    attribute: str
    parameters: str | None = None

    def get(self) -> Any:
        """Return the object that the name refers to now."""
        return operator.attrgetter(self.attribute)(self._module())

    def replace(self, value: Any) -> None:
        """Replace the object where MiniStack looks the name up."""
        owner, _, attribute = self.attribute.rpartition(".")
        setattr(
            operator.attrgetter(owner)(self._module()) if owner else self._module(),
            attribute,
            value,
        )

    def _module(self) -> Any:
        return importlib.import_module(f"ministack.{self.module}")

    def fault(self) -> str | None:
        """Return the difference from the expected name, or None."""
        where = f"ministack.{self.module}.{self.attribute}"
        try:
            found = self.get()
        except (ImportError, AttributeError):
            return f"{where} is missing"
        if self.parameters is None:
            return None
        has = ", ".join(inspect.signature(found).parameters)
        return None if has == self.parameters else f"{where} takes ({has})"


# Routing of a request, and calling a service from a worker thread.
APP = Name("app", "app", "scope, receive, send")
CALL_SYNC = Name(
    "app",
    "call_service_handler_sync",
    "handler, method, path, headers, body, query_params, timeout",
)
LAZY_HANDLER = Name("app", "_lazy_handler", "module_name")
LOADED_MODULES = Name("app", "_loaded_modules")
SERVICE_REGISTRY = Name("app", "SERVICE_REGISTRY")
SERVICE_HANDLERS = Name("app", "SERVICE_HANDLERS")
STATE_MAP = Name("app", "_state_map")
SERVICE_PATTERNS = Name("core.router", "SERVICE_PATTERNS")
DETECT_SERVICE = Name("core.router", "detect_service", "method, path, headers, query_params")
ACCESS_KEY_OF = Name("core.router", "extract_access_key_id", "headers, query_params")
REQUEST_SCOPE = Name("core.responses", "request_scope", "account_id, region")
ERROR_ANSWER = Name(
    "core.responses",
    "error_response_json",
    "code, message, status, extra, message_key, content_type",
)
CREDENTIAL_FAILURE = Name(
    "app", "_credential_failure", "service, iam_action, request_id, denied, headers"
)
NOW = Name("core.responses", "now_iso", "")

# The caller of a request, and its authorization.
NAMESPACES = Name("core.iam_actions", "SERVICE_TO_IAM_NAMESPACE")
BOTOCORE_NAMES = Name("core.iam_actions", "_BOTOCORE_SERVICE_MAP")
ACTION_OF = Name(
    "core.iam_actions", "extract_iam_action", "service, method, path, headers, body, query_params"
)
RESOURCE_OF = Name(
    "core.iam_actions",
    "extract_resource_arn",
    "service, method, path, headers, body, query_params, region, account_id",
)
REQUEST_TAGS = Name("core.iam_actions", "request_tag_context", "service, iam_action, body, params")
DYNAMODB_CONTEXT = Name("core.iam_actions", "dynamodb_service_context", "body")
ENFORCE = Name(
    "core.iam_evaluator",
    "enforce",
    "access_key_id, iam_action, service, region, resource_arn, service_context",
)
EVALUATE = Name("core.iam_evaluator", "evaluate", "ctx, policies, limits")
CONDITION_KEY = Name("core.iam_evaluator", "_resolve_condition_key", "key, ctx")
EVAL_CONTEXT = Name("core.iam_evaluator", "EvalContext")
CONDITIONS_MET = Name("core.iam_evaluator", "_conditions_met", "conditions, ctx")
ACTION_MATCHES = Name(
    "core.iam_evaluator", "_action_matches", "request_action, actions, not_actions"
)
COMBINE = Name(
    "core.iam_evaluator",
    "combine_resource_policy",
    "identity, ctx, policy, owner_account, required, limits",
)
SERVICE_POLICY = Name(
    "core.iam_evaluator", "evaluate_resource_policy", "doc, ctx, service, named_only, direct_only"
)
PIN_ORIGIN = Name("app", "pin_request_origin", "source_ip, secure_transport")
RESOURCE_POLICY = Name("core.iam_evaluator", "_resource_policy", "service, resource_arn")
ROLE_POLICIES = Name("core.iam_evaluator", "_gather_role_policies", "role_name, account_id")
BOUNDARY = Name("core.iam_evaluator", "_permissions_boundary", "store, name, account_id")
RESOLVE_CREDENTIAL = Name(
    "core.iam_evaluator", "resolve_credential", "access_key_id, account_id, session_token"
)
RESOLVE_PRINCIPAL = Name(
    "core.iam_evaluator", "resolve_principal", "access_key_id, account_id, credential"
)
SIGNATURE_PARTS = Name("core.sigv4", "parse_header_signature", "headers")
SIGNATURE_TIME = Name("core.sigv4", "request_time_failure", "signature, now")
SIGNATURE_FAILURE = Name(
    "core.sigv4",
    "header_signature_failure",
    "signature, secret, method, raw_path, query_params, headers, body, presigned, explain",
)
PRINCIPAL_KEYS = Name("core.iam_evaluator", "_principal_keys", "credential")
ROLES = Name("services.iam", "_roles")
USER_POLICIES = Name("services.iam", "_user_inline_policies")
GROUP_POLICIES = Name("services.iam", "_group_inline_policies")
PUT_ROLE_POLICY = Name("services.iam", "_put_role_policy", "p")
PUT_USER_POLICY = Name("services.iam", "_put_user_policy", "p")
PUT_GROUP_POLICY = Name("services.iam", "_put_group_policy", "p")
ATTACH_ROLE_POLICY = Name("services.iam", "_attach_role_policy", "p")
ATTACH_USER_POLICY = Name("services.iam", "_attach_user_policy", "p")
ATTACH_GROUP_POLICY = Name("services.iam", "_attach_group_policy", "p")
ATTACH_POLICY = Name("services.iam", "attach_managed_policy", "entity, policy_arn")
POLICY_KNOWN = Name("services.iam", "policy_known", "arn, account_id")
MANAGED_POLICIES = Name("services.iam", "_aws_managed_policies")
NEW_MANAGED_POLICY = Name("services.iam", "_make_aws_managed_record", "name, document, description")
IAM_HANDLERS = Name("services.iam", "_IAM_HANDLERS")
IAM_ERROR = Name("services.iam", "_error", "status, code, message, ns")
NEW_SESSION_KEY = Name("services.iam", "_gen_session_access_key", "")
NEW_SECRET = Name("services.iam", "_gen_secret", "")
NEW_TOKEN = Name("services.iam", "_gen_session_token", "")
REGISTER_SESSION = Name("services.sts", "register_session", "access_key, session")
SESSIONS = Name("services.sts", "_sessions")

# IoT Core: the registry, its authority, and what a certificate's policies allow.
IOT_ROUTE = Name("services.iot", "_route_request", "method, path, headers, body, query_params")
IOT_AUTHORITY = Name("services.iot", "_ensure_ca", "")
IOT_SERVER_CERTIFICATE = Name("services.iot", "_mtls_ensure_server_cert", "")
IOT_CERTIFICATE = Name("services.iot", "lookup_certificate_by_id", "cert_id, region")
IOT_POLICY_CONTEXT = Name(
    "services.iot", "_mqtt_policy_context", "account_id, region, certificate_id, client_id"
)
IOT_POLICY_ALLOWS = Name(
    "services.iot",
    "_mqtt_policy_allows",
    "account_id, region, certificate_id, context, action, resource, provisioning_template",
)

# Lambda functions, their workers and their event source mappings.
WORKER_SCRIPT = Name("core.lambda_runtime", "_PYTHON_WORKER_SCRIPT")
RUNTIME_BINARY = Name("core.lambda_runtime", "_detect_runtime_binary", "runtime")
START_WORKER = Name("core.lambda_runtime", "Worker._spawn", "self")
LAYER_ZIP = Name("services.lambda_svc", "_resolve_layer_zip", "attachment")
ROLE_CREDENTIALS = Name("core.lambda_runtime", "execution_credentials", "config")
SPARE_WORKERS = Name(
    "core.lambda_runtime", "invalidate_worker", "func_name, qualifier, account, region"
)
KILL_WORKERS = Name("core.lambda_runtime", "reset", "")
WORKERS = Name("core.lambda_runtime", "_workers")
RUN_WARM = Name("services.lambda_svc", "_execute_function_warm", "func, event, request_id")
FUNCTION_OF = Name("services.lambda_svc", "_get_func_record_for_ref", "function_ref")
RUNNABLE = Name("services.lambda_svc", "_execution_record_for_config", "func, config")
INVOKE_ASYNCHRONOUSLY = Name("services.lambda_svc", "invoke_async_with_retry", "func, event")
RUN_FUNCTION = Name("services.lambda_svc", "_execute_function_with_config_scope", "func, event")
MAPPINGS = Name("services.lambda_svc", "_esms")
POLL_KINESIS = Name("services.lambda_svc", "_poll_kinesis", "")
CREATE_MAPPING = Name("services.lambda_svc", "_create_esm", "data")
UPDATE_MAPPING = Name("services.lambda_svc", "_update_esm", "esm_id, data")
DELETE_MAPPING = Name("services.lambda_svc", "_delete_esm", "esm_id")
MAPPING_POSITIONS = Name("services.lambda_svc", "_kinesis_positions")
RECORD_METRIC = Name(
    "services.cloudwatch", "record_metric", "namespace, metric_name, value, unit, dimensions"
)
EMIT_LOGS = Name(
    "services.lambda_svc",
    "_emit_lambda_logs",
    "func, request_id, log_text, error, duration_ms, log_source",
)
STORE_DATUM = Name(
    "services.cloudwatch",
    "_store_datum",
    "namespace, name, dims, ts, unit, value, values, counts, stat_values",
)
EVALUATE_ALARMS = Name("services.cloudwatch", "_evaluate_all_alarms", "")
INVALID_PARAMETER = Name("services.lambda_svc", "_invalid_parameter_value", "message")
STREAMS = Name("services.kinesis", "_streams")
SHARD_ITERATORS = Name("services.kinesis", "_shard_iterators")
STREAM_WAKE = Name("services.kinesis", "esm_wake")
STREAM_OF = Name("services.kinesis", "_resolve_stream", "data")
CREATE_STREAM = Name("services.kinesis", "_create_stream", "data")
ENSURE_ACTIVE = Name("services.kinesis", "_ensure_active", "stream")
SPLIT_SHARD = Name("services.kinesis", "_split_shard", "data")
MERGE_SHARDS = Name("services.kinesis", "_merge_shards", "data")
RESIZE_STREAM = Name("services.kinesis", "_update_shard_count", "data")

QUEUES = Name("services.sqs", "_queues")
RECEIVE_FOR_MAPPING = Name("services.sqs", "_receive_messages_for_esm", "queue_url, max_number")

# Step Functions.
TASK_ERROR = Name("services.stepfunctions", "_ExecutionError")
MACHINES = Name("services.stepfunctions", "_state_machines")
EXECUTIONS = Name("services.stepfunctions", "_executions")
SDK_SERVICES = Name("services.stepfunctions", "_AWS_SDK_SERVICE_MAP")
SDK_PREFIXES = Name("services.stepfunctions", "_AWS_SDK_ERROR_PREFIX")
RUN_EXECUTION = Name("services.stepfunctions", "_run_execution", "exec_arn")
RUN_TASK = Name("services.stepfunctions", "_execute_task", "state_def, raw_input, execution, ctx")
INVOKE_RESOURCE = Name("services.stepfunctions", "_invoke_resource", "resource, input_data")
INVOKE_CALLBACK = Name(
    "services.stepfunctions", "_invoke_with_callback", "resource, input_data, token, state_def"
)
RUN_PASS = Name("services.stepfunctions", "_execute_pass", "state_def, raw_input, ctx")
RUN_CHOICE = Name("services.stepfunctions", "_execute_choice", "state_def, raw_input, ctx")
RUN_WAIT = Name("services.stepfunctions", "_execute_wait", "state_def, raw_input, ctx")
RUN_PARALLEL = Name(
    "services.stepfunctions", "_execute_parallel", "state_def, raw_input, execution, ctx"
)
RUN_MAP = Name("services.stepfunctions", "_execute_map", "state_def, raw_input, execution, ctx")
RUN_BRANCHES = Name(
    "services.stepfunctions", "_run_parallel_branches", "state_def, raw_input, execution, ctx"
)
RUN_DISTRIBUTED_MAP = Name(
    "services.stepfunctions",
    "_run_distributed_map",
    "state_def, raw_input, effective, iterator, execution, ctx",
)
RUN_BRANCH = Name(
    "services.stepfunctions", "_run_sub_machine", "states, start_at, input_data, execution, ctx"
)
FAIL_ERROR = Name("services.stepfunctions", "_fail_state_error", "state_def, raw_input, ctx")
INPUT_PATH = Name("services.stepfunctions", "_apply_input_path", "state_def, data, ctx")
OUTPUT_PATH = Name("services.stepfunctions", "_apply_output_path", "state_def, data, ctx")
DEFINITION_FAULT = Name("services.stepfunctions", "_validate_definition_jsonata", "definition_str")
ERROR_MATCHES = Name("services.stepfunctions", "_error_matches", "error_equals, error")
FIND_RETRIER = Name(
    "services.stepfunctions", "_find_matching_retrier", "retriers, error, retry_counts"
)
SLEEP = Name("services.stepfunctions", "_scaled_sleep", "seconds")
TASK_TOKENS = Name("services.stepfunctions", "_task_tokens")
SEND_SUCCESS = Name("services.stepfunctions", "_send_task_success", "data")
SEND_FAILURE = Name("services.stepfunctions", "_send_task_failure", "data")
SEND_HEARTBEAT = Name("services.stepfunctions", "_send_task_heartbeat", "data")
QUERY_LANGUAGE = Name("services.stepfunctions", "_state_query_language", "state_def, ctx")
JSONATA_ARGUMENTS = Name(
    "services.stepfunctions", "_apply_jsonata_arguments", "state_def, raw_input, ctx"
)
JSONATA_OUTPUT = Name(
    "services.stepfunctions",
    "_apply_jsonata_output",
    "state_def, raw_input, ctx, result, error_output, default",
)
JSONATA_TEMPLATE = Name(
    "services.stepfunctions",
    "_apply_jsonata_template",
    "value, raw_input, ctx, result, error_output",
)
STATE_ASSIGN = Name(
    "services.stepfunctions",
    "_apply_state_assign",
    "state_def, raw_input, ctx, result, error_output",
)
SDK_KEY = Name("services.stepfunctions", "_api_name_to_sfn_key", "name")
STOP_EXECUTION = Name("services.stepfunctions", "_stop_execution", "data")
FAIL_EXECUTION = Name("services.stepfunctions", "_fail_execution", "execution, error, cause")
CATCHING = Name(
    "services.stepfunctions", "_with_retry_and_catch", "state_def, raw_input, ctx, attempt"
)
HISTORY = Name("services.stepfunctions", "_add_event", "execution, event_type, details")
STATUS_EVENT = Name("services.stepfunctions", "_emit_execution_status_event", "execution")

BUCKETS = Name("services.s3", "_buckets")

# SNS.
TOPICS = Name("services.sns", "_topics")
SUBSCRIBE = Name("services.sns", "_subscribe", "params")
COUNT_SUBSCRIPTIONS = Name("services.sns", "_refresh_subscription_counts", "topic")

# CloudFormation and EventBridge.
CFN_HANDLERS = Name("services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
DELETE_RESOURCE = Name(
    "services.cloudformation.stacks",
    "_delete_resource",
    "resource_type, physical_id, props, stack_name, logical_id",
)
WITH_DEPENDENCIES = Name(
    "services.cloudformation.stacks", "_with_dependencies", "logical_ids, res_defs, remaining"
)
IN_ORDER = Name("services.cloudformation.stacks", "_topological_sort", "resources, conditions")
PROVISION = Name(
    "services.cloudformation.stacks",
    "_provision_resource",
    "resource_type, logical_id, props, stack_name",
)
STACKS = Name("services.cloudformation", "_stacks")
MACHINE_DEFINITION = Name("services.cloudformation.provisioners", "_sfn_definition", "props")
DISPATCH_EVENT = Name("services.eventbridge", "_dispatch_event", "event, view")
INVOKE_TARGET = Name("services.eventbridge", "_invoke_target", "target, event, rule, view")
DISPATCH_TO_FUNCTION = Name("services.eventbridge", "_dispatch_to_lambda", "arn, payload")
CRON_FIELDS = Name("services.eventbridge", "_parse_cron_fields", "expr")
CRON_NEXT = Name("services.eventbridge", "_cron_next_fire", "fields, after_dt")
SCHEDULES = Name("services.scheduler", "_schedules")
SCHEDULE_LAST_FIRED = Name("services.scheduler", "_schedule_last_fired")
TICK_SCHEDULES = Name("services.scheduler", "_tick_schedules", "")

NAMES: tuple[Name, ...] = tuple(value for value in globals().values() if isinstance(value, Name))


def check_names() -> None:
    """Raise UnexpectedEmulatorError with every private name that differs."""
    faults = [fault for name in NAMES if (fault := name.fault())]
    if version("ministack") != VERSION:
        faults.insert(0, f"MiniStack {version('ministack')} is installed, {VERSION} is expected")
    if faults:
        raise UnexpectedEmulatorError("; ".join(faults))
