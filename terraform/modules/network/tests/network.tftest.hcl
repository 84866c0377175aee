mock_provider "aws" {}

variables {
  name         = "photos"
  region       = "eu-central-1"
  cidr         = "10.0.0.0/16"
  zones        = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  nat_per_zone = false
}

run "closed" {
  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "the default security group lets nothing in or out"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch == false])
    error_message = "nothing gets a public address by itself"
  }

  assert {
    condition     = alltrue([for route in aws_route.nat : route.gateway_id == null && route.nat_gateway_id != null])
    error_message = "private subnets go out by NAT, and nothing comes in"
  }
}

run "one_way_out_for_all" {
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 1
    error_message = "one NAT gateway serves all zones"
  }

  assert {
    condition     = length(distinct(concat([for subnet in aws_subnet.private : subnet.cidr_block], [for subnet in aws_subnet.public : subnet.cidr_block]))) == 6
    error_message = "no two subnets have the same addresses"
  }
}

run "one_way_out_for_each" {
  variables {
    nat_per_zone = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 3
    error_message = "each zone has its own NAT gateway"
  }
}

run "one_zone_is_too_few" {
  command = plan

  variables {
    zones = ["eu-central-1a"]
  }

  expect_failures = [var.zones]
}
