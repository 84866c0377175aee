output "distribution_id" {
  description = "ID of the distribution, to invalidate what it cached."
  value       = aws_cloudfront_distribution.this.id
}

output "distribution_arn" {
  description = "ARN of the distribution, for the policy of the page's bucket."
  value       = aws_cloudfront_distribution.this.arn
}

output "domain_name" {
  description = "Host name that CloudFront gives; an own domain is an alias of it."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "public_url" {
  description = "The one address of page and API."
  value       = "https://${local.own_domain ? var.domain_name : aws_cloudfront_distribution.this.domain_name}"
}
