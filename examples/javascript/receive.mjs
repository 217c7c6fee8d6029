// Is called back when extractions end, and prints each.
//
//   EXTRACTQ_CALLBACK_SECRET=whsec_… node examples/javascript/receive.mjs 8081
//
// Submit with callback_url=http://HOST:8081/, where HOST is how extractq reaches this
// machine; an internal address must be in its callbacks.allow_hosts.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

// The key is what comes after whsec_, decoded.
const key = Buffer.from(process.env.EXTRACTQ_CALLBACK_SECRET.replace(/^whsec_/, ""), "base64");
const most = 4 << 20; // A result comes along up to 256 KiB.

/**
 * Throws unless the request is from extractq and new. This is
 * https://www.standardwebhooks.com, which has a library for JavaScript too.
 */
function verify(headers, body, now) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!id || !timestamp || !(Math.abs(now - Number(timestamp)) <= 300)) {
    throw new Error("not signed, or an old request that is sent again");
  }
  // The bytes as they came: JSON that is read and written again is another text.
  const want = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  // While the secret changes there is a signature for each of the two.
  const good = (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
    const [version, text = ""] = signature.split(",");
    const got = Buffer.from(text, "base64");
    return version === "v1" && got.length === want.length && timingSafeEqual(got, want);
  });
  if (!good) throw new Error("the signature is not ours");
}

const seen = new Set(); // The same event may come twice. Keep the ids of a few days in a database.

const server = createServer({ requestTimeout: 15_000 }, async (request, response) => {
  try {
    const parts = [];
    let size = 0;
    for await (const part of request) {
      size += part.length;
      if (size > most) return response.writeHead(413, { Connection: "close" }).end();
      parts.push(part);
    }
    const body = Buffer.concat(parts);
    verify(request.headers, body, Date.now() / 1000);
    const event = JSON.parse(body);
    if (!seen.has(event.id)) {
      // First keep it, then answer: after the answer nobody sends it again.
      console.log(event.data.status, event.data.id, event.data.document.name);
      seen.add(event.id);
    }
    response.writeHead(204).end();
  } catch (e) {
    console.log("refused:", e.message);
    response.writeHead(400).end();
  }
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  console.error(`listening at http://127.0.0.1:${server.address().port}/`);
});
