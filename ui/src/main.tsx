import "@fontsource-variable/figtree/wght.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Client } from "./api/client";
import { loadConfig } from "./api/config";
import { App } from "./app/App";
import "./app/base.css";
import { prepare, type Prepare } from "./features/photos/prepare";
import { startReducer } from "./features/photos/reducer";

const element = document.getElementById("root");
if (!element) throw new Error("index.html has no #root");
const root = createRoot(element);

try {
  const { apiUrl } = await loadConfig();
  const client = new Client(apiUrl);
  const reduce = startReducer();
  const prepareFile: Prepare = (file) => prepare(file, reduce);
  root.render(
    <StrictMode>
      <QueryClientProvider client={new QueryClient()}>
        <App client={client} prepare={prepareFile} apiUrl={apiUrl} />
      </QueryClientProvider>
    </StrictMode>,
  );
} catch (error) {
  console.error(error);
  root.render(<p role="alert">This page could not be set up: its config.json cannot be read. Reload it in a minute.</p>);
}
