import { createContext, useContext } from "react";
import type { Client } from "@/api/client";
import type { Arrangement } from "./arrange";
import type { Measured } from "./measured";
import type { Photo, PhotoSession } from "./session";

/** What every area of the page knows about the photos, and may do with them. */
export interface Workspace {
  /** Prefix of the service's addresses; "" for the page's own origin. */
  apiUrl: string;
  client: Client;
  /** What was measured for the model that answers; null until it is known, and where it never is. */
  measured: Measured | null;
  session: PhotoSession;
  photos: readonly Photo[];
  /** Whether the photos of an earlier visit are back. */
  restored: boolean;
  arrangement: Arrangement;
  arrange: (arrangement: Arrangement) => void;
  /** Takes files of the visitor's, wherever they came from. */
  take: (files: readonly File[]) => void;
  chooseFiles: () => void;
  chooseFolder: () => void;
  openCamera: () => void;
}

const Context = createContext<Workspace | null>(null);

export const WorkspaceProvider = Context.Provider;

export function useWorkspace(): Workspace {
  const workspace = useContext(Context);
  if (!workspace) throw new Error("outside of the workspace");
  return workspace;
}
