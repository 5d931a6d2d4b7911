/* Point at a token: where it looks and who looks at it. Every view on the page that has not begun
   yet is begun, so that a page may hold any number of them, and this script as often. */
(function () {
  "use strict";

  const LISTED = 8; /* rows of each list */
  const NONE = -1;

  document.querySelectorAll(".lens-inline:not([data-begun])").forEach(begin);

  function begin(root) {
    root.dataset.begun = "";
    const find = (name) => root.querySelector(`.lens-${name}`);
    const given = JSON.parse(root.dataset.edges);
    const words = [...root.querySelectorAll(".lens-token")];
    const [layers, heads] = [find("layer"), find("head")];
    let here = null; /* the edges of the chosen head */
    let held = NONE; /* the token that a click holds */
    let lit = [];

    function choose(layer, head) {
      const ofLayer = given.heads.filter((each) => each.layer === layer);
      const chosen = ofLayer.find((each) => each.head === head) || ofLayer[0];
      fill(layers, new Set(given.heads.map((each) => each.layer)), layer);
      fill(heads, ofLayer.map((each) => each.head), chosen.head);
      here = decoded(chosen);
      const places = new Set(here.pinned.map(([at]) => at));
      words.forEach((word, at) => word.classList.toggle("lens-pinned", places.has(at)));
      find("sinks").replaceChildren(...sinks());
      show(held);
    }

    function sinks() {
      if (!here.pinned.length) return ["No key stands out as a sink does in this head."];
      const chips = here.pinned.map(([at, mass, uniform]) => {
        const said = [name(at), ` token ${at}: ${written(mass)} (uniform ${written(uniform)})`];
        return element("span", said, "lens-pin");
      });
      return ["Sinks, mean weight: ", ...chips.flatMap((chip) => [chip, " "])];
    }

    /* Both directions of a token as [other token, weight, share of the output], largest first. */
    function looksAt(token) {
      if (token >= here.queries) return [];
      const first = token * here.ranks;
      const places = Array.from({ length: here.ranks }, (_, rank) => first + rank);
      return sorted(places.filter((at) => here.key[at] >= 0).map((at) => [here.key[at], at]));
    }

    function lookedAtBy(token) {
      const found = [];
      here.key.forEach((key, at) => {
        if (key === token) found.push([Math.floor(at / here.ranks), at]);
      });
      return sorted(found);
    }

    const sorted = (pairs) =>
      pairs
        .map(([other, at]) => [other, here.weight[at], here.share[at]])
        .sort((one, other) => other[1] - one[1]);

    /* Sinks are marked already, so the rest is scaled by the largest of the rest. */
    function colour(pairs, side) {
      const pinned = new Set(here.pinned.map(([at]) => at));
      const isSink = (other) => side === "out" && pinned.has(other);
      const rest = pairs.filter(([other]) => !isSink(other)).map(([, weight]) => weight);
      const most = Math.max(...rest, 1e-12);
      pairs.forEach(([other, weight]) => {
        const word = words[other];
        if (!word || weight <= 0) return;
        const share = isSink(other) ? 1 : Math.sqrt(weight / most);
        word.classList.add("lens-lit");
        word.style.setProperty(`--${side}`, `${(8 + 54 * Math.min(share, 1)).toFixed(0)}%`);
        lit.push(word);
      });
    }

    function show(token) {
      lit.forEach((word) => {
        word.classList.remove("lens-lit", "lens-here");
        word.style.removeProperty("--in");
        word.style.removeProperty("--out");
      });
      lit = [];
      if (token === NONE) return find("read").replaceChildren();
      const [out, into] = [looksAt(token), lookedAtBy(token)];
      colour(out, "out");
      colour(into, "in");
      words[token].classList.add("lens-here");
      lit.push(words[token]);
      const from = token < here.queries ? `${written(here.rest[token])} to others` : "not kept";
      find("read").replaceChildren(
        table([`Token ${token} `, name(token), " looks at"], out, from),
        table(["Looked at by"], into, `${written(here.rest_by_key[token])} not listed`),
      );
    }

    function table(title, pairs, left) {
      const shares = pairs.some(([, , share]) => !Number.isNaN(share));
      const heads = ["token", "", "weight", ...(shares ? ["of its output"] : [])];
      const rows = pairs.slice(0, LISTED).map(([other, weight, share]) => {
        const cells = [String(other), name(other), written(weight)];
        return [...cells, ...(shares ? [written(share)] : [])].map((cell) => element("td", [cell]));
      });
      const hidden = pairs.slice(LISTED).reduce((sum, [, weight]) => sum + weight, 0);
      const more = hidden > 0 ? `${pairs.length - LISTED} more: ${written(hidden)}; ` : "";
      const last = element("td", [more + left]);
      last.colSpan = heads.length;
      return element("table", [
        element("caption", title),
        element("tr", heads.map((head) => element("th", [head]))),
        ...rows.map((row) => element("tr", row)),
        element("tr", [last]),
      ]);
    }

    function name(at) {
      const word = words[at] ? words[at].textContent.replace("\n", "") : "";
      return element("span", [word], "lens-name");
    }

    function hold(token) {
      held = token;
      show(token);
    }

    const tokenOf = (event) => {
      const word = event.target.closest(".lens-token");
      return word ? Number(word.dataset.at) : NONE;
    };

    const text = find("text");
    text.addEventListener("pointerover", (event) => {
      if (held === NONE && event.pointerType !== "touch") show(tokenOf(event));
    });
    text.addEventListener("pointerleave", () => held === NONE && show(NONE));
    text.addEventListener("click", (event) => {
      const token = tokenOf(event);
      hold(token === held ? NONE : token);
    });
    text.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Escape: 0 }[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation(); /* the notebook has keys of its own */
      const next = Math.max(0, Math.min(held + step, words.length - 1));
      hold(step ? next : NONE);
    });
    layers.addEventListener("change", () => choose(Number(layers.value), Number(heads.value)));
    heads.addEventListener("change", () => choose(Number(layers.value), Number(heads.value)));

    ["menus", "live", "sinks"].forEach((part) => (find(part).hidden = false));
    find("still").hidden = true;
    choose(...given.first);
  }

  function fill(menu, values, chosen) {
    menu.replaceChildren(...[...values].map((value) => new Option(value, value)));
    menu.value = chosen;
  }

  function decoded(head) {
    const found = { ...head, key: numbers(head.key, Int32Array) };
    ["weight", "share", "rest", "rest_by_key"].forEach((name) => {
      found[name] = numbers(head[name], Float32Array);
    });
    return found;
  }

  function numbers(encoded, Type) {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    return new Type(bytes.buffer);
  }

  function written(number) {
    if (number === undefined || Number.isNaN(number)) return "–";
    if (number === 0) return "0";
    const size = Math.abs(number);
    const digits = size >= 1e-4 ? size.toPrecision(4) : size.toExponential(2);
    return `${number < 0 ? "−" : ""}${digits}`;
  }

  function element(name, content, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...content);
    return made;
  }
})();
