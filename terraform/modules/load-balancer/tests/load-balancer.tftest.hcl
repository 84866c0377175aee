mock_provider "aws" {}

variables {
  name                  = "photos"
  vpc_id                = "vpc-1"
  subnet_ids            = ["subnet-a", "subnet-b"]
  cluster_name          = "photos"
  pod_security_group_id = "sg-pods"
  serve_port            = 8000
  health_path           = "/-/healthz"
}

run "internal" {
  assert {
    condition     = aws_lb.this.internal
    error_message = "the load balancer has no public address"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.cloudfront.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.cloudfront.cidr_ipv6 == null
    error_message = "no block of addresses may come in"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.cloudfront.prefix_list_id == data.aws_ec2_managed_prefix_list.cloudfront.id && data.aws_ec2_managed_prefix_list.cloudfront.name == "com.amazonaws.global.cloudfront.origin-facing"
    error_message = "CloudFront alone comes in"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.pods.referenced_security_group_id == aws_security_group.this.id && aws_vpc_security_group_ingress_rule.pods.from_port == 8000 && aws_vpc_security_group_ingress_rule.pods.to_port == 8000
    error_message = "the load balancer reaches the serve port, and no other of the pods"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.pods.referenced_security_group_id == "sg-pods" && aws_vpc_security_group_egress_rule.pods.cidr_ipv4 == null
    error_message = "the load balancer reaches the pods, and nothing else"
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields
    error_message = "malformed headers are dropped"
  }
}

run "pods_can_join" {
  assert {
    condition     = aws_lb_target_group.serve.tags["eks:eks-cluster-name"] == "photos" && aws_lb_target_group.serve.target_type == "ip"
    error_message = "Auto Mode registers pods only in groups with its tag"
  }

  assert {
    condition     = aws_lb_target_group.serve.port == 8000 && aws_lb_target_group.serve.health_check[0].path == "/-/healthz"
    error_message = "the group asks where the pods answer"
  }
}
