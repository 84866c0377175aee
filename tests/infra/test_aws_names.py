"""Names, descriptions and tags have the alphabet and the length that each AWS service takes."""

from typing import Any

import pytest

from tests.infra.aws_names import faults
from tests.infra.conftest import Planned


def test_no_text_is_refused_by_its_service(aws: Planned, platform: Planned) -> None:
    """Planned with the longest name and region."""
    assert len(aws.resources) > 60
    assert faults(aws.resources | platform.resources) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_security_group", {"description": "Ray's head"}),
        ("aws_security_group", {"name": "sg-photos"}),
        ("aws_security_group", {"description": "x" * 256}),
        ("aws_vpc_security_group_egress_rule", {"description": "The pods' serve port"}),
        ("aws_iam_role", {"name": "x" * 65}),
        ("aws_iam_role", {"description": "an em dash \N{EM DASH} is no Latin-1"}),
        ("aws_iam_role_policy", {"name": "s3 and more"}),
        ("aws_lb", {"name": "internal-photos"}),
        ("aws_lb_target_group", {"name": "photos-of-all-the-people-in-here-"}),
        ("aws_s3_bucket", {"bucket": "Photos"}),
        ("aws_cloudwatch_log_group", {"name": "photos here"}),
        ("aws_ecr_repository", {"name": "photos--here"}),
        ("aws_elasticache_replication_group", {"replication_group_id": "photos--here"}),
        ("aws_cloudfront_function", {"comment": "x" * 129}),
        ("aws_wafv2_web_acl", {"description": "d'accord", "rule_json": "[]"}),
        ("aws_wafv2_web_acl", {"rule_json": '[{"Name": "a b", "VisibilityConfig": {"MetricName": "a"}}]'}),
        ("aws_vpc", {"tags": {"Name": "photos, all"}}),
        ("aws_vpc", {"tags": {"aws:Name": "photos"}}),
        ("aws_new_thing", {"name": "of which nobody has looked up the rule"}),
    ],
)
def test_what_a_service_refuses_is_found(kind: str, values: dict[str, Any]) -> None:
    assert len(faults({f"module.x.{kind}.this": values})) == 1
