"""/docs: Swagger UI with its files from our own origin, and a policy that allows no other origin."""

import html
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

DOCS = "/docs"

# Swagger UI sets style attributes, and its style sheet has icons as data: URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{docs}/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-openapi-url="{openapi_url}"></div>
<script src="{docs}/assets/swagger-ui-bundle.js"></script>
<script src="{docs}/start.js"></script>
</body>
</html>
"""

# Without validatorUrl: null, Swagger UI sends the address of our document to a public validator.
_START = """const element = document.getElementById("swagger-ui");
SwaggerUIBundle({
  domNode: element,
  url: element.dataset.openapiUrl,
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""


def docs_routes(title: str, root_path: str, openapi_url: str) -> list[BaseRoute]:
    """The page, the script that starts it, and Swagger UI's files.

    Args:
        root_path: public prefix of all addresses, without a slash at its end.
        openapi_url: address of the OpenAPI document, without that prefix.
    """
    page = _PAGE.format(title=html.escape(title), docs=html.escape(root_path + DOCS), openapi_url=html.escape(root_path + openapi_url))

    async def docs(request: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": CONTENT_SECURITY_POLICY})

    async def start(request: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    assets = StaticFiles(directory=str(files("fastapi_offline") / "static"))
    return [Route(DOCS, docs), Route(f"{DOCS}/start.js", start), Mount(f"{DOCS}/assets", assets)]
