mock_provider "aws" {}

variables {
  name       = "photos"
  rate_limit = 1000
  api_prefix = "/api"
}

run "limits_clients" {
  assert {
    condition     = aws_wafv2_web_acl.this.scope == "CLOUDFRONT" && aws_wafv2_web_acl.this.region == "us-east-1"
    error_message = "it is one for CloudFront"
  }

  assert {
    condition = anytrue([for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) : try(
      rule.Statement.RateBasedStatement.Limit == 1000 && rule.Statement.RateBasedStatement.AggregateKeyType == "IP"
      && rule.Statement.RateBasedStatement.ScopeDownStatement.ByteMatchStatement.SearchString == "/api/"
      && rule.Action.Block.CustomResponse.ResponseCode == 503
      && rule.Action.Block.CustomResponse.ResponseHeaders[0].Name == "Retry-After", false)
    ])
    error_message = "one address may ask the API so often, and is then told when to come back"
  }

  assert {
    condition     = jsondecode(one(aws_wafv2_web_acl.this.custom_response_body).content).code == "overloaded"
    error_message = "the refusal is in the API's own words"
  }

  assert {
    condition     = alltrue([for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) : !rule.VisibilityConfig.SampledRequestsEnabled])
    error_message = "no request is kept as a sample"
  }
}

run "lets_uploads_through" {
  assert {
    condition = anytrue([for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) : try(
      rule.Statement.ManagedRuleGroupStatement.Name == "AWSManagedRulesCommonRuleSet"
      && length(setsubtract(["SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY"],
      [for override in rule.Statement.ManagedRuleGroupStatement.RuleActionOverrides : override.Name if override.ActionToUse == { Count = {} }])) == 0, false)
    ])
    error_message = "rules that judge a photo as text only count"
  }

  assert {
    condition = [for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) : rule.OverrideAction
      if try(rule.Statement.ManagedRuleGroupStatement.Name == "AWSManagedRulesKnownBadInputsRuleSet", false)
    ] == [{ Count = {} }]
    error_message = "known bad inputs are counted and stop nobody"
  }
}
