mock_provider "helm" {}

variables {
  kuberay_version = "1.7.0"
  architecture    = "amd64"
  cpu_limit       = 64
  gpu_limit       = 0
}

run "without_gpus" {
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

run "with_gpus" {
  variables {
    gpu_limit = 2
  }

  assert {
    condition = flatten([for object in yamldecode(helm_release.node_pools.values[0]).objects : object.spec.template.spec.taints if object.metadata.name == "ray-gpu"]) == [
      { key = "nvidia.com/gpu", value = "true", effect = "NoSchedule" }
    ]
    error_message = "only what asks for a GPU lands on one"
  }
}
