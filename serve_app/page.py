"""The built page: its files beside the API's addresses, which stay the API's."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

INDEX = "index.html"


def page_routes(page_dir: Path) -> list[BaseRoute]:
    """A route for each file at the top of the page's folder and a mount for each folder; none when there is no page.

    They are to come after the API's routes. One mount at `/` would turn the API's 405s into 404s.
    """
    if not (page_dir / INDEX).is_file():
        return []
    return [_route(entry) for entry in sorted(page_dir.iterdir())]


def index_response(page_dir: Path) -> Response:
    """The page itself; it names its other files by their content, so that only this one must never be stale."""
    return FileResponse(page_dir / INDEX, headers={"cache-control": "no-cache"})


def accepts_html(request: Request) -> bool:
    """Whether the client is a browser that opens an address, and no program."""
    return "text/html" in request.headers.get("accept", "")


def _route(entry: Path) -> BaseRoute:
    if entry.is_dir():
        return Mount(f"/{entry.name}", StaticFiles(directory=entry))

    async def file(request: Request) -> Response:
        return FileResponse(entry)

    return Route(f"/{entry.name}", file)
