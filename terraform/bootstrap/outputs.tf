output "state_bucket" {
  description = "The bucket, for `terraform init -backend-config=bucket=...` of the other roots."
  value       = module.state.name
}

output "workflow_role_arn" {
  description = "Role of the deploying workflow: the variable AWS_ROLE of its environments. null unless github_repository is set."
  value       = one(module.workflow_role[*].arn)
}
