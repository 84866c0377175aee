type Place = "localStorage" | "sessionStorage";

/** A choice that outlasts the visit, or in `sessionStorage` a reload. Browsers may forbid to store it: then it lasts until the page is closed. */
export function recall(name: string, storage: Place = "localStorage"): string | null {
  try {
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string, storage: Place = "localStorage"): void {
  try {
    window[storage].setItem(name, value);
  } catch {
    return;
  }
}
