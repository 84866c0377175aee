"""Writes .env.example from the settings: `python -m serve_app.commands.env_example > .env.example`."""

from pathlib import Path

from serve_app.settings import Settings

_CHECKOUT = Path(__file__).parents[2]

_HEAD = """\
# Settings, each with its default. Copy this file to .env and uncomment those to change.
# Environment variables override .env. Made by `make env-example` from serve_app/settings.py.
"""

# Read by boto3, for s3:// models and everything else on AWS.
AWS = {
    "AWS_REGION": "Region of the buckets",
    "AWS_PROFILE": "Profile in ~/.aws; or set the two keys below; or neither, if the machine has a role",
    "AWS_ACCESS_KEY_ID": "Access key ID",
    "AWS_SECRET_ACCESS_KEY": "Secret access key",
    "AWS_ENDPOINT_URL": "Endpoint of an S3-compatible store",
}


def render() -> str:
    """The text of .env.example: every setting and the AWS_* variables, commented out."""
    lines = [_HEAD]
    for name, field in Settings.model_fields.items():
        lines.append(f"# {field.description}\n#{name.upper()}={_as_text(field.default)}\n")
    lines.append("# --- read by boto3 ---\n")
    lines += [f"# {description}\n#{name}=\n" for name, description in AWS.items()]
    return "\n".join(lines)


def _as_text(default: object) -> str:
    """A default as an environment variable; paths in the checkout become relative to it."""
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case list() | tuple():
            return ",".join(default)
        case _:
            return str(default).removeprefix(f"{_CHECKOUT}/")


if __name__ == "__main__":
    print(render(), end="")
