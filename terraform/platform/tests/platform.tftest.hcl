mock_provider "aws" {
  mock_data "aws_eks_cluster" {
    defaults = {
      endpoint              = "https://1.eks.amazonaws.com"
      certificate_authority = [{ data = "Y2VydGlmaWNhdGU=" }]
    }
  }
}

mock_provider "helm" {}

variables {
  account_id = "123456789012"
}

run "lean" {
  assert {
    condition     = output.node_pools == ["ray-head", "ray-cpu"]
    error_message = "no GPU can be started"
  }

  assert {
    condition     = alltrue([for object in yamldecode(helm_release.node_pools.values[0]).objects : can(tonumber(object.spec.limits.cpu)) if object.kind == "NodePool"])
    error_message = "each pool has a limit"
  }

  assert {
    condition     = [for object in yamldecode(helm_release.node_pools.values[0]).objects : object.data if object.kind == "ConfigMap" && object.metadata.name == "amazon-vpc-cni"] == [{ "enable-network-policy-controller" = "true" }]
    error_message = "network policies are enforced"
  }

  assert {
    condition = flatten([for object in yamldecode(helm_release.node_pools.values[0]).objects : [
      for requirement in object.spec.template.spec.requirements : requirement.values if requirement.key == "karpenter.sh/capacity-type"
    ] if object.metadata.name == "ray-head"]) == ["on-demand"]
    error_message = "no head is on a machine that may be taken away"
  }

  # EKS Auto Mode: 21 days at most.
  assert {
    condition = alltrue([for object in yamldecode(helm_release.node_pools.values[0]).objects :
      tonumber(trimsuffix(object.spec.template.spec.expireAfter, "h")) + tonumber(trimsuffix(object.spec.template.spec.terminationGracePeriod, "h")) <= 504
      && tonumber(trimsuffix(object.spec.template.spec.terminationGracePeriod, "h")) >= 24 if object.kind == "NodePool"
    ])
    error_message = "machines are replaced on purpose, with time to become free"
  }

  assert {
    condition     = [for object in yamldecode(helm_release.node_pools.values[0]).objects : object.spec.disruption.consolidationPolicy if object.metadata.name == "ray-cpu"] == ["WhenEmpty"]
    error_message = "only Ray's autoscaler decides how many workers there are"
  }

  assert {
    condition     = helm_release.node_pools.take_ownership
    error_message = "a ConfigMap that EKS has made is taken over"
  }

  assert {
    condition     = helm_release.kuberay_operator.version == "1.7.0" && helm_release.kuberay_operator.namespace == "kuberay-operator"
    error_message = "the operator is the one that the manifests are for"
  }

  assert {
    condition     = length(helm_release.dcgm_exporter) == 0 && length(helm_release.monitoring) == 0
    error_message = "nothing runs that was not asked for"
  }
}

run "graviton" {
  variables {
    architecture = "arm64"
  }

  assert {
    condition = flatten([for object in yamldecode(helm_release.node_pools.values[0]).objects : [
      for requirement in object.spec.template.spec.requirements : requirement.values if requirement.key == "kubernetes.io/arch"
    ] if object.kind == "NodePool"]) == ["arm64", "arm64"]
    error_message = "every machine can run the image"
  }
}

run "gpu" {
  variables {
    profile   = "gpu"
    gpu_limit = 2
  }

  assert {
    condition = flatten([for object in yamldecode(helm_release.node_pools.values[0]).objects : object.spec.template.spec.taints if object.metadata.name == "ray-gpu"]) == [
      { key = "nvidia.com/gpu", value = "true", effect = "NoSchedule" }
    ]
    error_message = "only what asks for a GPU lands on one"
  }

  assert {
    condition     = yamldecode(helm_release.dcgm_exporter[0].values[0]).nodeSelector == { "karpenter.sh/nodepool" = "ray-gpu" }
    error_message = "every machine with a GPU, and no other, is asked what its GPU does"
  }

  assert {
    condition     = [for each in yamldecode(helm_release.dcgm_exporter[0].values[0]).tolerations : each.key] == ["nvidia.com/gpu"]
    error_message = "the exporter may run where the GPUs are"
  }
}

run "with_monitoring" {
  variables {
    enable_monitoring = true
  }

  assert {
    condition = alltrue([for part in [
      yamldecode(helm_release.monitoring[0].values[0]).grafana,
      yamldecode(helm_release.monitoring[0].values[0]).prometheus.prometheusSpec,
      yamldecode(helm_release.monitoring[0].values[0]).alertmanager.alertmanagerSpec,
      yamldecode(helm_release.monitoring[0].values[0]).prometheusOperator,
      yamldecode(helm_release.monitoring[0].values[0])["kube-state-metrics"],
    ] : part.nodeSelector == { "karpenter.sh/nodepool" = "ray-head" }])
    error_message = "there is a pool for each part"
  }

  assert {
    condition = (!yamldecode(helm_release.monitoring[0].values[0]).prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues
      && !yamldecode(helm_release.monitoring[0].values[0]).prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues
    && yamldecode(helm_release.monitoring[0].values[0]).grafana.sidecar.dashboards.searchNamespace == "ALL")
    error_message = "the service's monitors, rules and dashboard are found in its namespace"
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).grafana["grafana.ini"]["auth.basic"].enabled == false
    error_message = "nobody logs in with the chart's own password"
  }
}

run "graviton_with_gpus" {
  command = plan

  variables {
    profile      = "gpu"
    architecture = "arm64"
  }

  expect_failures = [var.architecture]
}
