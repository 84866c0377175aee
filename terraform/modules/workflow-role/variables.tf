variable "name" {
  description = "Beginning of the names of the role and its policy."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,54}$", var.name))
    error_message = "At most 55 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "repository" {
  description = "The repository on GitHub whose workflows may take on the role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "OWNER/NAME, without a star: any other repository could deploy."
  }
}

variable "environments" {
  description = "The environments of the repository whose jobs may take on the role."
  type        = list(string)

  validation {
    condition     = alltrue([for environment in var.environments : can(regex("^[A-Za-z0-9_-]+$", environment))])
    error_message = "Names of environments, without a star."
  }
}

variable "policy" {
  description = "What the role may do, as JSON."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "An IAM policy."
  }
}
