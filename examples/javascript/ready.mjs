// Prints what has ended, whoever has submitted it, and acknowledges it, until stopped.
//
//   EXTRACTQ_SERVER=http://127.0.0.1:8080 node examples/javascript/ready.mjs
//
// Nothing is lost while this program does not run: what is not acknowledged stays in
// the list, and so does what it dies with between the printing and the
// acknowledgement. So the same extraction may come twice.
import { call } from "./extractq.mjs";

for (;;) {
  const { extractions } = await call("GET", "/v1/ready", { query: { wait: "30s", limit: 100 } });
  for (const { id, status, document } of extractions) {
    // Here is the place to fetch /v1/extractions/ID/result, and to keep it.
    console.log(status, id, document.name);
  }
  if (extractions.length > 0) {
    await call("POST", "/v1/ready/ack", {
      body: JSON.stringify({ ids: extractions.map((e) => e.id) }),
      headers: { "Content-Type": "application/json" },
    });
  }
}
