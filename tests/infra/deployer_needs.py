"""The AWS permissions that each Terraform type and each command of deploy.sh takes, from the provider's sources and AWS' reference.

Only those that change something; reads (`Describe*`, `Get*`, `List*`) are allowed as such for every service in use.
"""

_S3_SETTINGS = {
    "aws_s3_bucket_lifecycle_configuration": ["s3:PutLifecycleConfiguration"],
    "aws_s3_bucket_ownership_controls": ["s3:PutBucketOwnershipControls"],
    "aws_s3_bucket_policy": ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
    "aws_s3_bucket_public_access_block": ["s3:PutBucketPublicAccessBlock"],
    "aws_s3_bucket_server_side_encryption_configuration": ["s3:PutEncryptionConfiguration"],
    "aws_s3_bucket_versioning": ["s3:PutBucketVersioning"],
}
_EC2_TAGS = ["ec2:CreateTags", "ec2:DeleteTags"]
_BALANCER_TAGS = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]

TYPES: dict[str, list[str]] = {
    **_S3_SETTINGS,
    "aws_acm_certificate": ["acm:RequestCertificate", "acm:DeleteCertificate", "acm:AddTagsToCertificate"],
    "aws_acm_certificate_validation": [],
    "aws_budgets_budget": ["budgets:ModifyBudget", "budgets:ViewBudget", "budgets:TagResource"],
    "aws_cloudfront_distribution": [
        "cloudfront:CreateDistribution", "cloudfront:UpdateDistribution", "cloudfront:DeleteDistribution", "cloudfront:TagResource",
    ],
    "aws_cloudfront_function": [
        "cloudfront:CreateFunction", "cloudfront:UpdateFunction", "cloudfront:PublishFunction", "cloudfront:DeleteFunction",
    ],
    "aws_cloudfront_origin_access_control": [
        "cloudfront:CreateOriginAccessControl", "cloudfront:UpdateOriginAccessControl", "cloudfront:DeleteOriginAccessControl",
    ],
    "aws_cloudfront_response_headers_policy": [
        "cloudfront:CreateResponseHeadersPolicy", "cloudfront:UpdateResponseHeadersPolicy", "cloudfront:DeleteResponseHeadersPolicy",
    ],
    "aws_cloudfront_vpc_origin": ["cloudfront:CreateVpcOrigin", "cloudfront:UpdateVpcOrigin", "cloudfront:DeleteVpcOrigin"],
    "aws_cloudwatch_log_group": ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"],
    "aws_cloudwatch_metric_alarm": ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"],
    "aws_default_security_group": ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"],
    "aws_ecr_lifecycle_policy": ["ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy"],
    "aws_ecr_repository": [
        "ecr:CreateRepository", "ecr:DeleteRepository", "ecr:PutImageTagMutability", "ecr:PutImageScanningConfiguration",
    ],
    "aws_eip": ["ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:DisassociateAddress", *_EC2_TAGS],
    "aws_eks_access_entry": ["eks:CreateAccessEntry", "eks:UpdateAccessEntry", "eks:DeleteAccessEntry"],
    "aws_eks_access_policy_association": ["eks:AssociateAccessPolicy", "eks:DisassociateAccessPolicy"],
    "aws_eks_cluster": [
        "eks:CreateCluster", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion", "eks:DeleteCluster", "eks:TagResource", "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    ],
    "aws_eks_pod_identity_association": [
        "eks:CreatePodIdentityAssociation", "eks:UpdatePodIdentityAssociation", "eks:DeletePodIdentityAssociation", "iam:PassRole",
    ],
    "aws_elasticache_replication_group": [
        "elasticache:CreateReplicationGroup", "elasticache:ModifyReplicationGroup", "elasticache:DeleteReplicationGroup",
        "elasticache:AddTagsToResource", "iam:CreateServiceLinkedRole",
    ],
    "aws_elasticache_subnet_group": [
        "elasticache:CreateCacheSubnetGroup", "elasticache:ModifyCacheSubnetGroup", "elasticache:DeleteCacheSubnetGroup",
    ],
    "aws_elasticache_user": ["elasticache:CreateUser", "elasticache:ModifyUser", "elasticache:DeleteUser"],
    "aws_elasticache_user_group": ["elasticache:CreateUserGroup", "elasticache:ModifyUserGroup", "elasticache:DeleteUserGroup"],
    "aws_iam_openid_connect_provider": ["iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"],
    "aws_iam_role": [
        "iam:CreateRole", "iam:DeleteRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:TagRole",
    ],
    "aws_iam_policy": ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"],
    "aws_iam_role_policy": ["iam:PutRolePolicy", "iam:DeleteRolePolicy"],
    "aws_iam_role_policy_attachment": ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
    "aws_internet_gateway": [
        "ec2:CreateInternetGateway", "ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway",
    ],
    "aws_lb": [
        "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:SetSubnets", "iam:CreateServiceLinkedRole",
        *_BALANCER_TAGS,
    ],
    "aws_lb_listener": [
        "elasticloadbalancing:CreateListener", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:DeleteListener",
    ],
    "aws_lb_target_group": [
        "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
    ],
    "aws_nat_gateway": ["ec2:CreateNatGateway", "ec2:DeleteNatGateway"],
    "aws_prometheus_scraper": [
        "aps:CreateScraper", "aps:UpdateScraper", "aps:DeleteScraper", "aps:TagResource", "iam:CreateServiceLinkedRole",
        "eks:DescribeCluster",
    ],
    "aws_prometheus_workspace": ["aps:CreateWorkspace", "aps:UpdateWorkspaceAlias", "aps:DeleteWorkspace"],
    "aws_route": ["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"],
    "aws_route53_record": ["route53:ChangeResourceRecordSets"],
    "aws_route_table": ["ec2:CreateRouteTable", "ec2:DeleteRouteTable"],
    "aws_route_table_association": ["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"],
    "aws_s3_bucket": [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketTagging", "s3:DeleteObject", "s3:DeleteObjectVersion",
    ],
    "aws_secretsmanager_secret": [
        "secretsmanager:CreateSecret", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret", "secretsmanager:TagResource",
    ],
    "aws_security_group": ["ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupEgress"],
    "aws_sns_topic": ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:TagResource"],
    "aws_sns_topic_policy": ["sns:SetTopicAttributes"],
    "aws_sns_topic_subscription": ["sns:Subscribe", "sns:Unsubscribe"],
    "aws_subnet": ["ec2:CreateSubnet", "ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"],
    "aws_vpc": ["ec2:CreateVpc", "ec2:ModifyVpcAttribute", "ec2:DeleteVpc"],
    "aws_vpc_endpoint": ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"],
    "aws_vpc_security_group_egress_rule": ["ec2:AuthorizeSecurityGroupEgress", "ec2:ModifySecurityGroupRules"],
    "aws_vpc_security_group_ingress_rule": ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
    "aws_wafv2_web_acl": [
        "wafv2:CreateWebACL", "wafv2:UpdateWebACL", "wafv2:DeleteWebACL", "wafv2:TagResource", "wafv2:AssociateWebACL",
        "wafv2:DisassociateWebACL",
    ],
    "aws_availability_zones": ["ec2:DescribeAvailabilityZones"],
    "aws_ec2_managed_prefix_list": ["ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"],
    "aws_partition": [],
    "aws_eks_cluster_auth": [],
    "helm_release": ["eks:DescribeCluster"],
}  # fmt: skip

# The state, and the lock beside it.
STATE = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]

COMMANDS: dict[str, list[str]] = {
    "cloudfront create-distribution": ["cloudfront:CreateDistribution"],
    "cloudfront create-invalidation": ["cloudfront:CreateInvalidation"],
    "cloudfront delete-distribution": ["cloudfront:DeleteDistribution"],
    "cloudfront get-distribution": ["cloudfront:GetDistribution"],
    "cloudfront list-distributions": ["cloudfront:ListDistributions"],
    "ecr describe-images": ["ecr:DescribeImages"],
    "ecr get-login-password": [
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload", "ecr:PutImage",
    ],
    "ecr batch-delete-image": ["ecr:BatchDeleteImage"],
    "ecr put-image": ["ecr:PutImage", "ecr:BatchGetImage"],
    "ecr batch-get-image": ["ecr:BatchGetImage"],
    "ec2 describe-network-interfaces": ["ec2:DescribeNetworkInterfaces"],
    "ec2 delete-network-interface": ["ec2:DeleteNetworkInterface"],
    "eks describe-cluster": ["eks:DescribeCluster"],
    "eks update-kubeconfig": ["eks:DescribeCluster"],
    "elasticache describe-users": ["elasticache:DescribeUsers"],
    "elasticache modify-user": ["elasticache:ModifyUser"],
    "iam get-role": ["iam:GetRole"],
    "iam simulate-principal-policy": ["iam:SimulatePrincipalPolicy"],
    "logs delete-log-group": ["logs:DeleteLogGroup"],
    "s3 cp": ["s3:PutObject"],
    "s3 sync": ["s3:PutObject", "s3:ListBucket", "s3:GetObject"],
    "s3api head-bucket": ["s3:ListBucket"],
    "s3api wait": ["s3:ListBucket"],
    "secretsmanager get-secret-value": ["secretsmanager:GetSecretValue"],
    "secretsmanager put-secret-value": ["secretsmanager:PutSecretValue"],
    "service-quotas get-service-quota": ["servicequotas:GetServiceQuota"],
    "sts get-caller-identity": [],
}  # fmt: skip
