"""Writes the overlay of one deployment: `terraform output -json` and an image in, a folder for `kubectl apply -k` out.

    terraform output -json | python3 k8s/configure.py --profile lean --image REPOSITORY@sha256:... build/k8s

It needs only Python and changes no tracked file. JSON is YAML, so kustomize reads its output.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

K8S = Path(__file__).resolve().parent
PROFILES = ("lean", "ha", "gpu")
ARCHITECTURES = ("amd64", "arm64")
TUNE = "tune"
IMAGE = re.compile(r"(?P<name>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")
SETTING = re.compile(r"[A-Z][A-Z0-9_]*=.*")


def kustomization(profile: str, image: str, outputs: dict[str, str], settings: list[str], base: str, architecture: str) -> dict[str, Any]:
    """The overlay.

    Args:
        profile: lean, ha, gpu, or tune for the job.
        image: REPOSITORY@sha256:DIGEST.
        outputs: of Terraform's root `aws`, by name.
        settings: NAME=VALUE for the pods (.env.example; for tune MANIFEST, RUN_DIR and its options).
        base: the overlay to build on, as a path relative to the output folder.
        architecture: of the image, and so of the machines.

    Raises:
        ValueError: an argument is malformed, or an output is missing.
    """
    found = IMAGE.fullmatch(image)
    if not found:
        raise ValueError(f"{image}: not REPOSITORY@sha256:DIGEST. A tag can come to mean another image")
    if wrong := [setting for setting in settings if not SETTING.fullmatch(setting)]:
        raise ValueError(f"{wrong[0]}: not NAME=VALUE")
    needed = [
        "region",
        "log_group",
        *([] if profile == TUNE else ["target_group_arn", "public_url"]),
        *(["valkey_address", "valkey_user"] if profile == "ha" else []),
    ]
    if missing := [name for name in needed if not outputs.get(name)]:
        raise ValueError(f"Terraform's outputs lack {', '.join(missing)}: was root aws applied with the profile {profile}?")
    kind, cluster = ("RayJob", "/spec/rayClusterSpec") if profile == TUNE else ("RayService", "/spec/rayClusterConfig")
    # While the node pools change over to another architecture, the old pods keep their machines rather than start where they cannot run.
    patches = [
        _patch(kind, "add", f"{cluster}/{group}/template/spec/nodeSelector/kubernetes.io~1arch", architecture)
        for group in ("headGroupSpec", "workerGroupSpecs/0")
    ]
    if profile != TUNE:
        patches.append(_patch("TargetGroupBinding", "replace", "/spec/targetGroupARN", outputs["target_group_arn"]))
    if profile == "ha":
        for field, name in (("redisAddress", "valkey_address"), ("redisUsername/value", "valkey_user")):
            patches.append(_patch(kind, "replace", f"{cluster}/gcsFaultToleranceOptions/{field}", outputs[name]))
    # On AWS the page has the API's own origin, so no other needs to call it.
    origins = [] if profile == TUNE else [f"ALLOWED_ORIGINS={outputs['public_url']}"]
    environment = {"name": TUNE if profile == TUNE else "environment", "behavior": "merge"}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "gender-presentation",
        "resources": [base],
        "images": [{"name": "gender-presentation", "newName": found["name"], "digest": found["digest"]}],
        "configMapGenerator": [
            environment | {"literals": [f"AWS_REGION={outputs['region']}", f"LOG_GROUP={outputs['log_group']}", *origins, *settings]}
        ],
        "patches": patches,
    }


def _patch(kind: str, operation: str, path: str, value: str) -> dict[str, Any]:
    return {"target": {"kind": kind}, "patch": json.dumps([{"op": operation, "path": path, "value": value}])}


def main(arguments: list[str] | None = None) -> int:
    """Reads the outputs from standard input and writes FOLDER/kustomization.yaml; returns the exit status."""
    parser = argparse.ArgumentParser(prog="k8s/configure.py", description="Writes the overlay of one deployment.")
    parser.add_argument("--profile", required=True, choices=[*PROFILES, TUNE])
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=ARCHITECTURES[0], help="of the image; default: %(default)s")
    parser.add_argument("--image", required=True, help="REPOSITORY@sha256:DIGEST")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the pods")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    overlay = K8S / TUNE if options.profile == TUNE else K8S / "overlays" / options.profile
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        outputs = {name: output["value"] for name, output in json.load(sys.stdin).items()}
        base = os.path.relpath(overlay, options.folder.resolve())
        written = kustomization(options.profile, options.image, outputs, options.set, base, options.architecture)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    (options.folder / "kustomization.yaml").write_text(json.dumps(written, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
