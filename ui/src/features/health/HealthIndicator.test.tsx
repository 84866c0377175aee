import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { expect, test, vi } from "vitest";
import { Client } from "../../api/client";
import { HEALTHY, SERVICE, server } from "../../testing/server";
import { HealthIndicator, stateOf } from "./HealthIndicator";

const show = () =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <HealthIndicator client={new Client(SERVICE)} photosWait={false} />
    </QueryClientProvider>,
  );

test("names the models and their revisions", async () => {
  show();
  await userEvent.click(await screen.findByRole("button", { name: "Service: Ready" }));
  expect(screen.getByText("person-detector@5f2c1a9e")).toBeVisible();
  expect(screen.getByText("gender-classifier@8d41b07c")).toBeVisible();
});

test("says why a model is missing", async () => {
  const faults = { classifier: "there is no model.safetensors" };
  server.use(http.get(`${SERVICE}/health`, () => HttpResponse.json({ ...HEALTHY, status: "unavailable", faults }, { status: 503 })));
  show();
  await userEvent.click(await screen.findByRole("button", { name: "Service: Unavailable" }));
  expect(screen.getByText(faults.classifier)).toBeVisible();
});

test("each state has its own label", () => {
  const unavailable = { ...HEALTHY, status: "unavailable" };
  expect(stateOf(undefined, false)).toBe("checking");
  expect(stateOf({ kind: "report", health: HEALTHY }, true)).toBe("busy");
  expect(stateOf({ kind: "report", health: unavailable }, false)).toBe("warming");
  expect(stateOf({ kind: "no_answer" }, false)).toBe("unreachable");
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  expect(stateOf({ kind: "report", health: HEALTHY }, false)).toBe("offline");
});
