output "node_pools" {
  description = "Names of the node pools, by which pods select them."
  value       = module.platform.node_pools
}
