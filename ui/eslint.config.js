import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// Imports go one way: api knows nobody, text knows api, shared knows text, features know those, app knows all.
const mayNotImport = (folder, ...others) => ({
  files: [`src/${folder}/**`],
  rules: { "no-restricted-imports": ["error", { patterns: others.map((other) => ({ group: [`**/${other}/**`] })) }] },
});

export default tseslint.config(
  { ignores: ["**/dist", "src/api/schema.ts", "test-results"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  jsxA11y.flatConfigs.strict,
  reactHooks.configs.flat.recommended,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js"] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // A handler may be `() => void this.start()` or `() => setOpen(true)`.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  { files: ["**/*.{js,mjs}"], ...tseslint.configs.disableTypeChecked },
  { files: ["scripts/*.mjs"], languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly" } } },
  mayNotImport("api", "shared", "text", "features", "app"),
  mayNotImport("text", "shared", "features", "app"),
  mayNotImport("shared", "api", "features", "app"),
  mayNotImport("features/workspace", "app", "upload", "viewer", "gallery", "health", "about", "model"),
  // These know the workspace, and not each other.
  ...["upload", "viewer", "gallery", "health", "about", "model"].map((feature, _, all) =>
    mayNotImport(`features/${feature}`, "app", ...all.filter((other) => other !== feature)),
  ),
);
