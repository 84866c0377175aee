variable "kuberay_version" {
  description = "Version of KubeRay's operator, for which the manifests are written."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+$", var.kuberay_version))
    error_message = "A version such as 1.7.0."
  }
}

variable "architecture" {
  description = "Processors of all machines, and so of the image: amd64 or arm64."
  type        = string

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "amd64 or arm64."
  }
}

variable "cpu_limit" {
  description = "The most CPUs that workers may have in all."
  type        = number

  validation {
    condition     = var.cpu_limit >= 4 && floor(var.cpu_limit) == var.cpu_limit
    error_message = "A whole number, at least the 4 CPUs of one machine."
  }
}

variable "gpu_limit" {
  description = "The most GPU machines; 0 for no pool of them."
  type        = number

  validation {
    condition     = var.gpu_limit >= 0 && floor(var.gpu_limit) == var.gpu_limit
    error_message = "A whole number, 0 or more."
  }
}

variable "enable_monitoring" {
  description = "Whether Prometheus and Grafana run in the cluster."
  type        = bool
}
