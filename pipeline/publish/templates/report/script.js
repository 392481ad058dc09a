"use strict";
(() => {
  const bar = document.getElementById("filters");
  if (!bar) return;
  const cards = [...document.querySelectorAll(".card")].map((card) => ({
    card,
    about: card.querySelector(".about"),
    count: card.querySelector(".places .count"),
    places: card.querySelector(".places"),
    units: [...card.querySelectorAll("[data-m]")].map((unit) => ({
      unit, meaning: unit.dataset.m, agency: unit.dataset.a ?? card.dataset.a, text: null,
    })),
  }));
  const words = document.getElementById("words");
  const agency = document.getElementById("agency");
  const buttons = [...bar.querySelectorAll("button")];
  const plain = (text) => text.normalize("NFC").toLowerCase();
  let only = "";
  const apply = () => {
    const asked = plain(words.value).split(/\s+/).filter(Boolean);
    const counts = { "": 0 };
    const groups = new Map();
    let shown = 0, all = 0;
    for (const one of cards) {
      let here = 0;
      const about = asked.length ? plain(one.about.textContent) : "";
      for (const item of one.units) {
        if (asked.length && item.text === null) item.text = `${about} ${plain(item.unit.textContent)}`;
        const found = (!agency.value || item.agency === agency.value) && asked.every((word) => item.text.includes(word));
        const visible = found && (!only || item.meaning === only);
        item.unit.hidden = !visible;
        here += visible;
        if (found) { counts[""] += 1; counts[item.meaning] = (counts[item.meaning] ?? 0) + 1; }
      }
      one.card.hidden = !here;
      if (one.count) one.count.textContent = here.toLocaleString("en");
      if (one.places && asked.length) one.places.open = true;
      const group = one.card.parentElement;
      groups.set(group, (groups.get(group) ?? 0) + here);
      shown += here;
      all += one.units.length;
    }
    for (const [group, number] of groups) {
      group.hidden = !number;
      group.querySelector("h3 .count").textContent = number.toLocaleString("en");
    }
    for (const button of buttons) {
      button.querySelector(".count").textContent = (counts[button.dataset.only] ?? 0).toLocaleString("en");
      button.setAttribute("aria-pressed", String(button.dataset.only === only));
    }
    document.getElementById("shown").textContent = bar.dataset.shown
      .replace("{0}", shown.toLocaleString("en")).replace("{1}", all.toLocaleString("en"));
  };
  for (const button of buttons) button.addEventListener("click", () => { only = button.dataset.only; apply(); });
  agency.addEventListener("change", apply);
  let waiting = 0;
  words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); });
  bar.hidden = false;
})();
