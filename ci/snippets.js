// What a snippet finds around it: the globals of a browser, and a record of what comes over its sockets.
//
// Loaded before each JavaScript snippet of ci/snippets.py. SNIPPETS_PACKAGES: folder of node_modules; SNIPPETS_RECORD:
// file that gets one JSON line for each value that the snippet is observed to have or to receive.

const { appendFileSync } = require("node:fs");
const packages = require("node:module").createRequire(`${process.env.SNIPPETS_PACKAGES}/`);
const msgpack = packages("@msgpack/msgpack");
const { WebSocket: Client } = packages("ws");

function observed(value) {
  appendFileSync(process.env.SNIPPETS_RECORD, JSON.stringify(value) + "\n");
}

// As in a browser, binary messages are Blobs. Other than there, what is sent before the socket is open waits for that:
// the snippets send at once.
class Socket extends Client {
  received = [];
  #unsent = [];
  #watchers = new Set();
  #last = Promise.resolve();

  constructor(...where) {
    super(...where);
    this.binaryType = "blob";
    this.addEventListener("open", () => this.#unsent.splice(0).forEach((message) => super.send(message)));
    this.addEventListener("message", ({ data }) => {
      this.#last = this.#last.then(() => this.#take(data));
    });
  }

  send(message) {
    if (this.readyState === Client.CONNECTING) this.#unsent.push(message);
    else super.send(message);
  }

  async #take(data) {
    const message = typeof data === "string" ? JSON.parse(data) : msgpack.decode(new Uint8Array(await data.arrayBuffer()));
    observed({ binary: typeof data !== "string", message });
    this.received.push(message);
    for (const look of this.#watchers) look();
  }

  // Waits until one of the received messages, earlier ones too, is as wanted.
  until(wanted) {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.received.some(wanted)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  // Waits for a job's message with this status.
  status(status) {
    return this.until((m) => m.type === "job_update" && m.status === status);
  }

  // Waits for so many answers to commands; those have no type.
  replies(count) {
    return this.until(() => this.received.filter((m) => m.type === undefined).length >= count);
  }
}

Object.assign(globalThis, { WebSocket: Socket, msgpack, observed });
