/* A calm bar while an answer takes longer than a blink, and a word where none comes. */
(function () {
  "use strict";

  const AFTER = 200; /* milliseconds */
  const CALLS = "_dash-update-component";
  const root = document.documentElement;
  const ask = window.fetch;
  let waiting = 0;

  function show() {
    const busy = waiting > 0;
    root.classList.toggle("waiting", busy);
    const page = document.getElementById("page");
    if (page) page.setAttribute("aria-busy", String(busy));
  }

  function say(words) {
    const note = document.querySelector(".lost-note");
    if (note) note.textContent = words;
  }

  window.fetch = function (resource, ...rest) {
    const answer = ask.call(this, resource, ...rest);
    if (!String(resource.url || resource).includes(CALLS)) return answer;
    waiting += 1;
    const late = window.setTimeout(show, AFTER);
    const done = () => {
      waiting -= 1;
      window.clearTimeout(late);
      if (!waiting) show();
    };
    answer.then(
      (got) => {
        done();
        say(got.status < 500 ? "" : "The explorer met an error; its terminal says which.");
      },
      () => {
        done();
        say("The explorer does not answer: is it still running?");
      },
    );
    return answer;
  };
})();
