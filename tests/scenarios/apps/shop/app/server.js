"use strict";
// The shop: shows its catalogue, takes orders, and tells of them to whoever has the admin's token.
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const Mustache = require("mustache");
const { nanoid } = require("nanoid");
const { CATALOGUE, ORDERS } = require("./places");

const admin = fs.readFileSync("/run/secrets/admin", "utf-8");
const key = fs.readFileSync("/run/secrets/session_key");

function send(response, status, body, type = "application/json") {
  response.writeHead(status, { "content-type": `${type}; charset=utf-8` });
  response.end(type === "application/json" ? JSON.stringify(body) : body);
}

function page(response) {
  const items = JSON.parse(fs.readFileSync(CATALOGUE, "utf-8"));
  const template = fs.readFileSync("views/index.mustache", "utf-8");
  send(response, 200, Mustache.render(template, { title: process.env.TITLE, items }), "text/html");
}

function order(request, response) {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const made = { id: nanoid(), ...JSON.parse(body) };
    made.seal = crypto.createHmac("sha256", key).update(made.id).digest("hex");
    fs.appendFileSync(ORDERS, `${JSON.stringify(made)}\n`);
    send(response, 201, made);
  });
}

function orders(request, response) {
  if (request.headers.authorization !== `Bearer ${admin}`) return send(response, 403, {});
  const lines = fs.existsSync(ORDERS) ? fs.readFileSync(ORDERS, "utf-8").trim().split("\n") : [];
  const noon = new Date(Date.UTC(2026, 6, 1, 12)).toLocaleTimeString("de-DE");
  return send(response, 200, { orders: lines.map((line) => JSON.parse(line)), noon });
}

const server = http.createServer((request, response) => {
  if (request.url === "/healthz") send(response, 200, { ok: true });
  else if (request.url === "/") page(response);
  else if (request.url !== "/orders") send(response, 404, {});
  else if (request.method === "POST") order(request, response);
  else orders(request, response);
});
server.listen(3000, "0.0.0.0");
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
