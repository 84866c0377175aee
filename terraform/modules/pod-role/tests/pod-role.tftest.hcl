mock_provider "aws" {}

variables {
  cluster_name    = "photos"
  namespace       = "gender-presentation"
  service_account = "tune"
  read            = [{ bucket_arn = "arn:aws:s3:::data", prefix = "" }]
  write           = [{ bucket_arn = "arn:aws:s3:::models", prefix = "tune/" }]
}

run "least_privilege" {
  assert {
    condition     = toset([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:PutObject")]) == toset(["arn:aws:s3:::models/tune/*"])
    error_message = "writes go under the named prefix only"
  }

  assert {
    condition     = toset([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Action == "s3:GetObject"]) == toset(["arn:aws:s3:::data/*", "arn:aws:s3:::models/tune/*"])
    error_message = "reads go under the named prefixes only"
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Action != "s3:ListBucket" || can(statement.Condition.StringLikeIfExists["s3:prefix"])
    ])
    error_message = "lists go under a prefix"
  }

  assert {
    condition     = alltrue([for action in flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action]) : !strcontains(action, "*")])
    error_message = "every action is named"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = "pods.eks.amazonaws.com" }
    error_message = "the role is for pods alone"
  }

  assert {
    condition     = aws_eks_pod_identity_association.this.namespace == "gender-presentation" && aws_eks_pod_identity_association.this.service_account == "tune"
    error_message = "the role is for one service account"
  }
}

run "writing_anywhere" {
  command = plan

  variables {
    write = [{ bucket_arn = "arn:aws:s3:::models", prefix = "" }]
  }

  expect_failures = [var.write]
}
