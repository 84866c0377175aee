"""Middleware that asks for an API key, where keys are configured."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.faults import fault_response
from serve_app.http.keys import HEADER, Keys
from serve_app.http.page import accepts_html
from serve_app.settings import Area

REALM = 'Bearer realm="gender-presentation"'
WRONG = 'error="invalid_token"'
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

# Addresses, and what is below them. What is not listed is the page's, or nothing.
_AREAS: dict[str, Area] = {
    "/model": "model",
    "/docs": "docs",
    "/openapi.json": "docs",
}


class KeyMiddleware:
    """Refuses what needs a key and has none as `unauthorized`; notes the key's name in the record of the request.

    Args:
        keys: those that are good.
        open_areas: what needs no key. Photos, all that is posted, need one.
        always: addresses to read that need none in any case.
        shared_with_page: addresses of the API at which browsers get the page.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys, open_areas: Collection[Area], always: Collection[str], shared_with_page: Collection[str]
    ) -> None:
        self._app = app
        self._keys = keys
        self._open = frozenset(open_areas)
        self._always = frozenset(always)
        self._shared = frozenset(shared_with_page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._keys.required:
            await self._app(scope, receive, send)
            return
        key = _key(Headers(scope=scope))
        record = scope["state"]["record"]
        record.key = self._keys.name_of(key) if key else None
        if record.key is not None or self._is_open(scope):
            await self._app(scope, receive, send)
            return
        response = fault_response(Code.UNAUTHORIZED, record.request_id)
        response.headers["www-authenticate"] = f"{REALM}, {WRONG}" if key else REALM
        await response(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        if scope["method"] == "POST":  # photos, whatever the address
            return False
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.rstrip("/") in self._always:
            return True
        if path.rstrip("/") in self._shared and accepts_html(Request(scope)):
            return "page" in self._open
        area = next((area for start, area in _AREAS.items() if path == start or path.startswith(f"{start}/")), "page")
        return area in self._open


def _key(headers: Headers) -> str | None:
    """What the client sent as its key, in either header."""
    bearer = _BEARER.fullmatch(headers.get("authorization", ""))
    return bearer[1] if bearer else headers.get(HEADER)
