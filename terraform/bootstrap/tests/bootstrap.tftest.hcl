mock_provider "aws" {}

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
