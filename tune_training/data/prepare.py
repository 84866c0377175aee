"""From a folder or bucket of photos to a checked, split manifest, a list of what was left out, and a report to look at."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from serve_app.checkpoints import Checkpoint, resolve
from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from serve_app.settings import EMBEDDED_DETECTOR, get_settings
from tune_training.data.examine import Examined, examine
from tune_training.data.labelling import CLOSE_UP_SOURCES, Candidate, Reason, Reject, by_names, by_table
from tune_training.data.manifest import TEST, TRAIN, VAL, Manifest, write_manifest
from tune_training.data.near_duplicates import groups_of, near_pairs
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.data.report import write_report
from tune_training.data.splitting import assign_splits, training_side
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.workers import Engine

MANIFEST, REJECTS, REPORT, CACHE = "manifest.parquet", "rejects.csv", "report.html", "cache"
_BYTES_PER_PHOTO = 2000  # of manifest, cache and report together, generously


@dataclass(frozen=True)
class PrepareOptions:
    """How a data set is checked.

    Attributes:
        labels: URI of a table with the labels; None: they are in the folders' or files' names.
        person_filter: whether photos of nobody or several people are left out; without it each box is the whole photo.
        close_up_sources: sources whose photos are faces from edge to edge: they are not filtered, and their box is the whole photo.
        detector: URI of the detector; it should be the one of serving.
        min_side: smallest shorter side, pixels.
        val_share: of the photos without a given split that validate; likewise `test_share`. The rest is trained on.
        seed: of the split.
        engine: what runs the person filter.
    """

    labels: Annotated[
        str | None,
        typer.Option(
            help="Table (CSV or Parquet) with the columns path and label (or gender), and where known split, source and others."
            " Without it, labels are read from folders (male/x.jpg) or file names (x_female.png)."
        ),
    ] = None
    person_filter: Annotated[bool, typer.Option(help="Leave out photos of nobody or several people.")] = True
    close_up_sources: Annotated[
        list[str],
        typer.Option(
            "--close-up-source", help="Sources whose photos are faces from edge to edge: not filtered, their box is the whole photo."
        ),
    ] = field(default_factory=lambda: list(CLOSE_UP_SOURCES))
    detector: Annotated[str, typer.Option(help="URI of the detector of people; best the one of serving.")] = EMBEDDED_DETECTOR
    min_side: Annotated[int, typer.Option(help="Smallest shorter side, pixels.", min=1)] = 32
    val_share: Annotated[float, typer.Option(help="Share of the validation split, where no split is given.")] = 0.1
    test_share: Annotated[float, typer.Option(help="Share of the test split, where no split is given.")] = 0.1
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0
    engine: Annotated[Engine, typer.Option(help="What runs the person filter: Ray Data, or processes of this machine.")] = Engine.RAY

    def __post_init__(self) -> None:
        if min(self.val_share, self.test_share) < 0 or self.val_share + self.test_share >= 1:
            raise InputError(f"the shares of val ({self.val_share:g}) and test ({self.test_share:g}) must leave something to train on")


@dataclass(frozen=True)
class Prepared:
    """The manifest, and what was left out of it, ordered by name."""

    manifest: Manifest
    rejects: Sequence[Reject]

    def summary(self) -> str:
        """A few lines."""
        lines = [f"{len(self.manifest.photos)} photos are used, {len(self.rejects)} left out"]
        for split, count in sorted(self.manifest.splits.items()):
            labels = Counter(row.label for row in self.manifest.photos if row.split == split)
            lines.append(f"  {split}: {count} ({', '.join(f'{labels[label]} {label}' for label in sorted(LABELS))})")
        lines += [f"  left out, {reason}: {count}" for reason, count in Counter(each.reason for each in self.rejects).most_common()]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Photo:
    """A candidate that was looked into."""

    candidate: Candidate
    found: Examined

    @property
    def name(self) -> str:
        return self.candidate.file.name


def prepare(source: str, out: str, options: PrepareOptions | None = None) -> Prepared:
    """Writes OUT/manifest.parquet, OUT/rejects.csv and OUT/report.html.

    Everything that is wrong with a photo leaves it out and is listed; nothing about a single photo ends the run.

    Args:
        source: folder or s3:// prefix of the photos.
        out: folder or s3:// prefix of the results and of the cache that makes a second run quick.
        options: see there; None: all as it is by default.

    Raises:
        InputError: there are no photos, no labels, one label only, or nothing can be written.
        CheckpointError: the detector cannot be had.
    """
    options = options or PrepareOptions()
    source, out = storage.absolute(source), storage.absolute(out)
    files = storage.list_files(source)
    candidates, rejects = by_table(source, files, options.labels) if options.labels else by_names(files)
    _check_labels(source, candidates, options)
    storage.check_space(out, _BYTES_PER_PHOTO * len(files))
    storage.check_writable(out)
    detector = resolve(options.detector, get_settings().model_cache_dir) if options.person_filter else None

    photos, more = _usable(_look_into(source, candidates, detector, storage.join(out, CACHE), options), options)
    rejects += more
    photos, pairs, more = _without_duplicates(photos)
    rejects += more
    photos, splits, more = _split(photos, pairs, options)
    rejects = sorted(rejects + more, key=lambda reject: reject.uri)
    rows = [_row(photo, split, source) for photo, split in zip(photos, splits, strict=True)]
    manifest = Manifest(rows, source, detector.revision if detector else "", options.seed)
    prepared = Prepared(manifest, rejects)

    storage.write_bytes(storage.join(out, REJECTS), _rejects_csv(rejects))
    storage.write_bytes(storage.join(out, REPORT), write_report(manifest, rejects).encode())
    for label in sorted(LABELS):
        if not any(row.label == label and row.split == TRAIN for row in rows):
            raise InputError(f"{source!r}: no photo of {label!r} is left to train on; {storage.join(out, REJECTS)} says why")
    write_manifest(manifest, storage.join(out, MANIFEST))  # last: where it is, everything is
    return prepared


def _check_labels(source: str, candidates: Sequence[Candidate], options: PrepareOptions) -> None:
    found = {candidate.label for candidate in candidates}
    if not found:
        where = (
            f"no file of the table {options.labels!r} is there with a label: its paths must be relative to this source"
            if options.labels
            else "no photo has a label. Put photos in folders male/ and female/, name them male_x.jpg or x_female.png, or give a table"
            " (--labels index.csv)"
        )
        raise InputError(f"{source!r}: {where}")
    if missing := LABELS - found:
        raise InputError(
            f"{source!r}: all {len(candidates)} labelled photos are {', '.join(found)}; there must be some of {', '.join(missing)} too"
        )


def _look_into(
    source: str, candidates: Sequence[Candidate], detector: Checkpoint | None, cache: str, options: PrepareOptions
) -> list[_Photo]:
    close_ups = frozenset(each.file.name for each in candidates if each.source in options.close_up_sources)
    found = examine(source, [each.file for each in candidates], detector, close_ups, cache, options.engine)
    return [_Photo(candidate, found[candidate.file.name]) for candidate in candidates]


def _usable(photos: Sequence[_Photo], options: PrepareOptions) -> tuple[list[_Photo], list[Reject]]:
    usable, rejects = [], []
    for photo in photos:
        found = photo.found
        if min(found.width, found.height) < options.min_side and found.width:
            rejects.append(Reject(photo.name, Reason.TOO_SMALL, f"{found.width} x {found.height} pixels"))
        elif found.code is Code.OK:
            usable.append(photo)
        elif found.code is Code.NOT_FOUND:
            rejects.append(Reject(photo.name, Reason.MISSING, "it cannot be read"))
        else:
            rejects.append(Reject(photo.name, found.code, f"{len(found.boxes)} people" if found.boxes else ""))
    return usable, rejects


def _without_duplicates(photos: Sequence[_Photo]) -> tuple[list[_Photo], list[tuple[int, int]], list[Reject]]:
    """Leaves out files whose content another one has, and photos that look alike but are labelled differently.

    Returns what is left, the pairs of near-duplicates in it, and the rejects.
    """
    rejects: list[Reject] = []
    by_content: dict[str, list[_Photo]] = defaultdict(list)
    for photo in photos:
        by_content[photo.found.sha256].append(photo)
    single = []
    for copies in by_content.values():
        if len({photo.candidate.label for photo in copies}) > 1:
            rejects += [Reject(each.name, Reason.CONFLICTING_LABELS, f"the same file as {_another(each, copies)}") for each in copies]
            continue
        # Of copies in several given splits, the one that is not trained on stays.
        kept = copies[0]
        for other in copies[1:]:
            if training_side(kept.candidate.split, other.candidate.split) != other.candidate.split:
                kept = other
        single.append(kept)
        rejects += [Reject(each.name, Reason.DUPLICATE, f"the same file as {kept.name}") for each in copies if each is not kept]
    single.sort(key=lambda photo: photo.name)
    pairs = list(near_pairs([photo.found.phash for photo in single]))
    conflicting: dict[int, int] = {}
    for first, second in pairs:
        if single[first].candidate.label != single[second].candidate.label:
            conflicting[first], conflicting[second] = second, first
    rejects += [
        Reject(single[index].name, Reason.CONFLICTING_LABELS, f"looks like {single[other].name}") for index, other in conflicting.items()
    ]
    left = [index for index in range(len(single)) if index not in conflicting]
    new = {old: index for index, old in enumerate(left)}
    return (
        [single[index] for index in left],
        [(new[first], new[second]) for first, second in pairs if first in new and second in new],
        rejects,
    )


def _split(
    photos: Sequence[_Photo], pairs: Sequence[tuple[int, int]], options: PrepareOptions
) -> tuple[list[_Photo], list[str], list[Reject]]:
    """Splits those without a given split; of near-duplicates in different splits, leaves out those on the side of training."""
    groups = groups_of(len(photos), pairs)
    given: dict[int, str] = {}
    for photo, group in zip(photos, groups, strict=True):
        if split := photo.candidate.split:
            known = given.setdefault(group, split)
            given[group] = split if training_side(known, split) == known else known
    free = [index for index, photo in enumerate(photos) if not photo.candidate.split and groups[index] not in given]
    shares = {TRAIN: 1 - options.val_share - options.test_share, VAL: options.val_share, TEST: options.test_share}
    strata = [(photos[index].candidate.label, photos[index].candidate.source) for index in free]
    drawn = assign_splits(strata, [groups[index] for index in free], {name: share for name, share in shares.items() if share}, options.seed)
    by_index = dict(zip(free, drawn, strict=True))
    splits = [photo.candidate.split or by_index.get(index) or given[groups[index]] for index, photo in enumerate(photos)]
    dropped: dict[int, int] = {}
    for first, second in pairs:
        if splits[first] != splits[second]:
            loser, other = (first, second) if training_side(splits[first], splits[second]) == splits[first] else (second, first)
            dropped[loser] = other
    rejects = [
        Reject(photos[loser].name, Reason.NEAR_DUPLICATE, f"looks like {photos[other].name} of the split {splits[other]}")
        for loser, other in dropped.items()
    ]
    left = [index for index in range(len(photos)) if index not in dropped]
    return [photos[index] for index in left], [splits[index] for index in left], rejects


def _another(photo: _Photo, copies: Sequence[_Photo]) -> str:
    return next(each.name for each in copies if each.candidate.label != photo.candidate.label)


def _row(photo: _Photo, split: str, source: str) -> Photo:
    candidate, found = photo.candidate, photo.found
    return Photo(
        root=source,
        name=photo.name,
        label=candidate.label,
        split=split,
        source=candidate.source,
        box=found.boxes[0] if found.boxes else WHOLE_PHOTO,
        width=found.width,
        height=found.height,
        bytes=candidate.file.size,
        sha256=found.sha256,
        phash=found.phash,
        columns=candidate.columns,
    )


def _rejects_csv(rejects: Sequence[Reject]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["uri", "reason", "detail"])
    writer.writerows([each.uri, each.reason, each.detail] for each in rejects)
    return text.getvalue().encode()


def prepare_command(
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix/ of the photos.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// prefix of manifest.parquet, rejects.csv and report.html.")] = "runs/data",
    labels: Annotated[
        str | None,
        typer.Option(
            help="Table (CSV or Parquet) with the columns path and label (or gender), and where known split, source and others."
            " Without it, labels are read from folders (male/x.jpg) or file names (x_female.png)."
        ),
    ] = None,
    person_filter: Annotated[bool, typer.Option(help="Leave out photos of nobody or several people.")] = True,
    close_up_source: Annotated[
        list[str], typer.Option(help="Sources whose photos are faces from edge to edge: not filtered, their box is the whole photo.")
    ] = CLOSE_UP_SOURCES,
    detector: Annotated[str, typer.Option(help="URI of the detector of people; best the one of serving.")] = EMBEDDED_DETECTOR,
    min_side: Annotated[int, typer.Option(help="Smallest shorter side, pixels.", min=1)] = PrepareOptions.min_side,
    val_share: Annotated[float, typer.Option(help="Share of the photos to choose by, where no split is given.")] = PrepareOptions.val_share,
    test_share: Annotated[float, typer.Option(help="Share of the photos to judge with at the end, likewise.")] = PrepareOptions.test_share,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = PrepareOptions.seed,
    engine: Annotated[Engine, typer.Option(help="What runs the person filter: Ray Data, or processes of this machine.")] = Engine.RAY,
) -> None:
    """Check photos, find their people and split them. Result: OUT/manifest.parquet, OUT/rejects.csv, OUT/report.html.

    Photos that are broken, tiny, labelled in two ways, of nobody or of several people are left out and listed by name. Near-duplicates
    stay in one split. What was found in a photo is kept in OUT/cache: a second run is quick, and one that was killed goes on.
    """
    options = PrepareOptions(labels, person_filter, close_up_source, detector, min_side, val_share, test_share, seed, engine)
    prepared = prepare(source, out, options)
    typer.echo(prepared.summary())
    if VAL not in prepared.manifest.splits:
        typer.echo("There is no split called val, which `tune` chooses by.")
    typer.echo(f"Look at {storage.join(out, REPORT)}. Next: python -m tune_training tune {storage.join(out, MANIFEST)}")
