# The AWS permissions of one service account's pods, by EKS Pod Identity: without stored keys, and for no other pods.

resource "aws_iam_role" "this" {
  name = "${var.cluster_name}-${var.service_account}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "s3"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for place in concat(var.read, var.write) : {
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${place.bucket_arn}/${place.prefix}*"
      }],
      # Runs also prune their checkpoints; versioning keeps deleted ones for some time.
      [for place in var.write : {
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = "${place.bucket_arn}/${place.prefix}*"
      }],
      [for place in concat(var.read, var.write) : {
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = place.bucket_arn
        # IfExists: pyarrow (Ray Tune's storage) begins with HeadBucket, which has no prefix and shows no key.
        Condition = { StringLikeIfExists = { "s3:prefix" = "${place.prefix}*" } }
      }],
      [for arn in var.log_group_arns : {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${arn}:log-stream:*"
      }]
    )
  })
}

resource "aws_eks_pod_identity_association" "this" {
  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.this.arn
}
