"""Changes that make the deployment less safe, and the failure that the Terraform modules' tests report for each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A change that makes the deployment less safe, and the failure that the module's tests report."""

    old: str
    new: str
    complaint: str
    file: str = "main.tf"


MUTATIONS = [
    (
        "modules/bucket",
        [
            Mutation("block_public_policy     = true", "block_public_policy     = false", "public access is blocked in all four ways"),
            Mutation("BucketOwnerEnforced", "ObjectWriter", "no ACL can open an object"),
            Mutation('sse_algorithm = "AES256"', 'sse_algorithm = "none"', "what is stored is encrypted"),
            Mutation(
                '    status = "Enabled"\n  }\n}\n\nresource "aws_s3_bucket_life',
                '    status = "Suspended"\n  }\n}\n\nresource "aws_s3_bucket_life',
                "what is replaced can be brought back",
            ),
            Mutation(
                "default     = false", "default     = true", "a bucket that is not empty stays, unless told otherwise", file="variables.tf"
            ),
            Mutation('"aws:SecureTransport" = "false"', '"aws:SecureTransport" = "true"', "only over TLS"),
            Mutation('"s3:TlsVersion" = "1.2"', '"s3:TlsVersion" = "1.0"', "no old TLS"),
            Mutation('Action    = "s3:GetObject"', 'Action    = "s3:*"', "that distribution reads objects, and nobody does anything else"),
        ],
    ),
    (
        "modules/bucket",
        [
            Mutation("for arn in var.reader_distribution_arns", 'for arn in ["*"]', "with no distribution the policy allows nobody"),
        ],
    ),
    (
        "modules/network",
        [
            Mutation(
                "egress  = []",
                'egress = [{ protocol = "-1", cidr_blocks = ["0.0.0.0/0"], from_port = 0, to_port = 0 }]',
                "the default security group lets nothing in or out",
            ),
            Mutation("map_public_ip_on_launch = false", "map_public_ip_on_launch = true", "nothing gets a public address by itself"),
            Mutation(
                "nat_gateway_id         =",
                "gateway_id = aws_internet_gateway.this.id\n  nat_gateway_id =",
                "private subnets go out by NAT, and nothing comes in",
            ),
        ],
    ),
    (
        "modules/cluster",
        [
            Mutation(
                "public_access_cidrs     = var.api_access_cidrs",
                'public_access_cidrs     = ["0.0.0.0/0"]',
                "the API is reached from the named addresses only",
            ),
            Mutation("endpoint_private_access = true", "endpoint_private_access = false", "nodes reach the API inside the VPC"),
            Mutation('"API"', '"API_AND_CONFIG_MAP"', "who gets in is IAM's alone to say"),
            Mutation('["audit", "authenticator"]', '["authenticator"]', "who did what is logged"),
            Mutation('"AmazonEKSWorkerNodeMinimalPolicy"', '"AdministratorAccess"', "a node may join and pull images, and nothing else"),
            Mutation("    enabled       = true", "    enabled       = false", "the four switches of Auto Mode agree"),
            Mutation("[1]) >= 8", "[1]) >= 0", "the_whole_internet: Missing expected failure", file="variables.tf"),
        ],
    ),
    (
        "modules/registry",
        [
            Mutation('"IMMUTABLE"', '"MUTABLE"', "a tag always means what it meant"),
            Mutation("scan_on_push = true", "scan_on_push = false", "images are scanned"),
            Mutation('["deployed-"]', '["latest-"]', "no build pushes out what is deployed"),
        ],
    ),
    (
        "modules/load-balancer",
        [
            Mutation("internal                   = true", "internal                   = false", "the load balancer has no public address"),
            Mutation('description       = "CloudFront"', 'cidr_ipv4 = "0.0.0.0/0"', "no block of addresses may come in"),
            Mutation("com.amazonaws.global.cloudfront.origin-facing", "com.amazonaws.global.groundstation", "CloudFront alone comes in"),
            Mutation(
                'from_port                    = var.serve_port\n  to_port                      = var.serve_port\n}\n\nresource "aws_lb"',
                'from_port                    = 0\n  to_port                      = 65535\n}\n\nresource "aws_lb"',
                "the load balancer reaches the serve port, and no other of the pods",
            ),
            Mutation(
                'description                  = "Serve port of the pods"',
                'cidr_ipv4 = "0.0.0.0/0"',
                "the load balancer reaches the pods, and nothing else",
            ),
            Mutation("drop_invalid_header_fields = true", "drop_invalid_header_fields = false", "malformed headers are dropped"),
            Mutation('"eks:eks-cluster-name"', '"cluster"', "pods_can_join: Invalid index"),
        ],
    ),
    (
        "modules/firewall",
        [
            Mutation(
                'AggregateKeyType    = "IP"',
                'AggregateKeyType    = "CONSTANT"',
                "one address may ask the API so often, and is then told when to come back",
            ),
            Mutation("SampledRequestsEnabled = false", "SampledRequestsEnabled = true", "no request is kept as a sample"),
            Mutation('["SizeRestrictions_BODY", ', "[", "rules that judge a photo as text only count"),
            Mutation('"CLOUDFRONT"', '"REGIONAL"', "it is one for CloudFront"),
            Mutation(
                "{ Count = {} }\n      VisibilityConfig",
                "{ None = {} }\n      VisibilityConfig",
                "known bad inputs are counted and stop nobody",
            ),
            Mutation('= "overloaded"\n      request_id', '= "blocked"\n      request_id', "the refusal is in the API's own words"),
        ],
    ),
    (
        "modules/edge",
        [
            Mutation('"https-only"', '"allow-all"', "no photo comes in the clear"),
            Mutation('"redirect-to-https"', '"allow-all"', "the page is had by https"),
            Mutation("access_control_max_age_sec = 31536000", "access_control_max_age_sec = 0", "browsers stay with https"),
            Mutation(
                'signing_behavior                  = "always"',
                'signing_behavior                  = "never"',
                "the page's bucket is asked with a signature",
            ),
            Mutation(
                "vpc_origin_id            = aws_cloudfront_vpc_origin.service.id",
                'vpc_origin_id            = "another"',
                "the service is asked inside the VPC",
            ),
            Mutation("web_acl_id          = var.web_acl_arn", "web_acl_id          = null", "the firewall is asked first"),
            Mutation(
                "cache_policy_id            = local.caching_disabled",
                "cache_policy_id            = local.caching_optimized",
                "no answer about a photo is cached",
            ),
            Mutation(
                "  restrictions {", "  custom_error_response {\n    error_code = 404\n  }\n  restrictions {", "the API's 404 stays one"
            ),
            Mutation(
                "function_arn = aws_cloudfront_function.service.arn",
                "function_arn = aws_cloudfront_function.page.arn",
                "the API's function is the API's",
            ),
            Mutation("TLSv1.2_2021", "TLSv1", "an own domain takes no old TLS"),
        ],
    ),
    (
        "modules/pod-role",
        [
            Mutation(
                'AbortMultipartUpload"]\n        Resource = "${place.bucket_arn}/${place.prefix}*"',
                'AbortMultipartUpload"]\n        Resource = "${place.bucket_arn}/*"',
                "writes go under the named prefix only",
            ),
            Mutation('"s3:DeleteObject"', '"s3:Delete*"', "every action is named"),
            Mutation(
                'Action   = "s3:GetObject"\n        Resource = "${place.bucket_arn}/${place.prefix}*"',
                'Action   = "s3:GetObject"\n        Resource = "${place.bucket_arn}/*"',
                "reads go under the named prefixes only",
            ),
            Mutation('"s3:prefix"', '"s3:delimiter"', "lists go under a prefix"),
            Mutation('"pods.eks.amazonaws.com"', '"ec2.amazonaws.com"', "the role is for pods alone"),
            Mutation("service_account = var.service_account", 'service_account = "default"', "the role is for one service account"),
            Mutation('endswith(place.prefix, "/")])', "true])", "writing_anywhere: Missing expected failure", file="variables.tf"),
        ],
    ),
    (
        "modules/workflow-role",
        [
            Mutation(":environment:${environment}", ":*", "one repository's approved environments, and nobody else"),
            Mutation("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", ".*", "every_repository: Missing expected failure", file="variables.tf"),
        ],
    ),
    (
        "modules/valkey",
        [
            Mutation(
                'transit_encryption_mode    = "required"', 'transit_encryption_mode    = "preferred"', "encrypted on the way and at rest"
            ),
            Mutation('description                  = "Pods of the cluster"', 'cidr_ipv4 = "0.0.0.0/0"', "the pods alone get in"),
            Mutation(
                "user_group_ids             = [aws_elasticache_user_group.this.user_group_id]",
                "",
                "one user gets in, and Valkey's own does not",
            ),
            Mutation('type = "iam"', 'type = "no-password-required"', "no password is in the state, and without one nobody gets in"),
        ],
    ),
    (
        "modules/alarms",
        [
            Mutation("alarm_actions       = [aws_sns_topic.this.arn]", "alarm_actions       = []", "alarms reach the topic"),
            Mutation('100 = "ACTUAL", ', "", "a budget that is spent is an alarm"),
            Mutation("= var.account_id }", '= "*" }', "nobody else publishes"),
        ],
    ),
    (
        "platform",
        [
            Mutation(' || var.profile != "gpu"', " || true", "graviton_with_gpus: Missing expected failure", file="variables.tf"),
            Mutation("limits     = { cpu = tostring(pool.limit) }", "limits     = {}", "each pool has a limit"),
            Mutation(
                '"enable-network-policy-controller" = "true"',
                '"enable-network-policy-controller" = "false"',
                "network policies are enforced",
            ),
            Mutation(
                'expireAfter            = "480h"',
                'expireAfter            = "504h"',
                "machines are replaced on purpose, with time to become free",
            ),
            Mutation(
                'consolidationPolicy = "WhenEmpty", consolidateAfter = "5m", budgets',
                'consolidationPolicy = "WhenEmptyOrUnderutilized", consolidateAfter = "5m", budgets',
                "only Ray's autoscaler decides how many workers there are",
            ),
            Mutation("take_ownership = true", "take_ownership = false", "a ConfigMap that EKS has made is taken over"),
            Mutation('capacity   = ["on-demand"]', 'capacity   = ["spot"]', "no head is on a machine that may be taken away"),
            Mutation(
                'nodeSelector   = { "karpenter.sh/nodepool" = local.gpu.name }',
                "nodeSelector   = {}",
                "every machine with a GPU, and no other, is asked what its GPU does",
            ),
            Mutation(
                '"auth.basic"     = { enabled = false }',
                '"auth.basic"     = { enabled = true }',
                "nobody logs in with the chart's own password",
            ),
            Mutation(
                'searchNamespace = "ALL"',
                'searchNamespace = "monitoring"',
                "the service's monitors, rules and dashboard are found in its namespace",
            ),
            Mutation("values = [var.architecture]", 'values = ["amd64"]', "every machine can run the image"),
            Mutation('effect = "NoSchedule"', 'effect = "PreferNoSchedule"', "only what asks for a GPU lands on one"),
        ],
    ),
    (
        "aws",
        [
            Mutation('prefix = "models/" }]\n}', 'prefix = "" }]\n}', "who serves reads published models, and nothing else"),
            Mutation(
                '{ bucket_arn = module.models.arn, prefix = "tune/" }',
                '{ bucket_arn = module.data.arn, prefix = "tune/" }',
                "who trains cannot change the photos",
            ),
        ],
    ),
]
