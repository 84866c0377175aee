"""What deploy.sh meets when it is rehearsed: the real Terraform, kubectl and AWS command line, and clouds that are not there."""
