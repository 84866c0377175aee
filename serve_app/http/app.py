"""The HTTP routes: requests in, the bodies of `answers` out. Of the graph they know the two methods of `PredictService`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from serve_app import __version__
from serve_app.codes import MEANINGS, Code
from serve_app.http.admission import Budget, Pace, PhotoAdmission
from serve_app.http.answers import HEALTHY, Answer, BatchAnswer, BatchItem, Body, Health, Welcome
from serve_app.http.docs_page import docs_routes
from serve_app.http.draining import DrainMiddleware
from serve_app.http.faults import CatchAllMiddleware, add_fault_handlers, fault_response
from serve_app.http.middleware import HEADER as REQUEST_ID_HEADER
from serve_app.http.middleware import RequestIdMiddleware, SecurityHeadersMiddleware, UnreadBodyMiddleware
from serve_app.http.openapi import health_docs, keep_nulls_in_examples, predict_batch_docs, predict_docs
from serve_app.http.page import accepts_html, index_response, page_routes
from serve_app.http.uploads import Upload, read_files, read_image
from serve_app.settings import Settings

if TYPE_CHECKING:
    from serve_app.graph.messages import Descriptions, GraphOutcome

TITLE = "Gender Classification API"
OPENAPI_URL = "/openapi.json"
SHARE_OF_DEADLINE = 0.5  # admitted photos should be answered within this share: the pace is an estimate, and replicas may die

_DESCRIPTION = """A photo in, one answer out: which of two gender presentations the model sees, how sure it is, or why it will not say.

A prediction is a guess from pixels; it says nothing about anyone's identity."""


class PredictService(Protocol):
    """The graph, or a fake in tests."""

    async def predict(self, image: bytes, request_id: str) -> "GraphOutcome":
        """The outcome for one photo, within a deadline; a failure is a code, never an exception."""
        ...

    async def health(self) -> "Descriptions":
        """The models that can answer."""
        ...


def create_app(service: PredictService, settings: Settings, *, request_id_returned_by_proxy: bool = False) -> FastAPI:
    """The app that serves `service` over HTTP.

    Args:
        request_id_returned_by_proxy: the proxy in front adds the request's id to each response, as Serve's does.
    """
    root_path = settings.root_path.rstrip("/")
    app = FastAPI(
        title=TITLE,
        version=__version__,
        description=_DESCRIPTION,
        # Not FastAPI's root_path: the edge has stripped the prefix, and mounts would look for it.
        servers=[{"url": root_path}] if root_path else None,
        openapi_url=OPENAPI_URL,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name an address without the edge's prefix
        generate_unique_id_function=lambda route: route.name,
    )
    _add_api_routes(app, service, settings)
    keep_nulls_in_examples(app)
    app.router.routes.extend(docs_routes(TITLE, root_path, OPENAPI_URL))
    app.router.routes.extend(page_routes(settings.page_dir))
    add_fault_handlers(app)
    # From the innermost to the outermost, so that faults get the headers of the outer ones.
    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(DrainMiddleware, folder=settings.drain_dir)
    app.add_middleware(UnreadBodyMiddleware)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=[REQUEST_ID_HEADER, "retry-after"],
    )
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestIdMiddleware, returned_by_proxy=request_id_returned_by_proxy)
    return app


def _add_api_routes(app: FastAPI, service: PredictService, settings: Settings) -> None:
    pace = Pace()
    photos = PhotoAdmission(settings.max_photos_in_flight, settings.request_deadline_s * SHARE_OF_DEADLINE, pace)
    body_bytes = Budget(settings.max_upload_bytes_in_flight)
    has_page = bool(page_routes(settings.page_dir))

    async def ask(image: bytes, request_id: str) -> Answer:
        answer = Answer.of(await service.predict(image, request_id), request_id)
        if MEANINGS[answer.code].status == 200:  # only these are sure to have passed through a model
            pace.answered()
        return answer

    @app.get("/", summary="The page, or for programs a greeting", response_model=Welcome)
    async def root(request: Request) -> Response:
        if has_page and accepts_html(request):
            response = index_response(settings.page_dir)
        else:
            response = _json(Welcome(message=TITLE, status=HEALTHY, version=__version__))
        response.headers["vary"] = "accept"
        return response

    @app.get("/health", **health_docs(__version__))
    async def health() -> Response:
        report = Health.of(await service.health())
        return _json(report, 200 if report.status == HEALTHY else 503)

    @app.post("/predict", **predict_docs(settings))
    async def predict(request: Request) -> Response:
        request_id = request.state.request_id
        photos.check()  # before the body: a client need not upload what will be refused
        with body_bytes.hold() as take:
            image = await read_image(request, settings, take)
            with photos.admit(1):
                answer = await ask(image, request_id)
        if MEANINGS[answer.code].status == 200:
            return _json(answer)
        return fault_response(answer.code, request_id, answer.error)

    @app.post("/predict-batch", **predict_batch_docs(settings))
    async def predict_batch(request: Request) -> Response:
        photos.check()
        with body_bytes.hold() as take:
            uploads = await read_files(request, settings, take)
            with photos.admit(len(uploads)):
                items = await asyncio.gather(*(_item(ask, upload, request.state.request_id) for upload in uploads))
        return _json(BatchAnswer(results=items))


async def _item(ask: Callable[[bytes, str], Awaitable[Answer]], upload: Upload, request_id: str) -> BatchItem:
    if upload.image is None:
        answer = Answer.refusal(Code.IMAGE_TOO_LARGE, request_id)
    else:
        answer = await ask(upload.image, request_id)
    return BatchItem(**dict(answer), filename=upload.filename)


def _json(body: Body, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status_code=status, media_type="application/json")
