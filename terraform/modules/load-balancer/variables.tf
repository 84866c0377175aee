variable "name" {
  description = "Name of the load balancer and its target group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name)) && !startswith(var.name, "internal-")
    error_message = "At most 32 lower-case letters, digits and hyphens, not beginning with `internal-`."
  }
}

variable "vpc_id" {
  description = "VPC of the cluster: pods of another one cannot be targets."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "cluster_name" {
  description = "The cluster that may register its pods."
  type        = string
}

variable "pod_security_group_id" {
  description = "Security group of the pods."
  type        = string
}

variable "serve_port" {
  description = "Port on which the pods answer."
  type        = number

  validation {
    condition     = var.serve_port >= 1024 && var.serve_port <= 65535
    error_message = "A port that a process without privileges may open."
  }
}

variable "health_path" {
  description = "Path that answers 200 when a pod can pass requests on."
  type        = string

  validation {
    condition     = startswith(var.health_path, "/")
    error_message = "A path begins with a slash."
  }
}
