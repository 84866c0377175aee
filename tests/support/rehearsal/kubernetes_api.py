"""The fake API server with what EKS and KubeRay add, and an operator: `python kubernetes_api.py FAKE_API PORT STAGE`.

A RayService is ready as soon as it is there, unless STAGE has a file `never-ready`.
"""

import sys
from pathlib import Path
from typing import Any


def main(fake_api: Path, port: str, stage: Path) -> None:
    """Serves until it is ended."""
    *definitions, serve = fake_api.read_text().rstrip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(definitions), names)
    names["R"] |= {
        "eks.amazonaws.com/v1": [("targetgroupbindings", "TargetGroupBinding", True)],
        "karpenter.sh/v1": [("nodeclaims", "NodeClaim", False)],
    }
    handler, answer = names["H"], names["H"].out

    def out(self: Any, code: int, body: dict[str, Any]) -> None:
        if body.get("kind") == "RayService":
            ready = "False" if (stage / "never-ready").exists() else "True"
            body["metadata"]["generation"] = 1
            body["status"] = {
                "observedGeneration": 1,
                "conditions": [{"type": "Ready", "status": ready, "message": ""}, {"type": "UpgradeInProgress", "status": "False"}],
            }
        answer(self, code, body)

    handler.out = out
    sys.argv = [str(fake_api), port]
    exec(serve, names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
