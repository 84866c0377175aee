# What the cluster needs before the service: KubeRay's operator, and the machines that Karpenter (in EKS Auto Mode) may start. Applied after
# root aws, destroyed before it.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

data "aws_eks_cluster" "this" {
  name = var.name
}

provider "helm" {
  kubernetes = {
    host                   = data.aws_eks_cluster.this.endpoint
    cluster_ca_certificate = base64decode(data.aws_eks_cluster.this.certificate_authority[0].data)

    # Requested on demand: a token in the state would be expired, and a secret in a file.
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", var.name, "--region", var.region, "--output", "json"]
    }
  }
}

# The pools go in as a small chart and not as kubernetes_manifest, which needs the cluster already when planning.
locals {
  gpu_limit = var.profile == "gpu" ? var.gpu_limit : 0

  # ../../k8s selects by karpenter.sh/nodepool, the pool's name; a test checks the sizes against the pods' requests.
  head = {
    name       = "ray-head"
    capacity   = ["on-demand"] # the cluster ends with its head
    categories = ["m", "r"]    # 8 GiB at least for two CPUs
    cpus       = ["2", "4"]
    limit      = 16
    # A head says that it must not be disrupted, because without it its cluster restarts; only the operator is moved together with others.
    disruption = { consolidationPolicy = "WhenEmptyOrUnderutilized", consolidateAfter = "5m" }
    taints     = []
  }
  cpu = {
    name       = "ray-cpu"
    capacity   = ["spot", "on-demand"] # spot while there is any
    categories = ["c", "m", "r"]
    cpus       = ["4", "8"]
    limit      = var.cpu_limit
    # Ray's autoscaler decides how many workers there are, and moving one costs its requests a machine's start. Never two at a time.
    disruption = { consolidationPolicy = "WhenEmpty", consolidateAfter = "5m", budgets = [{ nodes = "1" }] }
    taints     = []
  }
  gpu = {
    name       = "ray-gpu"
    capacity   = ["spot", "on-demand"]
    categories = ["g"]
    # Of the category, g6f has a fraction of a GPU, and g7 needs a newer driver than the machines come with.
    families   = ["g5", "g6", "g6e"]
    cpus       = ["4", "8"]
    limit      = local.gpu_limit * 8
    disruption = { consolidationPolicy = "WhenEmpty", consolidateAfter = "5m" }
    taints     = [{ key = "nvidia.com/gpu", value = "true", effect = "NoSchedule" }] # nothing else may land on what is dear
  }

  beside_the_head = { "karpenter.sh/nodepool" = local.head.name } # a machine for it alone would cost as much as the head's

  pools = concat([local.head, local.cpu], local.gpu_limit > 0 ? [local.gpu] : [])

  node_pools = [for pool in local.pools : {
    apiVersion = "karpenter.sh/v1"
    kind       = "NodePool"
    metadata   = { name = pool.name }
    spec = {
      template = {
        spec = {
          # Auto Mode replaces every machine within 21 days, by force at the end of the grace period. A machine has a day to become free:
          # as long as a search may take, and a head has until then for an upgrade.
          expireAfter            = "480h"
          terminationGracePeriod = "24h"

          nodeClassRef = { group = "eks.amazonaws.com", kind = "NodeClass", name = "default" }
          taints       = pool.taints
          requirements = concat([
            { key = "karpenter.sh/capacity-type", operator = "In", values = pool.capacity },
            { key = "kubernetes.io/arch", operator = "In", values = [var.architecture] }, # the image is built for it
            { key = "eks.amazonaws.com/instance-category", operator = "In", values = pool.categories },
            { key = "eks.amazonaws.com/instance-generation", operator = "Gt", values = ["4"] },
            { key = "eks.amazonaws.com/instance-cpu", operator = "In", values = pool.cpus },
            ], [for families in [lookup(pool, "families", [])] :
            { key = "eks.amazonaws.com/instance-family", operator = "In", values = families } if length(families) > 0
          ])
        }
      }
      disruption = pool.disruption
      limits     = { cpu = tostring(pool.limit) } # the most that a fault, or a crowd, can cost
    }
  }]

  # Without it EKS stores NetworkPolicies but does not enforce them.
  network_policies = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "amazon-vpc-cni", namespace = "kube-system" }
    data       = { "enable-network-policy-controller" = "true" }
  }
}

resource "helm_release" "node_pools" {
  name      = "node-pools"
  namespace = "kube-system"
  chart     = "${path.module}/chart"
  # EKS may have made the ConfigMap before.
  take_ownership = true
  values         = [yamlencode({ objects = concat([local.network_policies], local.node_pools) })]
}

resource "helm_release" "kuberay_operator" {
  name             = "kuberay-operator"
  namespace        = "kuberay-operator" # the manifests' network policy lets this namespace to Ray's heads
  create_namespace = true
  repository       = "https://ray-project.github.io/kuberay-helm/"
  chart            = "kuberay-operator"
  version          = var.kuberay_version
  timeout          = 900 # its machine must come first

  values = [yamlencode({
    nodeSelector = local.beside_the_head
    resources = {
      requests = { cpu = "100m", memory = "512Mi" }
      limits   = { cpu = "500m", memory = "512Mi" }
    }
  })]

  depends_on = [helm_release.node_pools]
}

# What the GPUs do. Nothing runs while there is no machine with one.
resource "helm_release" "dcgm_exporter" {
  count = local.gpu_limit > 0 ? 1 : 0

  name             = "dcgm-exporter"
  namespace        = "gpu-metrics" # its own: the service's admits no privileged pod
  create_namespace = true
  repository       = "https://nvidia.github.io/dcgm-exporter/helm-charts"
  chart            = "dcgm-exporter"
  version          = "4.8.2"

  values = [yamlencode({
    nodeSelector   = { "karpenter.sh/nodepool" = local.gpu.name }
    tolerations    = [for taint in local.gpu.taints : { key = taint.key, operator = "Exists", effect = taint.effect }]
    serviceMonitor = { enabled = false } # Prometheus' operator need not be there; ../../k8s/monitoring asks the pods
    # The machines' Bottlerocket shows a GPU to those who request it, which would take it from the models, and to the privileged.
    securityContext = { privileged = true, allowPrivilegeEscalation = true }
  })]

  depends_on = [helm_release.node_pools]
}

# Prometheus and Grafana for ../../k8s/monitoring, which deploy.sh applies where they are.
resource "helm_release" "monitoring" {
  count = var.enable_monitoring ? 1 : 0

  name             = "monitoring"
  namespace        = "monitoring"
  create_namespace = true
  repository       = "https://prometheus-community.github.io/helm-charts"
  chart            = "kube-prometheus-stack"
  version          = "78.2.1"
  timeout          = 900 # its machine must come first

  values = [yamlencode({
    prometheusOperator   = { nodeSelector = local.beside_the_head }
    "kube-state-metrics" = { nodeSelector = local.beside_the_head }
    nodeExporter         = { enabled = false } # Auto Mode's machines are AWS' to watch
    alertmanager         = { alertmanagerSpec = { nodeSelector = local.beside_the_head } }
    prometheus = {
      prometheusSpec = {
        nodeSelector = local.beside_the_head
        retention    = "7d"
        # Monitors and rules of every namespace, not only this release's own.
        podMonitorSelectorNilUsesHelmValues = false
        ruleSelectorNilUsesHelmValues       = false
      }
    }
    grafana = {
      nodeSelector = local.beside_the_head
      # For whoever may forward a port: anyone may look and nobody may log in, because the chart has a password that everybody knows.
      "grafana.ini" = {
        auth             = { disable_login_form = true }
        "auth.anonymous" = { enabled = true, org_role = "Viewer" }
        "auth.basic"     = { enabled = false }
      }
      sidecar = {
        dashboards  = { searchNamespace = "ALL", skipReload = true } # a reload would log in; Grafana looks for new files by itself
        datasources = { initDatasources = true, skipReload = true }
      }
    }
  })]

  depends_on = [helm_release.node_pools]
}

# They were in a module of their own once.
moved {
  from = module.platform.helm_release.node_pools
  to   = helm_release.node_pools
}

moved {
  from = module.platform.helm_release.kuberay_operator
  to   = helm_release.kuberay_operator
}
