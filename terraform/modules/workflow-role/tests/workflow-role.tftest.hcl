mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/photos-deployer" }
  }
}

variables {
  name         = "photos"
  repository   = "somebody/photos"
  environments = ["production"]
  policy       = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "one_repository" {
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = ["repo:somebody/photos:environment:production"]
      }
    }
    error_message = "one repository's approved environments, and nobody else"
  }
}

run "every_repository" {
  command = plan

  variables {
    repository = "somebody/*"
  }

  expect_failures = [var.repository]
}
