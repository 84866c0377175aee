# What the cluster needs before the service: the operator and the machines. Applied after root aws, destroyed before it.

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

module "platform" {
  source = "../modules/platform"

  kuberay_version = var.kuberay_version
  architecture    = var.architecture
  cpu_limit       = var.cpu_limit
  gpu_limit       = var.profile == "gpu" ? var.gpu_limit : 0

  enable_monitoring = var.enable_monitoring
}
