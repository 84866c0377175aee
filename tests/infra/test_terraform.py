"""Terraform's roots and modules are valid, their tests pass, and each change that makes the deployment less safe fails a test.

All mutations of a module are tested in one run, because starting providers takes most of the time; each has its own message.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.module_docs import FOLDERS, readme
from serve_app.graph.haproxy import CONTROL_HEADERS
from tests.infra.conftest import Verdicts
from tests.infra.mutations import MUTATIONS
from tests.support.terraform import MODULES, ROOTS, SOURCES, terraform


@pytest.mark.parametrize("folder", [*ROOTS, *MODULES])
def test_it_is_valid_and_its_tests_pass(folder: str, verdicts: Verdicts) -> None:
    assert verdicts[folder].result() == set()


@pytest.mark.parametrize("change", range(len(MUTATIONS)), ids=[folder for folder, _ in MUTATIONS])
def test_each_change_that_makes_it_less_safe_is_found(change: int, verdicts: Verdicts) -> None:
    _, mutations = MUTATIONS[change]
    assert {mutation.complaint for mutation in mutations} - verdicts[change].result() == set()


def test_it_is_formatted(environment: dict[str, str]) -> None:
    assert terraform(SOURCES, "fmt", "-check", "-recursive", environment=environment).stdout == ""


@pytest.mark.parametrize("folder", [*ROOTS, *MODULES])
def test_it_has_the_usual_files(folder: str) -> None:
    assert {"main.tf", "outputs.tf", "variables.tf", "versions.tf"} == {file.name for file in (SOURCES / folder).glob("*.tf")}


@pytest.mark.parametrize("folder", [*ROOTS, *MODULES])
def test_variables_and_outputs_say_what_they_are(folder: str) -> None:
    for block in re.split(r"^(?=variable )", (SOURCES / folder / "variables.tf").read_text(), flags=re.MULTILINE)[1:]:
        assert re.search(r"^  description = ", block, re.MULTILINE), block
        assert re.search(r"^  type        = ", block, re.MULTILINE), block
    for block in re.split(r"^(?=output )", (SOURCES / folder / "outputs.tf").read_text(), flags=re.MULTILINE)[1:]:
        assert re.search(r"^  description = ", block, re.MULTILINE), block


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_readme_of_a_module_is_what_make_module_docs_would_write(folder: Path) -> None:
    assert (folder / "README.md").read_text() == readme(folder), "run `make module-docs`"


def test_the_readme_of_a_module_has_all_that_it_takes_and_gives(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        '# What it is.\n# And more.\n\nresource "aws_s3_bucket" "this" {\n}\n\ndata "aws_partition" "here" {}\n'
    )
    variables = 'variable "b_name" {\n  description = "Of \\"it\\", a|b."\n  type        = string\n}\n'
    (tmp_path / "variables.tf").write_text(
        variables + 'variable "a" {\n  description = "A."\n  type        = bool\n  default     = false\n}\n'
    )
    (tmp_path / "outputs.tf").write_text('output "arn" {\n  description = "Its ARN."\n  value       = 1\n}\n')
    text = readme(tmp_path)
    assert "What it is.\nAnd more.\n" in text
    assert "| aws\\_partition.here | data source |\n| aws\\_s3\\_bucket.this | resource |" in text
    assert '| <a name="input_b_name"></a> [b\\_name](#input\\_b\\_name) | Of "it", a\\|b. | `string` | n/a | yes |' in text
    assert text.index("input_a") < text.index("input_b_name")
    assert "[a](#input\\_a) | A. | `bool` | `false` | no |" in text
    assert '| <a name="output_arn"></a> [arn](#output\\_arn) | Its ARN. |' in text


@pytest.mark.parametrize("root", ["aws", "platform"])
def test_the_state_is_encrypted_and_locked(root: str) -> None:
    (backend,) = re.findall(r'backend "s3" \{(.*?)\n  \}', (SOURCES / root / "versions.tf").read_text(), re.DOTALL)
    assert dict(re.findall(r"(\w+) += (\S+)", backend)) == {"key": f'"{root}.tfstate"', "encrypt": "true", "use_lockfile": "true"}


def test_the_outputs_are_those_that_the_manifests_and_deploy_sh_take() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', (SOURCES / "aws" / "outputs.tf").read_text(), re.MULTILINE))
    assert outputs == {
        "cluster_name", "region", "image_repository_url", "models_bucket", "data_bucket", "page_bucket", "distribution_id", "public_url",
        "target_group_arn", "service_namespace", "serve_service_account", "tune_service_account", "ray_token_secret_arn", "valkey_address",
        "valkey_user", "valkey_secret_arn", "prometheus_workspace_endpoint", "log_group",
    }  # fmt: skip


def call_edge_function(name: str, request: str) -> str:
    """Runs a CloudFront function in Node; returns the rewritten request as JSON."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    code = (SOURCES / "modules" / "edge" / name).read_text().replace("${prefix}", "/api")
    script = f"{code}\nconsole.log(JSON.stringify(handler({{request: {request}}})));"
    return subprocess.run(["node", "--eval", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_edge_strips_the_prefix_and_what_controls_ray() -> None:
    names = [*CONTROL_HEADERS, *(name.replace("-", "_") for name in CONTROL_HEADERS), "accept"]
    headers = json.dumps({name: {"value": "*/*"} for name in names})
    got = call_edge_function("service.js", f'{{uri: "/api/predict", headers: {headers}}}')
    assert got == '{"uri":"/predict","headers":{"accept":{"value":"*/*"}}}'


@pytest.mark.parametrize(
    ("asked", "given"), [("/", "/index.html"), ("/gallery/3", "/index.html"), ("/assets/index-1.js", "/assets/index-1.js")]
)
def test_the_edge_opens_the_page_at_its_deep_links(asked: str, given: str) -> None:
    assert call_edge_function("page.js", f'{{uri: "{asked}"}}') == f'{{"uri":"{given}"}}'
