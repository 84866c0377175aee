"""Errors of the client:

ClientError           there is no answer
    ServiceError      the service said so, and why
    Unreachable       there was nobody to say so, or not in time
"""

from gender_client.models import Code


class ClientError(Exception):
    """There is no answer."""


class ServiceError(ClientError):
    """The service refused a request, or failed.

    Attributes:
        code: see `Code`.
        status: the HTTP status.
        request_id: for whoever runs the service: its log has it.
    """

    def __init__(self, code: Code | str, text: str, status: int, request_id: str | None = None) -> None:
        super().__init__(code, text, status, request_id)
        self.code = code
        self.text = text
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.text} ({self.code}, HTTP {self.status})"


class Unreachable(ClientError):
    """No connection, one that broke, or no answer of the service's own, until the deadline."""
