output "arn" {
  description = "ARN of the role, for the workflow's setting."
  value       = aws_iam_role.this.arn
}

output "policy" {
  description = "What the role may do, as JSON."
  value       = aws_iam_policy.deployer.policy
}
