((native) => {
  "use strict";
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  const encode = (text) =>
    encodeURIComponent(text).replace(/[!'()~]|%20/g, (part) =>
      part === "%20" ? "+" : "%" + part.charCodeAt(0).toString(16).toUpperCase());
  const decode = (text) => {
    const plain = text.replaceAll("+", " ");
    try { return decodeURIComponent(plain); } catch { return plain; }
  };

  class URLSearchParams {
    #pairs = [];
    constructor(init = "") {
      if (typeof init === "object" && init !== null) {
        const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
        for (const [name, value] of pairs) this.append(name, value);
        return;
      }
      for (const part of String(init).replace(/^\?/, "").split("&")) {
        if (!part) continue;
        const at = part.indexOf("=");
        this.append(decode(at < 0 ? part : part.slice(0, at)), at < 0 ? "" : decode(part.slice(at + 1)));
      }
    }
    get size() { return this.#pairs.length; }
    append(name, value) { this.#pairs.push([String(name), String(value)]); }
    delete(name) { this.#pairs = this.#pairs.filter(([own]) => own !== String(name)); }
    get(name) { return this.#pairs.find(([own]) => own === String(name))?.[1] ?? null; }
    getAll(name) { return this.#pairs.filter(([own]) => own === String(name)).map(([, value]) => value); }
    has(name) { return this.#pairs.some(([own]) => own === String(name)); }
    set(name, value) {
      const at = this.#pairs.findIndex(([own]) => own === String(name));
      if (at < 0) return this.append(name, value);
      this.#pairs = this.#pairs.filter(([own], index) => index <= at || own !== String(name));
      this.#pairs[at] = [String(name), String(value)];
    }
    sort() { this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); }
    forEach(visit) { for (const [name, value] of this.#pairs) visit(value, name, this); }
    *entries() { yield* this.#pairs.map((pair) => [...pair]); }
    *keys() { for (const [name] of this.#pairs) yield name; }
    *values() { for (const [, value] of this.#pairs) yield value; }
    [Symbol.iterator]() { return this.entries(); }
    toString() { return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&"); }
  }

  // Read-only but for `searchParams`, `search` and `hash`.
  class URL {
    #parts;
    #params;
    #given;
    constructor(url, base) {
      this.#parts = native.url(String(url), base === undefined ? null : String(base));
      this.search = this.#parts.search;
    }
    static canParse(url, base) {
      try { return Boolean(new URL(url, base)); } catch { return false; }
    }
    get protocol() { return this.#parts.protocol; }
    get username() { return this.#parts.username; }
    get password() { return this.#parts.password; }
    get hostname() { return this.#parts.hostname; }
    get port() { return this.#parts.port; }
    get host() { return this.#parts.host; }
    get origin() { return this.#parts.origin; }
    get pathname() { return this.#parts.pathname; }
    get searchParams() { return this.#params; }
    // The text as it was given, unless the parameters have been changed since.
    get search() {
      const own = this.#params.toString();
      if (own === this.#given.normal) return this.#given.text;
      return own && "?" + own;
    }
    set search(text) {
      const query = String(text).replace(/^\?/, "");
      this.#params = new URLSearchParams(query);
      this.#given = { text: query && "?" + query, normal: this.#params.toString() };
    }
    get hash() { return this.#parts.hash; }
    set hash(text) { this.#parts.hash = text ? "#" + String(text).replace(/^#/, "") : ""; }
    get href() { return this.#parts.start + this.search + this.hash; }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }

  define("URLSearchParams", URLSearchParams);
  define("URL", URL);
})
