/* A text whose tokens can be pointed at: where one looks and who looks at it, from the edges that
   the archive kept. The Tokens page has one of them, two texts side by side have two. */
(function () {
  "use strict";

  const NONE = -1;
  const NAMED = 3; /* tokens that a sentence names in each direction */

  function numbers(encoded, Type) {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    return new Type(bytes.buffer);
  }

  /* Edges by query as they came, and by key: `from[start[k] .. start[k + 1]]` are places in them. */
  function read(source) {
    const given = JSON.parse(source);
    const found = { ...given, key: numbers(given.key, Int32Array) };
    found.visible = numbers(given.visible, Int32Array);
    ["weight", "share", "rest", "rest_by_key"].forEach((name) => {
      found[name] = numbers(given[name], Float32Array);
    });
    found.isPinned = new Set(given.pinned.map((pin) => pin.at));
    found.hasShares = found.share.some((share) => !Number.isNaN(share));
    const start = new Uint32Array(found.tokens + 1);
    found.key.forEach((key) => key >= 0 && key < found.tokens && (start[key + 1] += 1));
    for (let key = 0; key < found.tokens; key += 1) start[key + 1] += start[key];
    const next = start.slice();
    found.from = new Uint32Array(start[found.tokens]);
    found.key.forEach((key, at) => {
      if (key >= 0 && key < found.tokens) found.from[next[key]++] = at;
    });
    found.start = start;
    return found;
  }

  function written(number) {
    if (number === undefined || Number.isNaN(number)) return "–";
    if (number === 0) return "0";
    const size = Math.abs(number);
    const digits = size >= 1e-4 ? size.toPrecision(4) : size.toExponential(2);
    return `${number < 0 ? "−" : ""}${digits}`;
  }

  const sorted = (pairs) => pairs.sort((one, other) => other[1] - one[1]);

  class LookedText {
    /* `root` holds a `.shaded` text and, hidden, the edges of the head that is shown. */
    constructor(source, root) {
      Object.assign(this, read(source));
      this.root = root;
      this.mode = "raw";
      this.lit = [];
      this.gather();
    }

    gather() {
      this.words = [...this.root.querySelectorAll(".shaded .token")];
      this.root.querySelectorAll(".token.sink").forEach((word) => word.classList.remove("sink"));
      this.pinned.forEach(({ at }) => this.words[at] && this.words[at].classList.add("sink"));
    }

    /* What one edge counts in the chosen mode; null where it is left out or not known. */
    counted(at) {
      const query = Math.floor(at / this.ranks);
      if (this.mode === "value-weighted") return Number.isNaN(this.share[at]) ? null : this.share[at];
      if (this.mode === "excess") return this.weight[at] - 1 / this.visible[query];
      if (this.mode !== "sink-removed") return this.weight[at];
      if (this.isPinned.has(this.key[at])) return null;
      const left = this.total(query) - this.pinnedWeight(query);
      return left > 0 ? this.weight[at] / left : null;
    }

    *edgesOf(query) {
      const first = query * this.ranks;
      for (let at = first; at < first + this.ranks; at += 1) if (this.key[at] >= 0) yield at;
    }

    total(query) {
      let sum = this.rest[query];
      for (const at of this.edgesOf(query)) sum += this.weight[at];
      return sum;
    }

    pinnedWeight(query) {
      let sum = 0;
      for (const at of this.edgesOf(query)) if (this.isPinned.has(this.key[at])) sum += this.weight[at];
      return sum;
    }

    /* Both directions of a token as [other token, number, place of the edge], the largest first. */
    looksAt(token) {
      const found = [];
      if (token < this.queries) {
        for (const at of this.edgesOf(token)) {
          const number = this.counted(at);
          if (number !== null) found.push([this.key[at], number, at]);
        }
      }
      return sorted(found);
    }

    lookedAtBy(token) {
      const found = [];
      for (let each = this.start[token]; each < this.start[token + 1]; each += 1) {
        const at = this.from[each];
        const number = this.counted(at);
        if (number !== null) found.push([Math.floor(at / this.ranks), number, at]);
      }
      return sorted(found);
    }

    *pointsTo(token, key) {
      if (token < this.queries) for (const at of this.edgesOf(token)) if (this.key[at] === key) yield at;
    }

    /* Pinned keys have a colour of their own, and the rest is scaled by the largest of the rest. */
    colour(pairs, side) {
      const rest = pairs.filter(([other]) => side === "in" || !this.isPinned.has(other));
      const most = Math.max(...rest.map(([, number]) => Math.abs(number)), 1e-12);
      pairs.forEach(([other, number]) => {
        const word = this.words[other];
        if (!word || number === 0) return;
        const pinned = side === "out" && this.isPinned.has(other);
        const share = pinned ? 1 : Math.sqrt(Math.abs(number) / most);
        word.classList.add("lit");
        word.style.setProperty(`--${side}`, `${(8 + 54 * share).toFixed(0)}%`);
        if (pinned) word.classList.add("pinned");
        if (number < 0) word.classList.add(`less-${side}`);
        this.lit.push(word);
      });
    }

    clear() {
      this.lit.forEach((word) => {
        word.classList.remove("lit", "pinned", "less-in", "less-out", "pointed", "locked");
        word.style.removeProperty("--in");
        word.style.removeProperty("--out");
      });
      this.lit = [];
    }

    /* Draw both directions of a token, which is pointed at or locked; nothing for `NONE`. */
    show(token, how) {
      this.clear();
      const box = this.root.querySelector(".shaded");
      if (box) box.classList.toggle("looking", token !== NONE);
      if (token === NONE || !box) return;
      this.colour(this.looksAt(token), "out");
      this.colour(this.lookedAtBy(token), "in");
      const word = this.words[token];
      word.removeAttribute("title");
      word.classList.add(how);
      this.lit.push(word);
    }

    label(token) {
      return this.words[token] ? this.words[token].textContent.replace("\n", "") : "";
    }

    sentence(token) {
      const named = (pairs) =>
        pairs
          .slice(0, NAMED)
          .map(([other, number]) => `token ${other} ${this.label(other)} ${written(number)}`);
      const out = named(this.looksAt(token)).join(", ") || "nothing that is listed";
      const into = named(this.lookedAtBy(token)).join(", ") || "nothing that is listed";
      return `Token ${token} ${this.label(token)}: looks at ${out}; looked at by ${into}.`;
    }

    /* The token under an event, `NONE` where there is none of this text. */
    tokenOf(event) {
      const word = event.target.closest && event.target.closest(".shaded .token");
      return word ? this.words.indexOf(word) : NONE;
    }

    /* Where a key leads from a locked token, null where it leads nowhere. */
    walked(key, locked) {
      const last = this.words.length - 1;
      const from = locked === NONE ? 0 : locked;
      if (locked === NONE && key.startsWith("Arrow")) return 0;
      if (key === "ArrowRight") return Math.min(from + 1, last);
      if (key === "ArrowLeft") return Math.max(from - 1, 0);
      if (key === "ArrowDown") return this.nextLine(from, 1);
      if (key === "ArrowUp") return this.nextLine(from, -1);
      if (key === "Home") return 0;
      return key === "End" ? last : null;
    }

    /* The token of the next line that stands nearest above or below. */
    nextLine(from, step) {
      const here = this.words[from].getClientRects()[0];
      let best = from;
      let line = null;
      let gap = Infinity;
      for (let at = from + step; at >= 0 && at < this.words.length; at += step) {
        const there = this.words[at].getClientRects()[0];
        if (!there || Math.abs(there.top - here.top) < here.height / 2) continue;
        if (line === null) line = there.top;
        if (Math.abs(there.top - line) > here.height / 2) break;
        const now = Math.abs(there.left - here.left);
        if (now < gap) [best, gap] = [at, now];
      }
      return best;
    }
  }

  window.lensText = { LookedText, NONE, written };
})();
