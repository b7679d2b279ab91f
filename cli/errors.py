"""The errors that end a verb with a message instead of a traceback."""


class VerbError(Exception):
    """What went wrong and what to do, in words for whoever typed the command."""


class InputError(VerbError):
    """What was given cannot be used: the message says all, no log says more."""
