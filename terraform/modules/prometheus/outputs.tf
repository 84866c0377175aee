output "endpoint" {
  description = "Address to ask, signed with SigV4."
  value       = aws_prometheus_workspace.this.prometheus_endpoint
}
