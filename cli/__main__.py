"""Parse a verb and its options and run the verb; `./whosthere` ends up here."""

import argparse
import difflib
import errno
import os
import sys
from types import ModuleType

from cli.commands import (
    alert,
    bill,
    compare,
    demo,
    enroll,
    forget,
    mute,
    pair,
    pause,
    people,
    rebuild,
    replay,
    review,
    schedule,
    sessions,
    settings,
    start,
    status,
    stop,
    strangers,
    test,
    unpair,
    up,
    visits,
    who,
)
from cli.errors import VerbError
from cli.interrupts import Interrupts, discard_output
from cli.setup.run_dirs import failed_run_dir
from cli.tables import format_table

GROUPS: dict[str, dict[str, ModuleType]] = {
    "try": {"demo": demo, "compare": compare, "test": test, "up": up},
    "watch": {
        "start": start,
        "stop": stop,
        "pause": pause,
        "status": status,
        "sessions": sessions,
        "schedule": schedule,
        "mute": mute,
    },
    "people": {
        "enroll": enroll,
        "who": who,
        "people": people,
        "strangers": strangers,
        "review": review,
        "visits": visits,
        "forget": forget,
    },
    "care": {
        "settings": settings,
        "pair": pair,
        "unpair": unpair,
        "alert": alert,
        "bill": bill,
        "replay": replay,
        "rebuild": rebuild,
    },
}
VERBS = {name: module for group in GROUPS.values() for name, module in group.items()}
INTERRUPTED = 130
# What this machine refuses, and no mistake of ours: full or broken disk, too many files, no rights.
REFUSED = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.EACCES),
)
# Nobody reads what is printed: a closed terminal, or `| head`. A file would be named.
UNREAD = (errno.EPIPE, errno.EIO)


def main(arguments: list[str]) -> int:
    """Run the verb and return the exit code: 0 done, 1 failed, 2 misunderstood, 130 Ctrl-C."""
    # For this process only: sam and the edge are other programs.
    os.environ.pop("PYTHONPATH", None)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # for terminals that cannot show a name
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        print(unknown_verb_text(verb), file=sys.stderr)
        return 2
    return _run_verb(verb, rest)


def _run_verb(verb: str, arguments: list[str]) -> int:
    module = VERBS[verb]
    parser = argparse.ArgumentParser(
        prog=f"./whosthere {verb}",
        description=module.HELP[0].upper() + module.HELP[1:] + ".",
        epilog=f"example: {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parsed, more = parser.parse_known_args(arguments)
    parsed.more = more
    if more and not getattr(module, "TAKES_MORE", False):
        parser.error(f"unknown: {' '.join(more)}")
    interrupts = Interrupts()
    try:
        interrupts.install()
        return int(module.run(parsed, interrupts))
    except VerbError as error:
        print(f"\nwhosthere {verb}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nwhosthere {verb}: stopped", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno in UNREAD and not error.filename:
            discard_output()
        elif error.errno not in REFUSED:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"\nwhosthere {verb}: {where}{error.strerror}", file=sys.stderr)
    if logs := failed_run_dir():
        print(f"\nThe logs of this run: {logs}", file=sys.stderr)
    return 1


def help_text() -> str:
    """Return the help: the verbs in their groups."""
    usage = "usage: ./whosthere VERB [options]    (./whosthere VERB --help says more)"
    rows: list[tuple[str, ...]] = []
    for group, verbs in GROUPS.items():
        rows += [(), (f"{group}:",)]
        rows += [(f"  {name}", module.HELP) for name, module in verbs.items()]
    return f"{usage}\n\nWhosthere tells you who is at your door.\n{format_table(rows)}"


def unknown_verb_text(verb: str) -> str:
    """Return the answer to a verb that does not exist."""
    near = difflib.get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "there are: " + ", ".join(VERBS)
    return f"whosthere: no verb {verb!r}; {hint} (./whosthere --help)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
