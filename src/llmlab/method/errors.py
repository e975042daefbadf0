"""The one exception that a user sees."""


class LabError(Exception):
    """An error that the user can fix: one sentence that names the thing, the cause and the remedy.

    The command line prints the sentence and exits with status 1; nothing is half-written.
    """
