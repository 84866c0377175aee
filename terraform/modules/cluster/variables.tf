variable "name" {
  description = "Name of the cluster, and beginning of the names of its roles."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, in EKS' standard support."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets for control plane and nodes, in two zones at least."
  type        = list(string)
}

variable "api_access_cidrs" {
  description = "Addresses from which Kubernetes' API can be reached. It asks for a login on top."
  type        = list(string)

  validation {
    condition     = length(var.api_access_cidrs) > 0 && alltrue([for cidr in var.api_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "At least one block, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.api_access_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "A block wider than /8 is as good as the whole internet: name the addresses that administrators come from."
  }
}

variable "admin_arns" {
  description = "Further IAM users and roles that administer the cluster, beside who applies this."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "ARNs of IAM roles or users."
  }
}

variable "deletion_protection" {
  description = "Whether EKS refuses to delete the cluster."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days for which the control plane's logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "One of CloudWatch's periods: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
