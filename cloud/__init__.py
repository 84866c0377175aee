"""What deploy.sh asks and computes: the state of an AWS account, Terraform's plans and outputs, prices. Only Python's standard library."""
