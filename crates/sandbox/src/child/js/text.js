((native) => {
  "use strict";
  const { toBase64 } = Uint8Array.prototype;
  const { toWellFormed } = String.prototype;
  const { apply } = Reflect;
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

  const viewOf = (input) => {
    if (input === undefined) return new Uint8Array(0);
    if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    return new Uint8Array(input);
  };

  define("TextEncoder", class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return native.encode(apply(toWellFormed, String(text), [])); }
  });

  // Whole inputs only: a piece of a stream that ends inside a character is not remembered.
  const LABELS = {
    "utf-8": "utf-8", utf8: "utf-8", "utf-16": "utf-16le", "utf-16le": "utf-16le",
    latin1: "windows-1252", "iso-8859-1": "windows-1252", ascii: "windows-1252",
    "us-ascii": "windows-1252", "windows-1252": "windows-1252",
  };
  define("TextDecoder", class TextDecoder {
    #fatal;
    #keepMark;
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      const encoding = LABELS[String(label).trim().toLowerCase()];
      if (!encoding) throw new RangeError(`TextDecoder does not know the encoding "${label}"`);
      Object.defineProperty(this, "encoding", { value: encoding, enumerable: true });
      this.#fatal = Boolean(fatal);
      this.#keepMark = Boolean(ignoreBOM);
    }
    get fatal() { return this.#fatal; }
    decode(input) {
      const text = native.decode(apply(toBase64, viewOf(input), []), this.encoding, this.#fatal);
      return this.#keepMark || text.charCodeAt(0) !== 0xfeff ? text : text.slice(1);
    }
  });

  const copy = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") {
      throw new DOMException(`${String(value)} could not be cloned.`, "DataCloneError");
    }
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (made) => (seen.set(value, made), made);
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = copy(value.buffer, seen);
      return keep(new value.constructor(buffer, value.byteOffset, value.length ?? value.byteLength));
    }
    if (value instanceof Map) {
      const made = keep(new Map());
      for (const [key, item] of value) made.set(copy(key, seen), copy(item, seen));
      return made;
    }
    if (value instanceof Set) {
      const made = keep(new Set());
      for (const item of value) made.add(copy(item, seen));
      return made;
    }
    if (value instanceof Error) {
      const Kind = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }[value.name] ?? Error;
      return keep(new Kind(value.message));
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
      throw new DOMException("This object could not be cloned.", "DataCloneError");
    }
    const made = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
      const item = copy(value[key], seen);
      Object.defineProperty(made, key, { value: item, writable: true, enumerable: true, configurable: true });
    }
    return made;
  };
  define("structuredClone", (value) => copy(value, new Map()));
})
