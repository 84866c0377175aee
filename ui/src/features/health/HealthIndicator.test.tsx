import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { expect, test, vi } from "vitest";
import { Client } from "@/api/client";
import { HEALTHY, SERVICE, server } from "@/testing/server";
import { HealthIndicator } from "./HealthIndicator";
import { stateOf, useHealth } from "./useHealth";

const client = new Client(SERVICE);
function Shown({ unreached = 0 }: { unreached?: number }) {
  return <HealthIndicator {...useHealth(client, { busy: false, unreached })} />;
}
const inQueries = (unreached?: number) => (
  <QueryClientProvider client={queries}>
    <Shown unreached={unreached ?? 0} />
  </QueryClientProvider>
);
const queries = new QueryClient();
const state = (name: string) => screen.findByRole("button", { name: `Service: ${name}` });

test("names the models and their revisions, and says why one is missing", async () => {
  const faults = { classifier: "there is no model.safetensors" };
  const { rerender } = render(<HealthIndicator state="ready" health={HEALTHY} />);
  act(() => screen.getByRole("button", { name: "Service: Ready" }).click());
  expect(await screen.findByText("person-detector@5f2c1a9e")).toBeVisible();
  expect(screen.getByText("gender-classifier@8d41b07c")).toBeVisible();
  rerender(<HealthIndicator state="unavailable" health={{ ...HEALTHY, status: "unavailable", faults }} />);
  expect(screen.getByText(faults.classifier)).toBeVisible();
});

test("the state follows the service, the photos that do not reach it, and the network", async () => {
  let up = true;
  server.use(http.get(`${SERVICE}/health`, () => (up ? HttpResponse.json(HEALTHY) : HttpResponse.error())));
  const { rerender } = render(inQueries());
  await state("Ready");
  up = false;
  rerender(inQueries(1)); // a photo found out, long before the next look
  await state("Not reachable");
  up = true;
  rerender(inQueries(2));
  await state("Ready");
  const onLine = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  act(() => void dispatchEvent(new Event("offline")));
  await state("Offline");
  onLine.mockReturnValue(true);
  act(() => void dispatchEvent(new Event("online")));
  await state("Ready");
});

test("each state has its own label", () => {
  const unavailable = { ...HEALTHY, status: "unavailable" };
  expect(stateOf(undefined, false, true)).toBe("checking");
  expect(stateOf({ kind: "report", health: HEALTHY }, true, true)).toBe("busy");
  expect(stateOf({ kind: "report", health: unavailable }, false, true)).toBe("warming");
  expect(stateOf({ kind: "report", health: { ...unavailable, faults: { detector: "gone" } } }, false, true)).toBe("unavailable");
  expect(stateOf({ kind: "no_answer" }, false, true)).toBe("unreachable");
  expect(stateOf({ kind: "report", health: HEALTHY }, false, false)).toBe("offline");
});
