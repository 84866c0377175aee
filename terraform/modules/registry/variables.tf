variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "keep_images" {
  description = "How many builds are kept that were never deployed."
  type        = number
  default     = 10

  validation {
    condition     = var.keep_images >= 2
    error_message = "At least 2."
  }
}

variable "keep_deployed" {
  description = "How many images are kept of those that deploy.sh has deployed."
  type        = number
  default     = 20

  validation {
    condition     = var.keep_deployed >= 2
    error_message = "At least 2: the one that runs, and the one to go back to."
  }
}

variable "force_delete" {
  description = "Whether destroying the repository deletes its images."
  type        = bool
  default     = false
}
