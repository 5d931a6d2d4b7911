/* Point at a token: where it looks and who looks at it (`looked_text.js`), locked, listed, walked.
   The address holds the locked token and the mode; nothing else is remembered. */
(function () {
  "use strict";

  const { LookedText, NONE, written } = window.lensText;
  const SHOWN = 16; /* rows of each list of a locked token */
  const PLACE = ".page-tokens [data-edges]";

  let text = null; /* the text and the edges of the head that is shown, or null */
  let place = null; /* the element they came in */
  let locked = NONE;

  function show(token) {
    if (!text) return;
    text.show(token, token === locked ? "locked" : "pointed");
    weighChips(token);
  }

  /* While a token is pointed at, a chip tells what this token gives to the pinned key. */
  function weighChips(token) {
    document.querySelectorAll(".chip").forEach((chip) => {
      const at = Number(chip.dataset.lock);
      const edge = token < 0 ? [] : [...text.pointsTo(token, at)];
      const from = chip.querySelector(".chip-from");
      const words = token < 0 ? "" : `${edge.length ? written(text.weight[edge[0]]) : "less"} from here`;
      if (from) from.textContent = words;
    });
  }

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
    other, text.label(other), written(text.weight[at]),
    ...(text.hasShares ? [written(text.share[at])] : []),
    ...(text.mode === "raw" || text.mode === "value-weighted" ? [] : [written(number)]),
  ];

  function headings() {
    const named = { "sink-removed": "of the rest", excess: "excess" }[text.mode];
    return ["", "token", "weight", ...(text.hasShares ? ["of output"] : []), ...(named ? [named] : [])];
  }

  function unlisted(rest, listed, what) {
    const shown = Math.max(0, listed - SHOWN);
    const more = shown ? `${shown} more are listed in the CSV. ` : "";
    return element("p", `${more}Not listed: ${written(rest)} ${what}.`, "caption");
  }

  function list(box, token) {
    const out = text.looksAt(token);
    const into = text.lookedAtBy(token);
    const name = element("span", text.label(token), "token-name");
    const title = element("h3", [`Token ${token} `, name]);
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
    said.textContent = text.sentence(locked);
  }

  function note() {
    const box = document.querySelector(".look-note");
    if (!box) return;
    const lacks = text && text.mode === "value-weighted" && !text.hasShares;
    box.textContent = lacks
      ? "How much an edge writes is not known for this model: its output projection was not found."
      : "";
  }

  /* The address decides: the locked token, if the text has it, and the mode. */
  function follow(query) {
    const said = new URLSearchParams(query);
    const token = /^\d+$/.test(said.get("token") || "") ? Number(said.get("token")) : NONE;
    locked = text && token < text.tokens && text.words[token] ? token : NONE;
    if (text) text.mode = said.get("mode") || "raw";
    show(locked);
    detail();
    note();
  }

  function lock(token, walks) {
    const said = new URLSearchParams(window.location.search);
    said.set("token", token === NONE ? "none" : token);
    follow(said.toString());
    if (token !== NONE) text.words[token].scrollIntoView({ block: "nearest" });
    const choose = { token: token === NONE ? "none" : String(token) };
    window.dash_clientside.set_props("request", { data: { choose, walks, at: Date.now() } });
  }

  function arrived() {
    const now = document.querySelector(PLACE);
    if (now === place && (!now || now.lensEdges === now.dataset.edges)) return;
    if (text) text.clear();
    place = now;
    text = null;
    if (now) {
      now.lensEdges = now.dataset.edges;
      text = new LookedText(now.dataset.edges, now.closest(".page-tokens"));
    }
    follow(window.location.search);
  }

  document.addEventListener("pointerover", (event) => {
    if (!text || locked !== NONE || event.pointerType === "touch") return;
    const token = text.tokenOf(event);
    if (token === NONE) {
      if (text.lit.length && !event.target.closest(".shaded")) show(NONE);
      return;
    }
    show(token);
  });

  document.addEventListener("click", (event) => {
    if (!text) return;
    const button = event.target.closest && event.target.closest("[data-lock]");
    if (button) return lock(Number(button.dataset.lock));
    const token = text.tokenOf(event);
    if (token !== NONE) lock(token === locked ? NONE : token);
  });

  document.addEventListener("keydown", (event) => {
    if (!text || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = event.target.closest && event.target.closest(".shaded, .look-detail, .chips");
    const free = inside || event.target === document.body || event.target.id === "page";
    if (event.key === "Escape" && locked !== NONE && free) return lock(NONE);
    if (!event.target.matches || !event.target.matches(".shaded")) return;
    const next = text.walked(event.key, locked);
    if (next === null) return;
    event.preventDefault();
    lock(next, true);
  });

  window.addEventListener("lens-query", (event) => {
    arrived();
    if (text) {
      text.gather();
      follow(event.detail);
    }
  });
  /* Words that were filled anew have lost what was drawn on them. */
  window.addEventListener("lens-filled", () => {
    if (!text) return;
    text.gather();
    follow(window.location.search);
  });
  new MutationObserver(arrived).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-edges"],
  });
})();
