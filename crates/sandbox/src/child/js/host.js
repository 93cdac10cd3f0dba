((native, mostOpen) => {
  "use strict";
  const { defineProperty, freeze, keys, entries, getOwnPropertyDescriptor } = Object;
  const { toBase64 } = Uint8Array.prototype;
  const { apply } = Reflect;
  const { stringify, parse } = JSON;
  const [GlobalMap, GlobalPromise, GlobalError, GlobalTypeError, text] = [Map, Promise, Error, TypeError, String];
  const world = globalThis;
  const define = (name, value) => defineProperty(world, name, { value, writable: true, configurable: true });

  // Host calls: a number goes out with each, and the promise waits under that number.
  const waiting = new GlobalMap();
  let last = 0;
  const host = (name, args) =>
    new GlobalPromise((resolve, reject) => {
      if (waiting.size >= mostOpen) throw new GlobalError(`More than ${mostOpen} host calls are open at once.`);
      const id = ++last;
      native.host(id, name, args);
      waiting.set(id, { resolve, reject });
    });
  const settle = (id, fine, value) => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (!waiter) return;
    if (fine) waiter.resolve(value);
    else waiter.reject(new GlobalError(value));
  };

  const headersOf = (given) => {
    if (given === undefined || given === null) return {};
    const pairs = typeof given[Symbol.iterator] === "function" ? [...given] : entries(given);
    const headers = {};
    for (const [name, value] of pairs) headers[text(name).toLowerCase()] = text(value);
    return headers;
  };
  const decode = (bytes) => native.decode(apply(toBase64, bytes, []), "utf-8", false);
  const bytesOf = (body) => (typeof body === "string" ? native.encode(body) : body ?? new Uint8Array(0));
  const asResponse = (answer) => {
    const { status, status_text: statusText = "", url = "", headers: given, body } = answer ?? {};
    const headers = headersOf(given);
    const asText = async () => (typeof body === "string" ? body : decode(bytesOf(body)));
    return {
      status,
      statusText,
      url,
      ok: status >= 200 && status < 300,
      headers: {
        get: (name) => headers[text(name).toLowerCase()] ?? null,
        has: (name) => text(name).toLowerCase() in headers,
        keys: () => keys(headers)[Symbol.iterator](),
        entries: () => entries(headers)[Symbol.iterator](),
        forEach: (visit) => entries(headers).forEach(([name, value]) => visit(value, name)),
        [Symbol.iterator]: () => entries(headers)[Symbol.iterator](),
      },
      text: asText,
      json: async () => parse(await asText()),
      bytes: async () => bytesOf(body),
      arrayBuffer: async () => bytesOf(body).slice().buffer,
    };
  };
  define("fetch", async (resource, init = {}) => {
    const headers = headersOf(init.headers);
    let { body = null } = init;
    if (body instanceof ArrayBuffer) body = new Uint8Array(body);
    if (world.URLSearchParams && body instanceof world.URLSearchParams) {
      headers["content-type"] ??= "application/x-www-form-urlencoded;charset=UTF-8";
    }
    if (body !== null && !ArrayBuffer.isView(body)) body = text(body);
    const request = { method: text(init.method ?? "GET").toUpperCase(), headers, body };
    return asResponse(await host("fetch", [text(resource), request]));
  });

  define("workspace", freeze({
    read: (path) => host("workspace.read", [text(path)]),
    write: (path, content) => {
      if (typeof content !== "string" && !ArrayBuffer.isView(content)) {
        return GlobalPromise.reject(new GlobalTypeError("workspace.write takes text or bytes"));
      }
      return host("workspace.write", [text(path), content]);
    },
    list: (path) => host("workspace.list", [path === undefined ? null : text(path)]),
  }));
  define("getSecret", (name) => host("getSecret", [text(name)]));
  define("uuid", () => native.uuid());
  define("crypto", freeze({
    randomUUID: () => native.uuid(),
    getRandomValues: (view) => {
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(native.random(view.byteLength));
      return view;
    },
  }));

  const sleep = (ms) => host("sleep", [Number(ms) > 0 ? Number(ms) : 0]);
  define("sleep", sleep);
  const timers = new GlobalMap();
  let lastTimer = 0;
  define("setTimeout", (task, ms, ...args) => {
    const id = ++lastTimer;
    timers.set(id, true);
    sleep(ms).then(() => timers.delete(id) && task(...args));
    return id;
  });
  define("clearTimeout", (id) => void timers.delete(id));

  const line = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof GlobalError) return `${value.name}: ${value.message}`;
    try {
      return (typeof value === "object" && value !== null && stringify(value)) || text(value);
    } catch {
      return text(value);
    }
  };
  const level = (name) => (...values) => native.log(name, values.map(line).join(" "));
  define("console", freeze({
    log: level("info"),
    info: level("info"),
    debug: level("debug"),
    warn: level("warning"),
    error: level("error"),
  }));

  define("state", {});

  // Each input is also a global of its name, for one call; what it covered comes back.
  const FIXED = ["inputs", "state", "globalThis", "undefined", "NaN", "Infinity"];
  let covered = [];
  const enter = (inputs) => {
    // What an earlier call did not wait for is not answered any more.
    waiting.clear();
    for (const [name, before] of covered) {
      if (before) defineProperty(world, name, before);
      else delete world[name];
    }
    covered = [];
    define("inputs", inputs);
    for (const name of keys(inputs)) {
      const before = getOwnPropertyDescriptor(world, name);
      if (FIXED.includes(name) || (before && !before.configurable)) continue;
      covered.push([name, before]);
      define(name, inputs[name]);
    }
  };

  const runScript = async (promise) => (await promise).value;
  const runFunction = async (body) => body();
  const runGenerator = async (body) => {
    const steps = body();
    for (;;) {
      const { done, value } = await steps.next();
      if (done) return value;
      await host("yield", [value]);
    }
  };

  return { settle, enter, runScript, runFunction, runGenerator, isWaiting: () => waiting.size > 0 };
})
