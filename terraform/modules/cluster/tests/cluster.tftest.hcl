mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name               = "photos"
  kubernetes_version = "1.35"
  subnet_ids         = ["subnet-a", "subnet-b"]
  api_access_cidrs   = ["203.0.113.7/32"]
  log_retention_days = 30
}

run "auto_mode" {
  assert {
    condition = alltrue([
      aws_eks_cluster.this.compute_config[0].enabled,
      aws_eks_cluster.this.kubernetes_network_config[0].elastic_load_balancing[0].enabled,
      aws_eks_cluster.this.storage_config[0].block_storage[0].enabled,
      !aws_eks_cluster.this.bootstrap_self_managed_addons,
    ])
    error_message = "the four switches of Auto Mode agree"
  }
}

run "closed" {
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "the API is reached from the named addresses only"
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "nodes reach the API inside the VPC"
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API"
    error_message = "who gets in is IAM's alone to say"
  }

  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["audit", "authenticator"])
    error_message = "who did what is logged"
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.node)) == toset(["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"])
    error_message = "a node may join and pull images, and nothing else"
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "an old version is not paid for without a word"
  }
}

run "the_whole_internet" {
  command = plan

  variables {
    api_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.api_access_cidrs]
}
