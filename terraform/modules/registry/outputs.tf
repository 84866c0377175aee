output "url" {
  description = "Address to push to, without a tag."
  value       = aws_ecr_repository.this.repository_url
}
