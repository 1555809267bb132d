import { createServer } from "node:http";

import { Hono } from "hono";

import { bearerToken, verify } from "./auth.js";
import { loadConfig } from "./config.js";

const config = loadConfig();
const app = new Hono();

app.get("/healthz", (c) => c.text("ok"));

app.get("/v1/me", async (c) => {
  const token = bearerToken(c.req.header("Authorization"));
  if (token === null) {
    return c.json({ error: "missing_token" }, 401);
  }
  const payload = await verify(token, config.issuer);
  return c.json({ subject: payload.sub });
});

createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url ?? "/", `http://${incoming.headers.host}`);
  const headers = new Headers(incoming.headers as Record<string, string>);
  const response = await app.fetch(new Request(url, { method: incoming.method, headers }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
}).listen(config.port);
