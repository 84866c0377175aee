output "arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "Its name in CloudWatch's metrics."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "Its name in the VPC."
  value       = aws_lb.this.dns_name
}

output "target_group_arn" {
  description = "ARN of the target group, for the TargetGroupBinding."
  # Only after the listener exists: a group without one does not check its targets' health.
  value      = aws_lb_target_group.serve.arn
  depends_on = [aws_lb_listener.http]
}

output "target_group_arn_suffix" {
  description = "The target group's name in CloudWatch's metrics."
  value       = aws_lb_target_group.serve.arn_suffix
}
