/* Point at a token: where it looks and who looks at it, drawn here from what the archive kept.
   The address holds the locked token and the mode; nothing else is remembered. */
(function () {
  "use strict";

  const SHOWN = 16; /* rows of each list of a locked token */
  const NONE = -1;

  let text = null; /* the edges of the head that is shown, or null */
  let place = null; /* the element they came in */
  let words = []; /* the elements of the tokens */
  let lit = []; /* those that are coloured now */
  let locked = NONE;
  let mode = "raw";

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

  /* What one edge counts in the chosen mode; null where it is left out or not known. */
  function counted(at) {
    const query = Math.floor(at / text.ranks);
    if (mode === "value-weighted") return Number.isNaN(text.share[at]) ? null : text.share[at];
    if (mode === "excess") return text.weight[at] - 1 / text.visible[query];
    if (mode !== "sink-removed") return text.weight[at];
    if (text.isPinned.has(text.key[at])) return null;
    const left = total(query) - pinnedWeight(query);
    return left > 0 ? text.weight[at] / left : null;
  }

  function* edgesOf(query) {
    const first = query * text.ranks;
    for (let at = first; at < first + text.ranks; at += 1) if (text.key[at] >= 0) yield at;
  }

  function total(query) {
    let sum = text.rest[query];
    for (const at of edgesOf(query)) sum += text.weight[at];
    return sum;
  }

  function pinnedWeight(query) {
    let sum = 0;
    for (const at of edgesOf(query)) if (text.isPinned.has(text.key[at])) sum += text.weight[at];
    return sum;
  }

  /* Both directions of a token as [other token, number, place of the edge], the largest first. */
  function looksAt(token) {
    const found = [];
    if (token < text.queries) {
      for (const at of edgesOf(token)) {
        const number = counted(at);
        if (number !== null) found.push([text.key[at], number, at]);
      }
    }
    return sorted(found);
  }

  function lookedAtBy(token) {
    const found = [];
    for (let each = text.start[token]; each < text.start[token + 1]; each += 1) {
      const at = text.from[each];
      const number = counted(at);
      if (number !== null) found.push([Math.floor(at / text.ranks), number, at]);
    }
    return sorted(found);
  }

  const sorted = (pairs) => pairs.sort((one, other) => other[1] - one[1]);

  /* Pinned keys have a colour of their own, and the rest is scaled by the largest of the rest. */
  function colour(pairs, side) {
    const rest = pairs.filter(([other]) => side === "in" || !text.isPinned.has(other));
    const most = Math.max(...rest.map(([, number]) => Math.abs(number)), 1e-12);
    pairs.forEach(([other, number]) => {
      const word = words[other];
      if (!word || number === 0) return;
      const pinned = side === "out" && text.isPinned.has(other);
      const share = pinned ? 1 : Math.sqrt(Math.abs(number) / most);
      word.classList.add("lit");
      word.style.setProperty(`--${side}`, `${(8 + 54 * share).toFixed(0)}%`);
      if (pinned) word.classList.add("pinned");
      if (number < 0) word.classList.add(`less-${side}`);
      lit.push(word);
    });
  }

  function clear() {
    lit.forEach((word) => {
      word.classList.remove("lit", "pinned", "less-in", "less-out", "pointed", "locked");
      word.style.removeProperty("--in");
      word.style.removeProperty("--out");
    });
    lit = [];
  }

  function show(token) {
    clear();
    const box = document.querySelector(".shaded");
    if (!text || !box) return;
    box.classList.toggle("looking", token !== NONE);
    weighChips(token);
    if (token === NONE) return;
    colour(looksAt(token), "out");
    colour(lookedAtBy(token), "in");
    const word = words[token];
    word.classList.add(token === locked ? "locked" : "pointed");
    lit.push(word);
  }

  /* While a token is pointed at, a chip tells what this token gives to the pinned key. */
  function weighChips(token) {
    document.querySelectorAll(".chip").forEach((chip) => {
      const at = Number(chip.dataset.lock);
      const edge = token < 0 ? [] : [...pointsTo(token, at)];
      const from = chip.querySelector(".chip-from");
      const words = token < 0 ? "" : `${edge.length ? written(text.weight[edge[0]]) : "less"} from here`;
      if (from) from.textContent = words;
    });
  }

  function* pointsTo(token, key) {
    if (token < text.queries) for (const at of edgesOf(token)) if (text.key[at] === key) yield at;
  }

  function written(number) {
    if (number === undefined || Number.isNaN(number)) return "–";
    if (number === 0) return "0";
    const size = Math.abs(number);
    const digits = size >= 1e-4 ? size.toPrecision(4) : size.toExponential(2);
    return `${number < 0 ? "−" : ""}${digits}`;
  }

  const label = (token) => (words[token] ? words[token].textContent.replace("\n", "") : "");

  function element(name, content, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...[].concat(content));
    return made;
  }

  function table(title, heads, rows) {
    const made = element("table", [], "compact look-table");
    made.append(element("caption", title));
    const cells = heads.map((head, at) => {
      const cell = element("th", head, at > 1 ? "number" : "");
      cell.scope = "col";
      return cell;
    });
    made.append(element("thead", element("tr", cells)));
    const body = rows.map((row) => {
      const [at, ...rest] = row;
      const go = element("button", String(at), "plain-button");
      go.type = "button";
      go.dataset.lock = at;
      go.setAttribute("aria-label", `Lock token ${at}`);
      return element("tr", [
        element("td", go),
        element("td", element("span", rest[0], "token-name")),
        ...rest.slice(1).map((number) => element("td", number, "number")),
      ]);
    });
    made.append(element("tbody", body));
    return made;
  }

  const row = ([other, number, at]) => [
    other, label(other), written(text.weight[at]),
    ...(text.hasShares ? [written(text.share[at])] : []),
    ...(mode === "raw" || mode === "value-weighted" ? [] : [written(number)]),
  ];

  function headings() {
    const named = { "sink-removed": "of the rest", excess: "excess" }[mode];
    return ["", "token", "weight", ...(text.hasShares ? ["of output"] : []), ...(named ? [named] : [])];
  }

  function unlisted(rest, listed, what) {
    const shown = Math.max(0, listed - SHOWN);
    const more = shown ? `${shown} more are listed in the CSV. ` : "";
    return element("p", `${more}Not listed: ${written(rest)} ${what}.`, "caption");
  }

  function list(box, token) {
    const out = looksAt(token);
    const into = lookedAtBy(token);
    const title = element("h3", [`Token ${token} `, element("span", label(token), "token-name")]);
    const free = element("button", "Free (Esc)", "action");
    free.type = "button";
    free.dataset.lock = NONE;
    const left = element("div", [
      token < text.queries
        ? table("Looks at", headings(), out.slice(0, SHOWN).map(row))
        : element("p", "The edges of this query were not kept: measure with more room for them."),
      unlisted(text.rest[token], out.length, "of its weight goes to other keys"),
    ]);
    const right = element("div", [
      into.length
        ? table("Looked at by", headings(), into.slice(0, SHOWN).map(row))
        : element("p", "No listed edge leads here.", "caption"),
      unlisted(text.rest_by_key[token], into.length, "received, summed over queries"),
    ]);
    box.replaceChildren(
      element("div", [title, free], "look-head"),
      element("div", [left, right], "look-lists"),
    );
  }

  function sentence(token) {
    const named = (pairs) =>
      pairs.slice(0, 3).map(([other, number]) => `token ${other} ${label(other)} ${written(number)}`);
    const out = named(looksAt(token)).join(", ") || "nothing that is listed";
    const into = named(lookedAtBy(token)).join(", ") || "nothing that is listed";
    return `Token ${token} ${label(token)}: looks at ${out}; looked at by ${into}.`;
  }

  function detail() {
    const box = document.querySelector(".look-detail");
    const said = document.querySelector(".look-said");
    if (!box || !said) return;
    if (!text || locked === NONE) {
      box.replaceChildren();
      said.textContent = "";
      return;
    }
    list(box, locked);
    said.textContent = sentence(locked);
  }

  function note() {
    const box = document.querySelector(".look-note");
    if (!box) return;
    const lacks = text && mode === "value-weighted" && !text.hasShares;
    box.textContent = lacks
      ? "How much an edge writes is not known for this model: its output projection was not found."
      : "";
  }

  /* The address decides: the locked token, if the text has it, and the mode. */
  function follow(query) {
    const said = new URLSearchParams(query);
    const token = /^\d+$/.test(said.get("token") || "") ? Number(said.get("token")) : NONE;
    locked = text && token < text.tokens && words[token] ? token : NONE;
    mode = said.get("mode") || "raw";
    show(locked);
    detail();
    note();
  }

  function lock(token, walks) {
    const said = new URLSearchParams(window.location.search);
    said.set("token", token === NONE ? "none" : token);
    follow(said.toString());
    if (token !== NONE) words[token].scrollIntoView({ block: "nearest" });
    const choose = { token: token === NONE ? "none" : String(token) };
    window.dash_clientside.set_props("request", { data: { choose, walks, at: Date.now() } });
  }

  function arrived() {
    const now = document.querySelector("[data-edges]");
    if (now === place && (!now || now.lensEdges === now.dataset.edges)) return;
    clear();
    place = now;
    text = null;
    if (now) {
      now.lensEdges = now.dataset.edges;
      text = read(now.dataset.edges);
    }
    gather();
    follow(window.location.search);
  }

  function gather() {
    words = [...document.querySelectorAll(".shaded .token")];
    document.querySelectorAll(".token.sink").forEach((word) => word.classList.remove("sink"));
    if (text) text.pinned.forEach(({ at }) => words[at] && words[at].classList.add("sink"));
  }

  const tokenOf = (event) => {
    const word = event.target.closest && event.target.closest(".shaded .token");
    return word && text ? words.indexOf(word) : NONE;
  };

  document.addEventListener("pointerover", (event) => {
    if (!text || locked !== NONE || event.pointerType === "touch") return;
    const token = tokenOf(event);
    if (token === NONE) {
      if (lit.length && !event.target.closest(".shaded")) show(NONE);
      return;
    }
    words[token].removeAttribute("title");
    show(token);
  });

  document.addEventListener("click", (event) => {
    if (!text) return;
    const button = event.target.closest && event.target.closest("[data-lock]");
    if (button) return lock(Number(button.dataset.lock));
    const token = tokenOf(event);
    if (token !== NONE) lock(token === locked ? NONE : token);
  });

  document.addEventListener("keydown", (event) => {
    if (!text || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = event.target.closest && event.target.closest(".shaded, .look-detail, .chips");
    const free = inside || event.target === document.body || event.target.id === "page";
    if (event.key === "Escape" && locked !== NONE && free) return lock(NONE);
    if (!event.target.matches || !event.target.matches(".shaded")) return;
    const next = walked(event.key);
    if (next === null) return;
    event.preventDefault();
    lock(next, true);
  });

  function walked(key) {
    const last = words.length - 1;
    const from = locked === NONE ? 0 : locked;
    if (locked === NONE && key.startsWith("Arrow")) return 0;
    if (key === "ArrowRight") return Math.min(from + 1, last);
    if (key === "ArrowLeft") return Math.max(from - 1, 0);
    if (key === "ArrowDown") return nextLine(from, 1);
    if (key === "ArrowUp") return nextLine(from, -1);
    if (key === "Home") return 0;
    return key === "End" ? last : null;
  }

  /* The token of the next line that stands nearest above or below. */
  function nextLine(from, step) {
    const here = words[from].getClientRects()[0];
    let best = from;
    let line = null;
    let gap = Infinity;
    for (let at = from + step; at >= 0 && at < words.length; at += step) {
      const there = words[at].getClientRects()[0];
      if (!there || Math.abs(there.top - here.top) < here.height / 2) continue;
      if (line === null) line = there.top;
      if (Math.abs(there.top - line) > here.height / 2) break;
      const now = Math.abs(there.left - here.left);
      if (now < gap) [best, gap] = [at, now];
    }
    return best;
  }

  window.addEventListener("lens-query", (event) => {
    arrived();
    if (text) {
      gather();
      follow(event.detail);
    }
  });
  /* Words that were filled anew have lost what was drawn on them. */
  window.addEventListener("lens-filled", () => {
    if (!text) return;
    gather();
    follow(window.location.search);
  });
  new MutationObserver(arrived).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-edges"],
  });
})();
