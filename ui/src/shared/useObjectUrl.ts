import { useEffect, useState } from "react";

/** An address for a blob that lives as long as the component shows it. */
export function useObjectUrl(blob: Blob | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const created = blob && URL.createObjectURL(blob);
    // eslint-disable-next-line react-hooks/set-state-in-effect -- the address must be given back when the blob changes, so an effect makes it
    setUrl(created);
    return () => {
      if (created) URL.revokeObjectURL(created);
    };
  }, [blob]);
  return url;
}
