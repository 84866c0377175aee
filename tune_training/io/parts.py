"""A table that is stored while it grows, so that a killed run can resume from its rows."""

import time
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

from tune_training.io import storage

FLUSH_ROWS = 1000
FLUSH_S = 10.0  # the most work that is done twice


class Parts:
    """A growing table, as Parquet files in one folder or prefix. Each file is written atomically and never changed.

    Args:
        folder: of the files; it need not exist.
        schema: of all files. Another schema needs another folder.
    """

    def __init__(self, folder: str, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._unwritten: list[pa.Table] = []
        self._flushed = time.monotonic()

    def read(self) -> pa.Table:
        """All stored rows, in any order."""
        files = [file.name for file in storage.find_files(self._folder) if file.name.endswith(".parquet")]
        tables = [pq.read_table(pa.BufferReader(storage.read_bytes(storage.join(self._folder, name)))) for name in files]
        return pa.concat_tables([self._schema.empty_table(), *tables])

    def add(self, rows: pa.Table) -> None:
        """Adds rows; they are stored with a later call at the latest, if it comes after `FLUSH_S`."""
        self._unwritten.append(rows)
        if time.monotonic() - self._flushed > FLUSH_S or sum(map(len, self._unwritten)) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Stores the rows that are not stored yet."""
        if self._unwritten:
            write_parquet(pa.concat_tables(self._unwritten), storage.join(self._folder, f"{uuid.uuid4().hex}.parquet"))
        self._unwritten = []
        self._flushed = time.monotonic()

    def delete(self) -> None:
        """Removes all rows."""
        storage.delete_folder(self._folder)


def write_parquet(table: pa.Table, uri: str) -> None:
    """Writes a Parquet file atomically."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    storage.write_bytes(uri, buffer.getvalue().to_pybytes())
