variable "name" {
  description = "Name of the deployment; everything's name begins with it."
  type        = string
  default     = "gender-presentation"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and hyphens, a letter first: AWS limits names of load balancers to 32."
  }
}

variable "account_id" {
  description = "The AWS account; credentials of another one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region such as eu-central-1."
  }
}

variable "profile" {
  description = "lean, ha or gpu, as in root aws; gpu adds a pool of GPU machines."
  type        = string
  default     = "lean"

  validation {
    condition     = contains(["lean", "ha", "gpu"], var.profile)
    error_message = "lean, ha or gpu."
  }
}

variable "architecture" {
  description = "amd64, or arm64 (Graviton): of all machines, because one image serves head and workers."
  type        = string
  default     = "amd64"

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "amd64 or arm64."
  }

  validation {
    condition     = var.architecture == "amd64" || var.profile != "gpu"
    error_message = "Profile gpu needs amd64: machines with these GPUs have x86 processors, and one image serves head and workers."
  }
}

variable "kuberay_version" {
  description = "Version of KubeRay's operator, for which the manifests are written."
  type        = string
  default     = "1.7.0"

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+$", var.kuberay_version))
    error_message = "A version such as 1.7.0."
  }
}

variable "cpu_limit" {
  description = "The most CPUs that workers may have in all."
  type        = number
  default     = 64

  validation {
    condition     = var.cpu_limit >= 4 && floor(var.cpu_limit) == var.cpu_limit
    error_message = "A whole number, at least the 4 CPUs of one machine."
  }
}

variable "gpu_limit" {
  description = "The most GPU machines with profile gpu."
  type        = number
  default     = 4

  validation {
    condition     = var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit
    error_message = "A whole number, 1 or more."
  }
}

variable "enable_monitoring" {
  description = "Whether Prometheus and Grafana run in the cluster, with the service's dashboard and alerts."
  type        = bool
  default     = false
}
