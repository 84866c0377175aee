# The firewall of CloudFront. `rule_json` has all rules in the API's format, which tests can read.

locals {
  visible = { SampledRequestsEnabled = false, CloudWatchMetricsEnabled = true } # samples would keep clients' addresses and paths

  # These rules expect text and mistake photos for attacks: enabled, they block uploads above 8 KB, and others at random.
  about_bodies = ["SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY"]

  rules = [
    {
      Name     = "rate"
      Priority = 0
      Statement = {
        RateBasedStatement = {
          Limit               = var.rate_limit
          EvaluationWindowSec = 300
          AggregateKeyType    = "IP"
          ScopeDownStatement = {
            ByteMatchStatement = {
              SearchString         = "${var.api_prefix}/"
              FieldToMatch         = { UriPath = {} }
              PositionalConstraint = "STARTS_WITH"
              TextTransformations  = [{ Priority = 0, Type = "NONE" }]
            }
          }
        }
      }
      Action = {
        # The service's own answer for overload, which its clients handle.
        Block = {
          CustomResponse = {
            ResponseCode          = 503
            ResponseHeaders       = [{ Name = "Retry-After", Value = "60" }]
            CustomResponseBodyKey = "overloaded"
          }
        }
      }
      VisibilityConfig = merge(local.visible, { MetricName = "rate" })
    },
    {
      Name     = "reputation"
      Priority = 1
      Statement = {
        ManagedRuleGroupStatement = { VendorName = "AWS", Name = "AWSManagedRulesAmazonIpReputationList" }
      }
      OverrideAction   = { None = {} }
      VisibilityConfig = merge(local.visible, { MetricName = "reputation" })
    },
    {
      Name     = "common"
      Priority = 2
      Statement = {
        ManagedRuleGroupStatement = {
          VendorName          = "AWS"
          Name                = "AWSManagedRulesCommonRuleSet"
          RuleActionOverrides = [for name in local.about_bodies : { Name = name, ActionToUse = { Count = {} } }]
        }
      }
      OverrideAction   = { None = {} }
      VisibilityConfig = merge(local.visible, { MetricName = "common" })
    },
    # Counted only: it looks into bodies, where a photo's bytes may look like an attack. Nothing behind it runs Java.
    {
      Name     = "known-bad-inputs"
      Priority = 3
      Statement = {
        ManagedRuleGroupStatement = { VendorName = "AWS", Name = "AWSManagedRulesKnownBadInputsRuleSet" }
      }
      OverrideAction   = { Count = {} }
      VisibilityConfig = merge(local.visible, { MetricName = "known-bad-inputs" })
    },
  ]
}

resource "aws_wafv2_web_acl" "this" {
  region = "us-east-1" # where everything of CloudFront's is

  name      = var.name
  scope     = "CLOUDFRONT"
  rule_json = jsonencode(local.rules)

  default_action {
    allow {}
  }

  custom_response_body {
    key          = "overloaded"
    content_type = "APPLICATION_JSON"
    content = jsonencode({
      error      = "Too many requests from this address"
      detail     = "Too many requests from this address"
      code       = "overloaded"
      request_id = null
    })
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = false
    metric_name                = var.name
  }
}
