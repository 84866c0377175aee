"""`make manifests`: generates the parts of the manifests that come from elsewhere, so that each fact has one source.

    serve_config.yaml                   -> base/serve-config.yaml
    serve_config.yaml + sizes.yaml      -> overlays/NAME/serve-config.yaml
    serve_app.graph.ray_internals       -> base/environment.env
    monitoring/prometheus-rule.yaml     -> monitoring/compose/rules.yaml, for a Prometheus without an operator

kustomize cannot patch inside serveConfigV2, which is a string. So `sizes.yaml` of an overlay lists what differs from serve_config.yaml.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from serve_app.graph.ray_internals import IN_PODS

K8S = Path(__file__).parent
CONFIG = K8S.parent / "serve_config.yaml"
RAYSERVICE = "gender-presentation"
WRITTEN = "# Written by `make manifests`.\n"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Bounds(_Strict):
    """Part of an autoscaling_config."""

    min_replicas: int
    max_replicas: int
    downscale_to_zero_delay_s: float | None = None


class UserConfig(_Strict):
    """Which model to load. How it decides belongs to its checkpoint."""

    model_uri: str


class DeploymentSize(_Strict):
    """The size of one deployment."""

    autoscaling_config: Bounds
    ray_actor_options: dict[str, Any]
    max_replicas_per_node: int | None = None
    user_config: UserConfig | None = None


class Sizes(_Strict):
    """All that an overlay may change of serve_config.yaml: arguments that depend on the cores, replicas, resources and model URIs."""

    args: dict[str, dict[str, int]] = {}
    deployments: dict[str, DeploymentSize]


def serve_config(sizes: Sizes | None = None) -> dict[str, Any]:
    """serve_config.yaml for the pods.

    Raises:
        ValueError: the sizes name an unknown deployment.
    """
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["http_options"]["host"] = "0.0.0.0"  # noqa: S104 - of the pod; network-policies.yaml says who reaches it
    (application,) = config["applications"]
    if sizes is None:
        return config
    changes = sizes.model_dump(exclude_unset=True)
    _merge(application["args"], changes.get("args", {}))
    deployments = {each["name"]: each for each in application["deployments"]}
    if unknown := changes["deployments"].keys() - deployments.keys():
        raise ValueError(f"no such deployment: {', '.join(sorted(unknown))}")
    _merge(deployments, changes["deployments"])
    return config


def overlays() -> list[Path]:
    """The folders of the overlays."""
    return sorted(path.parent for path in K8S.glob("overlays/*/kustomization.yaml"))


def manifests() -> dict[Path, str]:
    """The text of each generated file, by path."""
    files = {
        K8S / "base" / "serve-config.yaml": _patch(serve_config()),
        K8S / "base" / "environment.env": WRITTEN + "".join(f"{name}={value}\n" for name, value in sorted(IN_PODS.items())),
    }
    rules = yaml.safe_load((K8S / "monitoring" / "prometheus-rule.yaml").read_text())["spec"]
    files[K8S / "monitoring" / "compose" / "rules.yaml"] = WRITTEN + yaml.safe_dump(rules, sort_keys=False, width=1000)
    for folder in overlays():
        if (sizes := folder / "sizes.yaml").exists():
            files[folder / "serve-config.yaml"] = _patch(serve_config(Sizes.model_validate(yaml.safe_load(sizes.read_text()))))
    return files


def _merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


class _Block(str):
    """A string to be dumped as a YAML block."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|"))


def _patch(config: dict[str, Any]) -> str:
    text = _Block(yaml.safe_dump(config, sort_keys=False))
    patch = {"apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": RAYSERVICE}, "spec": {"serveConfigV2": text}}
    return WRITTEN + yaml.dump(patch, Dumper=_Dumper, sort_keys=False)


if __name__ == "__main__":
    for path, text in manifests().items():
        path.write_text(text)
