"""Explains errors of boto3 in terms of the URI and the settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from serve_app.checkpoints._errors import CheckpointError, CheckpointUnreachable

_UNREACHABLE = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
    boto.ProfileNotFound,
)
_EXPIRED_CODES = ("ExpiredToken", "InvalidToken")  # with status 400


@contextmanager
def explaining(uri: str) -> Iterator[None]:
    """Turns errors of boto3 into a `CheckpointError` for this URI."""
    try:
        yield
    except boto.ClientError as error:
        raise _refusal(uri, error) from error
    except _NO_CREDENTIALS as error:
        raise CheckpointError(
            uri,
            f"there are no usable AWS credentials ({error})",
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
        ) from error
    except _UNREACHABLE as error:
        raise CheckpointUnreachable(uri, f"S3 cannot be reached ({error})", "Check the network and AWS_ENDPOINT_URL") from error
    except boto.BotoCoreError as error:
        raise CheckpointError(uri, f"S3 cannot be read ({error})", "Check the AWS_* settings and try again") from error


def _refusal(uri: str, error: boto.ClientError) -> CheckpointError:
    code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "NoSuchBucket":
        return CheckpointError(uri, "there is no such bucket", "Check its name, and AWS_ENDPOINT_URL if it is not on AWS")
    if code == "RequestTimeTooSkewed":
        return CheckpointError(uri, "the clock of this machine is wrong (RequestTimeTooSkewed)", "Set it right")
    if code == "InvalidObjectState":
        return CheckpointError(uri, "an object is archived, in Glacier (InvalidObjectState)", "Restore it first")
    if status in (401, 403) or code in _EXPIRED_CODES:
        return CheckpointError(
            uri,
            f"access is denied ({code})",
            "Give these credentials s3:ListBucket on the bucket and s3:GetObject (to write, s3:PutObject) on the prefix, or renew them",
        )
    if status >= 500:
        return CheckpointUnreachable(uri, f"S3 failed ({error})", "Try again later")
    return CheckpointError(uri, f"S3 refused ({error})", "Check the URI and the AWS_* settings")
