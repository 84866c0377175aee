"""Rows that are kept while they come: what a run that was killed leaves behind is where the next one goes on."""

import time
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

from tune_training.io import storage

FLUSH_ROWS = 1000
FLUSH_S = 10.0  # at most so much work is done twice


class Parts:
    """A growing table, in Parquet files below one folder or prefix. Each file appears whole, and none is ever changed.

    Args:
        folder: of the files; need not be there.
        schema: of all of them. Another schema needs another folder.
    """

    def __init__(self, folder: str, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._unwritten: list[pa.Table] = []
        self._flushed = time.monotonic()

    def read(self) -> pa.Table:
        """All rows that were kept, in no order."""
        files = [file.name for file in storage.find_files(self._folder) if file.name.endswith(".parquet")]
        tables = [pq.read_table(pa.BufferReader(storage.read_bytes(storage.join(self._folder, name)))) for name in files]
        return pa.concat_tables([self._schema.empty_table(), *tables])

    def add(self, rows: pa.Table) -> None:
        """Keeps rows, at the latest when the next ones come after `FLUSH_S`."""
        self._unwritten.append(rows)
        if time.monotonic() - self._flushed > FLUSH_S or sum(map(len, self._unwritten)) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what is not written yet."""
        if self._unwritten:
            write_parquet(pa.concat_tables(self._unwritten), storage.join(self._folder, f"{uuid.uuid4().hex}.parquet"))
        self._unwritten = []
        self._flushed = time.monotonic()

    def delete(self) -> None:
        """Removes all of it."""
        storage.delete_folder(self._folder)


def write_parquet(table: pa.Table, uri: str) -> None:
    """Writes one file, whole or not at all."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    storage.write_bytes(uri, buffer.getvalue().to_pybytes())
