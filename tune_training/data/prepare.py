"""From a folder or bucket of photos to a checked, split manifest, a list of what was left out, and a report to look at."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from serve_app.checkpoints import resolve
from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from serve_app.settings import EMBEDDED_DETECTOR, get_settings
from tune_training.data.corrections import corrected, read_corrections
from tune_training.data.duplicates import without_duplicates
from tune_training.data.examine import Examined, examine
from tune_training.data.labelling import CLOSE_UP_SOURCES, by_names, by_table, other_files
from tune_training.data.manifest import TRAIN, VAL, Manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject, rejects_csv, words_not_understood
from tune_training.data.report import write_report
from tune_training.data.splitting import split_photos
from tune_training.data.words import HOW, LabelWords, is_label_words, label_words
from tune_training.io import storage
from tune_training.io.batches import describe_unread
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.options import expanded
from tune_training.io.workers import Engine

logger = logging.getLogger(__name__)

MANIFEST, REJECTS, REPORT, CACHE = "manifest.parquet", "rejects.csv", "report.html", "cache"
_BYTES_PER_PHOTO = 2000  # of manifest, cache and report together, generously


@dataclass(frozen=True)
class PrepareOptions:
    """How a data set is checked and split; each field is an option of the command."""

    labels: Annotated[
        list[str],
        typer.Option(
            help="Table (CSV or Parquet) with the columns path and label (or gender), and optionally split, source, group (photos of one"
            " group or identity stay in one split) and others. Without it, labels are read from folders (male/x.jpg) or file names"
            ' (x_female.png). Or further words for labels, in any case: "female=damas,f male=caballeros,m". Give the option twice for both.'
        ),
    ] = field(default_factory=list)
    corrections: Annotated[
        str | None,
        typer.Option(
            help="Table (CSV or Parquet) with the columns path and label: the photo and its exact copies have this label, or are left out"
            " for `drop`. `label-noise` proposes one."
        ),
    ] = None
    person_filter: Annotated[bool, typer.Option(help="Leave out photos that do not show exactly one person.")] = True
    close_up_sources: Annotated[
        list[str],
        typer.Option(
            "--close-up-source", help="Sources whose photos are tightly cropped faces: not filtered, and their box is the whole photo."
        ),
    ] = field(default_factory=lambda: list(CLOSE_UP_SOURCES))
    detector: Annotated[str, typer.Option(help="URI of the person detector; it should be the one that serves.")] = EMBEDDED_DETECTOR
    min_side: Annotated[int, typer.Option(help="Smallest shorter side, pixels.", min=1)] = 32
    val_share: Annotated[
        float, typer.Option(help="Share of the validation split, of photos without a given split; of train, if no photo is given to val.")
    ] = 0.1
    test_share: Annotated[float, typer.Option(help="Share of the test split, likewise.")] = 0.1
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0
    engine: Annotated[
        Engine, typer.Option(help="auto: Ray Data where RAY_ADDRESS names a cluster, processes of this machine otherwise.")
    ] = Engine.AUTO

    def __post_init__(self) -> None:
        if min(self.val_share, self.test_share) < 0 or self.val_share + self.test_share >= 1:
            raise InputError(f"the shares of val ({self.val_share:g}) and test ({self.test_share:g}) must leave something to train on")
        if len(tables := [each for each in self.labels if not is_label_words(each)]) > 1:
            raise InputError(f"{' and '.join(tables)}: the photos can have one table only")
        _ = self.words  # raises what is wrong with them

    @property
    def table(self) -> str | None:
        """Of the labels, if one is given."""
        return next((each for each in self.labels if not is_label_words(each)), None)

    @property
    def words(self) -> LabelWords:
        """For labels, in folders, names and tables."""
        return label_words(" ".join(each for each in self.labels if is_label_words(each)))


@dataclass(frozen=True)
class Prepared:
    """The manifest, and what was left out of it, ordered by name."""

    manifest: Manifest
    rejects: Sequence[Reject]

    def summary(self) -> str:
        """A few lines."""
        lines = [f"{len(self.manifest.photos)} photos are used, {len(self.rejects)} left out"]
        for split, count in sorted(self.manifest.splits.items()):
            labels = Counter(photo.label for photo in self.manifest.split(split))
            lines.append(f"  {split}: {count} ({', '.join(f'{labels[label]} {label}' for label in LABELS)})")
        lines += [f"  left out, {reason}: {count}" for reason, count in Counter(each.reason for each in self.rejects).most_common()]
        if words := words_not_understood(self.rejects):
            lines.append(f"  not understood as labels: {words}; {HOW} says what a word means")
        return "\n".join(lines)


def prepare(source: str, out: str, options: PrepareOptions | None = None) -> Prepared:
    """Writes OUT/manifest.parquet, OUT/rejects.csv and OUT/report.html.

    A faulty photo is left out and listed; none of them ends the run.

    Args:
        source: folder or s3:// prefix of the photos.
        out: folder or s3:// prefix of the results and of the cache that makes a second run quick.
        options: see there; None: the defaults.

    Raises:
        InputError: there are no photos, no labels, one label only, or nothing can be written.
        Incomplete: some photos were not read; all of the results are there without them.
        CheckpointError: the detector cannot be loaded.
    """
    options = options or PrepareOptions()
    source, out = storage.absolute(source), storage.absolute(out)
    files = storage.list_files(source)
    photos, unlabelled = by_table(source, files, options.table, options.words) if options.table else by_names(source, files, options.words)
    corrections: Mapping[str, str] = {}
    if options.corrections:
        corrections, unclear = read_corrections(source, [file.name for file in files], options.corrections, options.words)
        photos = [photo for photo in photos if photo.name not in unclear]
        unlabelled = [*(reject for reject in unlabelled if reject.uri not in unclear), *unclear.values()]
    if ignored := other_files(files):
        logger.info("not taken for photos, by their names: %s", ignored)
    _check_labels(source, photos, unlabelled, options)
    storage.check_space(out, _BYTES_PER_PHOTO * len(files))
    storage.check_writable(out)
    detector = resolve(options.detector, get_settings().model_cache_dir) if options.person_filter else None

    versions = {file.name: file.version for file in files}
    examined = examine(photos, versions, detector, options.close_up_sources, storage.join(out, CACHE), options.engine)
    photos, unusable = _usable(examined, options.min_side)
    dropped: list[Reject] = []
    if corrections:
        photos, dropped = corrected(photos, corrections)
    photos, pairs, duplicates = without_duplicates(photos)
    photos, leaks = split_photos(photos, pairs, options.val_share, options.test_share, options.seed)
    rejects = sorted([*unlabelled, *unusable, *dropped, *duplicates, *leaks], key=lambda reject: reject.uri)
    manifest = Manifest(photos, source, detector.revision if detector else "", options.seed)
    prepared = Prepared(manifest, rejects)

    storage.write_bytes(storage.join(out, REJECTS), rejects_csv(rejects))
    storage.write_bytes(storage.join(out, REPORT), write_report(manifest, rejects).encode())
    for label in LABELS:
        splits = Counter(photo.split for photo in photos if photo.label == label)
        if TRAIN not in splits:
            elsewhere = "".join(f". In the split {split} there is {count}" for split, count in sorted(splits.items()))
            raise InputError(f"{source!r}: no photo of {label!r} is left to train on; {storage.join(out, REJECTS)} says why{elsewhere}")
    write_manifest(manifest, storage.join(out, MANIFEST))  # last: once it exists, everything does
    if causes := [each.unread for each in examined if each.unread]:
        logger.info("%s", prepared.summary())
        raise Incomplete(f"{describe_unread(causes)}. {storage.join(out, MANIFEST)} is without them")
    return prepared


def _check_labels(source: str, photos: Sequence[Photo], unlabelled: Sequence[Reject], options: PrepareOptions) -> None:
    found = {photo.label for photo in photos}
    if not found and (words := words_not_understood(unlabelled)):
        known = ", ".join(options.words.known)
        raise InputError(f"{options.table or source!r}: no label is understood: {words}. Known are {known}; {HOW} adds others")
    if not found:
        where = (
            f"no file of the table {options.table!r} is there with a label: its paths must be relative to this source"
            if options.table
            else "no photo has a label. Put photos in folders male/ and female/, name them male_x.jpg or x_female.png, or give a table"
            " (--labels index.csv)"
        )
        raise InputError(f"{source!r}: {where}")
    if missing := set(LABELS) - found:
        raise InputError(
            f"{source!r}: all {len(photos)} labelled photos are {', '.join(found)}; there must be some of {', '.join(missing)} too"
        )


def _usable(examined: Sequence[Examined], min_side: int) -> tuple[list[Photo], list[Reject]]:
    usable, rejects = [], []
    for photo, code, people, unread in examined:
        if min(photo.width, photo.height) < min_side and photo.width:
            rejects.append(Reject(photo.name, Reason.TOO_SMALL, f"{photo.width} x {photo.height} pixels"))
        elif code is Code.OK:
            usable.append(photo)
        elif unread:
            rejects.append(Reject(storage.shown(photo.name), Reason.MISSING, unread))
        else:
            rejects.append(Reject(photo.name, code, f"{people} people" if people else ""))
    return usable, rejects


@expanded
def prepare_command(
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix/ of the photos.")],
    options: PrepareOptions,
    out: Annotated[str, typer.Option(help="Folder or s3:// prefix of manifest.parquet, rejects.csv and report.html.")] = "runs/data",
) -> None:
    """Check photos, find their people and split them. Result: OUT/manifest.parquet, OUT/rejects.csv, OUT/report.html.

    Broken or tiny photos, photos with two labels, and photos of nobody or of several people are left out and listed by name.
    Photos keep their split when others are added, and look-alikes are in one split only. What was found in each photo is cached in
    OUT/cache, so a second run is quick and a killed one resumes.
    """
    prepared = prepare(source, out, options)
    typer.echo(prepared.summary())
    if VAL not in prepared.manifest.splits:
        typer.echo("There is no split called val, which `tune` needs to compare trials.")
    typer.echo(f"Look at {storage.join(out, REPORT)}. Next: python -m tune_training tune {storage.join(out, MANIFEST)}")
