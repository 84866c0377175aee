"""The questions to an AWS account before a deployment, put to a command line that answers as AWS' does."""

import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud.__main__ import main
from cloud.preflight import (
    GPUS,
    HEADS,
    SPOT,
    SPOT_GPUS,
    Aws,
    check,
    forget_distribution,
    missing_permissions,
    missing_quotas,
    try_cloudfront,
)

ENOUGH = {HEADS: 32, SPOT: 32, GPUS: 8, SPOT_GPUS: 8}


class Account:
    """An account behind a program that answers from a file, and keeps what it was asked.

    Attributes:
        answers: by the beginning of the command; a text is an error.
    """

    def __init__(self, folder: Path) -> None:
        self._answers, self._asked = folder / "answers.json", folder / "asked"
        program = folder / "aws"
        program.write_text(
            f"#!{sys.executable}\nimport json, sys\nasked = ' '.join(sys.argv[1:])\n"
            f"open({str(self._asked)!r}, 'a').write(asked + chr(10))\n"
            f"answers = json.load(open({str(self._answers)!r}))\n"
            "found = next(value for key, value in answers.items() if key in asked)\n"
            "sys.exit(found) if isinstance(found, str) else print('' if found is None else json.dumps(found))\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        self.program = str(program)
        self.aws = Aws(self.program)
        self.answers: dict[str, Any] = {
            "sts get-caller-identity": {"Arn": "arn:aws:iam::123456789012:user/me", "Account": "123456789012"},
            "iam simulate-principal-policy": {"EvaluationResults": []},
            "cloudfront list-distributions": {"DistributionList": {"Quantity": 1}},
        }
        self.set_quotas(ENOUGH)

    def set_quotas(self, quotas: dict[str, int]) -> None:
        self.answers |= {f"--quota-code {code}": {"Quota": {"Value": value}} for code, value in quotas.items()}
        self.write()

    def write(self, **answers: Any) -> None:
        self.answers |= {name.replace("_", " ", 1).replace("_", "-"): value for name, value in answers.items()}
        self._answers.write_text(json.dumps(self.answers))

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines()


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


@pytest.mark.parametrize("profile", ["lean", "ha", "gpu"])
def test_an_account_with_room_lacks_nothing(account: Account, profile: str, tmp_path: Path) -> None:
    assert check(account.aws, profile, "photos", tmp_path / "probe") == []
    assert not (tmp_path / "probe").exists()


@pytest.mark.parametrize(
    ("profile", "quotas", "code"),
    [
        ("lean", {HEADS: 2}, HEADS),
        ("lean", {HEADS: 5, SPOT: 4}, SPOT),
        ("ha", {HEADS: 16, SPOT: 8}, SPOT),
        ("gpu", {GPUS: 0, SPOT_GPUS: 0}, GPUS),
    ],
)
def test_a_quota_that_is_too_small_is_named_with_the_command_that_raises_it(
    account: Account, profile: str, quotas: dict[str, int], code: str
) -> None:
    account.set_quotas(quotas)
    (found,) = missing_quotas(account.aws, profile)
    assert re.search(rf"request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value \d+$", found)


@pytest.mark.parametrize(("profile", "quotas"), [("ha", {HEADS: 20, SPOT: 0}), ("gpu", {GPUS: 0, SPOT_GPUS: 8}), ("lean", {GPUS: 0})])
def test_one_kind_of_machines_can_stand_in_for_the_other(account: Account, profile: str, quotas: dict[str, int]) -> None:
    account.set_quotas(quotas)
    assert list(missing_quotas(account.aws, profile)) == []


def test_what_the_deployer_may_not_do_is_named(account: Account) -> None:
    denied = {"EvaluationResults": [{"EvalActionName": "eks:CreateCluster", "EvalDecision": "implicitDeny"}]}
    account.write(iam_simulate_principal_policy=denied)
    assert set(missing_permissions(account.aws, "photos")) == {"eks:CreateCluster"}
    asked = [each for each in account.asked if "simulate" in each]
    assert any("arn:aws:iam::123456789012:role/photos-any" in each for each in asked)
    assert any("ContextKeyName=iam:PassedToService,ContextKeyValues=eks.amazonaws.com" in each for each in asked)
    assert not any("*" in each.partition("--action-names")[2] for each in asked)


def test_a_role_is_asked_for_by_its_own_name(account: Account) -> None:
    account.write(
        sts_get_caller_identity={"Arn": "arn:aws:sts::123456789012:assumed-role/Deploy/me", "Account": "123456789012"},
        iam_get_role={"Role": {"Arn": "arn:aws:iam::123456789012:role/sso/Deploy"}},
    )
    assert list(missing_permissions(account.aws, "photos")) == []
    assert any("--policy-source-arn arn:aws:iam::123456789012:role/sso/Deploy" in each for each in account.asked)


def test_the_root_user_may_do_everything(account: Account) -> None:
    account.write(sts_get_caller_identity={"Arn": "arn:aws:iam::123456789012:root", "Account": "123456789012"})
    assert list(missing_permissions(account.aws, "photos")) == []
    assert not any("simulate" in each for each in account.asked)


def test_questions_that_may_not_be_asked_stop_nothing(account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account.write(iam_simulate_principal_policy="AccessDenied")
    account.answers = {"service-quotas": "AccessDenied"} | account.answers
    account.write()
    assert check(account.aws, "lean", "photos", tmp_path / "probe") == []
    said = capsys.readouterr().out
    assert "permissions cannot be asked for" in said
    assert "quotas cannot be asked for" in said


def test_an_account_without_a_distribution_tries_one_and_forgets_it(account: Account, tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    account.write(cloudfront_list_distributions=None, cloudfront_create_distribution={"Distribution": {"Id": "E1"}})
    assert check(account.aws, "lean", "photos", probe) == []
    assert probe.read_text() == "E1"
    (made,) = [each for each in account.asked if "create-distribution" in each]
    assert '"Enabled": false' in made
    assert check(account.aws, "lean", "photos", probe) == []
    assert len([each for each in account.asked if "create-distribution" in each]) == 1  # it is not made twice

    account.write(cloudfront_get_distribution={"ETag": "v1"}, cloudfront_delete_distribution="PreconditionFailed: not deployed yet")
    assert not forget_distribution(account.aws, "E1")
    account.write(cloudfront_delete_distribution=None)
    assert main(["forget-probe", "--aws", account.program, "--probe", str(probe)]) == 0
    assert not probe.exists()
    account.write(cloudfront_get_distribution="NoSuchDistribution")
    assert forget_distribution(account.aws, "E1")


def test_an_account_that_must_be_verified_first_is_told_so(account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal = "AccessDenied: Your account must be verified before you can add or update CloudFront resources"
    account.write(cloudfront_list_distributions={"DistributionList": {"Quantity": 0}}, cloudfront_create_distribution=refusal)
    options = ["preflight", "--profile", "lean", "--name", "photos", "--aws", account.program, "--probe", str(tmp_path / "probe")]
    assert main(options) == 1
    assert "Ask AWS' support" in capsys.readouterr().err


def test_an_account_with_distributions_gets_no_other(account: Account) -> None:
    assert try_cloudfront(account.aws, "photos") is None
