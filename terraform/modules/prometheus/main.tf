# Managed Prometheus with a managed scraper of the pods' metrics: nothing runs in the cluster.

resource "aws_prometheus_workspace" "this" {
  alias = var.name
}

resource "aws_prometheus_scraper" "this" {
  alias = var.name

  source {
    eks {
      cluster_arn        = var.cluster_arn
      subnet_ids         = var.subnet_ids
      security_group_ids = [var.pod_security_group_id] # inside the group of the pods everything may talk; their NetworkPolicy says what
    }
  }

  destination {
    amp {
      workspace_arn = aws_prometheus_workspace.this.arn
    }
  }

  scrape_configuration = yamlencode({
    global = { scrape_interval = "30s" }
    scrape_configs = [{
      job_name              = var.name
      kubernetes_sd_configs = [{ role = "pod", namespaces = { names = [var.namespace, var.gpu_namespace] } }]
      relabel_configs = [
        {
          source_labels = ["__meta_kubernetes_pod_label_ray_io_is_ray_node", "__meta_kubernetes_pod_label_app_kubernetes_io_name"]
          regex         = "yes;.*|.*;dcgm-exporter"
          action        = "keep"
        },
        { source_labels = ["__meta_kubernetes_pod_container_port_name"], regex = "metrics", action = "keep" },
        { source_labels = ["__meta_kubernetes_pod_name"], target_label = "pod" },
      ]
    }]
  })
}
