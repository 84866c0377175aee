variable "name" {
  description = "Name of the replication group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "At most 40 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string

  validation {
    condition     = length(var.vpc_id) > 0
    error_message = "A VPC is needed."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "Two nodes want two zones."
  }
}

variable "pod_security_group_id" {
  description = "Security group of the pods, which alone get in."
  type        = string

  validation {
    condition     = length(var.pod_security_group_id) > 0
    error_message = "A security group is needed."
  }
}

variable "node_type" {
  description = "Size of a node; what Ray keeps there is small."
  type        = string
  default     = "cache.t4g.micro"

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "A node type of ElastiCache, such as cache.t4g.micro."
  }
}
