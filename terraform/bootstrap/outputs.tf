output "state_bucket" {
  description = "The bucket, for `terraform init -backend-config=bucket=...` of the other roots."
  value       = module.state.name
}
