mock_provider "aws" {
  mock_data "aws_eks_cluster" {
    defaults = {
      endpoint              = "https://1.eks.amazonaws.com"
      certificate_authority = [{ data = "Y2VydGlmaWNhdGU=" }]
    }
  }
}

mock_provider "helm" {}

variables {
  account_id = "123456789012"
}

run "lean" {
  assert {
    condition     = !contains(output.node_pools, "ray-gpu")
    error_message = "no GPU can be started"
  }
}

run "graviton" {
  variables {
    architecture = "arm64"
  }

  assert {
    condition     = output.node_pools == ["ray-head", "ray-cpu"]
    error_message = "the pools are the same"
  }
}

run "graviton_with_gpus" {
  command = plan

  variables {
    profile      = "gpu"
    architecture = "arm64"
  }

  expect_failures = [var.architecture]
}

run "gpu" {
  variables {
    profile = "gpu"
  }

  assert {
    condition     = contains(output.node_pools, "ray-gpu")
    error_message = "there are machines for the profile"
  }
}
