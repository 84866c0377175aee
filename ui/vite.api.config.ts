import { defineConfig } from "vite";

// src/api as a package of one file without dependencies, which browsers can load as it is.
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "src/api/dist",
    target: "es2022",
    lib: { entry: "src/api/index.ts", formats: ["es"], fileName: "index" },
  },
});
