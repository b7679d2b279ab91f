"""Property tests: a share of the examples by default, all of them with `--long`.

Each run has examples of its own, by pytest-randomly's seed, which it prints for each test:
`--randomly-seed=N` has the same ones again.
"""

import inspect
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

SHARE = 100  # the default run takes one example of so many
LONG_SECONDS = 3600


def given_many(total: int, *strategies: Any, size: int = 1) -> Callable[..., Any]:
    """Call a test with `total` examples, or a share of them; one call takes `size` of them.

    The strategies are for its last parameters. Those before are fixtures, which all calls share.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        names = list(inspect.signature(test).parameters)
        fixtures, drawn = names[: -len(strategies)], names[-len(strategies) :]

        def run(request: pytest.FixtureRequest, **given: Any) -> None:
            @hypothesis.given(**dict(zip(drawn, strategies, strict=True)))
            def call(**example: Any) -> None:
                test(**given, **example)

            is_long = request.config.getoption("--long")
            calls = max(1, total // size // (1 if is_long else SHARE))
            seed = request.config.getoption("randomly_seed")
            say = request.getfixturevalue("say")
            say(f"{test.__name__}: {calls * size:,} of {total:,} examples by the seed {seed}")
            hypothesis.seed(seed)(_settings(calls)(call))()

        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
            for name in ("request", *fixtures)
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return pytest.mark.timeout(LONG_SECONDS)(run)

    return decorate


def _settings(calls: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=calls,
        deadline=None,  # other work on the machine is no failure
        database=None,  # what failed once becomes a test of its own
        print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
