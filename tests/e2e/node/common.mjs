// common.mjs: what the SDK tests share. Where things are comes from test_sdk_node.py.
import { readFileSync } from "node:fs";
import https from "node:https";

export const baseURL = `${process.env.FLEXD_URL}/v1`;
export const apiKey = process.env.FLEXD_KEY;
export const model = "gpt-5.4";
const ca = readFileSync(process.env.FLEXSIM_CA);

let traces = 0;
// newTrace is a mark by which a request is found again in the simulator's report.
export const newTrace = () => `${process.env.TRACE_PREFIX}-${++traces}`;

// report is what flexsim saw.
export function report() {
  return new Promise((resolve, reject) => {
    https
      .get(`${process.env.FLEXSIM_URL}/flexsim/report`, { ca, agent: false }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () => resolve(JSON.parse(Buffer.concat(pieces).toString())));
      })
      .on("error", reject);
  });
}

// attempts are the records of one trace, once `enough` says so.
export async function attempts(trace, enough = () => true) {
  const giveUp = Date.now() + 20_000;
  for (;;) {
    const records = (await report()).records.filter((record) => record.trace === trace);
    if (enough(records)) return records;
    if (Date.now() > giveUp) throw new Error(`waited in vain: ${JSON.stringify(records)}`);
  }
}

// thrown is what a promise is rejected with.
export async function thrown(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

// checkAbort asserts that the attempt of `trace` was cancelled after `abortedNs` and says how soon.
export async function checkAbort(assert, trace, abortedNs) {
  const [record] = await attempts(trace, (all) => all.length > 0 && all[0].end !== "open");
  assert.equal(record.end, "cancelled");
  assert.equal(record.reset_code, 8, "RST_STREAM(CANCEL)");
  const afterMs = (record.end_ns - Number(abortedNs)) / 1e6;
  console.log(`# abort to RST_STREAM at the provider: ${afterMs.toFixed(2)} ms`);
  assert.ok(afterMs > -1 && afterMs < 2000, `${afterMs} ms`);
}
