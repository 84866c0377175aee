// @vitest-environment node
import { readFile } from "node:fs/promises";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";
import { expect, test } from "vitest";

test("the types match the service's OpenAPI document; if not, run `make page-api`", async () => {
  const document = new URL("../../openapi.json", import.meta.url);
  expect(COMMENT_HEADER + astToString(await openapiTS(document))).toBe(await readFile(new URL("schema.ts", import.meta.url), "utf8"));
});
