"""Errors that end a verb with a message instead of a traceback."""


class VerbError(Exception):
    """A failure; the text tells the user what happened and what to do."""


class InputError(VerbError):
    """Input that cannot be used; the message explains it all, and no log is kept."""
