"""A fake of CloudFront on this machine, built from a Terraform plan: https in front of the page's files and the service.

Path patterns, methods, protocol, functions (run in Node), headers and origins come from the plan. Nothing is cached, compressed or
limited, and tests supply what a plan does not know (the origins' addresses, a certificate).
"""

import http.client
import json
import mimetypes
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ALL_VIEWER_HEADERS_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "host"}
RUN = "\nconsole.log(JSON.stringify(handler(JSON.parse(require('fs').readFileSync(0)))));"

Values = dict[str, Any]
Headers = dict[str, str]


@dataclass(frozen=True)
class Reply:
    """Response of an origin or of the edge itself."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Bucket:
    """The page's bucket: a folder of files, some replaced. Like S3 without the permission to list, it answers 403 for a missing file."""

    folder: Path
    replaced: dict[str, bytes]

    def ask(self, method: str, uri: str, headers: Headers, body: bytes) -> Reply:
        key = uri.partition("?")[0].removeprefix("/")
        if method not in ("GET", "HEAD"):
            return Reply(405, {"content-type": "application/xml"}, b"<Error><Code>MethodNotAllowed</Code></Error>")
        if key not in self.replaced and not (self.folder / key).is_file():
            return Reply(403, {"content-type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
        content = self.replaced.get(key)
        kind = mimetypes.guess_type(key)[0] or "binary/octet-stream"
        return Reply(200, {"content-type": kind}, (self.folder / key).read_bytes() if content is None else content)


@dataclass(frozen=True)
class Service:
    """The service behind the internal load balancer."""

    url: str
    timeout_s: float

    def ask(self, method: str, uri: str, headers: Headers, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.timeout_s)
        try:
            connection.request(method, uri, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            return Reply(504, {"content-type": "text/html"}, str(error).encode())
        finally:
            connection.close()
        return Reply(answer.status, _kept(answer.msg), content)


Origin = Bucket | Service


@dataclass(frozen=True)
class Distribution:
    """The CloudFront distribution of a plan.

    Args:
        values: of the distribution.
        configuration: of the distribution: it refers to functions and policies of the behaviours whose ids a plan does not know.
        resources: values of the module's other resources, by type and name.
        origins: by id.
    """

    values: Values
    configuration: Values
    resources: dict[str, Values]
    origins: dict[str, Origin]

    def answer(self, method: str, uri: str, headers: Headers, body: bytes) -> Reply:
        """The reply to an https request."""
        path, _, query = uri.partition("?")
        behaviour, configuration = self._behaviour(path)
        if method not in behaviour["allowed_methods"]:
            return Reply(403, {"content-type": "text/html"}, b"This distribution is not configured to allow the HTTP request method")
        if path == "/" and behaviour is self.values["default_cache_behavior"][0]:
            path = f"/{self.values['default_root_object']}"
        request: Values = {"method": method, "uri": path, "headers": {name.lower(): {"value": value} for name, value in headers.items()}}
        for association in configuration.get("function_association", []):
            if association["event_type"]["constant_value"] == "viewer-request":
                request = self._run(association["function_arn"], request)
        sent = {name: value["value"] for name, value in request["headers"].items()}
        if behaviour["origin_request_policy_id"] != ALL_VIEWER_HEADERS_BUT_HOST:
            sent = {name: sent[name] for name in ("accept-encoding",) if name in sent}
        origin = self.origins[behaviour["target_origin_id"]]
        reply = origin.ask(method, request["uri"] + (f"?{query}" if query else ""), sent, body)
        return Reply(reply.status, reply.headers | self._security_headers(configuration), reply.body)

    def http_only_answers(self, path: str) -> str:
        """The policy for http requests: allow-all, https-only or redirect-to-https."""
        behaviour, _ = self._behaviour(path)
        return str(behaviour["viewer_protocol_policy"])

    def _behaviour(self, path: str) -> tuple[Values, Values]:
        expressions = self.configuration["expressions"]
        for behaviour, configuration in zip(self.values["ordered_cache_behavior"], expressions["ordered_cache_behavior"], strict=True):
            if fnmatchcase(path, behaviour["path_pattern"]):
                return behaviour, configuration
        return self.values["default_cache_behavior"][0], expressions["default_cache_behavior"][0]

    def _referenced(self, expression: Values) -> Values:
        return self.resources[next(name for name in expression["references"] if name in self.resources)]

    def _run(self, function: Values, request: Values) -> Values:
        code = self._referenced(function)["code"]
        event = json.dumps({"version": "1.0", "context": {"eventType": "viewer-request"}, "request": request})
        ended = subprocess.run(["node", "--eval", code + RUN], input=event, capture_output=True, text=True, check=True)
        returned: Values = json.loads(ended.stdout)
        return returned

    def _security_headers(self, configuration: Values) -> Headers:
        (security,) = self._referenced(configuration["response_headers_policy_id"])["security_headers_config"]
        headers: Headers = {}
        for option in security["content_security_policy"]:
            headers["content-security-policy"] = option["content_security_policy"]
        for _ in security["content_type_options"]:
            headers["x-content-type-options"] = "nosniff"
        for option in security["frame_options"]:
            headers["x-frame-options"] = option["frame_option"]
        for option in security["referrer_policy"]:
            headers["referrer-policy"] = option["referrer_policy"]
        for option in security["strict_transport_security"]:
            headers["strict-transport-security"] = f"max-age={option['access_control_max_age_sec']}"
        return headers


@contextmanager
def edge(distribution: Distribution, folder: Path) -> Iterator[str]:
    """Serves the distribution at the yielded URL, with a self-signed certificate that is written to `folder`.

    Needs openssl and Node.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            reply = distribution.answer(self.command, self.path, _kept(self.headers), body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                if name != "content-length":
                    self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

        def log_message(self, *arguments: object) -> None:
            """Logs nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, client_address: Any) -> None:
            try:
                with context.wrap_socket(request, server_side=True) as secure:  # in the connection's thread: handshakes can be slow
                    super().finish_request(secure, client_address)
            except OSError:
                pass  # browsers open connections that they never use

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def missing_tools() -> list[str]:
    """Required programs that are not installed."""
    return [tool for tool in ("node", "openssl") if not shutil.which(tool)]


def _kept(headers: Message) -> Headers:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
