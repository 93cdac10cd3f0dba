(() => {
  "use strict";
  // Captured before any script runs, so that a script which changes its own world cannot change this.
  const { toBase64 } = Uint8Array.prototype;
  const { toWellFormed } = String.prototype;
  const { toISOString, getTime } = Date.prototype;
  const { entries } = Map.prototype;
  const { values } = Set.prototype;
  const { apply, getPrototypeOf } = Reflect;
  const { from, isArray } = Array;
  const { isView } = ArrayBuffer;
  const Bytes = Uint8Array;
  const kinds = { ArrayBuffer, SharedArrayBuffer, DataView, Date, Map, Set, Error, BigInt64Array, BigUint64Array, Uint8ClampedArray };
  const text = String;
  const raw = (buffer, offset, length) => ["bytes", apply(toBase64, new Bytes(buffer, offset, length), [])];

  // What an object that is neither array nor plain stands for: a tag and what it holds.
  const classify = (value) => {
    if (typeof value === "bigint") return ["text", text(value)];
    if (value instanceof kinds.ArrayBuffer || value instanceof kinds.SharedArrayBuffer) return raw(value);
    if (isView(value)) {
      const bytes = value instanceof Bytes || value instanceof kinds.DataView || value instanceof kinds.Uint8ClampedArray;
      return bytes ? raw(value.buffer, value.byteOffset, value.byteLength) : ["value", from(value)];
    }
    if (value instanceof kinds.Date) {
      return ["value", apply(getTime, value, []) === apply(getTime, value, []) ? apply(toISOString, value, []) : null];
    }
    if (value instanceof kinds.Map) return ["pairs", from(apply(entries, value, []), ([key, item]) => [text(key), item])];
    if (value instanceof kinds.Set) return ["value", from(apply(values, value, []))];
    if (value instanceof kinds.Error) return ["value", { name: text(value.name), message: text(value.message) }];
    if (typeof value.toJSON === "function") return ["value", value.toJSON()];
    return ["plain", null];
  };

  return [classify, (string) => apply(toWellFormed, string, []), getPrototypeOf({})];
})()
