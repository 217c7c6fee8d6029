// Submits a document, waits for its end and prints the result as JSON.
//
//   EXTRACTQ_SERVER=http://127.0.0.1:8080 \
//     node examples/javascript/submit.mjs tax_forms examples/tax_form.pdf
//
// The Idempotency-Key is made of what is asked: the same command again, after whatever
// has happened, gives the same extraction and never a second one.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { submit, wait } from "./extractq.mjs";

const [type, path] = process.argv.slice(2);
const document = await readFile(path);
const key = createHash("sha256").update(`${type}\n`).update(document).digest("hex");
let extraction = await submit(document, key, { type, name: basename(path) });
console.error("submitted:", extraction.id);

extraction = await wait(extraction);
if (extraction.status !== "SUCCESS") {
  console.error(`${extraction.status}: ${extraction.error.code}: ${extraction.error.message}`);
  process.exit(1);
}
console.log(JSON.stringify(extraction.result, null, 2));
