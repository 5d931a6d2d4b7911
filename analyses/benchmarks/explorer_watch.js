/* Times what a reader waits for, from the event the browser stamps to the frame that shows it. */
(() => {
  const painted = () =>
    new Promise((done) =>
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done(performance.now());
        channel.port2.postMessage(0);
      }),
    );
  const plots = () => [...document.querySelectorAll(".js-plotly-plot")];

  /* Resolves to the milliseconds from the next key to the first drawing and the words about the
     head, whichever is later, and to the last drawing; `quiet` ms without change end it. */
  window.timeSwitch = (quiet) =>
    new Promise((resolve) => {
      let from = null;
      let first = null;
      let words = null;
      let last = null;
      let timer = null;
      const listening = plots().map((plot) => {
        const drawn = async () => {
          const at = await painted();
          first = first ?? at;
          last = at;
          wait();
        };
        plot.on("plotly_afterplot", drawn);
        return () => plot.removeListener("plotly_afterplot", drawn);
      });
      const seen = new MutationObserver(async () => {
        words = words ?? (await painted());
        wait();
      });
      seen.observe(document.querySelector("[id*='\"markup\":\"head\"']"), {
        subtree: true, childList: true, characterData: true,
      });
      const pressed = (event) => {
        from = event.timeStamp;
        wait();
      };
      window.addEventListener("keydown", pressed, { capture: true, once: true });
      function wait() {
        clearTimeout(timer);
        if (first !== null && words !== null) timer = setTimeout(finish, quiet);
      }
      function finish() {
        listening.forEach((stop) => stop());
        seen.disconnect();
        resolve({ first: Math.max(first, words) - from, all: Math.max(last, words) - from });
      }
    });

  /* Resolves to the milliseconds from the pointer's coming to a token to the frame after. */
  window.timeHover = () =>
    new Promise((resolve) => {
      const over = async (event) => {
        if (!event.target.closest || !event.target.closest(".shaded .token")) return;
        window.removeEventListener("pointerover", over, true);
        resolve((await painted()) - event.timeStamp);
      };
      window.addEventListener("pointerover", over, true);
    });
})();
