output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "IDs of the private subnets, one for each zone."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "internet_gateway_id" {
  description = "ID of the internet gateway, without which CloudFront refuses a VPC origin."
  value       = aws_internet_gateway.this.id
}
