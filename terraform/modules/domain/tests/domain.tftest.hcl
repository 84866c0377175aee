mock_provider "aws" {
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
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
  name    = "photos.example.org"
  zone_id = "Z0123456789"
}

run "for_cloudfront" {
  assert {
    condition     = aws_acm_certificate.this.region == "us-east-1" && aws_acm_certificate_validation.this.region == "us-east-1"
    error_message = "CloudFront takes certificates from us-east-1 only"
  }

  assert {
    condition     = aws_route53_record.proof.name == "_1.photos.example.org"
    error_message = "the proof is in the zone"
  }
}
