"""Prints what is added to log files, and sends it to CloudWatch: `python -m serve_app.commands.follow_logs PATTERN`.

It runs beside Ray in each pod. Serve gives each replica files of its own, in a folder that is new each time Ray starts, so the pattern is
looked up again and again. With LOG_GROUP the lines also go to that log group, into a stream named like the pod, because whatever is printed
is lost with the pod. While CloudWatch cannot be reached, the newest lines wait.
"""

import argparse
import contextlib
import glob
import os
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from threading import Event
from typing import Any

PAUSE_S = 2.0
LONGEST_LINE = 200_000  # bytes; CloudWatch takes 256 kB
_BATCH, _BATCH_BYTES, _OVERHEAD = 5_000, 900_000, 26  # below CloudWatch's limits: 10,000 events, 1 MiB with 26 bytes more for each
_WAITING = 20_000  # lines


class Follower:
    """The lines that are added to the files of a pattern; a file that was replaced (rotated) is read from its beginning.

    Args:
        pattern: of the files' paths, as the shell has them.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._read: dict[str, tuple[int, int]] = {}  # inode, and bytes that were read

    def lines(self) -> list[str]:
        """The whole lines since the last call."""
        found: list[str] = []
        for path in sorted(glob.glob(self._pattern)):
            try:
                found += self._lines_of(path)
            except OSError:
                continue  # it was rotated at this moment
        return found

    def _lines_of(self, path: str) -> list[str]:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            inode, start = self._read.get(path, (status.st_ino, 0))
            if inode != status.st_ino or status.st_size < start:
                start = 0
            file.seek(start)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._read[path] = (status.st_ino, start + len(whole) + len(newline))
        return [line[:LONGEST_LINE].decode(errors="replace") for line in whole.split(b"\n") if line.strip()]


class CloudWatch:
    """A stream of a log group that exists.

    Args:
        client: boto3's, for CloudWatch Logs.
        group: name of the log group.
        stream: name of the stream, which is created.
    """

    def __init__(self, client: Any, group: str, stream: str) -> None:
        self._client, self._to = client, {"logGroupName": group, "logStreamName": stream}
        self._waiting: deque[tuple[int, str]] = deque(maxlen=_WAITING)
        self._is_created = False

    def send(self, lines: list[str]) -> None:
        """Sends these lines, and those that could not be sent before; says on stderr if they cannot be sent now either."""
        from botocore.exceptions import BotoCoreError, ClientError

        now = int(time.time() * 1000)
        self._waiting.extend((now, line) for line in lines)
        try:
            self._create()
            while self._waiting:
                batch = self._batch()
                self._client.put_log_events(**self._to, logEvents=[{"timestamp": at, "message": line} for at, line in batch])
                for _ in batch:
                    self._waiting.popleft()
        except (BotoCoreError, ClientError) as error:
            print(f"{len(self._waiting)} lines wait for CloudWatch: {error}", file=sys.stderr)

    def _create(self) -> None:
        if not self._is_created:
            with contextlib.suppress(self._client.exceptions.ResourceAlreadyExistsException):  # from before, in the same pod
                self._client.create_log_stream(**self._to)
            self._is_created = True

    def _batch(self) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        size = 0
        for at, line in self._waiting:
            size += len(line.encode()) + _OVERHEAD
            if batch and (size > _BATCH_BYTES or len(batch) == _BATCH):
                break
            batch.append((at, line))
        return batch


def follow(pattern: str, cloud: CloudWatch | None, stop: Event) -> None:
    """Prints and sends lines until `stop` is set, and those of the last moment then."""
    follower = Follower(pattern)
    ends = False
    while not ends:
        ends = stop.wait(PAUSE_S)
        lines = follower.lines()
        for line in lines:
            print(line)
        sys.stdout.flush()
        if cloud is not None:
            cloud.send(lines)


def main() -> None:
    """Follows the files until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.commands.follow_logs", description="Prints what is added to log files.")
    parser.add_argument("pattern", metavar="PATTERN", help="the files, such as /logs/*.log")
    options = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cloud = None
    if group := os.environ.get("LOG_GROUP"):
        import boto3

        cloud = CloudWatch(boto3.client("logs"), group, socket.gethostname())
    follow(options.pattern, cloud, stop)


if __name__ == "__main__":
    main()
