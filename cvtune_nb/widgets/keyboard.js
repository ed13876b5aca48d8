const mark = (event) => {
    const at = event.target;
    if (!at.closest?.(".cvtune")?.contains(at)) return;
    at.setAttribute("data-lm-suppress-shortcuts", "true");
    if (!at.matches(".cvtune-photo")) return;
    at.setAttribute("role", "group");
    at.setAttribute("aria-label", at.querySelector("img")?.alt ?? "photo");
};
const press = (event) => {
    const at = event.target, panel = at.closest?.(".cvtune");
    if (!panel || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented
        || at.matches("select, textarea, input:not([type=checkbox])")) return;
    const cards = [...panel.querySelectorAll(".cvtune-photo")];
    const card = at.closest(".cvtune-photo"), here = cards.indexOf(card);
    const go = (to) => cards[Math.min(Math.max(to, 0), cards.length - 1)]?.focus();
    const key = event.key === " " && at === card ? "x" : event.key.toLowerCase();
    const row = card ? cards.filter((other) => other.offsetTop === card.offsetTop).length : 0;
    const step = { arrowright: 1, arrowleft: -1, arrowdown: row, arrowup: -row }[key];
    if (step && card) {
        go(here + step);
    } else {
        if (!/^[a-z]$/.test(key)) return;
        const name = `.cvtune-key-${key}`;
        const shown = (box, which) => [...box.querySelectorAll(which)].find((one) => one.offsetParent);
        const target = (card && shown(card, name)) ?? shown(panel, `${name}:not(.cvtune-photo *)`);
        if (!target) return;
        if (!event.repeat) (target.querySelector("input") ?? target).click();
        if (target.matches(".cvtune-onward")) go(here + 1);
        if (target.matches(".cvtune-turns")) go(0);
    }
    event.preventDefault();
    event.stopPropagation();
};
const reach = new MutationObserver(() => {  // ipywidgets gives a box no tabindex
    for (const card of document.querySelectorAll(".cvtune-photo:not([tabindex])")) card.tabIndex = 0;
});
function render({ el }) {
    el.style.display = "none";
    document.addEventListener("focusin", mark);  // the same functions again: added only once
    document.addEventListener("keydown", press);
    reach.observe(document.body, { childList: true, subtree: true });
}
export default { render };
