"""What checkov finds in terraform/ and we leave, as reviewed: by check, the reason and the resources that it is left for."""

REVIEWED: dict[str, tuple[str, set[str]]] = {
    "CKV2_AWS_11": (
        "flow logs cost per GB and would list people's addresses; the cluster's audit log says who did what",
        {"module.network.aws_vpc.this"},
    ),
    "CKV2_AWS_20": (
        "no redirect: CloudFront redirects pages and refuses the API over http; behind it the hop is plain on purpose",
        {"module.load_balancer.aws_lb.this"},
    ),
    "CKV2_AWS_31": (
        "the firewall's log would list people's addresses; its metrics count each rule",
        {"module.firewall.aws_wafv2_web_acl.this"},
    ),
    "CKV2_AWS_47": (
        "checkov does not read rule_json: KnownBadInputs is there, and counts",
        {"module.edge.aws_cloudfront_distribution.this"},
    ),
    "CKV2_AWS_57": (
        "no rotation by itself: Ray's token and Valkey's password are read when a head starts. terraform/README.md says how to change them",
        {"aws_secretsmanager_secret.ray_token", "module.valkey.aws_secretsmanager_secret.password"},
    ),
    "CKV2_AWS_62": (
        "nobody waits for events of a bucket",
        {
            "module.data.aws_s3_bucket.this",
            "module.models.aws_s3_bucket.this",
            "module.page.aws_s3_bucket.this",
            "module.state.aws_s3_bucket.this",
        },
    ),
    "CKV_AWS_103": (
        "CloudFront accepts only public certificates from an origin, so the hop inside AWS' network is plain",
        {"module.load_balancer.aws_lb_listener.http"},
    ),
    "CKV_AWS_136": (
        "no customer-managed keys: another cost and policy for each (security checklist)",
        {"module.registry.aws_ecr_repository.this"},
    ),
    "CKV_AWS_144": (
        "one region (security checklist); versions bring back what is deleted",
        {
            "module.data.aws_s3_bucket.this",
            "module.models.aws_s3_bucket.this",
            "module.page.aws_s3_bucket.this",
            "module.state.aws_s3_bucket.this",
        },
    ),
    "CKV_AWS_145": (
        "no customer-managed keys: CloudFront and the pods would need them, too; SSE-S3 encrypts",
        {
            "module.data.aws_s3_bucket.this",
            "module.models.aws_s3_bucket.this",
            "module.page.aws_s3_bucket.this",
            "module.state.aws_s3_bucket.this",
        },
    ),
    "CKV_AWS_149": (
        "no customer-managed keys",
        {"aws_secretsmanager_secret.ray_token", "module.valkey.aws_secretsmanager_secret.password"},
    ),
    "CKV_AWS_150": (
        "it holds nothing, and deploy.sh asks before it replaces or deletes it",
        {"module.load_balancer.aws_lb.this"},
    ),
    "CKV_AWS_158": (
        "no customer-managed keys; log groups are encrypted all the same",
        {"aws_cloudwatch_log_group.pods", "module.cluster.aws_cloudwatch_log_group.control_plane"},
    ),
    "CKV_AWS_174": (
        "CloudFront's own certificate fixes TLSv1 as the minimum; with an own domain it is TLSv1.2_2021",
        {"module.edge.aws_cloudfront_distribution.this"},
    ),
    "CKV_AWS_175": (
        "checkov does not read rule_json",
        {"module.firewall.aws_wafv2_web_acl.this"},
    ),
    "CKV_AWS_18": (
        "access logs would list people's addresses, and none is public",
        {
            "module.data.aws_s3_bucket.this",
            "module.models.aws_s3_bucket.this",
            "module.page.aws_s3_bucket.this",
            "module.state.aws_s3_bucket.this",
        },
    ),
    "CKV_AWS_191": (
        "no customer-managed keys; encrypted at rest with AWS' own",
        {"module.valkey.aws_elasticache_replication_group.this"},
    ),
    "CKV_AWS_192": (
        "checkov does not read rule_json; nothing behind it runs Java",
        {"module.firewall.aws_wafv2_web_acl.this"},
    ),
    "CKV_AWS_2": (
        "as CKV_AWS_103",
        {"module.load_balancer.aws_lb_listener.http"},
    ),
    "CKV_AWS_259": (
        "a year, without subdomains and preloading: the other hosts of an own domain are not ours to decide for",
        {"module.edge.aws_cloudfront_response_headers_policy.page", "module.edge.aws_cloudfront_response_headers_policy.service"},
    ),
    "CKV_AWS_26": (
        "with SNS' own key CloudWatch and Budgets could not publish, and there is no secret in an alarm",
        {"module.alarms.aws_sns_topic.this"},
    ),
    "CKV_AWS_260": (
        "not from everywhere: the source is CloudFront's prefix list, which checkov does not read",
        {"module.load_balancer.aws_vpc_security_group_ingress_rule.cloudfront"},
    ),
    "CKV_AWS_310": (
        "an origin has no twin to fail over to: one region",
        {"module.edge.aws_cloudfront_distribution.this"},
    ),
    "CKV_AWS_338": (
        "log_retention_days, 30 by default: photos' request ids are kept no longer than they help",
        {"aws_cloudwatch_log_group.pods", "module.cluster.aws_cloudwatch_log_group.control_plane"},
    ),
    "CKV_AWS_37": (
        "audit and authenticator say who did what; the other three cost by the GB and help AWS, who runs the control plane",
        {"module.cluster.aws_eks_cluster.this"},
    ),
    "CKV_AWS_374": (
        "the service is for any country",
        {"module.edge.aws_cloudfront_distribution.this"},
    ),
    "CKV_AWS_378": (
        "as CKV_AWS_103",
        {"module.load_balancer.aws_lb_target_group.serve"},
    ),
    "CKV_AWS_38": (
        "not to everyone: api_access_cidrs, whose validation refuses blocks wider than /8",
        {"module.cluster.aws_eks_cluster.this"},
    ),
    "CKV_AWS_39": (
        "whoever deploys comes from outside of the VPC, from named addresses",
        {"module.cluster.aws_eks_cluster.this"},
    ),
    "CKV_AWS_394": (
        "`zones` pins them where that is wanted, and deploy.sh asks before a zone's subnets would be replaced",
        {"aws_availability_zones.here"},
    ),
    "CKV_AWS_58": (
        "EKS encrypts all that its API stores, from Kubernetes 1.28 on, with a key of AWS'",
        {"module.cluster.aws_eks_cluster.this"},
    ),
    "CKV_AWS_86": (
        "access logs would list people's addresses (security checklist)",
        {"module.edge.aws_cloudfront_distribution.this"},
    ),
    "CKV_AWS_91": (
        "access logs would list people's addresses (security checklist)",
        {"module.load_balancer.aws_lb.this"},
    ),
}
