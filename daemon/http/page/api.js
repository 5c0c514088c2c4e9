// Questions to the daemon, with the token where one is wanted, and its stream of events.

import { byId } from "/page/dom.js";

const TOKEN = "foreshock.token";
const ADMIN = "foreshock.admin";

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || `the server answered ${status}`);
    this.status = status;
  }
}

let asking = null;

// One dialog at a time; everyone who waits for the same answer gets it. Resolves to null when it is cancelled.
export function askToken(title, text) {
  if (asking) return asking;
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-token").value = "";
  asking = new Promise((resolve) => {
    byId("ask-cancel").onclick = () => dialog.close("");
    dialog.onclose = () => {
      asking = null;
      resolve(dialog.returnValue === "ok" ? byId("ask-token").value.trim() : null);
    };
    dialog.returnValue = "";
    dialog.showModal();
  });
  return asking;
}

function headers(key) {
  const token = sessionStorage.getItem(key) || sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function refuse(response) {
  const document = await response.json().catch(() => ({}));
  throw new Problem(response.status, document);
}

let refused = false;

// Asks once: who cancels is not asked again before the page is loaded anew.
async function signIn() {
  const token = refused ? null
    : await askToken("Token", "This server wants its token. It is kept until this tab is closed.");
  refused = !token;
  if (refused) throw new Problem(401, { detail: "This server wants its token: load the page again to enter it." });
  sessionStorage.setItem(TOKEN, token);
}

async function read(path, options = {}) {
  for (;;) {
    const sent = headers(TOKEN);
    const response = await fetch(path, { ...options, headers: { ...options.headers, ...sent } });
    if (response.ok) return response;
    if (response.status !== 401) return refuse(response);
    // Another question may have brought the token in the meantime.
    if (headers(TOKEN).Authorization === sent.Authorization) await signIn();
  }
}

export async function get(path, parameters = []) {
  const query = new URLSearchParams(parameters).toString();
  const response = await read(query ? `${path}?${query}` : path);
  return response.json();
}

// A change: asks for the admin token when the one at hand is not good for it. False when that is cancelled.
export async function post(path) {
  for (;;) {
    const response = await fetch(path, {
      method: "POST",
      headers: { ...headers(ADMIN), "Content-Type": "application/json" },
      body: "{}",
    });
    if (response.ok) return true;
    if (response.status !== 401 && response.status !== 403) return refuse(response);
    const token = await askToken("Admin token",
      "A change wants the admin token: see the file admin.token in the daemon's state directory.");
    if (!token) return false;
    sessionStorage.setItem(ADMIN, token);
  }
}

function parseEvent(block) {
  const event = { id: "", type: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("id")) event.id = value;
    else if (line.startsWith("event")) event.type = value;
    else if (line.startsWith("data")) event.data += value;
  }
  return event;
}

// Follows the events by fetch (an EventSource cannot send the token) until the stream ends or fails.
async function follow(lastId, onOpen, onEvent) {
  const response = await read("/api/v1/events", { headers: lastId ? { "Last-Event-ID": lastId } : {} });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  onOpen();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const event of blocks.map(parseEvent)) {
      if (event.data) onEvent(event);
    }
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Events for ever: `onState("live")` while a stream is open, `onState("polling")` while it is not.
export async function events(onState, onEvent) {
  let lastId = "";
  for (;;) {
    try {
      await follow(lastId, () => onState("live"), (event) => {
        if (event.id) lastId = event.id;
        onEvent(event.type, JSON.parse(event.data));
      });
    } catch (error) {
      console.warn("event stream:", error.message);
    }
    onState("polling");
    await sleep(3000);
  }
}
