import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeEach, expect, test } from "vitest";
import { Client } from "../api/client";
import type { Prepare } from "../features/photos/prepare";
import { answer, fault, SERVICE, server } from "../testing/server";
import { App } from "./App";

const asTheyAre: Prepare = (file) => Promise.resolve({ kind: "ready", upload: file, thumbnail: null });
const photo = (name: string) => new File(["x"], name, { type: "image/jpeg" });
const choose = (...names: string[]) => userEvent.upload(screen.getByLabelText("Photos"), names.map(photo));
const replyWith = (reply: () => Response) => server.use(http.post(`${SERVICE}/predict`, reply));

beforeEach(() => {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <App client={new Client(SERVICE)} prepare={asTheyAre} apiUrl={SERVICE} />
    </QueryClientProvider>,
  );
});

test("one photo: the prediction, both probabilities, the box, and the announcement", async () => {
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "male presentation" })).toBeVisible();
  const bars = screen.getByLabelText("Probabilities");
  expect(within(bars).getByText("89%")).toBeVisible();
  expect(within(bars).getByText("11%")).toBeVisible();
  expect(screen.getAllByTestId("box")).toHaveLength(1);
  expect(screen.getByRole("status")).toHaveTextContent("The model sees male presentation, 89% confidence.");
});

test("several people: their number, and a box for each", async () => {
  replyWith(() => HttpResponse.json(answer("multiple_people")));
  await choose("us.jpg");
  expect(await screen.findByRole("heading", { name: "More than one person in this photo" })).toBeVisible();
  expect(screen.getByText(/3 people were found/)).toBeVisible();
  expect(screen.getAllByTestId("box")).toHaveLength(3);
});

test("an unsure answer: both probabilities and the box, no prediction", async () => {
  replyWith(() => HttpResponse.json(answer("unsure")));
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "The model is not sure enough to say" })).toBeVisible();
  expect(screen.queryByRole("heading", { name: /presentation$/ })).not.toBeInTheDocument();
  const bars = screen.getByLabelText("Probabilities");
  expect(within(bars).getByText("53%")).toBeVisible();
  expect(within(bars).getByText("47%")).toBeVisible();
  expect(bars.querySelector("[data-predicted]")).toBeNull();
  expect(screen.getAllByTestId("box")).toHaveLength(1);
  expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
  expect(screen.getByRole("status")).toHaveTextContent("The model is not sure enough to say.");
});

test("a failed request can be retried", async () => {
  replyWith(() => HttpResponse.json(fault("internal"), { status: 500 }));
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "Something broke in the service" })).toBeVisible();
  server.resetHandlers();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("heading", { name: "male presentation" })).toBeVisible();
});

test("a photo in flight can be cancelled", async () => {
  server.use(http.post(`${SERVICE}/predict`, () => new Promise<never>(() => undefined)));
  await choose("me.jpg");
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(screen.getByRole("heading", { name: "Cancelled" })).toHaveFocus();
});

test("a pasted photo is analysed", async () => {
  fireEvent.paste(document.body, { clipboardData: { files: [photo("pasted.png")] } });
  expect(await screen.findByRole("heading", { name: "male presentation" })).toBeVisible();
});

test("another photo replaces the first", async () => {
  await choose("first.jpg");
  await choose("second.jpg");
  expect(await screen.findByRole("heading", { name: "second.jpg" })).toBeVisible();
  expect(screen.queryByText("first.jpg")).not.toBeInTheDocument();
});

test("many photos: a grid, a filter, one photo, and back", async () => {
  server.use(http.post(`${SERVICE}/predict`, () => HttpResponse.json(answer("no_person")), { once: true }));
  await choose("a.jpg", "b.jpg", "c.jpg");
  expect(await screen.findByText("2 with an answer, 1 without")).toBeVisible();
  expect(screen.getAllByRole("listitem").filter((item) => item.querySelector("[data-photo]"))).toHaveLength(3);
  await userEvent.selectOptions(screen.getByLabelText("Show"), "No answer");
  const link = screen.getByRole("link", { name: /Nobody found/ });
  location.hash = link.getAttribute("href") ?? "";
  expect(await screen.findByRole("heading", { name: "Nobody found in this photo" })).toBeVisible();
  location.hash = "#photos";
  expect(await screen.findByLabelText("Show")).toHaveValue("refused");
});
