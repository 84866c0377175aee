"""A folder or bucket of photos through both models, as the service answers: a row for each photo, faulty or not.

from tune_training.predict import predict_all_images_in_folder
answers = predict_all_images_in_folder("photos")
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from serve_app.checkpoints import Checkpoint, resolve
from serve_app.codes import Code, error_text
from serve_app.question import People
from serve_app.runtimes.base import RunOptions
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.pipeline import Outcome, Pipeline
from tune_training.data.labelling import is_photo, other_files
from tune_training.io import storage
from tune_training.io.batches import NAME_IS_NO_TEXT, BatchReader, Unread, describe_unread
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.models import decode_limits, decoding, person_rule
from tune_training.io.parts import Parts
from tune_training.io.storage import StoredFile
from tune_training.io.workers import Engine, work_on
from tune_training.predict.given_models import checkpoint_of
from tune_training.predict.table import FORMATS, SCHEMA, causes_of_unread, is_table, rows_of, summary, write
from tune_training.predict.unsure import UnsureFolder

logger = logging.getLogger(__name__)

_KEPT = SCHEMA.append(pa.field("version", pa.string()))  # of the file: a replaced one is answered anew


def predict_all_images_in_folder(
    folder: str,
    bucket: str | None = None,
    model: Any = None,
    processor: Any = None,
    detector: Any = None,
    *,
    out: str | None = None,
    engine: Engine = Engine.AUTO,
) -> list[dict[str, Any]]:
    """Answers for all photos below a folder or s3:// prefix, ordered by path; the keys are those of `SCHEMA`.

    Args:
        folder: of the photos; with a bucket, the prefix in it.
        bucket: in S3; None: `folder` says all.
        model: the classifier: a URI, or a model or pipeline of transformers; None: the one that the service uses (CLASSIFIER_URI).
        processor: image processor of a `model` that is no URI; None: that of what it was loaded from.
        detector: likewise (DETECTOR_URI); a pipeline has its processor.
        out: file to write, .parquet, .csv or .jsonl, local or s3://. After a kill the same call resumes from the answers kept in
            OUT.parts/. None: nothing is written.
        engine: what runs the models; auto is Ray Data on a Ray cluster, and processes of this machine otherwise.

    Raises:
        InputError: there are no photos, or nothing can be written.
        CheckpointError, DecisionError: a model cannot be loaded.
    """
    if bucket and is_table(bucket):
        raise InputError(f"{bucket!r}: this is taken for a bucket. Write out={bucket!r}")
    source = f"{storage.S3}{bucket}/{folder}" if bucket else folder
    with checkpoint_of(model, processor) as classifier_uri, checkpoint_of(detector) as detector_uri:
        return rows_of(predict(source, out, detector_uri, classifier_uri, engine))


def predict(
    source: str,
    out: str | None = None,
    detector: str | None = None,
    classifier: str | None = None,
    engine: Engine = Engine.AUTO,
    unsure: UnsureFolder | None = None,
    people: People = People.ONE,
) -> pa.Table:
    """`predict_all_images_in_folder` as a table, for many photos; models are URIs.

    Args:
        people: whom a row is about.
        unsure: takes the photos that the model is unsure of.
    """
    if out and not is_table(out):
        raise InputError(f"{out!r}: the name must end with {', '.join(FORMATS)}")
    settings = get_settings()
    source, out = storage.absolute(source), out and storage.absolute(out)
    listed = storage.list_files(source)
    if ignored := other_files(listed):
        logger.info("not taken for photos, by their names: %s", ignored)
    files = {storage.shown(file.name): file for file in listed if is_photo(file.name)}
    if not files:
        raise InputError(f"{source!r}: there are files below it, and none has the name of a photo")
    models = [
        resolve(detector or settings.detector_uri, settings.model_cache_dir),
        resolve(classifier or settings.effective_classifier_uri, settings.model_cache_dir),
    ]
    parts = Parts(f"{out}.parts", _KEPT) if out else None
    if out:
        storage.check_writable(f"{out}.parts")
    most_people = settings.max_people if people is People.EACH else 0
    done = _kept(parts, files, models, most_people) if parts else _KEPT.empty_table()
    known = set(done["path"].to_pylist())
    refused = [
        *(_refusal(name, Code.NOT_FOUND, models, NAME_IS_NO_TEXT.cause) for name, file in files.items() if name != file.name),
        *(
            _refusal(name, Code.IMAGE_TOO_LARGE, models)
            for name, file in files.items()
            if name == file.name and file.size > settings.max_image_bytes
        ),
    ]
    known |= {row["path"] for row in refused}
    todo = [name for name in files if name not in known]
    tables = [done, _with_version(refused, files, most_people)]
    load = partial(Predictor, source, models[0].uri, models[1].uri, most_people=most_people)
    crashed = partial(_crashed, models)
    for answers in work_on(todo, load, crashed, engine, "predicting", len(files) - len(todo)):
        table = _with_version(answers.to_pylist(), files, most_people)
        tables.append(table)
        if parts:
            parts.add(table)
    result = pa.concat_tables(tables).drop_columns("version").sort_by("path")
    if unsure:  # before the answers that are kept for the next try are deleted
        unsure.add(source, result.filter(pc.equal(result["code"], Code.UNSURE)).to_pylist())
    if out and parts:
        write(result, out)
        if causes_of_unread(result):  # the same call tries these again, and no others
            parts.flush()
        else:
            parts.delete()
    return result


class Predictor:
    """The work of one process: names of files below `source` to answers."""

    def __init__(self, source: str, detector: str, classifier: str, most_people: int = 0) -> None:
        settings = get_settings()
        self._read = BatchReader(source)
        self._models = [resolve(uri, settings.model_cache_dir) for uri in (detector, classifier)]
        options = RunOptions.of(settings, threads=1)  # there is a process for each core
        finder, teller = Detector.load(self._models[0], options), Classifier.load(self._models[1], options)
        self._pipeline = Pipeline(finder, teller, decode_limits(), most_people)

    def __call__(self, names: Sequence[str]) -> pa.Table:
        """A row of `SCHEMA` for each name."""
        rows = []
        for part in self._read(names):
            images = {name: content for name, content in part if isinstance(content, bytes)}
            rows += [_refusal(name, Code.NOT_FOUND, self._models, each.cause) for name, each in part if isinstance(each, Unread)]
            outcomes = self._ask(list(images.values()))
            rows += [_answer(name, outcome, self._models) for name, outcome in zip(images, outcomes, strict=True)]
        return _table(rows)

    def _ask(self, images: Sequence[bytes]) -> list[Outcome]:
        try:
            return self._pipeline(images)
        except Exception:
            # One photo that fails must not cost the others of its batch their answers.
            if len(images) > 1:
                return [outcome for image in images for outcome in self._ask([image])]
            logger.exception("a photo could not be answered")
            return [Outcome(Code.INTERNAL, [])]


def _answer(name: str, outcome: Outcome, models: Sequence[Checkpoint]) -> dict[str, Any]:
    people: list[dict[str, Any]] = [{"box": list(person.box), "score": person.score} for person in outcome.people]
    for person, own in zip(people, outcome.each, strict=False):  # those beyond the limit have no answer
        person |= {"code": own.code, "prediction": own.prediction, "confidence": own.confidence, "probabilities": own.probabilities}
    row = _refusal(name, outcome.code, models, error_text(outcome.code, len(people)))
    row |= {"people": people, "person_count": len(people), "probabilities": outcome.probabilities}
    return row | {"prediction": outcome.prediction, "confidence": outcome.confidence}


def _refusal(name: str, code: Code, models: Sequence[Checkpoint], error: str | None = None) -> dict[str, Any]:
    described = [f"{model.name}@{model.revision}" for model in models]
    return {
        "path": name,
        "code": code,
        "prediction": None,
        "confidence": 0.0,
        "probabilities": None,
        "person_count": 0,
        "people": [],
        "error": error or error_text(code),
        "detector": described[0],
        "classifier": described[1],
    }


def _crashed(models: Sequence[Checkpoint], name: str) -> pa.Table:
    return _table([_refusal(name, Code.CORRUPT_IMAGE, models)])


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), SCHEMA)


def _with_version(rows: Sequence[dict[str, Any]], files: dict[str, StoredFile], most_people: int) -> pa.Table:
    return pa.Table.from_pylist([row | {"version": _version(files[row["path"]], most_people)} for row in rows], _KEPT)


def _version(file: StoredFile, most_people: int) -> str:
    """Of the file, of all that decodes it and finds people in it, and of the question: when one of them changes, it is answered anew."""
    how = f"{decoding()} {person_rule()} {get_settings().model_runtime} {most_people}"
    return f"{file.version} {hashlib.sha256(how.encode()).hexdigest()[:12]}"


def _kept(parts: Parts, files: dict[str, StoredFile], models: Sequence[Checkpoint], most_people: int) -> pa.Table:
    """The answers that a killed run kept, if they are of the present files and models."""
    described = tuple(f"{model.name}@{model.revision}" for model in models)
    rows = {
        row["path"]: row
        for row in parts.read().to_pylist()
        if row["code"] != Code.NOT_FOUND
        and (row["detector"], row["classifier"]) == described
        and row["path"] in files
        and _version(files[row["path"]], most_people) == row["version"]
    }
    return pa.Table.from_pylist(list(rows.values()), _KEPT)


def predict_command(
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix/ of the photos.")],
    out: Annotated[str, typer.Option(help=f"File to write, local or s3://: {', '.join(FORMATS)}.")] = "answers.parquet",
    detector: Annotated[str | None, typer.Option(help="URI of the detector; by default the service's (DETECTOR_URI).")] = None,
    classifier: Annotated[str | None, typer.Option(help="URI of the classifier; by default the service's (CLASSIFIER_URI).")] = None,
    engine: Annotated[
        Engine, typer.Option(help="auto: Ray Data where RAY_ADDRESS names a cluster, processes of this machine otherwise.")
    ] = Engine.AUTO,
    people: Annotated[
        People,
        typer.Option(help="one: a photo of several people is refused; each: each of the MAX_PEOPLE largest gets an answer, in `people`."),
    ] = People.ONE,
    unsure_to: Annotated[
        str | None,
        typer.Option(
            help="Folder that photos which the model is unsure of are copied to, to be labelled, with a table for `prepare --labels`. It"
            " holds photos of people: mind where it is."
        ),
    ] = None,
) -> None:
    """Answer for each photo as the service would. Result: OUT, a row for each photo; a broken photo has a row with its error code.

    After a kill the same command resumes: answers are kept in OUT.parts/ until OUT is written.
    """
    started = time.monotonic()
    unsure = UnsureFolder(unsure_to) if unsure_to else None
    table = predict(source, out, detector, classifier, engine, unsure, people)
    typer.echo(f"{summary(table)}\nWritten: {out}, after {time.monotonic() - started:.1f} s")
    causes = causes_of_unread(table)
    if unsure:
        causes += unsure.unread
        typer.echo(unsure.summary())
    if causes:
        raise Incomplete(describe_unread(causes))
