variable "cluster_name" {
  description = "The cluster whose pods get the role."
  type        = string
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.namespace))
    error_message = "A name that Kubernetes takes."
  }
}

variable "service_account" {
  description = "Service account whose pods get the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.service_account))
    error_message = "A name that Kubernetes takes."
  }
}

variable "read" {
  description = "Prefixes whose objects the pods may read and list. An empty prefix is the whole bucket."
  type        = list(object({ bucket_arn = string, prefix = string }))
  default     = []

  validation {
    condition     = alltrue([for place in var.read : can(regex("^arn:[a-z-]+:s3:::", place.bucket_arn)) && (place.prefix == "" || endswith(place.prefix, "/"))])
    error_message = "The ARN of a bucket, and a prefix that ends with a slash or is empty: `models` would also mean `models-of-others/`."
  }
}

variable "write" {
  description = "Prefixes whose objects the pods may also write and delete; never a whole bucket."
  type        = list(object({ bucket_arn = string, prefix = string }))
  default     = []

  validation {
    condition     = alltrue([for place in var.write : can(regex("^arn:[a-z-]+:s3:::", place.bucket_arn)) && endswith(place.prefix, "/")])
    error_message = "The ARN of a bucket, and a prefix that ends with a slash."
  }
}

variable "log_group_arns" {
  description = "Log groups that the pods may write to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.log_group_arns : !endswith(arn, "*")])
    error_message = "ARNs of log groups, without a star at the end."
  }
}
