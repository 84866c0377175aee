"""Prints the OpenAPI document, without starting the graph, for the page's types (`make page-api`)."""

import json
from pathlib import Path
from typing import cast

from serve_app.http.app import PredictService, create_app
from serve_app.settings import Settings


def openapi_document() -> str:
    """The document for the default settings, as JSON."""
    defaults = Settings.model_construct(page_dir=Path("none"))
    service = cast(PredictService, None)  # no request reaches it
    return json.dumps(create_app(service, defaults).openapi(), indent=2) + "\n"


if __name__ == "__main__":
    print(openapi_document(), end="")
