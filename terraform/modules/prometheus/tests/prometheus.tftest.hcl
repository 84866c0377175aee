mock_provider "aws" {
  mock_resource "aws_prometheus_workspace" {
    defaults = { arn = "arn:aws:aps:eu-central-1:123456789012:workspace/ws-1" }
  }
}

variables {
  name                  = "photos"
  cluster_arn           = "arn:aws:eks:eu-central-1:123456789012:cluster/photos"
  namespace             = "gender-presentation"
  gpu_namespace         = "gpu-metrics"
  subnet_ids            = ["subnet-a", "subnet-b"]
  pod_security_group_id = "sg-pods"
}

run "asks_our_pods" {
  assert {
    condition     = yamldecode(aws_prometheus_scraper.this.scrape_configuration).scrape_configs[0].kubernetes_sd_configs[0].namespaces.names == ["gender-presentation", "gpu-metrics"]
    error_message = "only the pods of the service and of the GPUs' exporter are asked"
  }

  assert {
    condition     = aws_prometheus_scraper.this.destination[0].amp[0].workspace_arn == aws_prometheus_workspace.this.arn
    error_message = "what they say goes to our workspace"
  }
}
