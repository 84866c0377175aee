/** From then on, the page opens without a network, too. Browsers have service workers only over https and on localhost. */
export function startOffline(): void {
  if ("serviceWorker" in navigator) void navigator.serviceWorker.register("/sw.js").catch(() => undefined); // it is for later
}
