mock_provider "aws" {}

variables {
  name                  = "photos"
  vpc_id                = "vpc-1"
  subnet_ids            = ["subnet-a", "subnet-b"]
  pod_security_group_id = "sg-pods"
}

run "closed" {
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true"
    error_message = "encrypted on the way and at rest"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.pods.referenced_security_group_id == "sg-pods" && aws_vpc_security_group_ingress_rule.pods.cidr_ipv4 == null
    error_message = "the pods alone get in"
  }

  assert {
    condition = (aws_elasticache_replication_group.this.user_group_ids == toset([aws_elasticache_user_group.this.user_group_id])
    && aws_elasticache_user_group.this.user_ids == toset([aws_elasticache_user.ray.user_id]))
    error_message = "one user gets in, and Valkey's own does not"
  }

  assert {
    condition     = aws_elasticache_user.ray.authentication_mode[0].type == "iam" && aws_elasticache_user.ray.no_password_required == null && aws_elasticache_user.ray.passwords == null
    error_message = "no password is in the state, and without one nobody gets in"
  }

  assert {
    condition     = startswith(output.address, "rediss://") && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.num_cache_clusters == 2
    error_message = "a second node in another zone takes over, and is spoken to by TLS"
  }
}
