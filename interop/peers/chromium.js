// Headless Chromium: its own WebSocket runs the scenarios, and its buttons the server's page. With ROOT, the certificate of an
// authority, it uses TLS. PAGE is the page that it opens: if it is `version`, that says which version of HTTP a request had, and has
// no buttons.
"use strict";
const { X509Certificate, createHash } = require("node:crypto");
const fs = require("node:fs");
const { chromium } = require("playwright-core");
const { SMALL, TEXTS, run, same } = require("./report.js");

const { LARGE, STRICT, LEAVING, LEAVING_PID, SCREENSHOT, CHROMIUM, ROOT, PAGE } = process.env;
const SCHEME = ROOT ? "https" : "http";

// These run in the page of the server that they connect to: LARGE.
const inPage = () => {
  const scheme = location.protocol.replace("http", "ws");
  const open = (address, protocols, path) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${scheme}//${address}/${path ?? ""}`, protocols ?? []);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => resolve(socket);
      socket.onerror = () => reject(new Error("refused"));
    });
  const next = socket => new Promise(resolve => (socket.onmessage = event => resolve(event.data)));
  const closed = socket =>
    new Promise(resolve => (socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean])));
  const noise = size => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    return bytes;
  };
  const differ = (a, b) => a.length !== b.length || a.some((byte, i) => byte !== b[i]);

  window.scenarios = {
    async text(address, texts) {
      const socket = await open(address);
      for (const text of texts) {
        const back = next(socket);
        socket.send(text);
        if ((await back) !== text) throw new Error("a text differs");
      }
    },
    async binary(address, sizes) {
      const socket = await open(address);
      for (const size of sizes) {
        const bytes = noise(size);
        const back = next(socket);
        socket.send(bytes);
        if (differ(new Uint8Array(await back), bytes)) throw new Error(`${size} bytes differ`);
      }
    },
    async close(address, code, reason) {
      const socket = await open(address);
      const end = closed(socket);
      code ? socket.close(code, reason) : socket.close();
      return end;
    },
    async waitForClose(address) {
      const socket = await open(address);
      const back = next(socket);
      socket.send("hello");
      await back;
      window.end = closed(socket);
    },
    async silence(address, seconds) {
      const socket = await open(address);
      await new Promise(resolve => setTimeout(resolve, seconds * 1000));
      const back = next(socket);
      socket.send("still here");
      if ((await back) !== "still here") throw new Error("not there any more");
    },
    async tooBig(address, limit) {
      const socket = await open(address);
      const back = next(socket);
      socket.send(noise(limit));
      await back;
      const end = closed(socket);
      socket.send(noise(limit + 1));
      return end;
    },
    async inOrder(address, count) {
      const socket = await open(address);
      let at = 0;
      const all = new Promise((resolve, reject) => {
        socket.onmessage = ({ data }) => {
          if (data !== `message ${at}`) reject(new Error(`${data} came instead of message ${at}`));
          if (++at === count) resolve();
        };
      });
      for (let i = 0; i < count; i++) socket.send(`message ${i}`);
      return all;
    },
    async atOnce(address, count) {
      const sockets = await Promise.all(Array.from({ length: count }, () => open(address)));
      const all = sockets.map(async (socket, i) => {
        const back = next(socket);
        socket.send(`I am ${i}`);
        if ((await back) !== `I am ${i}`) throw new Error("somebody else's message");
      });
      await Promise.all(all);
      sockets.forEach(socket => socket.close());
    },
    async version(address) {
      const socket = await open(address, [], "version");
      const version = await next(socket);
      socket.close();
      return version;
    },
    async subprotocol(address, protocols) {
      const socket = await open(address, protocols);
      socket.close();
      return socket.protocol;
    },
  };
};

(async () => {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox", // otherwise it does not start as root; it only loads the server's own page
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      // Chromium must not look up anything outside of this machine.
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...trusted(),
    ],
  });
  try {
    // In a separate profile: Chromium allows 255 connections in each.
    const visit = async address => {
      const page = await (await browser.newContext({ viewport: { width: 1000, height: 900 } })).newPage();
      await page.goto(`${SCHEME}://${address}/${PAGE ?? ""}`);
      await page.evaluate(inPage);
      return page;
    };
    const call = (page, name, ...given) =>
      page.evaluate(([name, given]) => window.scenarios[name](...given), [name, given]);
    const refused = promise =>
      promise.then(
        () => same("connected", "refused"),
        error => same([error.message, error.message.includes("refused")], [error.message, true]),
      );

    // The strict server accepts the pages of the first origin, and not those of the second.
    const page = await visit(LARGE);
    const elsewhere = await visit(LARGE.replace("127.0.0.1", "localhost"));

    await run({
      text: () => call(page, "text", LARGE, TEXTS),
      "binary to 64 KiB": () => call(page, "binary", LARGE, SMALL),
      "binary 1 MiB": () => call(page, "binary", LARGE, [1 << 20]),
      "binary 64 MiB": () => call(page, "binary", LARGE, [64 << 20]),
      "ping from the server": () => call(page, "silence", STRICT, 6),
      "close by the client": async () => {
        for (const [code, reason] of [[1000, ""], [1000, "enough"], [3000, "\u{1f44b}"], [4999, "x".repeat(123)]])
          same(await call(page, "close", LARGE, code, reason), [code, "", true]);
        same(await call(page, "close", LARGE), [1005, "", true]);
      },
      "close by the server": async () => {
        await call(page, "waitForClose", LEAVING);
        process.kill(Number(LEAVING_PID), "SIGTERM");
        same(await page.evaluate(() => window.end), [1001, "the server is stopping", true]);
      },
      "message too big": async () => {
        const [code, reason, clean] = await call(page, "tooBig", STRICT, 1 << 20);
        same([code, reason.length > 0, clean], [1009, true, true]);
      },
      "10,000 in order": () => call(page, "inOrder", LARGE, 10000),
      "1,000 at once": async () => {
        const pages = await Promise.all(Array.from({ length: 5 }, () => visit(LARGE)));
        await Promise.all(pages.map(each => call(each, "atOnce", LARGE, 200)));
        await Promise.all(pages.map(each => each.context().close()));
      },
      subprotocol: async () => {
        same(await call(page, "subprotocol", STRICT, ["chat.v1", "chat.v2"]), "chat.v2");
        same(await call(page, "subprotocol", LARGE, ["chat.v1", "chat.v2"]), "chat.v1");
        // None, if the server supports none of them: browsers then give up.
        await refused(call(page, "subprotocol", STRICT, ["chat.v1"]));
      },
      "wrong origin": async () => {
        await call(page, "text", STRICT, ["hello"]);
        await call(elsewhere, "text", LARGE, ["hello"]);
        await refused(call(elsewhere, "text", STRICT, ["hello"]));
      },
      // It has a session with the first server, by the page; and none with the second, and so asks for HTTP/1.1 there.
      ...(PAGE && {
        "HTTP/2": async () => {
          same(await page.textContent("body"), "HTTP/2.0");
          same(await call(page, "version", LARGE), "HTTP/2.0");
        },
        "HTTP/1.1": async () => {
          const apart = await visit(LARGE);
          same(await apart.evaluate(() => document.body.textContent), "HTTP/2.0");
          same(await call(apart, "version", STRICT), "HTTP/1.1");
        },
      }),
      ...(!PAGE && { "the page": () => usePage(page) }),
    });
  } finally {
    await browser.close();
  }
})();

// Chromium has no option that names a root, but one that names the keys of chains that it is to trust.
function trusted() {
  if (!ROOT) return [];
  const key = new X509Certificate(fs.readFileSync(ROOT)).publicKey.export({ type: "spki", format: "der" });
  return [`--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`];
}

// What a person does with the page.
async function usePage(page) {
  const problems = [];
  page.on("pageerror", error => problems.push(error.message));
  page.on("console", message => problems.push(message.text()));
  await page.goto(`${SCHEME}://${LARGE}/`);
  const state = text => page.waitForFunction(text => document.getElementById("state").textContent === text, text);
  // The log has this many lines about correct replies.
  const echoes = async count => {
    await page.waitForFunction(count => document.querySelectorAll("#log .in").length >= count, count);
    same(await page.locator("#log .bad").allTextContents(), []);
  };
  await state("connected");
  await page.fill("#text", "Hello, w\u00f6rld \u{1f44b}");
  await page.click("#send-text");
  await echoes(1);
  await page.press("#text", "Enter");
  await echoes(2);
  await page.click("#send-binary");
  await echoes(3);
  await page.click("#send-big");
  await echoes(4);
  await page.selectOption("#size", "8388608");
  await page.click("#send-big");
  await echoes(5);
  await page.fill("#run-seconds", "1");
  await page.click("#run");
  await page.waitForFunction(() => Number(document.getElementById("f-rate").textContent.replace(/\D/g, "")) > 0);
  await echoes(5);
  await page.waitForFunction(() => document.getElementById("run").textContent === "Run");
  if (SCREENSHOT) await page.screenshot({ path: SCREENSHOT });
  await page.fill("#code", "3001");
  await page.click("#close");
  await state("closed");
  await page.waitForFunction(() => /closed: code 3001$/.test(document.querySelector("#log li:last-child").textContent));
  await page.click("#connect");
  await state("connected");
  await page.click("#send-text");
  await echoes(6);
  same(problems, []);
}
