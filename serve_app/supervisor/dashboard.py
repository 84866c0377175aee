"""Ray's dashboard, started by who asks for it: its twelve processes take 300 MB and 3 % of a core also where nobody looks."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

FIRST_PORT = 8265  # Ray's
PORTS = 50  # that are tried in turn
CHUNK = 2**16  # bytes


class DashboardDoor:
    """Listens where the dashboard is expected, and passes connections on to it; the first one has it started, and waits.

    Args:
        start: starts the dashboard; returns its HOST:PORT, or "" if it did not start.
    """

    def __init__(self, start: Callable[[], str]) -> None:
        self._start = start
        self._dashboard: asyncio.Task[str] | None = None
        self._socket = _listen()
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, sock=self._socket)
        await server.serve_forever()

    async def _pass_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.closing(to_client), contextlib.suppress(OSError):
            host, _, port = (await self._address()).rpartition(":")
            if not port:
                return
            from_dashboard, to_dashboard = await asyncio.open_connection(host, int(port))
            with contextlib.closing(to_dashboard):
                await asyncio.gather(_copy(from_client, to_dashboard), _copy(from_dashboard, to_client))

    async def _address(self) -> str:
        if not self._dashboard or (self._dashboard.done() and not self._dashboard.result()):  # a failed start is tried again
            self._dashboard = asyncio.create_task(asyncio.to_thread(self._start))
        return await asyncio.shield(self._dashboard)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(CHUNK):
        target.write(chunk)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


def _listen() -> socket.socket:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    return socket.create_server(("127.0.0.1", 0))
