// Live updates, ages and keys. Every page is whole without this.
"use strict";
(() => {
  const main = document.getElementById("main");
  if (!main) return;

  // --- ages

  const span = (seconds) =>
    seconds >= 172800 ? `${Math.floor(seconds / 86400)} d`
    : seconds >= 7200 ? `${Math.floor(seconds / 3600)} h`
    : seconds >= 90 ? `${Math.floor(seconds / 60)} min`
    : seconds >= 5 ? `${Math.floor(seconds)} s` : "now";
  const age = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = Date.parse(time.dateTime.replace(/(\.\d{3})\d*/, "$1"));
      if (at) time.textContent = span((Date.now() - at) / 1000);
    }
  };
  setInterval(age, 15000);

  // --- live: what changed on the server is fetched as a page, and its marked parts take the place of ours

  const live = document.getElementById("live");
  let due = 0, busy = false;
  const isWritingIn = (part) =>
    part.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)
    || [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);
  const refresh = async () => {
    due = 0;
    if (busy) return later();
    busy = true;
    try {
      const address = new URL(location.href);
      address.searchParams.delete("done");
      const answer = await fetch(address, { credentials: "same-origin", headers: { "X-Requested-With": "gitmaild" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (!next || isWritingIn(part) || next.innerHTML === part.innerHTML) continue;
        const open = [...part.querySelectorAll("details")].map((each) => each.open);
        const chosen = rows().indexOf(document.activeElement);
        part.replaceChildren(...next.childNodes);
        if (part.querySelectorAll("details").length === open.length)
          part.querySelectorAll("details").forEach((each, number) => { each.open = open[number]; });
        if (chosen >= 0 && !document.contains(document.activeElement)) rows()[chosen]?.focus();
      }
      age();
    } catch { /* the next event tries again */ } finally { busy = false; }
  };
  const later = () => { if (!due) due = setTimeout(refresh, 250); };
  const kinds = ["message", "register", "retire", "read", "ack", "reserve", "renew", "release", "expire", "grant", "warn",
    "contact-policy", "contact-request", "contact-approve", "contact-deny", "let-in", "send-back", "dnd", "role-bind", "role-unbind",
    "group", "queue", "board", "claim", "give-back", "return", "handoff", "remind", "escalate", "found", "guard.bypassed", "refuse", "foreign"];
  const listen = () => {
    const source = new EventSource("/events");
    for (const kind of kinds) source.addEventListener(kind, later);
    source.onopen = () => { live.textContent = "live"; live.className = "on"; };
    source.onerror = () => { live.textContent = ""; live.className = ""; };
    addEventListener("pagehide", () => source.close());
  };
  if (live && "EventSource" in window) addEventListener("load", () => setTimeout(listen, 0));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(); });

  // --- keys

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const step = (by) => {
    const all = rows();
    const next = all[Math.min(Math.max(all.indexOf(document.activeElement) + by, 0), all.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  const keys = document.getElementById("keys");
  const help = document.getElementById("help");
  if (help) { help.hidden = false; help.addEventListener("click", () => keys.showModal()); }
  let before = "";
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const said = before === "g" ? `g ${event.key}` : event.key;
    before = event.key === "g" && before !== "g" ? "g" : "";
    if (said === "j" || said === "k") { step(said === "j" ? 1 : -1); return event.preventDefault(); }
    if (said === "?") { keys.showModal(); return event.preventDefault(); }
    const found = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === said);
    if (!found) return;
    event.preventDefault();
    if (found.tagName === "A") found.click(); else { found.focus(); found.scrollIntoView({ block: "center" }); }
  });
})();
