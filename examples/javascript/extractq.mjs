// What the other examples call the HTTP API with: copy it and change it.
//
// EXTRACTQ_SERVER is where the API is, EXTRACTQ_API_KEY the API key, where it wants
// one. Node 18 or newer, and nothing besides.
import { setTimeout as sleep } from "node:timers/promises";

const server = (process.env.EXTRACTQ_SERVER ?? "http://127.0.0.1:8080").replace(/\/+$/, "");
const final = ["SUCCESS", "ERROR", "EXPIRED", "CANCELED"];

/** An answer that is no success. code is stable, the message is for people. */
export class Problem extends Error {
  constructor(status, text) {
    let problem = { detail: text.slice(0, 200) }; // Not from the API: a proxy, perhaps.
    try {
      problem = JSON.parse(text);
    } catch {}
    super(`${status} ${problem.code}: ${problem.detail}`);
    this.status = status;
    this.code = problem.code;
  }
}

/**
 * Makes a call and returns the JSON of its answer. It is repeated when there is no
 * answer, and when the answer says so by Retry-After, as 429 and 503 do. So it must be
 * one that may be repeated: GET and DELETE, an acknowledgement, a submission with an
 * Idempotency-Key.
 */
export async function call(method, path, { query = {}, body, headers = {}, attempts = 6 } = {}) {
  const url = new URL(server + path);
  for (const [name, value] of Object.entries(query)) {
    if (value) url.searchParams.set(name, value);
  }
  if (process.env.EXTRACTQ_API_KEY) {
    headers = { ...headers, Authorization: `Bearer ${process.env.EXTRACTQ_API_KEY}` };
  }
  for (let attempt = 1; ; attempt++) {
    let wait = 2 ** (attempt - 1);
    try {
      const answer = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(120_000) });
      const text = await answer.text();
      if (answer.ok) return text ? JSON.parse(text) : null;
      if (!answer.headers.has("retry-after") || attempt === attempts) throw new Problem(answer.status, text);
      wait = Number(answer.headers.get("retry-after"));
    } catch (e) {
      if (e instanceof Problem || attempt === attempts) throw e;
    }
    await sleep(wait * 1000);
  }
}

/** Submits the bytes of a document and returns its extraction. */
export function submit(document, key, fields) {
  return call("POST", "/v1/extractions", {
    query: fields,
    body: document,
    headers: { "Content-Type": "application/octet-stream", "Idempotency-Key": key },
  });
}

/** Waits until the extraction is final and returns it. */
export async function wait(extraction) {
  while (!final.includes(extraction.status)) {
    extraction = await call("GET", `/v1/extractions/${extraction.id}`, { query: { wait: "60s" } });
  }
  return extraction;
}
