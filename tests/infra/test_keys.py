"""API keys in the cluster: what k8s/README.md tells people to make is what the pods mount."""

import re
from pathlib import PurePosixPath

import pytest
import yaml

from serve_app.settings import Settings
from tests.infra.manifests import K8S, OVERLAYS, groups, ray_cluster, render

(SECTION,) = re.findall(r"\*\*API keys\.\*\*.*?(?=\n\*\*)", (K8S / "README.md").read_text(encoding="utf-8"), re.DOTALL)
(FILE,) = re.findall(r"--set API_KEYS_FILE=(\S+?)`", SECTION)
(EXTERNAL,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL))


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_secret_is_mounted_where_the_setting_looks_for_it(name: str) -> None:
    """On heads and workers, and only where there is one: without the setting the service asks for no keys."""
    assert "api_keys_file" in Settings.model_fields
    folder, key = PurePosixPath(FILE).parent, PurePosixPath(FILE).name
    for group in groups(ray_cluster(render(K8S / "overlays" / name))):
        pod = group["template"]["spec"]
        (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["mountPath"] == str(folder)]
        assert mount["readOnly"]
        (secret,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == mount["name"]]
        assert secret["optional"]
        assert f"create secret generic {secret['secretName']} --from-file={key}=" in SECTION
        assert EXTERNAL["spec"]["target"]["name"] == secret["secretName"]
        assert [each["secretKey"] for each in EXTERNAL["spec"]["data"]] == [key]
