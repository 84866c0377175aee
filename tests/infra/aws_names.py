"""What each AWS service takes as names, descriptions and tags, from its API reference: the provider checks little of it before apply."""

import json
import re
from collections.abc import Iterator
from typing import Any

from cloud import plans

_EC2 = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}"  # no apostrophe
_BALANCER = r"(?!internal-)[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
_IAM = r"[\w+=,.@-]{1,64}"
_EDGE = r"[a-zA-Z0-9_-]{1,64}"
_PLAIN = r"[\x20-\x7e]{1,128}"
_CACHE = r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,38}[a-zA-Z0-9]"

# By type and attribute. A text without a rule is a fault: look up what its service takes.
RULES = {
    ("aws_security_group", "name"): r"(?!sg-)" + _EC2,
    ("aws_security_group", "description"): _EC2,
    ("aws_default_security_group", "description"): _EC2,
    ("aws_vpc_security_group_ingress_rule", "description"): _EC2,
    ("aws_vpc_security_group_egress_rule", "description"): _EC2,
    ("aws_lb", "name"): _BALANCER,
    ("aws_lb_target_group", "name"): _BALANCER,
    ("aws_iam_role", "name"): _IAM,
    ("aws_iam_role", "description"): r"[\t\n\r\x20-\x7e\xa1-\xff]{0,1000}",
    ("aws_iam_policy", "name"): r"[\w+=,.@-]{1,128}",
    ("aws_iam_role_policy", "name"): r"[\w+=,.@-]{1,128}",
    ("aws_s3_bucket", "bucket"): r"(?!xn--|sthree-)[a-z0-9][a-z0-9-]{1,61}(?<!-s3alias)[a-z0-9]",
    ("aws_cloudwatch_log_group", "name"): r"[.\-_/#A-Za-z0-9]{1,512}",
    ("aws_cloudwatch_metric_alarm", "alarm_name"): r"[^\x00-\x1f]{1,255}",
    ("aws_cloudwatch_metric_alarm", "alarm_description"): r".{0,1024}",
    ("aws_ecr_repository", "name"): r"(?=.{2,256}$)[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*",
    ("aws_eks_cluster", "name"): r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}",
    ("aws_eks_addon", "addon_name"): r"[a-z0-9-]{1,100}",
    ("aws_elasticache_replication_group", "replication_group_id"): _CACHE,
    ("aws_elasticache_replication_group", "description"): _PLAIN,
    ("aws_elasticache_subnet_group", "name"): r"[a-zA-Z0-9. _-]{1,255}",
    ("aws_elasticache_subnet_group", "description"): _PLAIN,
    ("aws_elasticache_user", "user_id"): _CACHE,
    ("aws_elasticache_user", "user_name"): r"[^ ]{1,120}",
    ("aws_elasticache_user_group", "user_group_id"): _CACHE,
    ("aws_cloudfront_distribution", "comment"): r".{0,128}",
    ("aws_cloudfront_function", "name"): _EDGE,
    ("aws_cloudfront_function", "comment"): r".{0,128}",
    ("aws_cloudfront_origin_access_control", "name"): _EDGE,
    ("aws_cloudfront_origin_access_control", "description"): r".{0,256}",
    ("aws_cloudfront_response_headers_policy", "name"): r"[\w-]{1,128}",
    ("aws_cloudfront_response_headers_policy", "comment"): r".{0,128}",
    ("aws_wafv2_web_acl", "name"): r"[\w-]{1,128}",
    ("aws_wafv2_web_acl", "description"): r"[\w+=:#@/\-,.][\w+=:#@/\-,.\s]{0,254}[\w+=:#@/\-,.]",
    ("aws_secretsmanager_secret", "name"): r"[a-zA-Z0-9/_+=.@-]{1,512}(?<!-.{6})",  # six characters at the end look like the ARN's own
    ("aws_secretsmanager_secret", "description"): r".{0,2048}",
    ("aws_sns_topic", "name"): r"[a-zA-Z0-9_-]{1,256}",
    ("aws_budgets_budget", "name"): r"[^:\\]{1,100}",
    ("aws_prometheus_workspace", "alias"): r".{1,100}",
    ("aws_prometheus_scraper", "alias"): r"[0-9A-Za-z][-.0-9A-Z_a-z]{0,99}",
    ("aws_route53_record", "name"): r"[a-zA-Z0-9._*-]{1,255}",
    ("helm_release", "name"): r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?",
    ("helm_release", "description"): r".*",
}
_WORDS = re.compile(
    r"name|description|alias|comment|addon_name|alarm_name|alarm_description|replication_group_id|user_id|user_name|user_group_id"
)
_TAG_KEY, _TAG_VALUE = r"(?!aws:)[\w .:/=+\-@]{1,128}", r"[\w .:/=+\-@]{0,256}"
_RULE_NAME = r"[\w-]{1,128}"


def faults(resources: dict[str, dict[str, Any]]) -> list[str]:
    """The texts of a plan that a service refuses, and those that no rule is known for.

    Args:
        resources: planned values by address.
    """
    found = []
    for address, values in resources.items():
        kind = plans.kind(address)
        if re.search(r"(^|\.)data\.", address):
            continue
        for name, text in values.items():
            if isinstance(text, str) and (_WORDS.fullmatch(name) or (kind, name) in RULES):
                found += _fault(address, kind, name, text)
        for key, text in (values.get("tags_all") or values.get("tags") or {}).items():
            if not re.fullmatch(_TAG_KEY, key) or not re.fullmatch(_TAG_VALUE, text or ""):
                found.append(f"{address}: tag {key}={text}")
        if kind == "aws_wafv2_web_acl":
            found += [f"{address}: rule {text}" for text in _names_of_rules(values) if not re.fullmatch(_RULE_NAME, text)]
    return found


def _fault(address: str, kind: str, name: str, text: str) -> list[str]:
    rule = RULES.get((kind, name))
    if rule is None:
        return [f"{address}: no rule for {name} of {kind}"]
    return [] if re.fullmatch(rule, text) else [f"{address}: {name} = {text}"]


def _names_of_rules(values: dict[str, Any]) -> Iterator[str]:
    for rule in json.loads(values["rule_json"]):
        yield rule["Name"]
        yield rule["VisibilityConfig"]["MetricName"]
