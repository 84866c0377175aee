# A bucket that only this account and at most one CloudFront distribution can read.

data "aws_partition" "here" {}

resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.bucket

  rule {
    object_ownership = "BucketOwnerEnforced" # no ACL can open an object
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256" # a KMS key would cost per request, and CloudFront and the pods would need it too
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.bucket

  rule {
    id     = "what-was-replaced"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.keep_replaced_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7 # parts of an upload that died cost money and are seen by nobody
    }
  }

  depends_on = [aws_s3_bucket_versioning.this] # S3 refuses rules about versions before
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:${data.aws_partition.here.partition}:s3:::${var.name}", "arn:${data.aws_partition.here.partition}:s3:::${var.name}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "NoOldTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = ["arn:${data.aws_partition.here.partition}:s3:::${var.name}", "arn:${data.aws_partition.here.partition}:s3:::${var.name}/*"]
          Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      }],
      # No s3:ListBucket: a missing object gets the same answer as a forbidden one.
      [for arn in var.reader_distribution_arns : {
        Sid       = "CloudFrontReads"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "arn:${data.aws_partition.here.partition}:s3:::${var.name}/*"
        Condition = { StringEquals = { "AWS:SourceArn" = arn } }
      }]
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this] # S3 refuses to change both at once
}
