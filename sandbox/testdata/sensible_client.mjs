// Makes the requests that Sensible's JavaScript SDK makes, in its order and with
// its headers, against the base URL in the first argument: the host is all that is
// changed. It prints what it got as one JSON object.
//
//   node sensible_client.mjs BASE KEY DOCUMENT.pdf DOCUMENT_URL WEBHOOK_URL

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const [base, key, path, documentUrl, webhookUrl] = process.argv.slice(2);
const authorization = `Bearer ${key}`;

async function json(response, what) {
  const text = await response.text();
  if (!response.ok) throw new Error(`${what}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function submit(path, body) {
  const response = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { authorization, accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return json(response, `POST ${path}`);
}

// The SDK declares no content type and sends none, nor its key.
async function upload(receipt, file) {
  const response = await fetch(receipt.upload_url, { method: "PUT", body: file });
  const text = await response.text();
  if (!response.ok || text !== "") throw new Error(`PUT: ${response.status} ${text}`);
  return receipt.id;
}

async function waitFor(id) {
  for (;;) {
    const response = await fetch(`${base}/documents/${id}`, { headers: { authorization } });
    const extraction = await json(response, `GET /documents/${id}`);
    if (extraction.status !== "WAITING" && extraction.status !== "PROCESSING") return extraction;
    await sleep(50);
  }
}

async function classified(link) {
  for (;;) {
    const response = await fetch(link);
    if (response.status !== 404) return json(response, "GET download_link");
    await response.text();
    await sleep(50);
  }
}

const file = await readFile(path);
const query = new URLSearchParams({ environment: "development", document_name: "a b.pdf" });
const webhook = { url: webhookUrl, payload: "a UUID" };
const ids = [
  await upload(await submit(`/generate_upload_url/tax_forms/1040?${query}`, { webhook }), file),
  (await submit("/extract_from_url/tax_forms?", { document_url: documentUrl })).id,
];
const portfolio = await upload(await submit("/generate_upload_url?", { types: ["tax_forms", "invoices"] }), file);
const extractions = [];
for (const id of [...ids, portfolio]) extractions.push(await waitFor(id));

const request = await json(
  await fetch(`${base}/classify/async`, {
    method: "POST",
    headers: { authorization, accept: "application/json", "content-type": "application/pdf" },
    body: file,
  }),
  "POST /classify/async",
);
const classification = await classified(request.download_link);

const excel = await json(
  await fetch(`${base}/generate_excel/${ids.join(",")}`, { headers: { authorization } }),
  "GET /generate_excel",
);
const workbook = new Uint8Array(await (await fetch(excel.url)).arrayBuffer());

const refused = await fetch(`${base}/documents/${ids[0]}`);

console.log(
  JSON.stringify({
    extractions,
    classification,
    workbook: Buffer.from(workbook).toString("base64"),
    refused: `${refused.status} ${await refused.text()}`,
  }),
);
