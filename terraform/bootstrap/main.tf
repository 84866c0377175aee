# The bucket for the state of the other two roots, and the role of the deploying workflow. Its own state is a local file, since there is no bucket yet.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, ManagedBy = "terraform" }
  }
}

module "state" {
  source = "../modules/bucket"

  name               = "${var.name}-${var.account_id}-${var.region}-state"
  keep_replaced_days = 90 # an earlier state can be brought back
  force_destroy      = var.force_destroy
}

module "workflow_role" {
  source = "../modules/workflow-role"
  count  = var.github_repository == null ? 0 : 1

  name         = var.name
  repository   = var.github_repository
  environments = ["plan", "production"] # .github/workflows/deploy.yml
  policy       = replace(file("${path.module}/../deployer-policy.json"), "NAME", var.name)
}
