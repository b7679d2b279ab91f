"""Step Functions: the branches of a Parallel state and the iterations of a Map state."""

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.ministack import names
from local.patches.step_functions.executions import stop_if_ended

States = Mapping[str, Mapping[str, Any]]
# What runs a state of each type. Those of the first table may run states of their own or call
# a service, so they also need the execution.
RUN_IN_EXECUTION = {"Task": names.RUN_TASK, "Parallel": names.RUN_PARALLEL, "Map": names.RUN_MAP}
RUN_ALONE = {"Pass": names.RUN_PASS, "Choice": names.RUN_CHOICE, "Wait": names.RUN_WAIT}


def install() -> None:
    """Correct MiniStack's Parallel, Map and Succeed states."""
    names.RUN_BRANCHES.replace(_with_jsonata(names.RUN_BRANCHES.get()))
    names.RUN_BRANCH.replace(run_branch)
    names.OUTPUT_PATH.replace(_with_output_of_succeed(names.OUTPUT_PATH.get()))
    names.DEFINITION_FAULT.replace(_with_scopes(names.DEFINITION_FAULT.get()))


def run_branch(
    states: States, start_at: str, input_data: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Run the states of one branch or iteration and return its output.

    MiniStack's own function adds no StateEntered or StateExited event, continues after the end of
    the execution, and shares the variables and `$states.context.State` with the states outside.
    """
    scope = {**ctx, "variables": dict(ctx.get("variables", {}))}
    name: str | None = start_at
    value = copy.deepcopy(input_data)
    while name:
        stop_if_ended()
        if name not in states:
            raise names.TASK_ERROR.get()("States.Runtime", f"State '{name}' not found")
        add_event, kind = names.HISTORY.get(), states[name]["Type"]
        scope["State"] = {"Name": name, "EnteredTime": names.NOW.get()(), "RetryCount": 0}
        entered = {"name": name, "input": json.dumps(value)}
        add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
        value, following = _run_state(states[name], value, execution, scope)
        exited = {"name": name, "output": json.dumps(value)}
        add_event(execution, f"{kind}StateExited", {"stateExitedEventDetails": exited})
        name = following
    return value


def _run_state(
    state: Mapping[str, Any], value: Any, execution: dict[str, Any], scope: dict[str, Any]
) -> tuple[Any, str | None]:
    """Return the state's output and the name of the next state."""
    kind = state["Type"]
    if kind == "Fail":
        raise names.TASK_ERROR.get()(*names.FAIL_ERROR.get()(state, value, scope))
    if kind == "Succeed":
        selected = names.INPUT_PATH.get()(state, value, scope)
        return names.OUTPUT_PATH.get()(state, selected, scope), None
    if kind in RUN_IN_EXECUTION:
        output, following = RUN_IN_EXECUTION[kind].get()(state, value, execution, scope)
    elif kind in RUN_ALONE:
        output, following = RUN_ALONE[kind].get()(state, value, scope)
    else:
        raise names.TASK_ERROR.get()("States.Runtime", f"Unknown state type: {kind}")
    return output, following


def _with_jsonata(run: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Apply Arguments, Output and Assign of a Parallel state, which MiniStack ignores."""

    @functools.wraps(run)
    def run_branches(
        state_def: dict[str, Any], raw_input: Any, execution: Any, ctx: dict[str, Any]
    ) -> tuple[Any, Any]:
        if names.QUERY_LANGUAGE.get()(state_def, ctx) != "JSONata":
            return run(state_def, raw_input, execution, ctx)
        arguments = names.JSONATA_ARGUMENTS.get()(state_def, raw_input, ctx)
        bare = {
            key: value
            for key, value in state_def.items()
            if key not in ("Arguments", "Output", "Assign")
        }
        result, following = run(bare, arguments, execution, ctx)
        output = names.JSONATA_OUTPUT.get()(
            state_def, raw_input, ctx, result=result, default=result
        )
        names.STATE_ASSIGN.get()(state_def, raw_input, ctx, result=result)
        return output, following

    return run_branches


def _with_output_of_succeed(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Apply Output of a Succeed state, which MiniStack ignores in JSONata."""

    @functools.wraps(apply)
    def apply_output_path(
        state_def: Mapping[str, Any], data: Any, ctx: dict[str, Any] | None = None
    ) -> Any:
        jsonata = names.QUERY_LANGUAGE.get()(state_def, ctx) == "JSONata"
        if state_def.get("Type") == "Succeed" and jsonata:
            return names.JSONATA_OUTPUT.get()(state_def, data, ctx, default=data)
        return apply(state_def, data, ctx)

    return apply_output_path


def _with_scopes(fault: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Refuse a definition that assigns a variable both inside a branch and outside of it."""

    @functools.wraps(fault)
    def definition_fault(definition_str: Any) -> str | None:
        return fault(definition_str) or scope_fault(definition_str)

    return definition_fault


def scope_fault(definition: Any) -> str | None:
    """Return which variable two nested scopes of a definition in JSON assign, or None.

    The guide forbids it ("Passing data between states with variables", Variable scope). That AWS
    refuses it when the machine is made, and in which words, is not verified on AWS.
    """
    try:
        states = json.loads(definition).get("States", {})
    except (TypeError, ValueError, AttributeError):
        return None  # whoever reads the definition says so
    clash = next(_clashes(states, frozenset()), None)
    if clash is None:
        return None
    name, state = clash
    return (
        f"The state '{state}' assigns the variable '{name}', as does a state outside of its scope"
    )


def _clashes(states: States, outside: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that is assigned here and outside, with the state that does it."""
    assigned = {name: _assigned(state) for name, state in states.items()}
    for name, variables in assigned.items():
        yield from ((variable, name) for variable in sorted(variables & outside))
    around = outside.union(*assigned.values())
    for state in states.values():
        for inner in _inner_machines(state):
            yield from _clashes(inner.get("States", {}), around)


def _assigned(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that a state, its Choice rules and its catchers assign."""
    parts = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return frozenset(name for part in parts for name in part.get("Assign", {}))


def _inner_machines(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    processors = [state[key] for key in ("Iterator", "ItemProcessor") if key in state]
    return [*state.get("Branches", []), *processors]
