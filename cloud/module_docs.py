"""`make module-docs`: the README of each Terraform module, in the form that terraform-docs gives it."""

import re
from pathlib import Path

TERRAFORM = Path(__file__).parents[1] / "terraform"
FOLDERS = sorted(path.parent for path in TERRAFORM.glob("modules/*/main.tf"))
_BLOCK = re.compile(r'^(resource|data|variable|output) "(\w+)"(?: "(\w+)")? \{(?:\}|\n(.*?)^\})', re.MULTILINE | re.DOTALL)
_KINDS = {"resource": "resource", "data": "data source"}


def readme(folder: Path) -> str:
    """The README of a module: what main.tf begins with, its resources, inputs and outputs."""
    text = "\n".join((folder / name).read_text() for name in ("main.tf", "variables.tf", "outputs.tf"))
    (purpose,) = re.findall(r"\A((?:#.*\n)+)", text)
    found = _BLOCK.findall(text)
    inputs, outputs = [each for each in found if each[0] == "variable"], [each for each in found if each[0] == "output"]
    lines = [
        f"# {folder.name}\n",
        *(line.removeprefix("#").strip() for line in purpose.splitlines()),
        "\n<!-- BEGIN_TF_DOCS -->\n## Resources\n",
        "| Name | Type |\n|------|------|",
        *sorted(f"| {_escaped(f'{type_}.{name}')} | {_KINDS[kind]} |" for kind, type_, name, _ in found if kind in _KINDS),
        "\n## Inputs\n",
        "| Name | Description | Type | Default | Required |\n|------|-------------|------|---------|:--------:|",
        *(_input(name, body) for _, name, _, body in sorted(inputs, key=lambda each: each[1])),
        "\n## Outputs\n",
        "| Name | Description |\n|------|-------------|",
        *(f"{_anchor('output', name)} | {_value(body, 'description')} |" for _, name, _, body in sorted(outputs, key=lambda each: each[1])),
        "<!-- END_TF_DOCS -->\n",
    ]
    return "\n".join(lines)


def _input(name: str, body: str) -> str:
    default = _value(body, "default")
    return (
        f"{_anchor('input', name)} | {_value(body, 'description')} | `{_value(body, 'type')}` |"
        f" {f'`{default}`' if default else 'n/a'} | {'no' if default else 'yes'} |"
    )


def _anchor(kind: str, name: str) -> str:
    return f'| <a name="{kind}_{name}"></a> [{_escaped(name)}](#{kind}\\_{_escaped(name)})'


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def _value(body: str, attribute: str) -> str:
    """An attribute's value as it is written; a description without its quotes, and empty where there is none."""
    found = re.search(rf"^  {attribute} += (.*)$", body, re.MULTILINE)
    value = found[1] if found else ""
    return value.strip('"').replace(r"\"", '"').replace("|", r"\|") if attribute == "description" else value


if __name__ == "__main__":
    for each in FOLDERS:
        (each / "README.md").write_text(readme(each))
