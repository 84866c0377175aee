terraform {
  required_version = ">= 1.11" # S3's own lock

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.9" # deletion_protection of aws_eks_cluster
    }
  }

  # Bucket and region come from `terraform init -backend-config`; ../bootstrap creates the bucket.
  backend "s3" {
    key          = "aws.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
