/* What a server does for the explorer, from files: a choice is looked up and put in place.
   `lens.js` and the other scripts of the explorer run as ever; this stands where Dash stood. */
(function () {
  "use strict";

  const choices = window.lensChoices;
  if (!choices) {
    document.addEventListener("DOMContentLoaded", () => {
      document.querySelector(".lost-note").textContent =
        "These pages are not whole: writing them was interrupted. Write them again.";
    });
    return;
  }
  const here = document.documentElement.dataset.page;
  const first = Object.fromEntries(new URLSearchParams(choices.first));
  const loading = new Map(); /* answers of a file of data, by its name */
  const arrived = {};
  const shown = {}; /* the key of what every part shows */
  let query = "";

  const at = (kind, name) => document.getElementById(`{"${kind}":"${name}"}`);
  const asText = (said) => new URLSearchParams(said).toString();

  /* The nearest selection that was exported. */
  function fit(text) {
    const asked = Object.fromEntries(new URLSearchParams(text));
    const said = {};
    Object.entries(first).forEach(([field, usual]) => {
      said[field] = allows(field, asked[field]) ? asked[field] : usual;
    });
    const [layers, heads] = choices.sizes[said.run];
    said.layer = String(clamp(asked.layer, layers));
    said.head = String(clamp(asked.head, heads));
    const names = choices.statistics[here] || [];
    if (!names.length) return said;
    if (!names.includes(said.statistic)) said.statistic = names[0];
    const others = names.filter((name) => name !== said.statistic);
    others.sort((one, other) => (other === choices.second) - (one === choices.second));
    const left = others.length ? others : names;
    if (!left.includes(said.other)) said.other = left[0];
    return said;
  }

  function allows(field, value) {
    if (value === undefined) return false;
    if (field === "layer" || field === "head" || choices.inTheBrowser.includes(field)) return true;
    return (choices.fields[field] || []).some((each) => String(each) === value);
  }

  function clamp(value, count) {
    return /^\d{1,9}$/.test(value || "") ? Math.min(Number(value), count - 1) : 0;
  }

  /* Files of data are scripts, which a page on a disk may load. */
  window.lensOffline = {
    take(name, packed) {
      const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
      const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      arrived[name] = new Response(plain).json();
    },
  };

  function load(name) {
    if (!loading.has(name)) {
      loading.set(name, new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => resolve(arrived[name]);
        script.onerror = () => resolve(null);
        document.head.append(script);
      }));
    }
    return loading.get(name);
  }

  function lost(name) {
    const note = document.querySelector(".lost-note");
    const said = `data/${name}.js cannot be read or does not hold this choice: is the folder whole?`;
    if (note) note.textContent = said;
  }

  /* What a part shows for a selection: its key, and a promise of the answer. Of fields that are
     the browser's, such as the locked token, parts were kept for the usual value alone. */
  async function answer(name, said) {
    const kept = (field) => (choices.inTheBrowser.includes(field) ? first : said)[field];
    for (const order of choices.parts[name]) {
      const key = order.map((field) => `${field}=${kept(field)}`).join("&");
      const run = order.includes("run") ? `-${choices.fields.run.indexOf(said.run)}` : "";
      const held = await load(`${name}${run}`);
      if (held && key in held) return { key, found: held[key] };
    }
    return { key: "", found: null };
  }

  function partsOf(kind) {
    return [...document.querySelectorAll(`[id^='{"${kind}":']`)].map((place) => JSON.parse(place.id)[kind]);
  }

  async function draw(text) {
    query = text;
    const said = fit(text);
    const marks = {};
    await Promise.all([
      ...partsOf("markup").map((name) => fill(name, said, text)),
      ...partsOf("panel").map((name) => drawPanel(name, said, text, marks)),
    ]);
    if (text !== query) return;
    const is = asText(said);
    const correct = window.dash_clientside.lens.correct({ of: text, is, marks }, text);
    if (typeof correct === "string") query = correct;
    document.querySelector(".page").dataset.drawn = query;
  }

  async function fill(name, said, text) {
    const { key, found } = await answer(name, said);
    if (text !== query || shown[name] === key) return;
    if (found === null) return lost(name);
    shown[name] = key;
    at("markup", name).dataset.markup = found;
  }

  async function drawPanel(name, said, text, marks) {
    const { key, found } = await answer(name, said);
    const marked = choices.parts[`${name}.marks`] ? await answer(`${name}.marks`, said) : null;
    if (text !== query) return;
    if (found === null) return lost(name);
    const own = found.drawing.layout.shapes || [];
    const shapes = marked && marked.found ? [...own, ...marked.found] : own;
    if (shown[name] !== key) {
      shown[name] = key;
      at("title", name).textContent = found.title;
      at("caption", name).innerHTML = found.caption;
      at("missing", name).textContent = found.missing;
      at("drawing", name).hidden = Boolean(found.missing);
      at("table", name).lensTable = found.table;
      showTable(name);
      if (!found.missing) await plot(name, { ...found.drawing.layout, shapes }, found.drawing.data);
    }
    if (marked && !found.missing) marks[name] = shapes;
  }

  async function plot(name, layout, data) {
    const place = at("panel", name).querySelector(".plot");
    await window.Plotly.react(place, data, { ...layout, autosize: true }, choices.config);
    if (place.lensClicks) return;
    place.lensClicks = true;
    place.on("plotly_click", (event) => {
      const points = event.points.map(({ x, y, customdata }) => ({ x, y, customdata }));
      chooses(`{"panel":"${name}"}.clickData`, { points });
    });
  }

  function showTable(name) {
    const place = at("table", name);
    const open = at("toggle", name).getAttribute("aria-expanded") === "true";
    place.innerHTML = open ? place.lensTable : "";
  }

  /* An event goes the way it goes with a server: `lens.choose` writes it into the address. */
  function chooses(id, value) {
    window.dash_clientside.callback_context = { triggered: [{ prop_id: id, value }] };
    const next = window.dash_clientside.lens.choose(null, null, null, query);
    if (typeof next === "string") draw(next);
  }

  window.dash_clientside = {
    no_update: Symbol("no update"),
    set_props(id, props) {
      if (id === "request") chooses("request.data", props.data);
      if (id === "query") draw(props.data);
      if (id && id.control && "value" in props) setMenu(id.control, props.value);
    },
  };

  function setMenu(field, value) {
    const menu = at("control", field);
    if (menu) menu.value = value;
  }

  /* What was not exported cannot be chosen, and does not look as if it could. */
  function closeLinks() {
    document.querySelectorAll("[data-choose]").forEach((link) => {
      const said = [...new URLSearchParams(link.dataset.choose)];
      const path = link.dataset.path || here;
      const open = said.every(([field, value]) => allows(field, value)) && path in choices.files;
      link.classList.toggle("not-here", !open);
      if (open) return;
      link.removeAttribute("href");
      link.title = "Not among the exported pages; the explorer itself shows it.";
    });
  }

  function start() {
    const asked = window.location.search.slice(1);
    query = asText(fit(asked));
    if (asked && asked !== query) window.history.replaceState(null, "", `?${query}`);
    document.querySelector(".page").dataset.query = query;
    document.querySelectorAll("select[id]").forEach((menu) => {
      menu.addEventListener("change", () => chooses(`${menu.id}.value`, menu.value));
    });
    window.addEventListener("lens-filled", closeLinks);
    new URLSearchParams(query).forEach((value, field) => setMenu(field, value));
    draw(query);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target.closest("button, a") : null;
    if (!target) return;
    if (target.classList.contains("not-here")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (target.id && target.id.startsWith('{"toggle":')) {
      const open = target.getAttribute("aria-expanded") !== "true";
      target.setAttribute("aria-expanded", String(open));
      showTable(JSON.parse(target.id).toggle);
    } else if (target.matches("[data-scheme]")) {
      const root = document.documentElement;
      const now = root.dataset.mantineColorScheme === "dark" ? "light" : "dark";
      root.dataset.mantineColorScheme = now;
      try { localStorage.setItem("mantine-color-scheme-value", now); } catch (_) { /* not kept */ }
    }
  });

  document.addEventListener("DOMContentLoaded", start);
})();
