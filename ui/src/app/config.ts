export interface Config {
  /** Prefix of the service's URLs; "" for the page's own origin. */
  apiUrl: string;
}

/** Reads config.json beside index.html; without one, the service shares the page's origin. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch("/config.json");
  if (response.status === 404) return { apiUrl: "" };
  const config: unknown = await response.json();
  if (!response.ok || typeof config !== "object" || config === null || !("apiUrl" in config) || typeof config.apiUrl !== "string") {
    throw new Error('config.json must be like { "apiUrl": "" }');
  }
  return { apiUrl: config.apiUrl.replace(/\/+$/, "") };
}
