# The role that a GitHub workflow takes on without a stored key: GitHub says in a signed token which repository and which environment asks.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"] # AWS checks GitHub's certificate itself
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-workflow"
  max_session_duration = 7200 # CloudFront's VPC origin alone may take half an hour

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          # An environment, not a branch: who may deploy to it, and after whose approval, is a setting of the repository.
          "token.actions.githubusercontent.com:sub" = [for environment in var.environments : "repo:${var.repository}:environment:${environment}"]
        }
      }
    }]
  })
}

# What a person who deploys needs, too.
resource "aws_iam_policy" "deployer" {
  name   = "${var.name}-deployer"
  policy = var.policy
}

resource "aws_iam_role_policy_attachment" "deployer" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.deployer.arn
}
