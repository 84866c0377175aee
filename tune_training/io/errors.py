"""The one error that a user of the commands can mend."""


class InputError(ValueError):
    """What was asked for cannot be done with what was given; the message says what to change."""
