variable "name" {
  description = "Beginning of the names of functions and policies."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,55}$", var.name))
    error_message = "At most 56 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "api_prefix" {
  description = "Public prefix of the API, which is stripped."
  type        = string

  validation {
    condition     = can(regex("^/[a-z0-9-]+$", var.api_prefix))
    error_message = "A prefix such as /api: one part, no slash at the end."
  }
}

variable "page_domain_name" {
  description = "Regional host name of the page's bucket."
  type        = string
}

variable "load_balancer_arn" {
  description = "ARN of the internal load balancer."
  type        = string
}

variable "load_balancer_dns_name" {
  description = "Host name of the internal load balancer."
  type        = string
}

variable "web_acl_arn" {
  description = "ARN of the web ACL, of scope CLOUDFRONT."
  type        = string
}

variable "domain_name" {
  description = "Own domain of page and API; null for the one that CloudFront gives."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "A domain such as photos.example.org."
  }
}

variable "certificate_arn" {
  description = "ARN of the own domain's certificate, in us-east-1."
  type        = string
  default     = null

  validation {
    condition     = (var.certificate_arn == null) == (var.domain_name == null)
    error_message = "An own domain and its certificate come together."
  }
}
