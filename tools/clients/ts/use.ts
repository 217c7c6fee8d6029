// Uses the API through openapi-fetch with the types that openapi-typescript generates
// from its description: e2e's TestGeneratedTypeScriptClient lays those beside this file
// and builds both.
//
//   node out/use.js URL KEY
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[]; exitCode: number };

type Extraction = components["schemas"]["Extraction"];

const [url = "", key = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const account = "sandbox";
const batch = "by-typescript";
const type = "tax_forms";
const text = "A document in plain text.\n";

function check(what: string, holds: boolean, seen: unknown): asserts holds {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

// asForm sends a body as the parts of a form.
function asForm(body: unknown): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body as object)) {
    if (name === "document") form.append(name, new Blob([String(value)], { type: "text/plain" }), "note.txt");
    else form.append(name, String(value));
  }
  return form;
}

async function use(): Promise<void> {
  const refused = await api.POST("/v1/extractions", { body: { account } });
  check("submit of nothing", refused.response.status === 422, refused);
  check("its code", refused.error?.code === "invalid_request" && refused.error.detail !== "", refused.error);

  const paused = await api.POST("/v1/accounts/{account}/pause", { params: { path: { account } } });
  check("pause", paused.data?.state === "paused", paused);
  const queued = await api.POST("/v1/extractions", {
    body: { account, type, batch, document_base64: btoa(text), name: "note.txt" },
  });
  check("submit to a paused account", queued.response.status === 202 && queued.data?.status === "QUEUED", queued);
  const canceled = await api.POST("/v1/extractions/{id}/cancel", { params: { path: { id: queued.data.id } } });
  check("cancel", canceled.data?.status === "CANCELED" && canceled.data.error?.code === "canceled", canceled);
  const resumed = await api.POST("/v1/accounts/{account}/resume", { params: { path: { account } } });
  check("resume", resumed.data !== undefined, resumed);

  const submitted = await api.POST("/v1/extractions", {
    body: { account, type, batch, priority: "bulk", document: text },
    bodySerializer: asForm,
  });
  check("submit", submitted.response.status === 202 && submitted.data !== undefined, submitted);
  const { id } = submitted.data;
  let e: Extraction = submitted.data;
  for (let i = 0; i < 3 && e.finished_at === null; i++) {
    const got = await api.GET("/v1/extractions/{id}", { params: { path: { id }, query: { wait: "60s" } } });
    check("get", got.data !== undefined, got);
    e = got.data;
  }
  check("the extraction", e.status === "SUCCESS" && e.priority === "bulk" && e.types === null && e.next === null, e);

  const listed = await api.GET("/v1/extractions", { params: { query: { batch, status: ["SUCCESS", "CANCELED"] } } });
  check("list", listed.data?.extractions.length === 2 && listed.data.extractions[0]?.id === id, listed);
  const result = await api.GET("/v1/extractions/{id}/result", { params: { path: { id } } });
  check("result", Object.keys(result.data?.fields ?? {}).length > 0 && result.data?.raw != null, result);
  const original = await api.GET("/v1/extractions/{id}/document", { params: { path: { id } }, parseAs: "text" });
  check("document", original.data === text, original);
  const deleted = await api.DELETE("/v1/extractions/{id}", { params: { path: { id } } });
  check("delete", deleted.response.status === 204, deleted);
  const gone = await api.GET("/v1/extractions/{id}", { params: { path: { id } } });
  check("get of a deleted one", gone.response.status === 404 && gone.error?.code === "not_found", gone);
}

use().then(
  () => console.log("done"),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
