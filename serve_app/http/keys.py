"""API keys: who may ask, from sha256 digests with names. Keys themselves are in no file, log or metric of the service.

A key is a long random text (`make keys`), so a plain sha256 cannot be turned back, and a slow hash would only slow down requests.
"""

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from serve_app.settings import KEY_ENTRY, Settings

logger = logging.getLogger(__name__)

HEADER = "x-api-key"
PREFIX = "gp_"  # so that scanners for leaked secrets can know it

_UNREADABLE = (0,)
Digests = dict[str, str]  # of keys, by name


def new_key() -> str:
    """A key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """Sha256 of a key, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The keys of API_KEYS and API_KEYS_FILE; the file is read again when it has changed.

    A file that can no longer be read, or has a line that is no entry, leaves the keys as they were; without any before, nobody may ask.
    """

    def __init__(self, settings: Settings) -> None:
        self.required = bool(settings.api_keys) or settings.api_keys_file is not None
        self._fixed = _digests(settings.api_keys)
        self._file = settings.api_keys_file
        self._read: Digests = {}
        self._state: tuple[int, ...] | None = None

    def name_of(self, key: str) -> str | None:
        """The name of a key; None when there is none like it. Takes as long for a wrong key as for a right one."""
        self._read_again()
        theirs = digest(key)
        # All are compared, each in constant time.
        names = [name for name, ours in (self._fixed | self._read).items() if hmac.compare_digest(ours, theirs)]
        return names[0] if names else None

    def _read_again(self) -> None:
        if self._file is None:
            return
        try:
            stat = os.stat(self._file)  # of what a link leads to: Kubernetes exchanges the link
            state = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if state == self._state:
                return
            entries = _entries(self._file)
        except OSError as error:
            if self._state != _UNREADABLE:
                logger.error("API_KEYS_FILE was not read, the keys stay as they were: %s", type(error).__name__)
            self._state = _UNREADABLE
        except ValueError as error:
            logger.error("API_KEYS_FILE was not read, the keys stay as they were: %s", _reason(error))
            self._state = state  # it is as bad until it changes
        else:
            self._state, self._read = state, _digests(entries)
            logger.info("API_KEYS_FILE has %d keys: %s", len(self._read), ", ".join(sorted(self._read)) or "none")


def _reason(error: ValueError) -> str:
    return type(error).__name__ if isinstance(error, UnicodeError) else str(error)


def _entries(file: Path) -> list[str]:
    lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, 1):
        if line and not KEY_ENTRY.fullmatch(line):
            raise ValueError(f"line {number} is not NAME:SHA256")  # not its text: somebody may have written down a key
    return [line for line in lines if line]


def _digests(entries: Iterable[str]) -> Digests:
    return dict(entry.split(":") for entry in entries)
