variable "name" {
  description = "Name of the web ACL."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.name))
    error_message = "At most 128 letters, digits, hyphens and underscores."
  }
}

variable "rate_limit" {
  description = "Requests to the API that one address may make in five minutes."
  type        = number

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "WAF takes 10 to 2,000,000,000."
  }
}

variable "api_prefix" {
  description = "Public prefix of the API, whose requests are counted."
  type        = string
}
