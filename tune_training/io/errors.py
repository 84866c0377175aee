"""The one error that a user of the commands can fix."""


class InputError(ValueError):
    """The input does not allow what was asked for; the message says what to change."""
