mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name       = "photos"
  account_id = "123456789012"
  region     = "eu-central-1"
}

run "state" {
  assert {
    condition     = output.state_bucket == "photos-123456789012-eu-central-1-state"
    error_message = "deploy.sh looks for the bucket by this name"
  }
}

run "a_name_that_is_too_long" {
  command = plan

  variables {
    name = "photos-of-many-people"
  }

  expect_failures = [var.name]
}

run "no_workflow" {
  assert {
    condition     = output.workflow_role_arn == null
    error_message = "nobody on GitHub gets in, unless named"
  }
}

run "a_workflow" {
  variables {
    github_repository = "somebody/photos"
  }

  assert {
    condition     = jsondecode(module.workflow_role[0].policy).Statement[0].Effect == "Allow" && !strcontains(module.workflow_role[0].policy, "NAME-")
    error_message = "its permissions are those of a deployer, for this deployment"
  }
}
