import base from "./playwright.config";

/** Run by tests/infra/test_edge.py: page and API on one https address, whose certificate is made for the test. */
export default { ...base, testMatch: "*.edge.ts", use: { ...base.use, ignoreHTTPSErrors: true } };
