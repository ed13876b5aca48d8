const mark = ({ target }) => {
    if (target.closest?.(".cvtune")?.contains(target)) target.setAttribute("data-lm-suppress-shortcuts", "true");
};
const press = (event) => {
    const at = event.target, panel = at.closest?.(".cvtune"), key = event.key.toLowerCase();
    if (!panel || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || !/^[a-z]$/.test(key)
        || at.matches("select, textarea, input:not([type=checkbox])")) return;
    const button = [...panel.querySelectorAll(`.cvtune-key-${key}`)].find((one) => one.offsetParent);
    if (!button) return;
    if (!event.repeat) button.click();
    event.preventDefault();
    event.stopPropagation();
};
let panels = 0;
const count = (by) => document.body.classList.toggle("cvtune-live", (panels += by) > 0);
function render({ el }) {
    el.style.display = "none";
    document.addEventListener("focusin", mark);  // the same functions again: added only once
    document.addEventListener("keydown", press);
    count(1);
    return () => count(-1);
}
export default { render };
