output "cluster_name" {
  description = "Name of the EKS cluster."
  value       = module.cluster.name
}

output "region" {
  description = "Region of all but CloudFront and its firewall."
  value       = var.region
}

output "image_repository_url" {
  description = "Where the image is pushed to, without a tag."
  value       = module.registry.url
}

output "models_bucket" {
  description = "Bucket of published models (models/) and of Tune's runs (tune/)."
  value       = module.models.name
}

output "data_bucket" {
  description = "Bucket of the photos to train on."
  value       = module.data.name
}

output "page_bucket" {
  description = "Bucket of the built page."
  value       = module.page.name
}

output "distribution_id" {
  description = "CloudFront distribution, to invalidate."
  value       = module.edge.distribution_id
}

output "public_url" {
  description = "The one address of page and API."
  value       = module.edge.public_url
}

output "target_group_arn" {
  description = "Target group that the serve pods join, by a TargetGroupBinding."
  value       = module.load_balancer.target_group_arn
}

output "service_namespace" {
  description = "Kubernetes namespace of the service."
  value       = local.namespace
}

output "serve_service_account" {
  description = "Service account that may read models."
  value       = module.serve_role.service_account
}

output "tune_service_account" {
  description = "Service account that may read data, and write models and runs."
  value       = module.tune_role.service_account
}

output "ray_token_secret_arn" {
  description = "Secret that holds Ray's token, once deploy.sh has made it."
  value       = aws_secretsmanager_secret.ray_token.arn
}

output "valkey_address" {
  description = "Address of the head's memory; null but with profile ha."
  value       = one(module.valkey[*].address)
}

output "valkey_user" {
  description = "User that Ray logs in as; null but with profile ha."
  value       = one(module.valkey[*].user)
}

output "valkey_secret_arn" {
  description = "Secret that holds the user's password, once deploy.sh has made it; null but with profile ha."
  value       = one(module.valkey[*].password_secret_arn)
}

output "prometheus_workspace_endpoint" {
  description = "Address of the metrics; null unless enable_prometheus."
  value       = one(module.prometheus[*].endpoint)
}

output "log_group" {
  description = "Log group of the pods."
  value       = aws_cloudwatch_log_group.pods.name
}
