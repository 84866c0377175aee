import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeEach, expect, test } from "vitest";
import { Client } from "@/api/client";
import { Keeper } from "@/features/workspace/keeper";
import type { Prepare } from "@/features/workspace/prepare";
import { PhotoSession } from "@/features/workspace/session";
import { answer, fault, SERVICE, server } from "@/testing/server";
import { App } from "./App";

const asTheyAre: Prepare = (file) => Promise.resolve({ kind: "ready", upload: file, thumbnail: null });
const photo = (name: string) => new File(["x"], name, { type: "image/jpeg" });
const choose = (...names: string[]) => userEvent.upload(screen.getByLabelText("Photos"), names.map(photo));
const replyWith = (reply: () => Response) => server.use(http.post(`${SERVICE}/predict`, reply));

beforeEach(() => {
  const client = new Client(SERVICE);
  const session = new PhotoSession(client, asTheyAre);
  render(
    <QueryClientProvider client={new QueryClient()}>
      <App client={client} session={session} keeper={new Keeper(session)} apiUrl={SERVICE} />
    </QueryClientProvider>,
  );
});

test("one photo: the prediction, both probabilities, the box, and the announcement", async () => {
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "male presentation" })).toBeVisible();
  const bars = screen.getByLabelText("Probabilities");
  expect(within(bars).getByText("89.2%")).toBeVisible();
  expect(within(bars).getByText("10.8%")).toBeVisible();
  expect(screen.getAllByTestId("box")).toHaveLength(1);
  expect(screen.getByRole("status")).toHaveTextContent("The model sees male presentation, 89.2% confidence.");
});

test("several people: an answer for each, chosen by the frame or in the list", async () => {
  replyWith(() => HttpResponse.json(answer("ok, each person")));
  await choose("us.jpg");
  expect(await screen.findByRole("heading", { name: "3 people 1 male, 1 unsure, 1 not asked about" })).toBeVisible();
  expect(screen.getByRole("status")).toHaveTextContent("3 people: 1 male, 1 unsure, 1 not asked about.");
  expect(screen.getAllByTestId("box")).toHaveLength(3);
  const frames = within(screen.getByRole("group", { name: "People in the photo" }));
  const list = within(screen.getByRole("list", { name: "Answers" }));
  const expectChosen = (number: number) => {
    for (const place of [frames, list]) {
      expect(place.getAllByRole("button").map((button) => button.getAttribute("aria-pressed"))).toEqual([String(number === 1), String(number === 2)]);
    }
  };
  expectChosen(1);
  expect(screen.getByRole("region", { name: "Person 1: male presentation" })).toHaveTextContent("98.5% confidence");
  await userEvent.click(frames.getByRole("button", { name: "Person 2: unsure" }));
  expectChosen(2);
  expect(screen.getByRole("region", { name: "Person 2: unsure" })).toHaveTextContent("It leans towards male, at 53.4%");
  list.getByRole("button", { name: /^Person 1: male/ }).focus();
  await userEvent.keyboard("{Enter}");
  expectChosen(1);
  expect(screen.getByText(/^Number 3 has no answer/)).toBeVisible();
});

test("several people, and a service that answers about one only: their number, and a box for each", async () => {
  replyWith(() => HttpResponse.json(answer("multiple_people")));
  await choose("us.jpg");
  expect(await screen.findByRole("heading", { name: "More than one person in this photo" })).toBeVisible();
  expect(screen.getByText(/3 people were found/)).toBeVisible();
  expect(screen.getAllByTestId("box")).toHaveLength(3);
});

test("unsure is an answer of its own: what it leans to, both probabilities and the box, no prediction", async () => {
  replyWith(() => HttpResponse.json(answer("unsure")));
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "Unsure not sure enough to say" })).toBeVisible();
  expect(screen.getByText(/^It leans towards male, at 53.4%/)).toBeVisible();
  expect(screen.queryByRole("heading", { name: /presentation$/ })).not.toBeInTheDocument();
  const bars = screen.getByLabelText("Probabilities");
  expect(within(bars).getByText("53.4%")).toBeVisible();
  expect(within(bars).getByText("46.6%")).toBeVisible();
  expect(bars.querySelector("[data-predicted]")).toBeNull();
  expect(screen.getAllByTestId("box")).toHaveLength(1);
  expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
  expect(screen.getByRole("status")).toHaveTextContent("Unsure: not sure enough to say.");
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

test("another photo joins the first, and both are a click apart", async () => {
  await choose("first.jpg");
  await choose("second.jpg");
  expect(await screen.findByRole("heading", { name: "second.jpg" })).toBeVisible();
  const strip = within(screen.getByRole("navigation", { name: "Photos of this visit" }));
  await userEvent.click(strip.getByRole("link", { name: "first.jpg" }));
  expect(await screen.findByRole("heading", { name: "first.jpg" })).toHaveFocus();
});

test("a photo is removed, the next one is shown, and undo brings it back", async () => {
  await choose("first.jpg");
  await choose("second.jpg");
  await userEvent.click(await screen.findByRole("button", { name: "Remove" }));
  expect(await screen.findByRole("heading", { name: "first.jpg" })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByRole("heading", { name: "second.jpg" })).toBeVisible();
});

test("an answer with a code that the page does not know is shown, and breaks nothing", async () => {
  replyWith(() => HttpResponse.json({ ...answer("no_person"), code: "too_dark", error: "It is too dark." }));
  await choose("me.jpg");
  expect(await screen.findByRole("heading", { name: "The service gave an answer that this page does not know" })).toBeVisible();
  expect(screen.getByRole("heading", { name: "me.jpg" })).toBeVisible();
  await choose("a.jpg", "b.jpg");
  await waitFor(() => expect(screen.getAllByText("too_dark")).toHaveLength(3));
});

test("many photos: counts, a grid, a filter, one photo, its neighbours within the filter, and back", async () => {
  server.use(http.post(`${SERVICE}/predict`, () => HttpResponse.json(answer("no_person")), { once: true }));
  server.use(http.post(`${SERVICE}/predict`, () => HttpResponse.json(answer("unsure")), { once: true }));
  await choose("a.jpg", "b.jpg", "c.jpg", "d.jpg");
  expect(await screen.findByText("2 with an answer, 1 unsure, 1 without")).toBeVisible();
  expect(screen.getAllByRole("listitem").filter((item) => item.querySelector("[data-photo]"))).toHaveLength(4);
  await userEvent.selectOptions(screen.getByLabelText("Show"), "Answered");
  await userEvent.click(screen.getAllByRole("link", { name: /male/ })[0] ?? document.body);
  expect(await screen.findByText("1 of 2")).toBeVisible();
  await userEvent.click(screen.getByRole("link", { name: "Next" }));
  expect(await screen.findByText("2 of 2")).toBeVisible();
  expect(screen.queryByRole("link", { name: "Next" })).not.toBeInTheDocument();
  await userEvent.click(screen.getByRole("link", { name: "All photos" }));
  expect(await screen.findByLabelText("Show")).toHaveValue("answered");
  expect(document.activeElement).toHaveAttribute("data-photo");
});
