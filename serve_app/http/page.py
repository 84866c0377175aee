"""Serves the built page at /, beside the API's routes, which take precedence."""

import os
from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

INDEX = "index.html"
# Addresses that the page's own router makes (ui/src/features/workspace/addresses.ts), one by one: all others stay the API's 404s.
# It shares / and /model with the API.
PAGE_PATHS = ("/photos", "/photos/{photo}", "/compare", "/how")
COMPRESSED_FROM_BYTES = 1024

# blob: shows the photos that the user has chosen.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_routes(page_dir: Path) -> list[BaseRoute]:
    """A route for each top-level file of the page and each of its addresses, and a mount for each folder; none when there is no page.

    Add them after the API's routes. A single mount at `/` would turn the API's 405s into 404s.
    """
    if not (page_dir / INDEX).is_file():
        return []
    deep_links = [Route(path, lambda _: index_response(page_dir)) for path in PAGE_PATHS]
    return [*(_route(entry) for entry in sorted(page_dir.iterdir())), *deep_links]


def index_response(page_dir: Path) -> Response:
    """The page, with a policy that allows neither other origins nor inline code."""
    return _never_stale(page_dir / INDEX, {"content-security-policy": CONTENT_SECURITY_POLICY})


def accepts_html(request: Request) -> bool:
    """Whether the client is a browser that opens an address, and not a program."""
    return "text/html" in request.headers.get("accept", "")


def _route(entry: Path) -> BaseRoute:
    if entry.is_dir():
        return Mount(f"/{entry.name}", GZipMiddleware(_NamedByContent(directory=entry), COMPRESSED_FROM_BYTES))

    async def file(request: Request) -> Response:
        return index_response(entry.parent) if entry.name == INDEX else _never_stale(entry)

    return Route(f"/{entry.name}", file)


def _never_stale(file: Path, headers: dict[str, str] | None = None) -> Response:
    return FileResponse(file, headers={"cache-control": "no-cache", **(headers or {})})


class _NamedByContent(StaticFiles):
    """Files whose names change with their content, so that browsers may cache them for ever."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response
