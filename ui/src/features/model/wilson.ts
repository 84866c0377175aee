const Z = 1.959964; // of 95 %

/** The 95 % interval of a share that was counted among so many (Wilson 1927). */
export function wilson(share: number, among: number): { low: number; high: number } {
  const spread = Z * Math.sqrt((share * (1 - share)) / among + (Z / (2 * among)) ** 2);
  const centre = share + Z ** 2 / (2 * among);
  const scale = 1 + Z ** 2 / among;
  return { low: Math.max(0, (centre - spread) / scale), high: Math.min(1, (centre + spread) / scale) };
}
