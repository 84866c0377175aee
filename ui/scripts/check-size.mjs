// Fails when the initial load exceeds its budget: the scripts in index.html, which are all that run before a click.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 150_000; // bytes of JavaScript, gzipped
const dist = new URL("../dist/", import.meta.url);
const files = [...readFileSync(new URL("index.html", dist), "utf8").matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map(([, file]) => file);
if (files.length === 0) throw new Error("index.html names no script");

const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, dist))).length, 0);
console.log(`First load: ${(bytes / 1000).toFixed(1)} kB of JavaScript, gzipped (at most ${BUDGET / 1000})`);
process.exitCode = bytes > BUDGET ? 1 : 0;
