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
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "pod_security_group_id" {
  description = "Security group of the pods, which alone get in."
  type        = string
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
