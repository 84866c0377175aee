"""`python -m cloud COMMAND`: what deploy.sh asks and computes. Needs only Python."""

import argparse
import json
import secrets
import sys
from pathlib import Path

from cloud import costs, plans, preflight, web


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud", description="What deploy.sh asks and computes.")
    commands = parser.add_subparsers(dest="command", required=True)
    output = commands.add_parser("output", help="the value of an output")
    output.add_argument("outputs", type=Path, metavar="FILE", help="what `terraform output -json` printed")
    output.add_argument("name")
    deleted = commands.add_parser("deleted", help="what a plan would delete")
    deleted.add_argument("plan", type=Path, metavar="FILE", help="what `terraform show -json` printed")
    cost = commands.add_parser("costs", help="what a plan of root aws costs, as a row of terraform/README.md")
    cost.add_argument("plan", type=Path, metavar="FILE", help="what `terraform show -json` printed")
    cost.add_argument("--profile", required=True, choices=sorted(costs.PROFILES))
    commands.add_parser("own-address", help="the public address of this machine")
    commands.add_parser("token", help="a new secret: Ray's token, Valkey's password")
    commands.add_parser("health", help="the answer of an address").add_argument("url")
    check = commands.add_parser("preflight", help="whether the account can take a deployment")
    check.add_argument("--profile", required=True, choices=sorted(preflight.NEEDS))
    check.add_argument("--name", required=True)
    forget = commands.add_parser("forget-probe", help="deletes the distribution that the preflight has made")
    for each in (check, forget):
        each.add_argument("--aws", default="aws", help="AWS' command line")
        each.add_argument("--probe", type=Path, required=True, metavar="FILE", help="where the distribution's id is kept")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "output":
            print(plans.output(json.loads(options.outputs.read_text()), options.name))
        case "deleted":
            for address in plans.deleted(json.loads(options.plan.read_text())):
                print(f"  {address}")
        case "costs":
            print(costs.table(options.profile, plans.resources(json.loads(options.plan.read_text()))))
        case "own-address":
            print(web.own_address())
        case "token":
            print(secrets.token_hex(32))
        case "health":
            print(web.health(options.url))
        case "preflight":
            found = preflight.check(preflight.Aws(options.aws), options.profile, options.name, options.probe)
            for fault in found:
                print(f"error: {fault}", file=sys.stderr)
            return 1 if found else 0
        case "forget-probe":
            if options.probe.exists() and preflight.forget_distribution(preflight.Aws(options.aws), options.probe.read_text()):
                options.probe.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
