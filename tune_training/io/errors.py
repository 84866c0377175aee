"""The errors that a user of the commands can fix."""


class InputError(ValueError):
    """The input does not allow what was asked for; the message says what to change."""


class Incomplete(InputError):
    """All that could be done is done and written, and something was left out that should not have been."""
