"use strict";
(() => {
  const day_ms = 86400000;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const opened = Date.now();
  const clocks = [...document.querySelectorAll("[data-rate]")].map((box) => {
    const last = Date.parse(box.dataset.last);
    const age = opened - last;
    const fresh = age >= 0 && age <= day_ms;
    box.querySelector("[data-since]").textContent = fresh
      ? "more since the last evidence, if it still runs"
      : "more since you opened this page, if it still runs";
    box.hidden = false;
    return { out: box.querySelector("output"), rate: Number(box.dataset.rate), start: fresh ? last : opened };
  });
  const tick = () => {
    const now = Date.now();
    for (const clock of clocks) {
      const amount = (clock.rate * (now - clock.start)) / 3600000;
      clock.out.textContent = "+$" + amount.toFixed(amount < 100 ? 4 : 2);
    }
  };
  tick();
  setInterval(tick, still ? 60000 : 100);

  for (const chart of document.querySelectorAll(".timeline")) {
    const caption = chart.querySelector("figcaption");
    const usual = caption.textContent;
    const say = (event) => {
      const mark = event.target.closest("a");
      caption.textContent = mark ? mark.getAttribute("aria-label") : usual;
    };
    chart.addEventListener("pointerover", say);
    chart.addEventListener("focusin", say);
    chart.addEventListener("pointerleave", () => { caption.textContent = usual; });
    chart.addEventListener("focusout", () => { caption.textContent = usual; });
  }

  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
