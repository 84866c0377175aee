variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens, and no hyphen at an end."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket deletes what is in it. Otherwise a bucket that is not empty stays."
  type        = bool
  default     = false
}

variable "keep_replaced_days" {
  description = "Days for which replaced and deleted objects can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_replaced_days >= 1 && floor(var.keep_replaced_days) == var.keep_replaced_days
    error_message = "A whole number of days, at least 1."
  }
}

variable "reader_distribution_arns" {
  description = "ARNs of the CloudFront distributions that may read objects; none, or the one in front."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.reader_distribution_arns) <= 1
    error_message = "At most one distribution."
  }
}
