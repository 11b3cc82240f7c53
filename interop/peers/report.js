// How a peer reports to the script that runs it: a line of JSON for each scenario.
"use strict";
const assert = require("node:assert");
const crypto = require("node:crypto");

exports.SMALL = [0, 1, 125, 126, 127, 65535, 65536];
exports.TEXTS = ["Hello", "", "\u{1f44b} w\u00f6rld \u{1f9d1}\u200d\u{1f680}", "\0", "\u20ac".repeat(50000)];

/** Bytes without a pattern that a codec could get right by chance; the same bytes each time. */
exports.noise = size =>
  crypto.createCipheriv("aes-128-ctr", Buffer.alloc(16, size), Buffer.alloc(16)).update(Buffer.alloc(size));

exports.same = (seen, expected) => {
  if (Buffer.isBuffer(seen)) assert.ok(seen.equals(expected), `${seen.length} bytes that differ`);
  else assert.deepStrictEqual(seen, expected);
};

/** Each scenario is a function that throws, or rejects, if it fails. */
exports.run = async scenarios => {
  for (const [scenario, body] of Object.entries(scenarios)) {
    const began = performance.now();
    let note = "";
    try {
      await Promise.race([body(), late(60)]);
    } catch (error) {
      note = String(error?.message ?? error).replace(/\s+/g, " ").slice(0, 300) || "failed";
    }
    console.log(JSON.stringify({ scenario, ok: !note, seconds: (performance.now() - began) / 1000, note }));
  }
};

const late = seconds =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000).unref());

exports.sleep = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));

/** The parameters of permessage-deflate under the names of `ws`. All messages are compressed, not only long ones. */
exports.options = params => ({
  threshold: 0,
  serverNoContextTakeover: params.server_no_context_takeover || undefined,
  clientNoContextTakeover: params.client_no_context_takeover || undefined,
  serverMaxWindowBits: params.server_max_window_bits ?? undefined,
  clientMaxWindowBits: params.client_max_window_bits ?? undefined,
});
