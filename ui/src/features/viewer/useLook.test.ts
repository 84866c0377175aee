import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { remember } from "@/shared/remembered";
import { useLook } from "./useLook";

test("each photo has its own look, and the next mount has them all", () => {
  const first = renderHook(({ photo }) => useLook(photo), { initialProps: { photo: 1 } });
  act(() => first.result.current[1]({ person: 2 }));
  first.rerender({ photo: 2 });
  expect(first.result.current[0]).toEqual({ person: 0, why: false });
  act(() => first.result.current[1]({ why: true }));
  first.unmount();
  const again = (photo: number) => renderHook(() => useLook(photo)).result.current[0];
  expect(again(1)).toEqual({ person: 2, why: false });
  expect(again(2)).toEqual({ person: 0, why: true });
});

test("what cannot be read counts as nothing chosen", () => {
  for (const told of ["{", '{"1":{"person":"two"}}']) {
    remember("looks", told, "sessionStorage");
    expect(renderHook(() => useLook(1)).result.current[0]).toEqual({ person: 0, why: false });
  }
});
