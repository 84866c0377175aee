variable "name" {
  description = "Name of workspace, scraper and job."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "Lower-case letters, digits and hyphens, a letter first."
  }
}

variable "cluster_arn" {
  description = "The cluster whose pods are asked."
  type        = string

  validation {
    condition     = length(var.cluster_arn) > 0
    error_message = "A cluster is needed."
  }
}

variable "namespace" {
  description = "Namespace of the pods."
  type        = string

  validation {
    condition     = length(var.namespace) > 0
    error_message = "A namespace is needed."
  }
}

variable "gpu_namespace" {
  description = "Namespace of NVIDIA's exporter, which is there with profile gpu."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets that the scraper asks from, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A scraper wants subnets in two zones at least."
  }
}

variable "pod_security_group_id" {
  description = "Security group of the pods."
  type        = string

  validation {
    condition     = length(var.pod_security_group_id) > 0
    error_message = "A security group is needed."
  }
}
