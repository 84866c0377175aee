mock_provider "aws" {}

variables {
  name = "photos"
}

run "trusted" {
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "a tag always means what it meant"
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "images are scanned"
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[1].selection.countNumber == 10
    error_message = "old images go"
  }

  assert {
    condition = (jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.tagPrefixList == ["deployed-"]
    && jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.countNumber == 20)
    error_message = "no build pushes out what is deployed"
  }
}
