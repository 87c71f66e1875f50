"use strict";
// Keeps ages true, says when a page is old, and with ?live=1 exchanges what changed each minute.
// Without it the page is whole: times are written out, and a live page is loaded again as a whole.
(() => {
  const root = document.documentElement, note = document.getElementById("age");
  const live = "live" in root.dataset, every = 60000, old = 600000, slowest = 600000;
  let loaded = Date.now(), wait = every, failing = false;
  const shown = new Date(root.dataset.at).getTime();
  let offset = shown - loaded; // a reader's clock may be wrong: ages go by that of the monitor
  const now = () => Date.now() + offset;
  const relative = new Intl.RelativeTimeFormat(root.lang, { numeric: "always" });
  const local = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "long" });

  const ago = (at) => {
    const seconds = Math.min(0, (at - now()) / 1000);
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (-seconds >= size * (unit === "minute" ? 1 : 2)) {
        return relative.format(Math.trunc(seconds / size), unit);
      }
    }
    return null;
  };

  const ages = () => {
    for (const one of document.querySelectorAll("time[datetime]")) {
      const at = new Date(one.dateTime), age = ago(at);
      if (Number.isNaN(at.getTime())) continue;
      if (one.classList.contains("age") && age) one.textContent = age;
      const said = age ? `${local.format(at)} · ${age}` : local.format(at);
      if (one.title !== said) one.title = said;
    }
    const late = failing || (!live && Date.now() - loaded > old);
    const text = late ? (failing ? note.dataset.failing : note.dataset.old) : "";
    if (note.textContent !== text) note.textContent = text;
    note.hidden = !late;
    root.classList.toggle("stale", late);
  };

  // Ages change all the time, and are kept true here.
  const without = (main) => main.innerHTML.replace(/(<time class="age"[^>]*>)[^<]*/g, "$1");
  let content = without(document.getElementById("main"));

  const busy = () => {
    const at = document.activeElement, chosen = document.getSelection();
    return (at && at.closest("main form")) || (chosen && !chosen.isCollapsed);
  };

  const exchange = (fresh) => {
    const main = document.getElementById("main"), next = fresh.getElementById("main");
    if (!next || !fresh.documentElement.dataset.at) throw new Error("not our page");
    loaded = Date.now();
    offset = new Date(fresh.documentElement.dataset.at).getTime() - loaded;
    note.dataset.failing = fresh.getElementById("age").dataset.failing;
    document.title = fresh.title;
    document.querySelector("footer").replaceWith(fresh.querySelector("footer"));
    const found = without(next);
    if (found === content) return;
    content = found;
    const open = [...main.querySelectorAll("details")].map((one) => one.open);
    const held = document.activeElement && document.activeElement.closest("main a[href]");
    const href = held && held.getAttribute("href");
    main.replaceChildren(...next.childNodes);
    [...main.querySelectorAll("details")].forEach((one, n) => { if (open[n]) one.open = true; });
    const again = href && [...main.querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === href);
    if (again) again.focus({ preventScroll: true });
  };

  const update = async () => {
    if (document.hidden || busy()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(30000) });
      if (!answer.ok) throw new Error(answer.status);
      exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
      failing = false;
      wait = every;
    } catch {
      failing = true;
      wait = Math.min(slowest, wait * 2);
    }
    ages();
  };

  const again = () => setTimeout(async () => { await update(); again(); }, wait * (1 + Math.random() / 6));
  ages();
  setInterval(ages, 30000);
  if (live) {
    again();
    addEventListener("online", update);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - loaded > every) update();
    });
  }
})();
