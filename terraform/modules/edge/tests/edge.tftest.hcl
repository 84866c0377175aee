mock_provider "aws" {}

variables {
  name                   = "photos"
  api_prefix             = "/api"
  page_domain_name       = "page.s3.eu-central-1.amazonaws.com"
  load_balancer_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/photos/1"
  load_balancer_dns_name = "internal-photos-1.eu-central-1.elb.amazonaws.com"
  web_acl_arn            = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/photos/1"
}

run "https_only" {
  assert {
    condition     = aws_cloudfront_distribution.this.ordered_cache_behavior[0].viewer_protocol_policy == "https-only"
    error_message = "no photo comes in the clear"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"
    error_message = "the page is had by https"
  }

  assert {
    condition     = alltrue([for policy in [aws_cloudfront_response_headers_policy.page, aws_cloudfront_response_headers_policy.service] : policy.security_headers_config[0].strict_transport_security[0].access_control_max_age_sec >= 31536000])
    error_message = "browsers stay with https"
  }
}

run "private_origins" {
  assert {
    condition     = one([for origin in aws_cloudfront_distribution.this.origin : origin.origin_access_control_id if origin.origin_id == "page"]) == aws_cloudfront_origin_access_control.page.id && aws_cloudfront_origin_access_control.page.signing_behavior == "always"
    error_message = "the page's bucket is asked with a signature"
  }

  assert {
    condition     = one([for origin in aws_cloudfront_distribution.this.origin : origin.vpc_origin_config[0].vpc_origin_id if origin.origin_id == "service"]) == aws_cloudfront_vpc_origin.service.id
    error_message = "the service is asked inside the VPC"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.web_acl_id == var.web_acl_arn
    error_message = "the firewall is asked first"
  }
}

run "api" {
  assert {
    condition = alltrue([
      aws_cloudfront_distribution.this.ordered_cache_behavior[0].path_pattern == "/api/*",
      aws_cloudfront_distribution.this.ordered_cache_behavior[0].target_origin_id == "service",
      contains(aws_cloudfront_distribution.this.ordered_cache_behavior[0].allowed_methods, "POST"),
    ])
    error_message = "photos can be posted under the prefix"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.ordered_cache_behavior[0].cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    error_message = "no answer about a photo is cached"
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this.custom_error_response) == 0
    error_message = "the API's 404 stays one"
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this.ordered_cache_behavior[0].function_association).function_arn == aws_cloudfront_function.service.arn
    error_message = "the API's function is the API's"
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this.default_cache_behavior[0].function_association).function_arn == aws_cloudfront_function.page.arn
    error_message = "the page's function is the page's"
  }
}

run "own_domain" {
  variables {
    domain_name     = "photos.example.org"
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "an own domain takes no old TLS"
  }

  assert {
    condition     = output.public_url == "https://photos.example.org" && contains(aws_cloudfront_distribution.this.aliases, "photos.example.org")
    error_message = "the address is the domain"
  }
}

run "a_domain_without_a_certificate" {
  command = plan

  variables {
    domain_name = "photos.example.org"
  }

  expect_failures = [var.certificate_arn]
}
