import "@fontsource-variable/figtree/wght.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Client } from "./api/client";
import { loadConfig } from "./app/config";
import { App } from "./app/App";
import "./app/base.css";
import { applyTheme } from "./app/ThemeButton";
import { prepare } from "./features/upload/prepare";
import { startHeicDecoder, startReducer } from "./features/upload/reducer";
import { Keeper } from "./features/workspace/keeper";
import { PhotoSession } from "./features/workspace/session";
import { text } from "./text";
import { language } from "./text/language";

const element = document.getElementById("root");
if (!element) throw new Error("index.html has no #root");
const root = createRoot(element);
applyTheme();
document.documentElement.lang = language;

try {
  const { apiUrl } = await loadConfig();
  const client = new Client(apiUrl);
  const [reduce, decodeHeic] = [startReducer(), startHeicDecoder()];
  const session = new PhotoSession(client, (file) => prepare(file, reduce, decodeHeic));
  const keeper = new Keeper(session);
  root.render(
    <StrictMode>
      <QueryClientProvider client={new QueryClient()}>
        <App client={client} session={session} keeper={keeper} apiUrl={apiUrl} />
      </QueryClientProvider>
    </StrictMode>,
  );
} catch (error) {
  console.error(error);
  root.render(<p role="alert">{text.broken.config}</p>);
}
