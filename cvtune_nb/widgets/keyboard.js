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
function render({ el }) {
    el.style.display = "none";
    document.addEventListener("focusin", mark);  // the same functions again: added only once
    document.addEventListener("keydown", press);
}
export default { render };
