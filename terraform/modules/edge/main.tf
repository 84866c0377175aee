# One https address for page and API, so that the page needs no CORS to call the API.
#   /api/*  the service, through a VPC origin to the internal load balancer
#   else    the page, from its private bucket

locals {
  # AWS' managed policies; their ids are the same everywhere.
  caching_optimized           = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  caching_disabled            = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  all_viewer_headers_but_host = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
  own_domain                  = var.domain_name != null
  # What serve_app/http/page.py sends with the page when the service itself serves it.
  content_security_policy = join("; ", [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "font-src 'self'", "img-src 'self' blob:", "connect-src 'self'",
    "worker-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ])
}

resource "aws_cloudfront_origin_access_control" "page" {
  name                              = "${var.name}-page"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# Takes a quarter of an hour to create, and as long to delete.
resource "aws_cloudfront_vpc_origin" "service" {
  vpc_origin_endpoint_config {
    name                   = var.name
    arn                    = var.load_balancer_arn
    origin_protocol_policy = "http-only"
    http_port              = 80
    https_port             = 443

    # Unused, but required.
    origin_ssl_protocols {
      items    = ["TLSv1.2"]
      quantity = 1
    }
  }

  timeouts {
    create = "45m"
    update = "45m"
    delete = "45m"
  }
}

resource "aws_cloudfront_function" "page" {
  name    = "${var.name}-page"
  comment = "Deep links open the page"
  runtime = "cloudfront-js-2.0"
  code    = file("${path.module}/page.js")
}

resource "aws_cloudfront_function" "service" {
  name    = "${var.name}-service"
  comment = "Strips the public prefix, and what would control Ray"
  runtime = "cloudfront-js-2.0"
  code    = templatefile("${path.module}/service.js", { prefix = var.api_prefix })
}

# For the page only: the service sends its own headers.
resource "aws_cloudfront_response_headers_policy" "page" {
  name = "${var.name}-page"

  security_headers_config {
    content_security_policy {
      content_security_policy = local.content_security_policy
      override                = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "service" {
  name = "${var.name}-service"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  comment             = var.name
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = "PriceClass_100"
  default_root_object = "index.html"
  aliases             = local.own_domain ? [var.domain_name] : []
  web_acl_id          = var.web_acl_arn

  origin {
    origin_id                = "page"
    domain_name              = var.page_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.page.id
  }

  origin {
    origin_id   = "service"
    domain_name = var.load_balancer_dns_name

    vpc_origin_config {
      vpc_origin_id            = aws_cloudfront_vpc_origin.service.id
      origin_read_timeout      = 60 # longer than the service's own deadlines, so that its answer is the one that is seen
      origin_keepalive_timeout = 30
    }
  }

  # No custom_error_response: it would hold for the API too, and turn its 404 into the page with status 200.
  default_cache_behavior {
    target_origin_id           = "page"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching_optimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.page.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.page.arn
    }
  }

  ordered_cache_behavior {
    path_pattern               = "${var.api_prefix}/*"
    target_origin_id           = "service"
    viewer_protocol_policy     = "https-only" # a redirect would come after the photo was sent in the clear
    allowed_methods            = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching_disabled
    origin_request_policy_id   = local.all_viewer_headers_but_host
    response_headers_policy_id = aws_cloudfront_response_headers_policy.service.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.service.arn
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    # CloudFront's own certificate, of *.cloudfront.net, fixes the protocol's minimum at TLSv1. Your own domain does not.
    cloudfront_default_certificate = !local.own_domain
    acm_certificate_arn            = local.own_domain ? var.certificate_arn : null
    ssl_support_method             = local.own_domain ? "sni-only" : null
    minimum_protocol_version       = local.own_domain ? "TLSv1.2_2021" : null
  }
}
