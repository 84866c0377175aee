variable "name" {
  description = "Name of the VPC, and beginning of the names of what is in it."
  type        = string
}

variable "region" {
  description = "Region of the VPC, for the name of S3's endpoint."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) == 16, false)
    error_message = "A block of size /16, such as 10.0.0.0/16: the subnets are cut from it."
  }
}

variable "zones" {
  description = "Availability zones, one private and one public subnet each."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "2 to 4 different zones: EKS and load balancers want two, and the addresses are for four."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone, rather than one for all."
  type        = bool
}
