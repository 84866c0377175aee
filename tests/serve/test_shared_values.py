"""The cluster's store: of several replicas that write a value, all read that of the first."""

import os
from collections.abc import Callable

from ray import serve

from serve_app.graph.ray_internals import ClusterStore


class Writer:
    """Writes its own process id."""

    async def __call__(self) -> str:
        return ""

    def write(self, key: str) -> tuple[int, bytes]:
        store = ClusterStore("test")
        return os.getpid(), store.write_first(key, str(os.getpid()).encode())

    def keep_only(self, key: str) -> list[bytes | None]:
        store = ClusterStore("test")
        store.keep_only(key)
        return [store.read("first"), store.read("second")]


async def test_all_replicas_read_what_the_first_one_wrote(deploy: Callable[..., str]) -> None:
    writers = serve.deployment(num_replicas=3, ray_actor_options={"num_cpus": 0.01})
    deploy(writers(Writer).bind(), "writers")
    handle = serve.get_deployment_handle("Writer", "writers")
    written = {}
    for key in ("first", "second"):
        answers = await handle.broadcast("write", key).results_async()
        assert len({process for process, _ in answers}) == 3
        (written[key],) = {value for _, value in answers}
    assert set(map(tuple, await handle.broadcast("keep_only", "second").results_async())) == {(None, written["second"])}
