"""`gender-ask PHOTO|FOLDER...`: asks about photos and writes the answers as a table, CSV or JSON lines.

Exit status: 0, the service has answered about every file; 1, at least one is no photo that can be read; 2, wrong arguments; 3, the service
did not answer about every file: the same command with --output goes on; 130, interrupted: likewise.
"""

import argparse
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import get_args

import httpx
from rich.console import Console
from rich.progress import track

from gender_client import table
from gender_client.client import Client
from gender_client.errors import ClientError, ServiceError, Unreachable
from gender_client.models import Answer, Code
from gender_client.requests import DEADLINE_S, URL
from gender_client.streams import PARALLEL

ANSWERED, NOT_PHOTOS, WRONG_ARGUMENTS, NOT_ANSWERED, INTERRUPTED = 0, 1, 2, 3, 130
OF_THE_FILE = (Code.NOT_AN_IMAGE, Code.CORRUPT_IMAGE, Code.IMAGE_TOO_LARGE)
HOPELESS = (Code.UNAUTHORIZED, Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.BAD_REQUEST)  # the next photo fares no better
PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
REACH_S = 5.0  # for a first sign of the service: one that is down is told at once, and not after the deadline of a photo
UNREADABLE = "unreadable_file"
KEY = "GENDER_API_KEY"

Asking = Generator[tuple[int, Answer | ClientError | OSError], None, None]


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
        done = table.resume(output, options.format) if output is not None and goes_on else {}
        status = NOT_PHOTOS if any(done.get(str(file)) in (UNREADABLE, *OF_THE_FILE) for file in files) else ANSWERED
        files = [file for file in files if str(file) not in done]
        if not files:
            return status
        with Client(options.url, deadline_s=min(options.deadline, REACH_S), transport=transport) as client, suppress(ServiceError):
            client.health()
        with output.open("a", encoding="utf-8", errors="surrogateescape", newline="") if output else nullcontext(sys.stdout) as out:
            writer = table.Writer(out, options.format, heading=not goes_on)
            with Client(options.url, key=options.key, deadline_s=options.deadline, transport=transport) as client:
                asking = client.stream(files, people="each" if options.each else "one", parallel=options.parallel)
                return max(status, _ask(asking, files, writer, console))
    except Unreachable as error:
        console.print(f"The service at {options.url} cannot be reached: {error}", style="red", highlight=False, markup=False)
        return NOT_ANSWERED
    except (OSError, table.NotOurs) as error:
        console.print(str(error), style="red")
        return WRONG_ARGUMENTS
    except KeyboardInterrupt:
        return INTERRUPTED


def _ask(asking: Asking, files: list[Path], writer: table.Writer, console: Console) -> int:
    """Asks about files; returns the exit status.

    Raises:
        Unreachable: the service is gone. What it has answered is written.
    """
    status = ANSWERED
    told: set[str] = set()
    shown = track(asking, "Asking", len(files), console=console, transient=True, disable=not console.is_terminal)
    try:
        for index, outcome in shown:
            file = files[index]
            match outcome:
                case Answer():
                    writer.write(table.rows(str(file), outcome))
                case OSError():
                    writer.write(table.refused(str(file), UNREADABLE, type(outcome).__name__))
                    status = max(status, NOT_PHOTOS)
                case ServiceError() if outcome.code in OF_THE_FILE:
                    writer.write(table.refused(str(file), str(outcome.code), outcome.text))
                    status = max(status, NOT_PHOTOS)
                case Unreachable():
                    raise outcome
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
    parser.add_argument("--each", action="store_true", help="answer about each of several people, with a row for each")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="requests at a time (%(default)s)")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds without an answer, with all attempts (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
