output "name" {
  description = "The domain."
  value       = var.name
}

output "certificate_arn" {
  description = "ARN of the certificate, when it is valid."
  value       = aws_acm_certificate_validation.this.certificate_arn
}
