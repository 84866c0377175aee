"""The HTTP routes: requests in, the bodies of `answers` out. Of the graph they know the methods of `PredictService`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from serve_app import __version__
from serve_app.codes import MEANINGS, Code
from serve_app.http.admission import Budget, Pace, PhotoAdmission
from serve_app.http.answers import ALIVE, HEALTHY, Answer, BatchAnswer, BatchItem, Body, ExplainedAnswer, Health, Liveness, Welcome
from serve_app.http.body_window import AppMiddleware, wants_lines
from serve_app.http.docs_page import docs_routes
from serve_app.http.draining import DrainMiddleware
from serve_app.http.fairness import Fairness
from serve_app.http.faults import CatchAllMiddleware, PlainFaultMiddleware, Refused, add_fault_handlers, fault_response
from serve_app.http.key_middleware import KeyMiddleware
from serve_app.http.keys import HEADER as API_KEY_HEADER
from serve_app.http.keys import Keys
from serve_app.http.middleware import HEADER as REQUEST_ID_HEADER
from serve_app.http.middleware import RequestIdMiddleware, SecurityHeadersMiddleware, UnreadBodyMiddleware
from serve_app.http.model_card import MARKDOWN, ModelCards, as_markdown, unless_known
from serve_app.http.model_docs import model_card_docs, model_docs
from serve_app.http.openapi import (
    health_docs,
    keep_nulls_in_examples,
    live_docs,
    predict_batch_docs,
    predict_docs,
    require_key_in_document,
    root_docs,
)
from serve_app.http.options import COST_OF_EXPLAINING, EXPLAIN, question_of
from serve_app.http.page import accepts_html, index_response, page_routes
from serve_app.http.recording import SERVER_TIMING, RecordMiddleware, Tell
from serve_app.http.shared_answer import SharedAnswer
from serve_app.http.stream_docs import describe_lines_in_document
from serve_app.http.streaming import StreamResponse, Streams
from serve_app.http.upload_places import UploadPlaces
from serve_app.http.uploads import Upload, read_files, read_image
from serve_app.question import Question
from serve_app.records import PhotoRecord, RequestRecord
from serve_app.settings import Settings

if TYPE_CHECKING:
    from serve_app.graph.messages import Cards, Descriptions, GraphOutcome

TITLE = "Gender Classification API"
OPENAPI_URL = "/openapi.json"
PREDICT = "/predict"
PREDICT_BATCH = "/predict-batch"
LIVE = "/live"
HEALTH = "/health"
MODEL = "/model"
MODEL_CARD = f"{MODEL}/card"
SHARE_OF_DEADLINE = 0.5  # admitted photos should be answered within this share: the pace is an estimate, and replicas may die

_DESCRIPTION = """A photo in, one answer out: which of two gender presentations the model sees, how sure it is, or why it will not say.

A prediction is a guess from pixels; it says nothing about anyone's identity."""


class PredictService(Protocol):
    """The graph, or a fake in tests."""

    async def predict(self, image: bytes, request_id: str, question: Question) -> "GraphOutcome":
        """The outcome for one photo, within a deadline; a failure is a code, never an exception."""
        ...

    async def health(self) -> "Descriptions":
        """The models that can answer."""
        ...

    async def cards(self) -> "Cards | None":
        """What the models' files say about them; None when one does not answer."""
        ...


def create_app(
    service: PredictService,
    settings: Settings,
    *,
    tell: Tell = lambda record: None,
    request_id_returned_by_proxy: bool = False,
    proxies: int = 0,
) -> FastAPI:
    """The app that serves `service` over HTTP.

    Args:
        tell: takes the record of each request, for the log and the metrics.
        request_id_returned_by_proxy: the proxy in front adds the request's id to each response, as Serve's does.
        proxies: proxies in front, see `fairness`.
    """
    root_path = settings.root_path.rstrip("/")
    keys = Keys(settings)
    fairness = Fairness(settings, proxies)
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
    pages = page_routes(settings.page_dir)
    health_is_closed = keys.required and "health" not in settings.api_keys_open
    _add_api_routes(app, service, settings, fairness, has_page=bool(pages), health_is_closed=health_is_closed)
    calls = _add_undocumented_routes(app)
    keep_nulls_in_examples(app)
    describe_lines_in_document(app)
    if keys.required:
        require_key_in_document(app, [PREDICT, PREDICT_BATCH], API_KEY_HEADER)
    app.router.routes.extend(docs_routes(TITLE, root_path, OPENAPI_URL))
    app.router.routes.extend(pages)
    add_fault_handlers(app)
    # From the innermost to the outermost, so that faults get the headers of the outer ones.
    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(DrainMiddleware, folder=settings.drain_dir, always=[LIVE])
    app.add_middleware(
        KeyMiddleware,
        keys=keys,
        open_areas=settings.api_keys_open,
        always=[LIVE, HEALTH],
        shared_with_page=[MODEL] if pages else [],
    )
    app.add_middleware(UnreadBodyMiddleware)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=[REQUEST_ID_HEADER, "retry-after", "etag", SERVER_TIMING],
    )
    app.add_middleware(PlainFaultMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RecordMiddleware, tell=tell, calls=calls, photo_calls=[PREDICT, PREDICT_BATCH])
    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(RequestIdMiddleware, returned_by_proxy=request_id_returned_by_proxy)
    app.add_middleware(AppMiddleware)
    return app


def _add_api_routes(
    app: FastAPI, service: PredictService, settings: Settings, fairness: Fairness, *, has_page: bool, health_is_closed: bool
) -> None:
    pace = Pace()
    photos = PhotoAdmission(settings.max_photos_in_flight, settings.request_deadline_s * SHARE_OF_DEADLINE, pace)
    body_bytes = Budget(settings.max_upload_bytes_in_flight)
    places = UploadPlaces(settings)
    streams = Streams(settings, photos, body_bytes, places, fairness, Budget(settings.max_streams))
    models = SharedAnswer(lambda: service.health())
    shared_cards = SharedAnswer(lambda: service.cards())

    async def ask(image: bytes, record: RequestRecord, question: Question) -> Answer:
        with pace.photo() as photo:
            outcome = await service.predict(image, record.request_id, question)
            photo.ended(outcome.code, COST_OF_EXPLAINING if outcome.explanation else 1)
        record.photos.append(PhotoRecord(outcome.code, outcome.prediction, outcome.confidence, outcome.stages))
        return (ExplainedAnswer if question.explain else Answer).of(outcome, record.request_id)

    def page_for(request: Request) -> Response | None:
        """The page, for a browser that opens an address which page and API share; programs, the page's among them, get an answer."""
        return index_response(settings.page_dir) if has_page and accepts_html(request) else None

    @app.get("/", **root_docs(Welcome(message=TITLE, status=HEALTHY, version=__version__)))
    async def root(request: Request) -> Response:
        welcome = Welcome(message=TITLE, status=HEALTHY, version=__version__)
        return _by_accept(page_for(request) or _json(welcome))

    @app.get(LIVE, **live_docs())
    async def live() -> Response:
        return _json(Liveness(status=ALIVE))

    @app.get(HEALTH, **health_docs(__version__))
    async def health(request: Request) -> Response:
        report = Health.of(await models())
        if health_is_closed and request.state.record.key is None:
            report = report.model_copy(update={"models": dict.fromkeys(report.models), "faults": {}})
        return _json(report, 200 if report.status == HEALTHY else 503)

    async def cards() -> "Cards":
        found = await shared_cards()
        if found is None:
            raise Refused(Code.OVERLOADED)
        return found

    @app.get(MODEL, **model_docs())
    async def model(request: Request) -> Response:
        return _by_accept(page_for(request) or unless_known(request, ModelCards.of(await cards()).model_dump_json(), "application/json"))

    @app.get(MODEL_CARD, **model_card_docs())
    async def model_card(request: Request) -> Response:
        return unless_known(request, as_markdown(await cards()), MARKDOWN)

    @app.post(PREDICT, **predict_docs(settings))
    async def predict(request: Request) -> Response:
        record: RequestRecord = request.state.record
        question = question_of(request, settings.max_people)
        # The limits of photos at a time are never smaller than a full batch.
        cost = min(COST_OF_EXPLAINING, settings.max_batch_files) if question.explain else 1
        await fairness.take(request, cost)
        photos.check(cost)  # before the body: a client need not upload what will be refused
        with body_bytes.hold() as take:
            image = await read_image(request, settings, take, places)
            with photos.admit(cost):
                answer = await ask(image, record, question)
        if MEANINGS[answer.code].status == 200:
            return _json(answer)
        return fault_response(answer.code, record.request_id, answer.error)

    @app.post(PREDICT_BATCH, **predict_batch_docs(settings))
    async def predict_batch(request: Request) -> Response:
        record: RequestRecord = request.state.record
        question = question_of(request, settings.max_people)
        if question.explain:
            raise Refused(Code.BAD_REQUEST, f"{EXPLAIN} is for one photo: send it to {PREDICT}")
        await fairness.take(request)
        if wants_lines(request.headers):
            return StreamResponse(streams, request, lambda upload: _item(ask, upload, record, question))
        photos.check()
        with body_bytes.hold() as take:
            uploads = await read_files(request, settings, take, places)
            await fairness.take(request, len(uploads) - 1)
            with photos.admit(len(uploads)):
                items = await asyncio.gather(*(_item(ask, upload, record, question) for upload in uploads))
        return _json(BatchAnswer(results=items))


def _add_undocumented_routes(app: FastAPI) -> list[str]:
    """Adds HEAD beside GET, and each address with a slash at its end; returns the addresses without."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    for route in routes:
        methods = set(route.methods or ())
        if "GET" in methods:
            methods.add("HEAD")
        if "HEAD" in methods:
            app.add_api_route(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)
        if route.path != "/":
            app.add_api_route(f"{route.path}/", route.endpoint, methods=sorted(methods), include_in_schema=False)
    return [route.path for route in routes]


async def _item(
    ask: Callable[[bytes, RequestRecord, Question], Awaitable[Answer]], upload: Upload, record: RequestRecord, question: Question
) -> BatchItem:
    if upload.image is None:
        record.photos.append(PhotoRecord(Code.IMAGE_TOO_LARGE))
        answer = Answer.refusal(Code.IMAGE_TOO_LARGE, record.request_id)
    else:
        answer = await ask(upload.image, record, question)
    return BatchItem(**dict(answer), filename=upload.filename)


def _by_accept(response: Response) -> Response:
    response.headers["vary"] = "accept"  # so that no cache takes the page for the answer, or the other way round
    return response


def _json(body: Body, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status_code=status, media_type="application/json")
