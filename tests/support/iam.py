"""S3 that answers as with IAM: a policy decides each request that reaches moto's server.

moto's own enforcement knows no conditions of S3 requests (`s3:prefix`), and those are what matters here.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Context = dict[str, str]

_DENIED = b"<Error><Code>AccessDenied</Code><Message>not in the policy</Message></Error>"
_KEYS = re.compile(rb"<Key>(.*?)</Key>")


@dataclass(frozen=True)
class Asked:
    """One permission that a request needs."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass
class Gate:
    """Lets requests to S3 pass as a policy says.

    Attributes:
        statements: of the policy, or None to let all pass.
        asked: the actions that were asked for.
        denied: what was refused.
    """

    statements: list[dict[str, Any]] | None = None
    asked: set[str] = field(default_factory=set)
    denied: list[Asked] = field(default_factory=list)

    def around(self, app: WSGIApp) -> WSGIApp:
        """The application behind the gate."""
        return lambda environ, start_response: self._answer(app, environ, start_response)

    def _answer(self, app: WSGIApp, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.statements is None:
            return app(environ, start_response)
        needed = list(permissions(environ))
        self.asked |= {each.action for each in needed}
        if refused := [each for each in needed if not self._allows(each)]:
            return self._refuse(refused, environ, start_response)
        kept: list[Any] = []
        body = app(environ, lambda *answer: kept.append(answer))
        # Who may not list the bucket does not learn that a key is missing.
        listing = Asked("s3:ListBucket", needed[0].resource.partition("/")[0])
        if kept[-1][0].startswith("404") and needed[0].action == "s3:GetObject" and not self._allows(listing):
            return self._refuse([listing], environ, start_response)
        start_response(*kept[-1])
        return body

    def _allows(self, asked: Asked) -> bool:
        return self.statements is None or any(allows(statement, asked) for statement in self.statements)

    def _refuse(self, refused: list[Asked], environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.denied += refused
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [_DENIED]


def allows(statement: dict[str, Any], asked: Asked) -> bool:
    """Whether an Allow statement with string conditions covers what is asked.

    Raises:
        ValueError: the statement has something that this does not know.
    """
    if statement["Effect"] != "Allow" or statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise ValueError(f"not understood: {statement}")
    actions, resources = (each if isinstance(each, list) else [each] for each in (statement["Action"], statement["Resource"]))
    return (
        any(fnmatchcase(asked.action, action) for action in actions)
        and any(fnmatchcase(asked.resource, resource) for resource in resources)
        and all(_holds(operator, keys, asked.context) for operator, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: dict[str, Any], context: Context) -> bool:
    if_exists = operator.endswith("IfExists")
    kind = operator.removesuffix("IfExists")
    if kind not in ("StringLike", "StringEquals"):
        raise ValueError(f"not understood: {operator}")
    for key, patterns in keys.items():
        if key not in context:
            if not if_exists:
                return False
            continue
        wanted = patterns if isinstance(patterns, list) else [patterns]
        if not any(fnmatchcase(context[key], each) if kind == "StringLike" else context[key] == each for each in wanted):
            return False
    return True


def permissions(environ: Environ) -> Iterator[Asked]:
    """What S3 asks IAM for a request with its bucket in the path.

    Raises:
        ValueError: a request of a kind that this does not know.
    """
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    arn = f"arn:aws:s3:::{bucket}"
    if not key and method == "POST" and "delete" in query:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = _Again(body)
        yield from (Asked("s3:DeleteObject", f"{arn}/{name.decode()}") for name in _KEYS.findall(body))
    elif not key and method == "HEAD":
        yield Asked("s3:ListBucket", arn)
    elif not key and method == "GET" and not query.keys() - _LISTING:
        yield Asked("s3:ListBucket", arn, {"s3:prefix": query["prefix"][0]} if "prefix" in query else {})
    elif key and method in ("GET", "HEAD") and not query.keys() - {"partNumber", "x-id"}:
        yield Asked("s3:GetObject", f"{arn}/{key}")
    elif key and method == "DELETE":
        yield Asked("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", f"{arn}/{key}")
    elif key and method in ("PUT", "POST") and not query.keys() - {"uploads", "uploadId", "partNumber", "x-id"}:
        if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
            yield Asked("s3:GetObject", f"arn:aws:s3:::{source.lstrip('/')}")
        yield Asked("s3:PutObject", f"{arn}/{key}")
    else:
        raise ValueError(f"no rule for {method} {environ['PATH_INFO']}?{environ.get('QUERY_STRING')}")


_LISTING = {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}


class _Again:
    """A request's body, for its second reader."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        end = len(self._body) if size < 0 else size
        part, self._body = self._body[:end], self._body[end:]
        return part
