mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name = "photos-123456789012-data"
}

run "private" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "public access is blocked in all four ways"
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "no ACL can open an object"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Effect == "Deny"])
    error_message = "with no distribution the policy allows nobody"
  }
}

run "kept_safe" {
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "what is stored is encrypted"
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "what is replaced can be brought back"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "a bucket that is not empty stays, unless told otherwise"
  }

  assert {
    condition = anytrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
      statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "s3:*"
      && contains(statement.Resource, "arn:aws:s3:::photos-123456789012-data/*")
      && statement.Condition == { Bool = { "aws:SecureTransport" = "false" } }
    ])
    error_message = "only over TLS"
  }

  assert {
    condition = anytrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
      statement.Effect == "Deny" && try(statement.Condition.NumericLessThan["s3:TlsVersion"] == "1.2", false)
    ])
    error_message = "no old TLS"
  }
}

run "one_distribution_may_read" {
  variables {
    reader_distribution_arns = ["arn:aws:cloudfront::123456789012:distribution/E1"]
  }

  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement if statement.Effect == "Allow"] == [{
      Sid       = "CloudFrontReads"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::photos-123456789012-data/*"
      Condition = { StringEquals = { "AWS:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1" } }
    }]
    error_message = "that distribution reads objects, and nobody does anything else"
  }
}

run "a_name_that_s3_refuses" {
  command = plan

  variables {
    name = "Photos_"
  }

  expect_failures = [var.name]
}
