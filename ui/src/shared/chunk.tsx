import { lazy, type ComponentType } from "react";

/** A part of the page that is loaded when needed could not be: no network, or it is gone since a deployment. */
export class ChunkError extends Error {
  override name = "ChunkError";
}

const failed = new Set<() => void>();

/** What could not be loaded is asked for again when it is next shown. */
export function forgetFailures(): void {
  for (const renew of failed) renew();
  failed.clear();
}

/**
 * A component that is loaded when it is first shown. Unlike `React.lazy`, it can be tried again after a failure.
 *
 * Returns the component and a function that loads it early, so that it is there when the network is not.
 */
export function chunk<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>): [ComponentType<Props>, () => void] {
  const start = () =>
    lazy(() =>
      load().catch((error: unknown) => {
        failed.add(renew);
        throw new ChunkError("a part of the page could not be loaded", { cause: error });
      }),
    );
  const renew = () => {
    Current = start();
  };
  let Current = start();
  const Chunk = (props: Props) => <Current {...props} />;
  return [Chunk, () => void load().catch(() => undefined)];
}
