"""One revision of a model for a whole deploy.

`s3://bucket/prefix/` and `hf://org/name@main` may mean another model tomorrow, and replicas start at any time: when load rises, or after a
death. So the first replica that loads a model writes down which state it was, and all others load that one, until a deploy changes the
deployment's `user_config` or builds the graph anew. A folder is used in place and not pinned.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

from ray import serve

from serve_app.checkpoints import Checkpoint, Pin, pin_of, resolve
from serve_app.graph.messages import Role
from serve_app.graph.ray_internals import ClusterStore

Model = TypeVar("Model")


class Store(Protocol):
    """Values that all replicas of a deployment share: a `ClusterStore`, or a fake in tests."""

    def read(self, key: str) -> bytes | None:
        """The value that was written, if any."""
        ...

    def write_first(self, key: str, value: bytes) -> bytes:
        """Writes a value unless there is one; returns the one that is there then."""
        ...

    def keep_only(self, key: str) -> None:
        """Deletes all other values."""
        ...


class Pins:
    """Loads one model of a deployment.

    Args:
        store: shared by the deployment's replicas.
        deploy: a text that is new each time the graph is built.
    """

    def __init__(self, store: Store, deploy: str) -> None:
        self._store = store
        self._deploy = deploy

    @classmethod
    def of_this_replica(cls, deploy: str, role: Role | Literal["candidate"]) -> Self:
        """Those of one model of the deployment whose replica this process is."""
        context = serve.get_replica_context()
        return cls(ClusterStore(f"pins/{context.app_name}/{context.deployment}/{role}"), deploy)

    def load(self, uri: str, user_config: Mapping[str, Any], cache_dir: Path, load: Callable[[Checkpoint], Model]) -> Model:
        """What `load` makes of the checkpoint that the first replica got for this URI under this `user_config`.

        Raises:
            CheckpointError: see `checkpoints.resolve`; or its source no longer has that state.
            Exception: raised by `load`. Then nothing is pinned, and the next try may find a state that is better.
        """
        key = hashlib.sha256(json.dumps([self._deploy, uri, dict(user_config)], sort_keys=True).encode()).hexdigest()
        if written := self._store.read(key):
            return load(_pinned(written, cache_dir))
        checkpoint = resolve(uri, cache_dir)
        model = load(checkpoint)
        pin = pin_of(checkpoint)
        if pin is None:
            return model
        ours = json.dumps([pin.uri, pin.revision]).encode()
        written = self._store.write_first(key, ours)
        # Whoever deploys an earlier user_config once more wants what its URI means by then.
        self._store.keep_only(key)
        return model if written == ours else load(_pinned(written, cache_dir))


def _pinned(written: bytes, cache_dir: Path) -> Checkpoint:
    pin = Pin(*json.loads(written))
    return resolve(pin.uri, cache_dir, pin.revision)
