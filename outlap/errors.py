"""The one exception a user is meant to read."""


class OutlapError(Exception):
    """A mistake that the user can mend: ``str(error)`` is one clear sentence, ``exit_code`` what the command returns.

    The sentence says what was wrong, where (file, key, line) and what to do about it. The command line prints it
    without a traceback.
    """

    exit_code = 2
