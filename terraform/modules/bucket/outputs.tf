output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "ARN of the bucket."
  value       = "arn:${data.aws_partition.here.partition}:s3:::${var.name}"
}

output "domain_name" {
  description = "Regional host name, for CloudFront."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
