output "service_account" {
  description = "Service account that has the role."
  value       = aws_eks_pod_identity_association.this.service_account
}

output "policy" {
  description = "What the role may do, as JSON."
  value       = aws_iam_role_policy.this.policy
}
