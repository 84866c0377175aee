variable "name" {
  description = "Beginning of the alarms' names, and name of the budget."
  type        = string

  validation {
    condition     = length(var.name) > 0
    error_message = "A name is needed."
  }
}

variable "account_id" {
  description = "The account, from which alone alarms are taken."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "load_balancer" {
  description = "The load balancer's name in CloudWatch."
  type        = string

  validation {
    condition     = length(var.load_balancer) > 0
    error_message = "A load balancer is needed."
  }
}

variable "target_group" {
  description = "The target group's name in CloudWatch."
  type        = string

  validation {
    condition     = length(var.target_group) > 0
    error_message = "A target group is needed."
  }
}

variable "email" {
  description = "Who is told; must confirm a message first. null: nobody, until somebody subscribes to the topic."
  type        = string
  default     = null

  validation {
    condition     = var.email == null || can(regex("^[^@ ]+@[^@ ]+$", var.email))
    error_message = "An e-mail address."
  }
}

variable "monthly_budget" {
  description = "USD per month, of the whole account."
  type        = number

  validation {
    condition     = var.monthly_budget > 0
    error_message = "More than nothing."
  }
}
