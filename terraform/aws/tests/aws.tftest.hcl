mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1c", "eu-central-1a", "eu-central-1b"] }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/E1", domain_name = "d1.cloudfront.net" }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      domain_validation_options = [{
        domain_name           = "photos.example.org"
        resource_record_name  = "_1.photos.example.org"
        resource_record_type  = "CNAME"
        resource_record_value = "_2.acm-validations.aws"
      }]
    }
  }
}

variables {
  name             = "photos"
  account_id       = "123456789012"
  region           = "eu-central-1"
  api_access_cidrs = ["203.0.113.7/32"]
}

run "lean" {
  assert {
    condition     = output.valkey_address == null && output.prometheus_workspace_endpoint == null
    error_message = "nothing is paid for that was not asked for"
  }

  assert {
    condition     = length(local.zones) == 2
    error_message = "two zones are the fewest that EKS takes"
  }

  assert {
    condition     = output.public_url == "https://d1.cloudfront.net"
    error_message = "without a domain the address is CloudFront's"
  }
}

run "roles" {
  assert {
    condition     = length([for statement in jsondecode(module.serve_role.policy).Statement : statement if contains(flatten([statement.Action]), "s3:PutObject")]) == 0
    error_message = "who serves writes nothing"
  }

  assert {
    condition     = toset([for statement in jsondecode(module.serve_role.policy).Statement : statement.Resource if statement.Action == "s3:GetObject"]) == toset(["arn:aws:s3:::photos-123456789012-eu-central-1-models/models/*"])
    error_message = "who serves reads published models, and nothing else"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(module.tune_role.policy).Statement : !strcontains(jsonencode(statement.Resource), "-data") || !contains(flatten([statement.Action]), "s3:PutObject")])
    error_message = "who trains cannot change the photos"
  }
}

run "ha" {
  variables {
    profile           = "ha"
    enable_prometheus = true
  }

  assert {
    condition     = output.valkey_address != null && output.prometheus_workspace_endpoint != null && length(local.zones) == 3
    error_message = "the head's memory is outside of it, in three zones"
  }
}

run "own_domain" {
  variables {
    domain = { name = "photos.example.org", zone_id = "Z0123456789" }
  }

  assert {
    condition     = output.public_url == "https://photos.example.org" && toset(keys(aws_route53_record.public)) == toset(["A", "AAAA"])
    error_message = "the address is the domain"
  }
}
