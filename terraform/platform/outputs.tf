output "node_pools" {
  description = "Names of the node pools, by which pods select them."
  value       = [for pool in local.pools : pool.name]
}
