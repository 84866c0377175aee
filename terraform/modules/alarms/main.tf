# Alarms for a service that does not answer, and for the budget. All in CloudWatch, so they work when the cluster does not.

locals {
  load_balancer = { LoadBalancer = var.load_balancer }
  target_group  = { LoadBalancer = var.load_balancer, TargetGroup = var.target_group }

  alarms = {
    # The load balancer's own 5xx: no pod is there, or it did not answer.
    unreachable = {
      metric     = "HTTPCode_ELB_5XX_Count", statistic = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 10, periods = 2
      dimensions = local.load_balancer, description = "Requests find no pod that answers"
    }
    # The service's 5xx: `overloaded` is among them, and a cold start causes some minutes of it.
    refusing = {
      metric     = "HTTPCode_Target_5XX_Count", statistic = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 50, periods = 3
      dimensions = local.target_group, description = "The service refuses or fails for a quarter of an hour"
    }
    # Only while pods are registered: a paused service is not unhealthy.
    unhealthy = {
      metric     = "HealthyHostCount", statistic = "Maximum", comparison = "LessThanThreshold", threshold = 1, periods = 3
      dimensions = local.target_group, description = "No pod says that it is healthy"
    }
  }
}

resource "aws_sns_topic" "this" {
  name = "${var.name}-alarms" # not encrypted: with SNS' own key CloudWatch and Budgets could not publish, and there is no secret in it
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.this.arn
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# For the whole account: a budget by tag silently counts nothing until the tag is activated for billing.
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"

  dynamic "notification" {
    for_each = { 50 = "ACTUAL", 80 = "ACTUAL", 100 = "ACTUAL", 110 = "FORECASTED" }

    content {
      threshold                 = notification.key
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.value
      subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
    }
  }

  depends_on = [aws_sns_topic_policy.this]
}
