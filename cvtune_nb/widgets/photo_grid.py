"""Many small photos side by side, from which a person opens one or selects some, by mouse or keyboard."""

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets


class PhotoGrid(anywidget.AnyWidget):
    """photos: a dict for each: key; caption, the text under it; said, the sentence that screen readers get; mark: a
    border, "same" (as the query: solid blue), "other" (dashed orange) or "" (none). images: their JPEG bytes; name:
    what screen readers call the grid. `show` sets these. choosable: whether photos can be selected;
    opens: whether a click or Enter opens a photo, or selects it as space does.

    selected: the keys of the selected photos. Only the kernel writes this trait, when a message comes; the page reads
    it when it is drawn anew, so that a reload of the page keeps the selection.

    What the person does comes as a message: {"open": key} or {"selected": keys}, both with the `shown` they belong to,
    so that a selection that comes when other photos are shown already is left out. They go to `on_open` and
    `on_select`, which do nothing until they are set. A file that is dropped on the grid comes as {"dropped": its name},
    with its content, and goes to `on_drop`; until that is set, files are not taken.

    A click opens a photo, a click on the box in its corner selects it. Keys: arrows, Home and End go from photo to
    photo, Enter opens the one that has the focus, space selects it or no longer, Ctrl+A all or none.
    """

    photos = traitlets.List(traitlets.Dict()).tag(sync=True)
    images = traitlets.List(traitlets.Bytes()).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    choosable = traitlets.Bool(False).tag(sync=True)
    opens = traitlets.Bool(True).tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.on_open: Callable[[str], None] = lambda _key: None
        self.on_select: Callable[[list[str]], None] = lambda _keys: None
        self.on_drop: Callable[[bytes, str], None] | None = None
        self.on_msg(self._heard)

    def show(self, photos: list[dict[str, str]], images: list[bytes], name: str) -> None:
        """Show these photos, none of them selected, in the place of whatever is on the page."""
        if len(photos) != len(images):
            raise ValueError(f"{len(photos)} photos, but {len(images)} images")
        with self.hold_sync():
            self.photos, self.images, self.name, self.selected = photos, images, name, []
            self.shown += 1

    def _heard(self, _widget: Any, content: dict[str, Any], buffers: Any) -> None:
        if "dropped" in content:
            if self.on_drop:
                self.on_drop(bytes(buffers[0]), content["dropped"])
        elif "open" in content:  # also a late one: it is what the person clicked last
            self.on_open(content["open"])
        elif content.get("shown", self.shown) == self.shown:
            self.selected = content["selected"]
            self.on_select(list(self.selected))

    _css = """
    .cvtune-grid {display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start; padding: 4px;
        color: var(--jp-ui-font-color1, #222);}
    .cvtune-grid:empty {display: none;}
    .cvtune-grid.over {outline: 3px dashed #0072B2;}
    .cvtune-grid div {position: relative; width: 122px; cursor: pointer; border-radius: 2px;}
    .cvtune-grid div:focus {outline: 3px solid var(--jp-ui-font-color1, #222); outline-offset: 1px;}
    .cvtune-grid img {display: block; box-sizing: border-box; width: 122px; height: 122px; object-fit: contain;
        padding: 2px; border: 3px solid transparent; user-select: none;}
    .cvtune-grid [data-mark=same] img {border-color: #0072B2;}
    .cvtune-grid [data-mark=other] img {border: 3px dashed #D55E00;}
    .cvtune-grid span {display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
        overflow-wrap: anywhere; font: 11px/1.3 var(--jp-ui-font-family, sans-serif); padding: 1px 4px;}
    .cvtune-grid [aria-selected=true] span {font-weight: 700;}
    .cvtune-grid i {position: absolute; left: 6px; top: 6px; box-sizing: border-box; width: 24px; height: 24px;
        font: bold 17px/20px sans-serif; text-align: center; color: transparent; background: #fff;
        border: 2px solid #555; border-radius: 4px; opacity: 0.85;}
    .cvtune-grid i:hover {border-color: #0072B2; opacity: 1;}
    .cvtune-grid [aria-selected=true] i {color: #fff; background: #0072B2; border-color: #fff; opacity: 1;}
    """
    _esm = """
    function render({ model, el }) {
        const grid = document.createElement("div");
        grid.className = "cvtune-grid";
        grid.setAttribute("role", "listbox");
        el.append(grid);
        let chosen = new Set(), links = [], shown = 0;

        const make = (photo, number) => {
            const item = document.createElement("div"), caption = document.createElement("span");
            const picture = document.createElement("img"), tick = document.createElement("i");
            item.setAttribute("role", "option");
            item.setAttribute("aria-label", photo.said || photo.caption);
            item.dataset.lmSuppressShortcuts = "true";
            item.dataset.key = photo.key;
            item.dataset.mark = photo.mark ?? "";
            item.tabIndex = number ? -1 : 0;
            links.push(URL.createObjectURL(new Blob([model.get("images")[number]], { type: "image/jpeg" })));
            picture.src = links[number];
            picture.alt = "";  // what there is to say is said by the option
            picture.draggable = false;
            item.title = caption.textContent = photo.caption;
            item.append(picture, caption);
            tick.textContent = "✓";
            tick.setAttribute("aria-hidden", "true");
            if (model.get("choosable")) item.append(tick);
            return item;
        };
        const draw = () => {
            if (!model.get("choosable")) return;
            for (const item of grid.children) item.setAttribute("aria-selected", chosen.has(item.dataset.key));
        };
        const load = () => {
            const focused = grid.contains(document.activeElement) ? document.activeElement : null;
            const seen = focused?.matches(":focus-visible"), old = links, choosable = model.get("choosable");
            links = [];
            shown = model.get("shown");
            chosen = new Set(model.get("selected"));
            grid.replaceChildren(...model.get("photos").map(make));
            old.forEach((link) => URL.revokeObjectURL(link));
            grid.setAttribute("aria-multiselectable", choosable);
            const keys = [model.get("opens") ? "Enter: search with the photo" : "",
                          choosable ? "space: select it; Ctrl+A: all or none" : ""].filter(Boolean).join("; ");
            grid.setAttribute("aria-label", `${model.get("name")}. ${keys}`);
            draw();
            if (!focused) return;  // else it stays in the grid, without moving the page under the mouse
            const same = [...grid.children].find((item) => item.dataset.key === focused.dataset.key);
            (same ?? grid.firstElementChild)?.focus({ preventScroll: !seen });
        };
        const choose = (items, on) => {
            if (!model.get("choosable")) return;
            items.forEach((item) => chosen[on ? "add" : "delete"](item.dataset.key));
            draw();
            const keys = [...grid.children].map((item) => item.dataset.key);
            model.send({ selected: keys.filter((key) => chosen.has(key)), shown });
        };
        const turn = (item) => choose([item], !chosen.has(item.dataset.key));
        const open = (item) => model.get("opens") ? model.send({ open: item.dataset.key, shown }) : turn(item);
        grid.addEventListener("focusin", ({ target }) => {  // Tab comes back to where it left
            if (target === grid) return;
            for (const item of grid.children) item.tabIndex = item === target ? 0 : -1;
        });
        for (const kind of ["dragover", "dragleave", "drop"]) grid.addEventListener(kind, (event) => {
            if (!event.dataTransfer.types.includes("Files")) return;
            event.preventDefault();  // else the browser leaves the page for the file
            event.stopPropagation();
            grid.classList.toggle("over", kind === "dragover");
            const [file] = kind === "drop" ? event.dataTransfer.files : [];
            file?.arrayBuffer().then((content) => model.send({ dropped: file.name }, undefined, [content]));
        });
        grid.addEventListener("click", (event) => {
            const item = event.target.closest("[role=option]");
            if (!item) return;
            if (event.target.matches("i")) turn(item);
            else if (event.detail < 2) open(item);  // the second of a double click may meet the next photos
        });
        grid.addEventListener("keydown", (event) => {
            const all = [...grid.children], here = all.indexOf(event.target), last = all.length - 1;
            if (here < 0 || event.altKey) return;
            if (event.ctrlKey || event.metaKey) {
                if (event.key.toLowerCase() !== "a" || !model.get("choosable")) return;
                choose(all, all.some((item) => !chosen.has(item.dataset.key)));
            } else if (event.key === "Enter") {
                if (!event.repeat) open(all[here]);
            } else if (event.key === " ") {
                if (!event.repeat) turn(all[here]);
            } else {
                const row = all.filter((item) => item.offsetTop === all[0].offsetTop).length;
                const below = all[last].offsetTop > all[here].offsetTop ? Math.min(here + row, last) : here;
                const to = { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - row, ArrowDown: below,
                             Home: 0, End: last }[event.key];
                if (to === undefined) return;
                all[to]?.focus();
            }
            event.preventDefault();
            event.stopPropagation();
        });
        model.on("change:shown", load);
        model.on("change:choosable change:opens", load);
        load();
        return () => links.forEach((link) => URL.revokeObjectURL(link));
    }
    export default { render };
    """
