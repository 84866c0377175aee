"""A typed client of the gender presentation service: `Client`, `AsyncClient`, and what they answer and raise."""

from gender_client.async_client import AsyncClient
from gender_client.client import Client
from gender_client.errors import ClientError, ServiceError, Unreachable
from gender_client.models import (
    Answer,
    AnsweredPerson,
    BatchItem,
    Code,
    ExplainedAnswer,
    Explanation,
    Health,
    ModelInfo,
    ModelRevisions,
    Person,
)
from gender_client.photos import Photo

__all__ = [
    "Answer",
    "AnsweredPerson",
    "AsyncClient",
    "BatchItem",
    "Client",
    "ClientError",
    "Code",
    "ExplainedAnswer",
    "Explanation",
    "Health",
    "ModelInfo",
    "ModelRevisions",
    "Person",
    "Photo",
    "ServiceError",
    "Unreachable",
]
