variable "name" {
  description = "Beginning of the alarms' names, and name of the budget."
  type        = string
}

variable "account_id" {
  description = "The account, from which alone alarms are taken."
  type        = string
}

variable "load_balancer" {
  description = "The load balancer's name in CloudWatch."
  type        = string
}

variable "target_group" {
  description = "The target group's name in CloudWatch."
  type        = string
}

variable "email" {
  description = "Who is told; must confirm a message first. null: nobody, until somebody subscribes to the topic."
  type        = string
  default     = null
}

variable "monthly_budget" {
  description = "USD per month, of the whole account."
  type        = number
}
