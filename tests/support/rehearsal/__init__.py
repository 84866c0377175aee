"""The surroundings of a deploy.sh rehearsal: the real Terraform, kubectl and AWS CLI, in front of fake clouds."""
