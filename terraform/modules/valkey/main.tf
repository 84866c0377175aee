# Stores the state of Ray's head, so that the cluster survives its loss. Two nodes in two zones.

resource "aws_security_group" "this" {
  name        = "${var.name}-valkey"
  description = "From the head of Ray to Valkey"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  security_group_id            = aws_security_group.this.id
  description                  = "Pods of the cluster"
  referenced_security_group_id = var.pod_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

# The one user. Valkey's own, who needs no password, is off once there is a group of users.
resource "aws_elasticache_user" "ray" {
  user_id       = "${var.name}-ray"
  user_name     = "${var.name}-ray" # IAM wants both to be the same
  engine        = "valkey"
  access_string = "on ~* &* +@all" # nobody else has anything there

  # A password would be in the state. Until deploy.sh gives one, the user is IAM's, and no role may connect (elasticache:Connect).
  authentication_mode {
    type = "iam"
  }

  lifecycle {
    ignore_changes = [authentication_mode]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.ray.user_id]
}

# deploy.sh creates its value, and gives it to the user and to Ray.
resource "aws_secretsmanager_secret" "password" {
  name                    = "${var.name}-valkey-password"
  description             = "Password of the user that Ray stores the state of its head as"
  recovery_window_in_days = 0 # a new deployment of the same name makes a new one
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "State of the head of Ray"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.node_type
  port                       = 6379
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]
  apply_immediately          = true # or a change would wait for a weekly window, while what is deployed next relies on it
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]
}
