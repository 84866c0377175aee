variable "name" {
  description = "The domain."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.name))
    error_message = "A domain such as photos.example.org."
  }
}

variable "zone_id" {
  description = "Route 53 zone that the domain is in."
  type        = string

  validation {
    condition     = can(regex("^Z[A-Z0-9]+$", var.zone_id))
    error_message = "The ID of a hosted zone, such as Z0123456789ABCDEFGHIJ."
  }
}
