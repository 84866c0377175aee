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

variable "force_destroy" {
  description = "Whether destroying deletes the state too. `deploy.sh destroy` says so when the rest is gone."
  type        = bool
  default     = false
}

variable "github_repository" {
  description = "OWNER/NAME of the repository on GitHub whose workflow deploys; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "OWNER/NAME."
  }
}
