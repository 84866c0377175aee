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
  description = "lean: cheapest. ha: any one zone can be lost. gpu: lean with GPU workers. The manifests' overlay of the same name goes with it."
  type        = string
  default     = "lean"

  validation {
    condition     = contains(["lean", "ha", "gpu"], var.profile)
    error_message = "lean, ha or gpu."
  }
}

variable "api_access_cidrs" {
  description = "Addresses from which Kubernetes' API can be reached, such as [\"203.0.113.7/32\"]. deploy.sh takes yours when none are given."
  type        = list(string)
}

variable "admin_arns" {
  description = "Further IAM users and roles that administer the cluster."
  type        = set(string)
  default     = []
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, in EKS' standard support."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A version such as 1.35."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(regex("^(10|172|192)\\.", var.vpc_cidr)) && can(cidrhost(var.vpc_cidr, 0))
    error_message = "A block of private addresses, such as 10.0.0.0/16: the manifests let only those to the metrics."
  }
}

variable "zones" {
  description = "Availability zones by name; null for the first two of the region that EKS and VPC origins take, and three with profile ha."
  type        = list(string)
  default     = null

  validation {
    condition     = var.zones == null || try(length(var.zones) >= 2, false)
    error_message = "At least two zones."
  }
}

variable "domain" {
  description = "Own domain and the Route 53 zone that it is in; null for the address that CloudFront gives."
  type        = object({ name = string, zone_id = string })
  default     = null
}

variable "rate_limit" {
  description = "Requests to the API that one address may make in five minutes."
  type        = number
  default     = 1000
}

variable "enable_prometheus" {
  description = "Whether metrics go to a managed Prometheus workspace."
  type        = bool
  default     = false
}

variable "alarm_email" {
  description = "Who is told of alarms and of the budget; null for nobody."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "An e-mail address."
  }
}

variable "monthly_budget" {
  description = "USD per month after which alarms are sent, of the whole account."
  type        = number
  default     = 500

  validation {
    condition     = var.monthly_budget > 0
    error_message = "More than nothing."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30
}

variable "deletion_protection" {
  description = "Whether the cluster, and buckets and images that are not empty, refuse to be deleted. `deploy.sh destroy` asks, and turns it off."
  type        = bool
  default     = true
}
