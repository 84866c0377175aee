output "address" {
  description = "Address for Ray, with TLS."
  value       = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379"
}

output "user" {
  description = "The user that Ray logs in as."
  value       = aws_elasticache_user.ray.user_name
}

output "password_secret_arn" {
  description = "Secret that holds the user's password, once deploy.sh has made it."
  value       = aws_secretsmanager_secret.password.arn
}
