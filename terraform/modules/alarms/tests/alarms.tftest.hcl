mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:photos-alarms" }
  }
}

variables {
  name           = "photos"
  account_id     = "123456789012"
  load_balancer  = "app/photos/1"
  target_group   = "targetgroup/photos/1"
  email          = "operations@example.org"
  monthly_budget = 500
}

run "somebody_is_told" {
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(alarm.alarm_actions, aws_sns_topic.this.arn)])
    error_message = "alarms reach the topic"
  }

  assert {
    condition     = one(aws_sns_topic_subscription.email).endpoint == "operations@example.org"
    error_message = "the topic reaches somebody"
  }

  assert {
    condition     = anytrue([for notice in aws_budgets_budget.this.notification : notice.threshold == 100 && contains(notice.subscriber_sns_topic_arns, aws_sns_topic.this.arn)])
    error_message = "a budget that is spent is an alarm"
  }

  assert {
    condition     = jsondecode(aws_sns_topic_policy.this.policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "nobody else publishes"
  }
}
