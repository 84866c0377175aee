variable "name" {
  description = "Name of workspace, scraper and job."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster whose pods are asked."
  type        = string
}

variable "namespace" {
  description = "Namespace of the pods."
  type        = string
}

variable "gpu_namespace" {
  description = "Namespace of NVIDIA's exporter, which is there with profile gpu."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets that the scraper asks from, in two zones at least."
  type        = list(string)
}

variable "pod_security_group_id" {
  description = "Security group of the pods."
  type        = string
}
