/* Searches while staff type: in the field of the home page, and in a dialog that Ctrl+K or / opens on every page. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const PAUSE = 150; // milliseconds without a key before the server is asked

    const setUp = (box) => {
        const field = box.querySelector("[role=combobox]");
        const list = box.querySelector("[role=listbox]");
        const status = box.querySelector("[role=status]");
        let timer;
        let asking = null; // what aborts the request for the present text
        let opensFirst = false; // Enter was pressed before the results came

        const options = () => [...list.querySelectorAll("[role=option]")];
        const active = () => list.querySelector("[aria-selected=true]");

        const activate = (option) => {
            active()?.setAttribute("aria-selected", "false");
            option?.setAttribute("aria-selected", "true");
            option?.scrollIntoView({ block: "nearest" });
            if (option) field.setAttribute("aria-activedescendant", option.id);
            else field.removeAttribute("aria-activedescendant");
        };

        const show = (results, text) => {
            list.replaceChildren(...results);
            options().forEach((option, number) => { option.id = `${list.id}-${number}`; });
            list.hidden = options().length === 0;
            field.setAttribute("aria-expanded", String(!list.hidden));
            status.textContent = text;
            activate(options()[0]);
        };

        const stop = () => {
            clearTimeout(timer);
            asking?.abort();
            asking = null;
            opensFirst = false;
        };

        const search = async () => {
            const request = asking = new AbortController();
            let results = [];
            let text = "The search failed. Try again.";
            try {
                const address = `${box.dataset.search}?${new URLSearchParams({ q: field.value })}`;
                const response = await fetch(address, { signal: request.signal });
                if (response.redirected) text = "You are signed out. Reload the page to sign in again.";
                else if (response.ok) {
                    const page = new DOMParser().parseFromString(await response.text(), "text/html");
                    results = [...page.querySelectorAll("[role=group]")];
                    text = page.querySelector("[data-status]").dataset.status;
                }
            } catch {
                if (request.signal.aborted) return;
            }
            if (request.signal.aborted) return;
            asking = null;
            show(results, text);
            if (opensFirst) active()?.click();
            opensFirst = false;
        };

        const move = (step) => {
            const all = options();
            if (all.length) activate(all[(all.indexOf(active()) + step + all.length) % all.length]);
        };

        field.addEventListener("input", () => {
            stop();
            if (field.value.trim()) {
                status.textContent = "Searching …";
                asking = new AbortController(); // for Enter; there is no request yet
                timer = setTimeout(search, PAUSE);
            } else show([], "");
        });

        field.addEventListener("keydown", (event) => {
            if (event.isComposing) return;
            if (event.key === "ArrowDown" || event.key === "ArrowUp") {
                event.preventDefault();
                move(event.key === "ArrowDown" ? 1 : -1);
            } else if (event.key === "Enter") {
                event.preventDefault();
                if (asking) opensFirst = true;
                else active()?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: event.ctrlKey, metaKey: event.metaKey }));
            } else if (event.key === "Escape" && !box.closest("dialog")) {
                stop();
                show([], "");
            }
        });

        list.addEventListener("mousemove", ({ target }) => {
            const option = target.closest("[role=option]");
            if (option && option !== active()) activate(option);
        });

        box.addEventListener("focusout", ({ relatedTarget }) => {
            if (!box.closest("dialog") && !box.contains(relatedTarget) && !list.matches(":hover")) {
                stop();
                show([], "");
            }
        });

        return { field, clear: () => { stop(); field.value = ""; show([], ""); } };
    };

    const palette = document.getElementById("staff-palette");
    document.querySelectorAll("[data-search]").forEach((box) => {
        const { field, clear } = setUp(box);
        if (box.parentElement === palette) {
            palette.addEventListener("close", clear);
            palette.addEventListener("click", ({ target }) => { if (target === palette) palette.close(); });
            palette.addEventListener("open-search", () => { palette.showModal(); field.focus(); });
        }
    });

    const open = () => { if (palette && !palette.open) palette.dispatchEvent(new Event("open-search")); };
    document.addEventListener("click", ({ target }) => { if (target.closest?.("[data-opens-search]")) open(); });
    document.addEventListener("keydown", (event) => {
        const isShortcut = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k";
        const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest?.("input, textarea, select, [contenteditable]");
        if (!palette || (!isShortcut && !isSlash)) return;
        event.preventDefault();
        open();
    });
});
