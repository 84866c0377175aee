"""`gender-ask PHOTO|FOLDER...`: asks about photos and writes the answers as a table, CSV or JSON lines.

Exit status: 0, the service has answered about every file; 1, at least one is no photo that can be read; 2, wrong arguments; 3, the service
did not answer about every file: the same command with --output goes on; 130, interrupted: likewise.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import httpx
from rich.console import Console
from rich.progress import track

from gender_client import table
from gender_client.client import Client
from gender_client.errors import ClientError, ServiceError
from gender_client.models import Answer, Code
from gender_client.requests import DEADLINE_S, URL

ANSWERED, NOT_PHOTOS, WRONG_ARGUMENTS, NOT_ANSWERED, INTERRUPTED = 0, 1, 2, 3, 130
OF_THE_FILE = (Code.NOT_AN_IMAGE, Code.CORRUPT_IMAGE, Code.IMAGE_TOO_LARGE)
HOPELESS = (Code.UNAUTHORIZED, Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.BAD_REQUEST)  # the next photo fares no better
PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
UNREADABLE = "unreadable_file"
KEY = "GENDER_API_KEY"


def main(arguments: Sequence[str] | None = None, transport: httpx.BaseTransport | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.output and options.format == "table":
        parser.error("--output takes --format json or csv")
    if options.parallel < 1 or options.deadline <= 0:
        parser.error("--parallel and --deadline are above zero")
    console = Console(stderr=True)
    try:
        files = sorted({file for place in options.photos for file in _files(place)})
        if not files:
            console.print("There are no photos there.", style="red")
            return WRONG_ARGUMENTS
        output: Path | None = options.output
        goes_on = output is not None and output.exists()
        done = table.resume(output, options.format) if output is not None and goes_on else set()
        with output.open("a", encoding="utf-8", errors="surrogateescape", newline="") if output else nullcontext(sys.stdout) as out:
            writer = table.Writer(out, options.format, heading=not goes_on)
            with Client(options.url, key=options.key, deadline_s=options.deadline, transport=transport) as client:
                return _ask(client, [file for file in files if str(file) not in done], writer, console, options.parallel)
    except (OSError, table.NotOurs) as error:
        console.print(str(error), style="red")
        return WRONG_ARGUMENTS
    except KeyboardInterrupt:
        return INTERRUPTED


def _ask(client: Client, files: list[Path], writer: table.Writer, console: Console, parallel: int) -> int:
    """Asks about files; returns the exit status."""
    status = ANSWERED
    told: set[str] = set()
    asking = client.predict_many(files, parallel)
    shown = track(asking, "Asking", len(files), console=console, transient=True, disable=not console.is_terminal)
    try:
        for file, outcome in shown:
            match outcome:
                case Answer():
                    writer.write(table.row(str(file), outcome))
                case OSError():
                    writer.write(table.refused(str(file), UNREADABLE, type(outcome).__name__))
                    status = max(status, NOT_PHOTOS)
                case ServiceError() if outcome.code in OF_THE_FILE:
                    writer.write(table.refused(str(file), str(outcome.code), outcome.text))
                    status = max(status, NOT_PHOTOS)
                case ClientError():  # no row, so that the next run asks again
                    status = NOT_ANSWERED
                    if str(outcome) not in told:
                        told.add(str(outcome))
                        console.print(f"{file}: {outcome}", style="red", highlight=False, markup=False)
                    if isinstance(outcome, ServiceError) and outcome.code in HOPELESS:
                        break
    finally:
        asking.close()
        writer.close()
    return status


def _files(place: Path) -> Iterator[Path]:
    """A file, or the photos below a folder, by the endings of their names.

    Raises:
        FileNotFoundError: there is neither.
    """
    if place.is_dir():
        yield from (file for file in place.rglob("*") if file.suffix.lower() in PHOTOS and file.is_file())
    elif place.exists():
        yield place
    else:
        raise FileNotFoundError(f"There is no {place}")


def _parser() -> argparse.ArgumentParser:
    head, _, statuses = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser("gender-ask", description=head.partition(": ")[2], epilog=" ".join(statuses.split()))
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO|FOLDER", help="a photo, or a folder: all photos below it")
    parser.add_argument("--url", default=URL, help="address of the service (%(default)s)")
    parser.add_argument("--key", default=os.environ.get(KEY), help=f"API key; in {KEY} no list of processes shows it")
    parser.add_argument("--format", choices=get_args(table.Format), default="table", help="json: one object on each line (%(default)s)")
    parser.add_argument("--output", type=Path, help="file for the answers, json or csv; if it is there, those that it lacks are added")
    parser.add_argument("--parallel", type=int, default=4, help="photos asked about at a time (%(default)s)")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds for each photo, with all attempts (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
