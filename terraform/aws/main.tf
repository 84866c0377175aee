# Everything in AWS outside the cluster. Root platform has the rest: a provider cannot use a cluster that the same plan creates.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, ManagedBy = "terraform" }
  }
}

data "aws_availability_zones" "here" {
  state = "available"

  # By id: a zone's name means another zone in each account. EKS puts no control plane into the first three, and CloudFront no VPC origin
  # into any of these.
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3", "apne1-az3", "apne2-az1"]

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"] # no local zones: EKS does not run in them
  }
}

data "aws_partition" "here" {}

locals {
  # The manifests in ../../k8s have these too; a test compares them.
  namespace     = "gender-presentation"
  gpu_namespace = "gpu-metrics" # of root platform's exporter
  serve_port    = 8000
  api_prefix    = "/api"
  # The proxy's own health check, not /health: a pod is a good target if it can forward requests. If the models sleep (profile lean) or their
  # last replica has died, /health answers 503, and every target would be removed for a fault that is not its own.
  health_path = "/-/healthz"

  ha            = var.profile == "ha"
  zones         = var.zones != null ? var.zones : slice(sort(data.aws_availability_zones.here.names), 0, local.ha ? 3 : 2)
  bucket_prefix = "${var.name}-${var.account_id}-${var.region}"
  log_group     = "/${var.name}/pods"
  log_group_arn = "arn:${data.aws_partition.here.partition}:logs:${var.region}:${var.account_id}:log-group:${local.log_group}"
}

module "network" {
  source = "../modules/network"

  name         = var.name
  region       = var.region
  cidr         = var.vpc_cidr
  zones        = local.zones
  nat_per_zone = local.ha
}

module "cluster" {
  source = "../modules/cluster"

  name                = var.name
  kubernetes_version  = var.kubernetes_version
  subnet_ids          = module.network.private_subnet_ids
  api_access_cidrs    = var.api_access_cidrs
  admin_arns          = var.admin_arns
  deletion_protection = var.deletion_protection
  log_retention_days  = var.log_retention_days
}

module "registry" {
  source = "../modules/registry"

  name         = var.name
  force_delete = !var.deletion_protection
}

module "models" {
  source = "../modules/bucket"

  name          = "${local.bucket_prefix}-models"
  force_destroy = !var.deletion_protection
}

module "data" {
  source = "../modules/bucket"

  name          = "${local.bucket_prefix}-data"
  force_destroy = !var.deletion_protection
}

module "page" {
  source = "../modules/bucket"

  name                     = "${local.bucket_prefix}-page"
  force_destroy            = true # all of it is built from ui/
  reader_distribution_arns = [module.edge.distribution_arn]
}

# What the pods' sidecars print and would lose with their pods; deploy.sh names it to them.
resource "aws_cloudwatch_log_group" "pods" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
}

module "serve_role" {
  source = "../modules/pod-role"

  cluster_name    = module.cluster.name
  namespace       = local.namespace
  service_account = "serve"
  log_group_arns  = [local.log_group_arn]
  read            = [{ bucket_arn = module.models.arn, prefix = "models/" }]
}

module "tune_role" {
  source = "../modules/pod-role"

  cluster_name    = module.cluster.name
  namespace       = local.namespace
  service_account = "tune"
  log_group_arns  = [local.log_group_arn]
  read            = [{ bucket_arn = module.data.arn, prefix = "" }]
  write = [
    { bucket_arn = module.models.arn, prefix = "models/" },
    { bucket_arn = module.models.arn, prefix = "tune/" },
  ]
}

# deploy.sh creates its value, so that it is in no state file or plan.
resource "aws_secretsmanager_secret" "ray_token" {
  name                    = "${var.name}-ray-token"
  description             = "Token that Ray asks for before it runs anything"
  recovery_window_in_days = 0 # a new deployment of the same name makes a new one
}

module "load_balancer" {
  source = "../modules/load-balancer"

  name                  = var.name
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  cluster_name          = module.cluster.name
  pod_security_group_id = module.cluster.security_group_id
  serve_port            = local.serve_port
  health_path           = local.health_path
}

module "firewall" {
  source = "../modules/firewall"

  name       = var.name
  rate_limit = var.rate_limit
  api_prefix = local.api_prefix
}

module "edge" {
  source = "../modules/edge"

  name                   = var.name
  api_prefix             = local.api_prefix
  page_domain_name       = module.page.domain_name
  load_balancer_arn      = module.load_balancer.arn
  load_balancer_dns_name = module.load_balancer.dns_name
  web_acl_arn            = module.firewall.arn
  domain_name            = one(module.domain[*].name)
  certificate_arn        = one(module.domain[*].certificate_arn)

  depends_on = [module.network] # its internet gateway, which a VPC origin wants
}

module "domain" {
  source = "../modules/domain"
  count  = var.domain == null ? 0 : 1

  name    = var.domain.name
  zone_id = var.domain.zone_id
}

# In the zone, beside the module: they need the distribution, which needs the module's certificate.
resource "aws_route53_record" "public" {
  for_each = var.domain == null ? [] : toset(["A", "AAAA"])

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = each.key

  alias {
    name                   = module.edge.domain_name
    zone_id                = "Z2FDTNDATAQYW2" # of all of CloudFront
    evaluate_target_health = false
  }
}

module "valkey" {
  source = "../modules/valkey"
  count  = local.ha ? 1 : 0

  name                  = var.name
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  pod_security_group_id = module.cluster.security_group_id
}

module "prometheus" {
  source = "../modules/prometheus"
  count  = var.enable_prometheus ? 1 : 0

  name                  = var.name
  cluster_arn           = module.cluster.arn
  namespace             = local.namespace
  gpu_namespace         = local.gpu_namespace
  subnet_ids            = module.network.private_subnet_ids
  pod_security_group_id = module.cluster.security_group_id
}

module "alarms" {
  source = "../modules/alarms"

  name           = var.name
  account_id     = var.account_id
  load_balancer  = module.load_balancer.arn_suffix
  target_group   = module.load_balancer.target_group_arn_suffix
  email          = var.alarm_email
  monthly_budget = var.monthly_budget
}
