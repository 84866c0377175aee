"""The fake API server, extended with EKS, KubeRay and its operator: `python kubernetes_api.py FAKE_API PORT STAGE`.

A RayService is ready as soon as it exists, unless STAGE has a file `never-ready`. Deleting a namespace deletes its contents.
"""

import re
import sys
from pathlib import Path
from typing import Any


def main(fake_api: Path, port: str, stage: Path) -> None:
    """Serves until the process is terminated."""
    *definitions, serve = fake_api.read_text().rstrip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(definitions), names)
    names["R"] |= {
        "eks.amazonaws.com/v1": [("targetgroupbindings", "TargetGroupBinding", True)],
        "karpenter.sh/v1": [("nodeclaims", "NodeClaim", False)],
        "monitoring.coreos.com/v1": [("podmonitors", "PodMonitor", True), ("prometheusrules", "PrometheusRule", True)],
    }
    for name in ("rayservices.ray.io", "rayjobs.ray.io", "rayclusters.ray.io", "podmonitors.monitoring.coreos.com"):
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}}
        names["DB"]["apiextensions.k8s.io/v1", "customresourcedefinitions", "", name] = definition
    operator = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kuberay-operator"}, "spec": {"replicas": 1}}
    names["DB"]["apps/v1", "deployments", "kuberay-operator", "kuberay-operator"] = operator
    handler, answer = names["H"], names["H"].out

    def out(self: Any, code: int, body: dict[str, Any]) -> None:
        if body.get("kind") == "RayService":
            ready = "False" if (stage / "never-ready").exists() else "True"
            body["metadata"]["generation"] = 1
            reason = "ValidationFailed" if (stage / "refused").exists() else "Initializing"
            body["status"] = {
                "observedGeneration": 1,
                "conditions": [
                    {"type": "Ready", "status": ready, "reason": reason, "message": reason},
                    {"type": "UpgradeInProgress", "status": "False"},
                    {"type": "Suspended", "status": str(body.get("spec", {}).get("suspend", False))},
                ],
            }
        answer(self, code, body)

    def delete(self: Any) -> None:
        # The fake server leaves the body unread when the object is missing; it would be parsed as the next request.
        content = handler.body(self)
        self.body = lambda: content
        self.do("DELETE")
        del self.body
        if found := re.fullmatch(r"/api/v1/namespaces/([\w-]+)", self.path.partition("?")[0]):
            for key in [key for key in names["DB"] if key[2] == found[1]]:
                del names["DB"][key]

    handler.out, handler.do_DELETE = out, delete
    sys.argv = [str(fake_api), port]
    exec(serve, names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
