export interface Config {
  /** What stands before the service's addresses; "" for the page's own origin. */
  apiUrl: string;
}

/** Reads config.json beside index.html; without one, the service is at the page's own origin. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch("/config.json");
  if (response.status === 404) return { apiUrl: "" };
  const config: unknown = await response.json();
  if (!response.ok || typeof config !== "object" || config === null || !("apiUrl" in config) || typeof config.apiUrl !== "string") {
    throw new Error('config.json must be like { "apiUrl": "" }');
  }
  return { apiUrl: config.apiUrl.replace(/\/+$/, "") };
}
