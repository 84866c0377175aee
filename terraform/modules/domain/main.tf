# The certificate of your domain, validated and renewed by a record in the zone.

resource "aws_acm_certificate" "this" {
  region = "us-east-1" # CloudFront takes certificates from nowhere else

  domain_name       = var.name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true # one that is in use cannot be deleted
  }
}

locals {
  proof = tolist(aws_acm_certificate.this.domain_validation_options)[0]
}

resource "aws_route53_record" "proof" {
  zone_id         = var.zone_id
  name            = local.proof.resource_record_name
  type            = local.proof.resource_record_type
  records         = [local.proof.resource_record_value]
  ttl             = 300
  allow_overwrite = true # a certificate that follows another one has the same record
}

resource "aws_acm_certificate_validation" "this" {
  region = "us-east-1"

  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.proof.fqdn]
}
