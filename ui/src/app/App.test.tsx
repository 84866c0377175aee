import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeEach, expect, test } from "vitest";
import { Client } from "@/api/client";
import { Keeper } from "@/features/workspace/keeper";
import type { Prepare } from "@/features/workspace/prepare";
import { PhotoSession } from "@/features/workspace/session";
import { answer, busy, CARDS, fault, SERVICE, server } from "@/testing/server";
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

test("beside another photo, each of several people has their line", async () => {
  replyWith(() => HttpResponse.json(answer("ok, each person")));
  await choose("us.jpg");
  await choose("them.jpg");
  await userEvent.click(await screen.findByRole("link", { name: "Compare" }));
  const first = within(await screen.findByRole("region", { name: "First photo" }));
  expect(first.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual(["Person 1: male 98.5%", "Person 2: unsure"]);
  expect(screen.getByText("At least one of the two has no single answer to compare.")).toBeVisible();
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

test("when what had the focus is gone, the heading has it", async () => {
  replyWith(() => HttpResponse.json(fault("internal"), { status: 500 }));
  await choose("a.jpg", "b.jpg");
  expect(await screen.findByText("0 with an answer, 0 unsure, 2 without")).toBeVisible();
  server.resetHandlers();
  await userEvent.selectOptions(screen.getByLabelText("Show"), "Can be tried again");
  await userEvent.click(screen.getByRole("button", { name: "Try again: a.jpg" })); // it no longer fits the filter
  await waitFor(() => expect(screen.getByRole("heading", { level: 1 })).toHaveFocus());
  await userEvent.selectOptions(screen.getByLabelText("Show"), "All photos");
  for (const name of ["Dismiss", "Undo"]) {
    await choose("c.jpg");
    await userEvent.click(await screen.findByRole("button", { name: "Remove: c.jpg" }));
    expect(screen.getByRole("button", { name: "Undo" })).toHaveFocus();
    await userEvent.click(screen.getByRole("button", { name }));
    expect(screen.getByRole("heading", { level: 1 })).toHaveFocus();
  }
});

test("an answer of the model that was measured is told by that, in words and of a hundred", async () => {
  const { name, revision, metrics } = CARDS.classifier;
  const test = { ...metrics?.["test"], photos: 1000, curve: [{ threshold: 0.5, coverage: 1, risk: 0.0688 }] };
  server.use(http.get(`${SERVICE}/model`, () => HttpResponse.json({ ...CARDS, classifier: { ...CARDS.classifier, metrics: { test } } })));
  const model = { detector: "detector@1", classifier: `${name}@${revision}` };
  replyWith(() => HttpResponse.json({ ...answer("ok"), model }));
  await choose("me.jpg");
  expect(await screen.findByText(/^Of 100 test photos it was this sure of, about 93 were right\./)).toBeVisible();
  expect(screen.getByText(/^Fairly sure/)).toHaveTextContent("Fairly sure · 89.2% confidence");
  replyWith(() => HttpResponse.json({ ...answer("unsure"), model }));
  await choose("unsure.jpg");
  expect(await screen.findByText("Of 100 test photos it was this sure of, about 93 were right.")).toBeVisible();
  replyWith(() => HttpResponse.json({ ...answer("ok"), model: { ...model, classifier: `${name}@another` } }));
  await choose("later.jpg");
  expect(await screen.findByText(/^By its own measure, about 1 in 9 such answers is wrong\./)).toBeVisible();
  expect(screen.getByText(/^Rather unsure/)).toBeVisible();
});

test("why: the heat map, how strong it is, and a failure that can be tried again", async () => {
  const explanation = { label: "male", base: 2.1, changes: [[2, -1], [0, 0]] };
  server.use(http.post(`${SERVICE}/predict`, ({ request }) => (request.url.includes("explain=true") ? busy(1) : HttpResponse.json(answer("ok")))));
  await choose("me.jpg");
  await userEvent.click(await screen.findByRole("button", { name: "Why?" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("The service is still busy.");
  replyWith(() => HttpResponse.json({ ...answer("ok"), explanation }));
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("img", { name: "Heat map: what speaks for and against male" })).toBeVisible();
  const strengths = () => [...document.querySelectorAll("[fill-opacity]")].map((cell) => Number(cell.getAttribute("fill-opacity")));
  expect(strengths()).toEqual([0.7, 0.35, 0, 0]);
  expect(screen.getByText("What speaks most for “male” is in the upper left of the frame.")).toBeVisible();
  fireEvent.change(screen.getByLabelText("Strength of the colours"), { target: { value: "100" } });
  expect(strengths()).toEqual([1, 0.5, 0, 0]);
  await userEvent.click(screen.getByRole("button", { name: "Hide it" }));
  expect(screen.getByRole("button", { name: "Why?" })).toHaveFocus();
  expect(strengths()).toEqual([]);
});

test("of several people, and of nobody, nothing is explained", async () => {
  replyWith(() => HttpResponse.json(answer("ok, each person")));
  await choose("us.jpg");
  expect(await screen.findByRole("heading", { name: /^3 people/ })).toBeVisible();
  expect(screen.queryByRole("button", { name: "Why?" })).not.toBeInTheDocument();
});
