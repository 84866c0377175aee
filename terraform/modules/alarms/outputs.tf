output "topic_arn" {
  description = "Topic that alarms and budget are published to."
  value       = aws_sns_topic.this.arn
}
