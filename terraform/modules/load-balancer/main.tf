# The way from CloudFront to the pods: an internal load balancer. Terraform owns it rather than a controller in the cluster, so
# CloudFront can know it before there are pods, and `destroy` leaves nothing behind.

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

# A separate group: the list counts as 55 of the 60 rules that a group may have.
resource "aws_security_group" "this" {
  name        = "${var.name}-load-balancer"
  description = "From CloudFront to the pods"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "cloudfront" {
  security_group_id = aws_security_group.this.id
  description       = "CloudFront"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "pods" {
  security_group_id            = aws_security_group.this.id
  description                  = "Serve port of the pods"
  referenced_security_group_id = var.pod_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.serve_port
  to_port                      = var.serve_port
}

# Not left to the TargetGroupBinding, whose `networking` Auto Mode reportedly ignores.
resource "aws_vpc_security_group_ingress_rule" "pods" {
  security_group_id            = var.pod_security_group_id
  description                  = "From the load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.serve_port
  to_port                      = var.serve_port
}

resource "aws_lb" "this" {
  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  idle_timeout               = 60 # longer than the service's own deadlines, shorter than its keep-alive of 90 s
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "serve" {
  name                 = var.name
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.serve_port
  deregistration_delay = 20 # as long as a pod waits before it stops, and as a request may take

  health_check {
    path                = var.health_path
    matcher             = "200"
    interval            = 5 # new pods get requests after ten seconds
    timeout             = 4
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { "eks:eks-cluster-name" = var.cluster_name } # Auto Mode registers pods only in groups that say so
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  # No TLS: CloudFront accepts only public certificates, and the hop stays in AWS' private network.
  protocol = "HTTP"
  port     = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.serve.arn
  }
}
